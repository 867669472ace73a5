"""The processes of a chaos round: real ones, each to be killed alone or with all of its own.

A round starts dozens of processes, and most of what that costs is importing Dask. Here they are forked from an
interpreter (the nursery) that has imported everything and done nothing yet; the worker processes of a client are
forked likewise, from a fork of the client made before it has a second thread. From then on they are what they would
be if they had been started by themselves: sessions, memory, sockets and open files of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Started:
    """A process of a round and what it says."""

    pid: int
    log: Path

    def __post_init__(self) -> None:
        import psutil

        try:
            self._process = psutil.Process(self.pid)
        except psutil.NoSuchProcess:
            self._process = None

    @property
    def ended(self) -> bool:
        return self._process is None or not self._process.is_running()

    def wait(self, seconds: float) -> bool:
        """Whether it ended in that time."""
        import psutil

        with contextlib.suppress(psutil.TimeoutExpired):
            if self._process is not None:
                self._process.wait(timeout=seconds)
        return self.ended

    def workers(self) -> list[int]:
        """Its worker processes: not children of its own, but of its fork server."""
        import psutil

        with contextlib.suppress(psutil.Error):
            if self._process is not None:
                return [c.pid for c in self._process.children(recursive=True) if c.ppid() != self.pid]
        return []

    def kill(self) -> None:
        """This process alone."""
        import psutil

        with contextlib.suppress(psutil.Error):
            if self._process is not None:
                self._process.kill()
        self.wait(10.0)

    def kill_all(self) -> None:
        """This process and all that it started, at once."""
        self.signal_all(signal.SIGKILL)
        self.wait(10.0)

    def address(self, file: Path) -> str:
        """Of the scheduler that this process is, which writes it to a file; empty where it never does."""
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):
                return str(json.loads(file.read_text())["address"])
            time.sleep(0.05)
        return ""

    def signal_all(self, number: int) -> None:
        """A signal to this process and all that it started."""
        # By name, not by the number of their group alone: once all of it has ended, that is given to others.
        for _ in range(3):  # those, too, that one of them has just started
            for pid in self._members():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _members(self) -> list[int]:
        """Processes of this one's group that work in its folder, as it does and all that it starts."""
        import psutil

        found, folder = [], str(self.log.parent)
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if os.getpgid(process.pid) == self.pid and process.cwd() == folder:
                    found.append(process.pid)
        return found

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def said(self) -> dict[str, Any]:
        """What a client says at its end; empty where it came to none."""
        lines = [line for line in self.output().splitlines() if line.startswith('{"exit_code"')]
        return dict(json.loads(lines[-1])) if lines else {}


class Nursery:
    """Starts processes; one nursery serves any number of rounds, one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            # What killed processes leave behind is what this is about.
            [sys.executable, "-W", "ignore:resource_tracker", "-m", "benchmarks.chaos_processes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        )
        self._number = 0

    def start(self, call: str, *arguments: str, folder: Path, environment: Mapping[str, str]) -> Started:
        """Start `call` of this module in a folder; what it prints goes to a file there."""
        self._number += 1
        log = folder / f"{call}-{self._number}.log"
        request = {
            "call": call,
            "arguments": arguments,
            "folder": str(folder),
            "log": str(log),
            "environment": dict(environment),
        }
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Started(int(self._process.stdout.readline()), log)

    def close(self) -> None:
        self._process.communicate()


def client(run_file: str, address: str = "", remake: str = "") -> int:
    """Plan what is missing (or, with `remake`, everything), produce it, and return the exit code."""
    from sarcube.cluster import Profile, connect
    from sarcube.config import RunConfig
    from sarcube.production.plan.plan import plan
    from sarcube.production.run.options import ProduceOptions
    from sarcube.production.run.produce import produce

    made = plan(RunConfig.from_file(run_file), remake=bool(remake))
    there = Profile(kind="address", address=address, options={"timeout": "2s"})
    here = Profile(workers=2, memory=1.0, pass_environment=_S3)
    options = ProduceOptions(backoff_s=0.1, patience_s=20.0)
    with connect(there if address else here) if made.tasks else contextlib.nullcontext() as dask:
        outcome = produce(made, dask, options=options)
    print(outcome, [f.message for f in outcome.failed], flush=True)
    print(json.dumps({"exit_code": outcome.exit_code, "unfinished": outcome.unfinished}), flush=True)
    return outcome.exit_code


def scheduler(address_file: str) -> int:
    """A scheduler of its own, which writes where it is."""
    from distributed.cli.dask_scheduler import main

    local = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
    main([*local, "--scheduler-file", address_file], standalone_mode=False)
    return 0


def worker(address: str) -> int:
    """A worker of that scheduler, with the nanny that starts it anew."""
    from distributed.cli.dask_worker import main

    from sarcube.cluster.environment import MEMORY

    options = ["--nthreads", "1", "--death-timeout", "5", "--resources", f"{MEMORY}=1000000000", "--no-dashboard"]
    main([address, "--host", "127.0.0.1", *options], standalone_mode=False)
    return 0


_CALLS = {call.__name__: call for call in (client, scheduler, worker)}
_S3 = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")


def _serve() -> None:
    """Be the nursery: a line in, a process out."""
    import multiprocessing.resource_tracker
    import threading

    import dask
    import obstore.store  # noqa: F401

    import sarcube.cluster.worker_start
    import sarcube.production.plan.plan
    import sarcube.production.run.dispatch
    import sarcube.production.run.produce
    import sarcube.production.run.record
    import sarcube.production.views.report  # noqa: F401

    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    multiprocessing.resource_tracker.ensure_running()
    assert threading.active_count() == 1, "a process with threads cannot be forked safely"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _become(**json.loads(line))
        print(pid, flush=True)


def _become(call: str, arguments: list[str], folder: str, log: str, environment: dict[str, str]) -> None:
    """Be the process that was asked for; does not return."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with Path(os.devnull).open() as nothing, Path(log).open("w") as out:
            os.dup2(nothing.fileno(), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        os.chdir(folder)
        os.environ.update(environment)
        if ahead := float(environment.get("CHAOS_SKEW", "0")):
            _set_clock(ahead)
        _start_fork_server()
        code = _CALLS[call](*arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _set_clock(ahead: float) -> None:
    """Let products, items and records of this process, and of all that are forked from it, bear wrong times.

    Only the rooms of sarcube that take times from a clock are told: Python's own `datetime` is known to C and Rust.
    """
    import datetime
    import types

    import benchmarks.chaos_workflow  # noqa: F401
    import sarcube.catalog.collections
    import sarcube.production.run.record  # noqa: F401

    real = datetime.datetime

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

    class Wrong(real, metaclass=Kind):
        def __new__(cls, *arguments: Any, **named: Any) -> Any:
            return real(*arguments, **named)

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real.now(tz) + datetime.timedelta(seconds=ahead)

    wrong = types.ModuleType("datetime")
    wrong.__dict__.update(datetime.__dict__)
    wrong.__dict__["datetime"] = Wrong
    rooms = tuple(f"sarcube.{room}." for room in ("products", "catalog", "workflows", "production"))
    for name, module in list(sys.modules.items()):
        if name.startswith(rooms) and getattr(module, "dt", None) is datetime:
            module.__dict__["dt"] = wrong


def _start_fork_server() -> None:
    """Give this process a fork server for its workers: a fork of itself, with one thread and all modules."""
    from multiprocessing import forkserver

    address = f"fork-{os.getpid()}"  # relative: the path of a socket must be short
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    alive_r, alive_w = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(alive_w)
        try:
            forkserver.main(listener.detach(), alive_r, [])
        finally:
            os._exit(0)
    os.close(alive_r)
    listener.close()
    own = forkserver._forkserver
    own._forkserver_address, own._forkserver_alive_fd, own._forkserver_pid = address, alive_w, pid


if __name__ == "__main__":
    _serve()
