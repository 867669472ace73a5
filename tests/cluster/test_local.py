"""The cluster on this machine."""

from __future__ import annotations

import os

from sarcube.cluster import connect


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
