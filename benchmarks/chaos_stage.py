"""Where a chaos round plays: a store on disk, on an S3 server that behaves badly, or on SeaweedFS."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks.chaos_processes import Nursery, Started  # noqa: E402
from benchmarks.chaos_s3 import FaultyS3  # noqa: E402
from benchmarks.chaos_workflow import NAME, scene_bytes  # noqa: E402

STORES = ("disk", "faulty s3", "seaweedfs")
_DISK_MB = 64
Snapshot = Callable[[], Mapping[str, Callable[[], bytes]]]


@dataclass
class Scene:
    """A round's stage: its store, its size, what clients need, and how to look at what is stored."""

    folder: Path
    url: str
    bursts: int
    dates: int
    snapshot: Snapshot
    nursery: Nursery
    environment: dict[str, str]
    s3_faults: Mapping[str, int] = field(default_factory=dict)  # counts of what the server did
    quiet: Callable[[], None] = lambda: None  # an end to the server's faults
    disk: Path | None = None  # a file system of its own, small
    lost: str = ""  # name of a scene that stays damaged
    skews: tuple[float, ...] = (0.0,)  # seconds by which clients' clocks are wrong
    started: list[Started] = field(default_factory=list)

    def start(self, call: str, *arguments: str) -> Started:
        """A process of this round; the clock of each next one is wrong by the next of `skews`."""
        skew = str(self.skews[len(self.started) % len(self.skews)])
        environment = self.environment | {"CHAOS_SKEW": skew}
        process = self.nursery.start(call, *arguments, folder=self.folder, environment=environment)
        self.started.append(process)
        return process

    @property
    def chaos(self) -> Path:
        return self.folder / "scenes"

    @property
    def config(self) -> Any:
        from sarcube.config import RunConfig

        options = {"bursts": self.bursts, "dates": self.dates, "files": 3, "seconds": 0.05, "chaos": str(self.chaos)}
        return RunConfig.from_dict(
            {
                "workflow": NAME,
                "source": {"path": "."},
                "store": self.url,
                "chaos": options,
            }
        )

    def left(self) -> list[Any]:
        """Tasks to do, but those that cannot be done."""
        from sarcube.production.plan.plan import plan

        return [t for t in plan(self.config).tasks if not self.lost or t.label != self.lost]

    def names(self) -> list[str]:
        from sarcube.workflows.rehearsal.workflow import WORKFLOW

        return sorted({u.label for u in WORKFLOW.find(self.config).units})


@contextlib.contextmanager
def stage(
    kind: str, seed: int, folder: Path, nursery: Nursery, size: tuple[int, int], *, mount: bool
) -> Iterator[Scene]:
    """Set it up, and take it down at the end. `mount`: give a store on disk a small file system of its own."""
    before = dict(os.environ)
    with contextlib.ExitStack() as stack:
        if kind == "disk":
            disk = stack.enter_context(_small_disk(folder / "disk")) if mount else None
            root = (disk or folder) / "store"
            scene = Scene(folder, str(root), *size, lambda: _on_disk(root), nursery, {}, disk=disk)
        elif kind == "faulty s3":
            server = FaultyS3(seed, rate=0.06)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            scene = Scene(folder, "s3://chaos/store", *size, lambda: _in_memory(server), nursery, server.environment)
            scene.s3_faults, scene.quiet = server.faults, server.quiet
        else:
            environment = _seaweedfs()
            url = f"s3://chaos/{os.getpid()}-{seed}"
            scene = Scene(folder, url, *size, lambda: _through_the_store(url), nursery, environment)
        os.environ.update(scene.environment)
        try:
            scene.chaos.mkdir()
            for name in scene.names():
                (scene.chaos / name).write_bytes(scene_bytes(name))
            (folder / "run.yaml").write_text(scene.config.to_yaml())
            yield scene
        finally:
            os.environ.clear()
            os.environ.update(before)


def _on_disk(root: Path) -> dict[str, Callable[[], bytes]]:
    return {str(p.relative_to(root)): p.read_bytes for p in root.rglob("*") if p.suffix in (".json", ".tif")}


def _in_memory(server: FaultyS3) -> dict[str, Callable[[], bytes]]:
    def reading(key: str) -> Callable[[], bytes]:
        return lambda: server.objects[key]  # as it is when it is read

    return {key.removeprefix("/chaos/store/"): reading(key) for key in server.snapshot()}


def _through_the_store(url: str) -> dict[str, Callable[[], bytes]]:
    from sarcube.errors import StoreError
    from sarcube.store.protocol import open_store

    store = open_store(url)

    def reading(key: str) -> Callable[[], bytes]:
        def read() -> bytes:
            try:
                return store.read_bytes(key)
            except StoreError as error:
                raise KeyError(key) from error

        return read

    return {key: reading(key) for key in store.list()}


@cache
def _seaweedfs() -> dict[str, str]:
    """One server for all rounds of this process."""
    from tests.servers import seaweedfs

    server = seaweedfs()
    server.make_bucket("chaos")
    return server.environment


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system that can really be full; None where this user may not mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextlib.contextmanager
def full_disk(scene: Scene, processes: list[int]) -> Iterator[None]:
    """Leave no room: on a disk of its own by filling it, else by a limit on the size of what processes may write."""
    if scene.disk is not None:
        ballast = scene.disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        try:
            yield
        finally:
            ballast.unlink()
        return
    _limit(processes, 20_000)
    try:
        yield
    finally:
        _limit(processes, -1)


def _limit(processes: list[int], size: int) -> None:
    import psutil

    for pid in processes:
        with contextlib.suppress(psutil.Error, ProcessLookupError, ValueError, OSError):
            hard = psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE)[1]
            psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (size if size > 0 else hard, hard))
