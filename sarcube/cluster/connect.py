"""`connect(profile)`: a context manager that yields a Dask client and leaves nothing running behind."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sarcube.cluster.environment import AT_START, MEMORY, TICK, kernel_environment, passed_environment
from sarcube.cluster.profiles import Profile, find_profile
from sarcube.cluster.tls import temporary_security
from sarcube.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

_SHARE = 0.9  # of the machine's free memory that workers may take together
_CGROUP = Path("/sys/fs/cgroup")
# What must be alike on client and workers, because small pickled values of these travel between them.
_COMPARED = ("python", "sarcube", "distributed", "numpy")


@dataclass(frozen=True)
class Demand:
    """What the work wants.

    Attributes
    ----------
    tasks : int, optional
        No more workers than that.
    memory : int
        Bytes that the largest task declares.
    """

    tasks: int | None = None
    memory: int = 0


@contextlib.contextmanager
def connect(profile: str | Profile = "local", demand: Demand | None = None) -> Iterator[Client]:
    """A client for the cluster that a profile describes; a cluster made here ends with the block.

    Parameters
    ----------
    profile : str or Profile
        Name, file, scheduler address, or the profile itself.
    demand : Demand, optional

    Raises
    ------
    ClusterError
        No such profile, the cluster cannot be started or reached, or its workers run other versions.
    """
    if isinstance(profile, str):
        profile = find_profile(profile)
    demand = demand or Demand()
    if profile.kind == "local":
        opener = local_client(profile, demand)
    elif profile.kind == "address":
        opener = _address_client(profile)
    else:
        from sarcube.cluster.remote import remote_client

        opener = remote_client(profile, demand)
    with opener as client:
        if profile.kind != "local":
            compare_versions(client)
        yield client


def local_size(profile: Profile, demand: Demand) -> tuple[int, int, int]:
    """Workers of a local cluster, bytes of memory for each, and kernel threads of each."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = int(_memory_limit(psutil.virtual_memory().available) * _SHARE)
    each = int(profile.memory * 1e9) if profile.memory else demand.memory
    workers = profile.workers or max(1, cores // (profile.threads or 1))
    workers = max(1, min(workers, free // each if each else workers, demand.tasks or workers))
    memory = int(profile.memory * 1e9) if profile.memory else free // workers
    return workers, memory, profile.threads or max(1, cores // workers)


def _memory_limit(available: int) -> int:
    """Bytes that this process may use: what is free, or what is left of the container's limit."""
    try:
        limit, current = (int((_CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        return min(available, limit - current)
    except (OSError, ValueError):
        return available


@contextlib.contextmanager
def local_client(profile: Profile, demand: Demand) -> Iterator[Client]:
    """A cluster of processes on this machine."""
    import dask
    from distributed import LocalCluster

    workers, memory, threads = local_size(profile, demand)
    settings = {
        # A burst that kills three workers is set aside; Dask's own count (which includes tasks that merely
        # waited on the worker) must not come first, production keeps its own.
        "distributed.scheduler.allowed-failures": 2,
        "distributed.worker.daemon": True,
        "distributed.worker.profile.enabled": False,  # looks at every stack a hundred times a second; nobody reads it
        "distributed.worker.preload": ["sarcube.cluster.worker_start"],
        # Dask leaves what it sets before a spawn in this process for ever: kernels that run here later (a notebook's)
        # would find other threads than they were compiled for. All but what must be there first is set in the worker.
        "distributed.nanny.pre-spawn-environ": AT_START,
        "distributed.nanny.environ": kernel_environment(profile, threads) | passed_environment(profile),
        # Rasters and arrays of a task are not Dask's: only the hard limit of memory counts.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": 0.98,
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.admin.tick.interval": TICK,
        "distributed.comm.timeouts.connect": "60s",
        # A nanny brings its worker back; on a busy machine not within the 15 s after which Dask closes the nanny too.
        "distributed.deploy.lost-worker-timeout": "1h",
    }
    if "dashboard_address" not in profile.options:
        # Pages that nobody looks at, but that every user of the machine could.
        settings |= {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
    options: dict[str, object] = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "processes": True,
        "memory_limit": memory,
        "resources": {MEMORY: memory},
        # Nobody would be told where its dashboard is, and it is slow to import; a profile may ask for one (options).
        "dashboard_address": "127.0.0.1:0",
        "scheduler_kwargs": {"dashboard": "dashboard_address" in profile.options},
        "silence_logs": logging.CRITICAL,
        "host": "127.0.0.1",
        # Loopback is open to all users of the machine, and who may speak to a scheduler may run code as its owner.
        "protocol": "tls://",
        "security": temporary_security(),
        **profile.options,
    }
    with dask.config.set(settings), _quiet("distributed"):
        try:
            with _unset(AT_START):
                cluster = LocalCluster(**options)
        except (OSError, RuntimeError, TimeoutError, TypeError, ValueError) as error:
            raise ClusterError(f"the local cluster does not start: {error}; see `sarcube doctor`") from error
        with cluster, _client(cluster) as client:
            yield client


@contextlib.contextmanager
def _unset(names: Iterable[str]) -> Iterator[None]:
    """Variables of this process go before Dask's settings, and any cluster that was started here has left some."""
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Production tells of lost workers itself; Dask's own messages would tear the progress display apart."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _client(target: str | LocalCluster, **options: object) -> Client:
    from distributed import Client

    return Client(target, set_as_default=False, **options)


@contextlib.contextmanager
def _address_client(profile: Profile) -> Iterator[Client]:
    if not profile.address:
        raise ClusterError(f"cluster profile {profile.name!r} needs an address like tcp://host:8786")
    try:
        client = _client(profile.address, **{"timeout": "20s", **profile.options})
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise ClusterError(f"no Dask scheduler answers at {profile.address}: {error}") from error
    with client:
        yield client


def versions() -> dict[str, str]:
    """Versions of what must be alike on both sides. Runs on workers too."""
    from importlib.metadata import version

    import numpy as np

    import sarcube

    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "sarcube": sarcube.__version__,
        "distributed": version("distributed"),
        "numpy": np.__version__,
    }


def differences(worker: Mapping[str, str], client: Mapping[str, str]) -> list[str]:
    """What differs between a worker's versions and the client's."""
    return [f"{name} {worker.get(name)}, here {client[name]}" for name in _COMPARED if worker.get(name) != client[name]]


def compare_versions(client: Client) -> None:
    """Refuse workers whose versions differ from the client's, before any work is lost on it.

    Raises
    ------
    ClusterError
        Names what differs, and where.
    """
    own = versions()
    try:
        theirs: Mapping[str, object] = client.run(versions, on_error="return")
    except (OSError, TimeoutError) as error:
        raise ClusterError(f"the cluster's workers do not answer: {error}") from error
    different: dict[str, list[str]] = {}
    for worker, found in theirs.items():
        if not isinstance(found, dict):
            different.setdefault(f"sarcube cannot be imported ({found})", []).append(worker)
            continue
        for text in differences(found, own):
            different.setdefault(text, []).append(worker)
    if different:
        listed = "; ".join(f"{what} on {len(where)} worker(s), e.g. {where[0]}" for what, where in different.items())
        raise ClusterError(f"workers and client differ: {listed}; install the same versions on both sides")
