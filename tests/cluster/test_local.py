"""The cluster on this machine."""

from __future__ import annotations

import json
import os
import platform
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import dask
import psutil
import pytest

from sarcube.cluster import Profile, connect, find_profile, known_profiles
from sarcube.cluster.profiles import definitions_file
from sarcube.errors import ClusterError


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


_SCRIPT = """
import numba
import numpy as np
from sarcube.cluster import Profile, connect

def compiled():
    @numba.njit
    def total(a):
        return a.sum()
    numba.get_num_threads()  # as engines do; it starts the threads
    return total(np.ones(10))

if __name__ == "__main__":
    with connect(Profile(workers=1, threads=1)) as client:
        print(client.submit(compiled).result(60))
"""


def test_a_script_that_has_loaded_numba_starts_a_run(tmp_path: Path) -> None:
    """Its workers import it first, and numba with it: kernels were refused after the first that has threads."""
    script = tmp_path / "mine.py"
    script.write_text(_SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "10.0", done.stderr[-2000:]


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
def test_a_profile_of_ones_own_folder_goes_first_however_it_is_written(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "local.yaml").write_text(text)
    (tmp_path / "cluster" / "else.yaml").write_text("a: 1\n---\nb: 2\n")
    monkeypatch.setenv("SARCUBE_CLUSTER", str(tmp_path / "cluster"))
    assert find_profile("local").workers == 3


def test_what_lies_in_the_working_folder_is_used_only_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cluster" / "aws").mkdir(parents=True)
    (tmp_path / "cluster" / "local.yaml").write_text("kind: local\nworkers: 3\noptions: {preload: [evil]}\n")
    (tmp_path / "cluster" / "mine.yaml").write_text("kind: local\nworkers: 3\n")
    (tmp_path / "cluster" / "aws" / "definitions.yaml").write_text("worker_role: {}\n")
    monkeypatch.chdir(tmp_path)
    assert find_profile("local").workers is None
    assert "mine" not in known_profiles()
    assert tmp_path not in definitions_file(find_profile("fargate")).parents
    with pytest.raises(ClusterError, match=r"`cluster: \./cluster/mine\.yaml`"):
        find_profile("mine")
    named = find_profile("./cluster/mine.yaml")
    assert named.workers == 3
    assert definitions_file(named).resolve().is_relative_to(tmp_path)


STRANGER = """
import asyncio, json, os, sys, warnings
warnings.simplefilter("ignore")
from distributed import Security
from distributed.core import connect
own = Security.temporary().get_connection_args("client")
if os.getuid() == 0:  # another user, where the tests may become one
    os.setgroups([]); os.setgid(65534); os.setuid(65534)

async def knock(port, scheme, options):
    try:
        comm = await asyncio.wait_for(connect(f"{scheme}://127.0.0.1:{port}", timeout=3, **options), 6)
    except (OSError, TimeoutError):
        return None
    comm.abort()
    return [port, scheme]

async def page(port):
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /info/main/workers.html HTTP/1.0\\r\\n\\r\\n")
        answer = await asyncio.wait_for(reader.read(1000), 3)
    except (OSError, TimeoutError):
        return None
    is_page = answer.startswith(b"HTTP/") and b" 404 " not in answer.split(b"\\r\\n")[0]
    return [port, answer.decode("latin-1")] if is_page else None

async def main():
    ports = [int(p) for p in sys.argv[1:]]
    tried = [knock(p, *way) for p in ports for way in (("tcp", {}), ("tls", own))] + [page(p) for p in ports]
    return [heard for heard in await asyncio.gather(*tried) if heard]

print(json.dumps({"user": os.getuid(), "heard": asyncio.run(main())}), flush=True)
os._exit(0)
"""


def _listening() -> set[int]:
    """Ports of this process and all that it started."""
    own = psutil.Process()
    sockets = [s for p in (own, *own.children(recursive=True)) for s in p.net_connections("tcp")]
    return {s.laddr.port for s in sockets if s.status == psutil.CONN_LISTEN}


def test_another_user_of_the_machine_is_let_in_nowhere() -> None:
    before = _listening()
    with connect(Profile(workers=1, memory=1.0)) as client:
        assert client.scheduler.address.startswith("tls://127.0.0.1:")
        assert client.submit(int, 7).result(60) == 7
        ports = _listening() - before
        (worker,) = client.scheduler_info()["workers"].values()
        assert int(worker["nanny"].rsplit(":", 1)[1]) in ports
        assert len(ports) >= 3, "a scheduler, a nanny and a worker"
        program = [sys.executable, "-c", STRANGER, *map(str, sorted(ports))]
        done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=True, cwd="/")
        found = json.loads(done.stdout)
        assert found["heard"] == []
        assert found["user"] != 0
        assert client.submit(int, 8).result(60) == 8, "the cluster goes on"
