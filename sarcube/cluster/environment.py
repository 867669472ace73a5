"""Variables that schedulers and workers are started with. None of them is secret."""

from __future__ import annotations

import os

from sarcube.cluster.profiles import Profile

MEMORY = "sarcube_memory"  # Dask resource that tasks declare, bytes
# How often Dask looks whether its event loops still answer; its own 20 ms cost a local run a twentieth of a core.
TICK = "500ms"
# Read as a process starts. BLAS inside of kernels only ever sees small matrices: threads of its own would only contend.
_BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# Memory that a process gives back and takes anew is a fault a page: a fifth of a burst's CPU time. Bursts are alike, so
# a worker keeps what it has reached once. Tasks run in threads, whose own arenas could not hold such arrays.
_MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}
AT_START = dict.fromkeys(_BLAS, "1") | _MALLOC


def kernel_environment(profile: Profile, threads: int | None = None) -> dict[str, str]:
    """Variables for a worker: one pool of kernel threads, of the size the profile says, and no second one.

    They must be set before numba, GDAL and BLAS are loaded; that is why they are not set inside of tasks.
    """
    number = str(threads or profile.threads or 1)
    names = ("SARCUBE_KERNEL_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "GDAL_NUM_THREADS")
    return dict.fromkeys(names, number) | AT_START | profile.environment


def passed_environment(profile: Profile) -> dict[str, str]:
    """Variables of the client that workers are to have too; their values may be secret."""
    return {name: os.environ[name] for name in profile.pass_environment if name in os.environ}


def cluster_environment(profile: Profile, *, encrypted: bool = True) -> dict[str, str]:
    """What a scheduler or a worker on another machine needs to behave as production wants it."""
    dask = {
        # A burst that kills three workers is set aside; Dask's own count (which includes tasks that merely
        # waited on the worker) must not come first, production keeps its own.
        "SCHEDULER__ALLOWED_FAILURES": "2",
        # Adaptive scaling reckons with seconds per task: a burst takes many.
        "SCHEDULER__UNKNOWN_TASK_DURATION": "60s",
        "SCHEDULER__WORKER_SATURATION": "1.0",
        "ADMIN__TICK__INTERVAL": TICK,
        "WORKER__DAEMON": "True",
        "WORKER__PROFILE__ENABLED": "False",
        # Rasters and arrays of a task are not Dask's: only the hard limit of memory counts.
        "WORKER__MEMORY__TARGET": "False",
        "WORKER__MEMORY__SPILL": "False",
        "WORKER__MEMORY__PAUSE": "False",
        "WORKER__MEMORY__TERMINATE": "0.98",
        "COMM__TIMEOUTS__CONNECT": "60s",
    }
    if encrypted:
        dask |= {"COMM__REQUIRE_ENCRYPTION": "True", "COMM__DEFAULT_SCHEME": "tls"}
    return kernel_environment(profile) | {f"DASK_DISTRIBUTED__{k}": v for k, v in dask.items()}
