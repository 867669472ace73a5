"""Exact percentiles of rasters that do not fit into memory, in two passes.

Floating-point numbers of 32 bits, their bits turned so that they sort as unsigned integers, are counted by their upper
16 bits; then those that share the upper half with a wanted one by their lower 16 bits. What comes out is the value
itself, not a bin's: the same as `numpy.percentile` of all valid pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.cube.lazy import compute, da

if TYPE_CHECKING:
    from dask.array import Array

_HALF = 1 << 16


def percentiles(arrays: Sequence[Array], wanted: Sequence[float]) -> list[tuple[float, ...]]:
    """Percentiles of the finite values of dask arrays (y, x) of float32; NaN where an array has none.

    Parameters
    ----------
    arrays : sequence of dask arrays
        Read twice, block by block, all together.
    wanted : sequence of float
        0 to 100; 0 and 100 are the least and the greatest value.
    """
    upper = compute(*(_summed(a, partial(_count_upper), 1) for a in arrays))
    ranks = [_ranks(int(u.sum()), wanted) for u in upper]
    bins = [sorted({_bin(u[0], k) for pair in r for k in pair[:2]}) for u, r in zip(upper, ranks, strict=True)]
    lower = compute(
        *(_summed(a, partial(_count_lower, bins=tuple(b)), max(len(b), 1)) for a, b in zip(arrays, bins, strict=True))
    )
    found = []
    for u, low, b, r in zip(upper, lower, bins, ranks, strict=True):
        if not r:
            found.append((math.nan,) * len(wanted))
            continue
        value = partial(_value, u[0], low, b)
        found.append(tuple(value(k0) + (value(k1) - value(k0)) * part for k0, k1, part in r))
    return found


def _summed(array: Array, count: Callable[[NDArray[np.float32]], NDArray[np.int64]], rows: int) -> Array:
    """Counts of all blocks, shape (rows, 65536)."""
    sizes = (tuple([rows] * array.numblocks[0]), tuple([_HALF] * array.numblocks[1]))
    counts = da.map_blocks(count, array, dtype=np.int64, chunks=sizes, meta=np.empty((0, 0), np.int64))
    blocks: list[Array] = [counts.blocks[i, j] for i in range(array.numblocks[0]) for j in range(array.numblocks[1])]
    while len(blocks) > 1:  # a tree, so that no sum waits for all blocks
        blocks = [_add(blocks[i : i + 8]) for i in range(0, len(blocks), 8)]
    return blocks[0]


def _add(blocks: Sequence[Array]) -> Array:
    if len(blocks) == 1:
        return blocks[0]
    summed: Array = da.map_blocks(_sum, *blocks, dtype=np.int64, meta=np.empty((0, 0), np.int64))
    return summed


def _sum(*blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = np.sum(blocks, axis=0)
    return total


def _keys(block: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Unsigned integers that sort as the finite values do."""
    values = np.asarray(block, np.float32).ravel()
    bits = (values[np.isfinite(values)] + np.float32(0.0)).view(np.uint32)  # + 0: the negative zero is zero
    return np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))


def _count_upper(block: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.bincount(_keys(block) >> 16, minlength=_HALF).astype(np.int64)[None]


def _count_lower(block: NDArray[np.float32], bins: tuple[int, ...]) -> NDArray[np.int64]:
    keys = _keys(block)
    out = np.zeros((max(len(bins), 1), _HALF), np.int64)
    for row, upper in enumerate(bins):
        out[row] = np.bincount(keys[keys >> 16 == upper] & 0xFFFF, minlength=_HALF)
    return out


def _ranks(count: int, wanted: Sequence[float]) -> list[tuple[int, int, float]]:
    """Order statistics below and above each percentile, and how far between them it lies."""
    if not count:
        return []
    places = [(count - 1) * p / 100.0 for p in wanted]
    return [(math.floor(h), math.ceil(h), h - math.floor(h)) for h in places]


def _bin(upper: NDArray[np.int64], rank: int) -> int:
    return int(np.searchsorted(np.cumsum(upper), rank, side="right"))


def _value(upper: NDArray[np.int64], lower: NDArray[np.int64], bins: Sequence[int], rank: int) -> float:
    bin_ = _bin(upper, rank)
    before = int(upper[:bin_].sum())
    low = int(np.searchsorted(np.cumsum(lower[bins.index(bin_)]), rank - before, side="right"))
    key = np.uint32(bin_ << 16 | low)
    bits = np.where(key >> 31, key & np.uint32(0x7FFFFFFF), ~key).astype(np.uint32)
    return float(bits.view(np.float32))
