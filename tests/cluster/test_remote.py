"""Batch queues, gateways and addresses: what each profile asks of its cluster, on real processes where that can be."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sarcube.cluster import Demand, Profile, connect, find_profile
from sarcube.cluster.environment import MEMORY
from sarcube.errors import ClusterError, MissingExtraError

SBATCH = """#!{python}
import os, pathlib, subprocess, sys
folder = pathlib.Path({folder!r})
script = pathlib.Path(sys.argv[-1])
number = len(list(folder.glob("*.job"))) + 1
(folder / f"{{number}}.job").write_text(script.read_text())
with open(folder / f"{{number}}.log", "wb") as log:
    process = subprocess.Popen(["sh", str(folder / f"{{number}}.job")], stdout=log, stderr=log, start_new_session=True)
(folder / f"{{number}}.pid").write_text(str(process.pid))
print(f"Submitted batch job {{number}}")
"""
SCANCEL = """#!{python}
import os, pathlib, signal, sys
for number in sys.argv[1:]:
    os.killpg(int((pathlib.Path({folder!r}) / f"{{number}}.pid").read_text()), signal.SIGTERM)
"""


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A batch queue that starts its jobs at once, here."""
    pytest.importorskip("dask_jobqueue")
    folder, programs = tmp_path / "jobs", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        path = programs / name
        path.write_text(text.format(python=sys.executable, folder=str(folder)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    yield folder
    for pid in folder.glob("*.pid"):
        try:
            os.killpg(int(pid.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_jobs_of_a_batch_queue(queue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "canary-slurm-41d0")
    profile = Profile(
        name="test",
        kind="slurm",
        workers=1,
        memory=1.5,
        pass_environment=("EARTHDATA_TOKEN",),
        options={"walltime": "00:10:00", "interface": "lo", "queue": "express"},
    )
    with connect(profile, Demand(tasks=3, memory=10**9)) as client:
        assert client.scheduler.address.startswith("tls://")
        (worker,) = client.scheduler_info()["workers"].values()
        assert worker["resources"] == {MEMORY: 1.5e9}
        assert worker["nthreads"] == 1
        seen = client.submit(lambda: (os.environ["EARTHDATA_TOKEN"], os.environ["NUMBA_NUM_THREADS"])).result(30)
        assert seen == ("canary-slurm-41d0", "1")
        (certificates,) = tmp_path.glob(".sarcube-cluster-*")
        assert oct(certificates.stat().st_mode)[-3:] == "700"
    (job,) = queue.glob("*.job")
    script = job.read_text()
    assert "#SBATCH -p express" in script
    assert "canary" not in script
    assert not list(tmp_path.glob(".sarcube-cluster-*")), "certificates go with the run"


def test_a_queue_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("HOME", str(tmp_path))
    profile = Profile(name="test", kind="slurm", options={"class": "NoSuchCluster"})
    with pytest.raises(ClusterError, match="NoSuchCluster does not start"), connect(profile):
        pass


def test_a_missing_extra_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, kind, extra in (
        ("dask_jobqueue", "slurm", "hpc"),
        ("dask_kubernetes.operator", "kubernetes", "kubernetes"),
        ("dask_gateway", "gateway", "kubernetes"),
        ("dask_cloudprovider.aws", "fargate", "aws"),
    ):
        monkeypatch.setitem(sys.modules, module, None)  # what Python does with a module that cannot be imported
        profile = Profile(name="test", kind=kind, address="http://gateway")  # type: ignore[arg-type]
        with pytest.raises(MissingExtraError, match=rf"sarcube\[{extra}\]"), connect(profile):
            pass


def test_what_is_asked_of_a_gateway_and_of_kubernetes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their servers are not here: what they are asked is."""
    asked: dict[str, Any] = {}

    class Cluster:
        def __init__(self, **options: Any) -> None:
            asked.update(options)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_error: object) -> None:
            asked["closed"] = True

        def adapt(self, minimum: int, maximum: int) -> None:
            asked.update(minimum=minimum, maximum=maximum)

    class Gateway(Cluster):
        def cluster_options(self) -> dict[str, Any]:
            return {"environment": {}, "worker_cores": 1}

        def new_cluster(self, **options: Any) -> Cluster:
            return Cluster(**options)

    class Client:
        def __init__(self, *_cluster: Any, **_options: Any) -> None:
            pass

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_error: object) -> None:
            pass

        def wait_for_workers(self, *_number: int, **_timeout: float) -> None:
            raise TimeoutError

    monkeypatch.setitem(sys.modules, "dask_gateway", types.SimpleNamespace(Gateway=Gateway))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "dask_kubernetes.operator", types.SimpleNamespace(KubeCluster=Cluster))  # type: ignore[arg-type]
    monkeypatch.setattr("distributed.Client", Client)
    for name in ("gateway", "kubernetes"):
        asked.clear()
        profile = find_profile(name)
        with pytest.raises(ClusterError, match="no worker within"), connect(profile, Demand(tasks=5, memory=10**9)):
            pass
        assert (asked["minimum"], asked["maximum"], asked["closed"]) == (1, 5, True)
        environment = asked.get("environment") or asked["env"]
        assert environment["NUMBA_NUM_THREADS"] == "1"


def test_workers_of_another_version_are_refused_before_any_work() -> None:
    code = (
        "import sys, numpy; numpy.__version__ = '1.0'\n"
        "from distributed.cli.dask_worker import main\n"
        "if __name__ == '__main__': main(sys.argv[1:])\n"
    )
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, processes=True, dashboard_address="127.0.0.1:0") as cluster:  # type: ignore[no-untyped-call]
        worker = subprocess.Popen(
            [
                sys.executable,
                "-c",
                code,
                cluster.scheduler_address,
                "--no-nanny",
                "--no-dashboard",
                "--death-timeout",
                "20",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            from distributed import Client

            with Client(cluster) as client:  # type: ignore[no-untyped-call]
                client.wait_for_workers(1, timeout=60)
            with pytest.raises(ClusterError, match=r"numpy 1\.0, here"), connect(cluster.scheduler_address):
                pass
        finally:
            worker.kill()
            worker.wait()


def test_an_address_where_nobody_answers() -> None:
    profile = Profile(kind="address", address="tcp://127.0.0.1:1", options={"timeout": "0.3s"})
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers .*: Timed out"), connect(profile):
        pass
