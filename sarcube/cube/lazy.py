"""Lazy building blocks on dask: folds over time and maps over whole stacks of pixels."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import dask
import dask.array
import numpy as np
import xarray as xr
from dask.system import CPU_COUNT
from numpy.typing import DTypeLike, NDArray

if TYPE_CHECKING:
    from dask.array import Array
    from distributed import Client

# dask.array is only partly typed.
da: Any = dask.array
compute: Any = dask.base.compute
get_scheduler: Any = dask.base.get_scheduler

# Bytes of one block that holds all dates of its pixels.
_STACK_BYTES = 64 * 2**20


def fold(
    step: Callable[..., NDArray[np.number]],
    states: int,
    parts: Sequence[Sequence[Array]],
    finish: Callable[..., NDArray[np.number]],
    dtype: DTypeLike,
    held: DTypeLike = np.float64,
) -> Array:
    """Fold over time: `state = step(state, *blocks)` for each part, then `finish(state)`.

    The state and one part's chunk are all that is in memory, however many parts there are.

    Parameters
    ----------
    step : callable
        Given None or the state, shape (states, y, x), and the blocks of one part, those of (t, y, x) arrays as lists
        over t; returns a new state: workers may need the old one again.
    states : int
    parts : sequence of sequences of dask arrays
        Arrays (y, x) or (t, y, x), in the order of time, all on one chunking of y and x.
    finish : callable
        Given the last state; returns shape (y, x).
    dtype : dtype
        Of the result.
    held : dtype
        Of the state.
    """
    state: Array | None = None
    empty = np.empty((0, 0, 0), held)
    for blocks in parts:
        arrays = [a for b in blocks for a in (b, "tyx"[-b.ndim :])]
        if state is None:
            state = da.blockwise(partial(step, None), "kyx", *arrays, new_axes={"k": states}, dtype=held, meta=empty)
        else:
            state = da.blockwise(step, "kyx", state, "kyx", *arrays, dtype=held, meta=empty)
    folded: Array = da.map_blocks(finish, state, dtype=dtype, drop_axis=0, meta=np.empty((0, 0), dtype))
    return folded


def whole_stack(variable: xr.DataArray, halo: int = 0) -> Array:
    """All dates of each pixel in one block, shape (time, y, x); tiles small enough for memory.

    Free for a cube opened with chunks={"time": -1, "y": 512, "x": 512}. Tiles never get smaller than 128 pixels
    or four halos.
    """
    data: Array = da.asarray(variable.transpose("time", "y", "x").data)
    count, height, width = data.shape
    if data.numblocks[0] == 1 and max(data.chunksize[1:]) ** 2 * count * data.dtype.itemsize <= 8 * _STACK_BYTES:
        return data
    edge = int(np.sqrt(_STACK_BYTES / (count * data.dtype.itemsize)))
    edge = max(128, 4 * halo, edge // 128 * 128)
    whole: Array = data.rechunk({0: -1, 1: min(edge, height), 2: min(edge, width)})
    return whole


def on_cluster() -> bool:
    """Whether what is computed now runs on the workers of a dask client."""
    return _client() is not None


def cores() -> float:
    """How many threads compute what is computed now; infinite where workers of a cluster are still to come."""
    client = _client()
    if client is None:
        return CPU_COUNT
    return math.inf if client.asynchronous else sum(client.nthreads().values()) or math.inf


def _client() -> Client | None:
    if "distributed" not in sys.modules:
        return None
    from distributed import Client

    owner = getattr(get_scheduler(), "__self__", None)
    return owner if isinstance(owner, Client) else None


def as_dask(variable: xr.DataArray) -> Array:
    """The data of a variable as a dask array, (time, y, x) or (y, x)."""
    order = ("time", "y", "x") if "time" in variable.dims else ("y", "x")
    data: Array = da.asarray(variable.transpose(*order).data)
    return data
