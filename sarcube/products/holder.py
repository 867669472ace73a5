"""Who works on something: a process of this machine can be asked whether it still lives, one elsewhere cannot."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


def holder() -> dict[str, object]:
    """This process as it tells others who it is."""
    pid = os.getpid()
    return {"machine": _machine(), "pid": pid, "started": _started(pid)}


def gone(said: object) -> bool:
    """Whether the process that `holder` described is known to have ended; False where nobody can tell."""
    if not isinstance(said, dict) or said.get("machine") != _machine() or not isinstance(said.get("pid"), int):
        return False
    return _started(said["pid"]) != said.get("started")


@cache
def _machine() -> str:
    """This machine since it was started, and the space in which its process ids mean something."""
    return f"{socket.gethostname()} {_read('/proc/sys/kernel/random/boot_id') or _boot_time()} {_namespace()}"


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())  # each container has its own
    except OSError:
        return ""


def _boot_time() -> str:
    import psutil

    return str(int(psutil.boot_time()) // 60)


def _started(pid: int) -> str:
    """When a process began, which tells it from a later one of the same number; empty where there is none."""
    if text := _read(f"/proc/{pid}/stat"):
        fields = text.rpartition(")")[2].split()  # the name in parentheses may hold anything
        return "" if fields[0] in "ZX" else fields[19]  # a zombie does nothing any more
    if Path("/proc/self/stat").exists():
        return ""
    import psutil

    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""
