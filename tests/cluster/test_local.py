"""The cluster on this machine."""

from __future__ import annotations

import os
import platform
import resource
import signal
import threading
from pathlib import Path

import dask
import pytest

from sarcube.cluster import Profile, connect, find_profile


def _seen() -> tuple[str | None, int]:
    import numba

    return os.environ.get("GDAL_NUM_THREADS"), numba.config.NUMBA_NUM_THREADS


def test_workers_have_one_pool_of_threads_and_this_process_keeps_its_own() -> None:
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "GDAL_NUM_THREADS", "SARCUBE_KERNEL_THREADS")
    before = {name: os.environ.get(name) for name in names}
    with connect("local") as client:
        threads, kernels = client.submit(_seen).result(60)
        assert threads == str(kernels) and kernels >= 1
        assert {name: os.environ.get(name) for name in names} == before
    # Kernels that run here afterwards would fail if their number of threads had changed.
    assert {name: os.environ.get(name) for name in names} == before


def _faults() -> int:
    """Page faults of a thread that takes, fills and gives back 100 MB, when it has done so before."""
    seen = []

    def work() -> None:
        for _ in range(2):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            values = bytearray(b"1") * (100 << 20)
            del values
            seen.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

    for _ in range(2):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    return seen[-1]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="how memory is kept is said to glibc")
def test_workers_keep_their_memory_from_task_to_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")  # as any Dask cluster leaves it
    with connect(Profile(workers=1, memory=1.0)) as client:
        assert client.submit(_faults).result(60) < 1000  # 25,600 pages
        assert os.environ["MALLOC_TRIM_THRESHOLD_"] == "65536"


def test_a_worker_that_dies_comes_back_however_slowly() -> None:
    # Dask gives a lost worker 15 s and then closes its nanny: on a busy machine a cluster lost all workers that way.
    lost = {"distributed.deploy.lost-worker-timeout": "0.01s"}
    with dask.config.set(lost), connect(Profile(workers=1, memory=1.0)) as client:
        pid = client.submit(os.getpid).result(60)
        os.kill(pid, signal.SIGKILL)
        assert client.submit(os.getpid, pure=False).result(60) != pid
        assert len(client.cluster.workers) == 1


@pytest.mark.parametrize(
    "text", ["kind: local\nworkers: 3\n", "{kind: local, workers: 3}\n", '"kind": local\nworkers: 3\n']
)
def test_a_profile_of_ones_own_goes_first_however_it_is_written(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "local.yaml").write_text(text)
    (tmp_path / "cluster" / "else.yaml").write_text("a: 1\n---\nb: 2\n")
    monkeypatch.chdir(tmp_path)
    assert find_profile("local").workers == 3
