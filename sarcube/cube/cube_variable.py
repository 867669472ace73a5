"""xarray's variable, which knows what files are behind a cube's layer.

`mean("time")` and its like then read and reduce date by date in one task per chunk, instead of a tree of tasks that
hand every date on; and a few pixels are read alone, not with the chunks they lie in. Its data is a plain dask array,
and whatever else is made of it is xarray's own variable.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import dask.array
import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from sarcube.cube.lazy import cores, da
from sarcube.cube.through_time import (
    COUNT,
    GREATEST,
    LEAST,
    MEAN,
    SQUARES,
    TILE,
    Origin,
    cuts,
    read_medians,
    read_moments,
    read_part,
)  # fmt: skip

if TYPE_CHECKING:
    from dask.array import Array
    from xarray.core.types import Dims

# A part is read alone if it has less than this share of the pixels in the chunks that it touches. Otherwise chunks are
# read and cut, so that what several parts have in common is read once.
_SMALL = 0.25
# Chunks are cut for a reduction where they are fewer than this for every core.
_TASKS_PER_CORE = 4
# Pixels of chunks that are joined for a reduction. A row of tiles lies together in a file: fewer, longer reads, which
# is what a server's work and the opening of files depend on.
_PIXELS = 2 * 2**20
# Whose functions `mean` and the like hand to `reduce`.
_XARRAY = "xarray.core.duck_array_ops"
Values: TypeAlias = NDArray[np.floating]
Chunks: TypeAlias = tuple[tuple[int, ...], ...]
Float: TypeAlias = np.dtype[np.floating]
_Finisher: TypeAlias = Callable[[NDArray[np.float64], Float, int], Values]


class CubeVariable(xr.Variable):
    """A layer of float32 with NaN where there is nothing, dimensions time, y, x (or track, y, x); see the module."""

    __slots__ = ("_array", "_origin")
    _array: object
    _origin: Origin

    @classmethod
    def of(cls, variable: xr.Variable, origin: Origin) -> CubeVariable:
        """A variable on a dask array and what is behind it."""
        made = cls(variable.dims, variable.data, variable.attrs, variable.encoding)
        made._array, made._origin = made.data, origin
        return made

    @property
    def origin(self) -> Origin | None:
        """What is behind the pixels; None where the data is other than it was, as when it was computed."""
        origin: Origin | None = getattr(self, "_origin", None)
        return origin if origin is not None and _same(self._data, self._array) else None

    def _replace(self, *args: Any, **kwargs: Any) -> Any:
        # What xarray makes copies by; a deep copy of dask's array is another object with the same graph.
        made = super()._replace(*args, **kwargs)
        if self.origin is not None and _same(made._data, self._array):
            made._array, made._origin = made._data, self._origin
        return made

    def __getitem__(self, key: object) -> Any:  # xarray's own says a variable of this class, which a part is not
        origin = self.origin
        cut = _Cut.of(key, self.shape) if origin is not None else None
        if origin is None or cut is None or not (cut.whole(self.shape) or origin.exact()):
            return super().__getitem__(key)
        chunks = self.data.chunks
        touched = math.prod(_touched(c, s) for c, s in zip(chunks[1:], cut.window, strict=True))
        height, width = (s.stop - s.start for s in cut.window)
        part = origin.part(cut.steps, *cut.window)
        if height * width < _SMALL * touched:
            dims = [d for axis, d in enumerate(self.dims) if axis not in cut.gone]
            array = _alone(origin, cut, chunks[0])
            made = xr.Variable(dims, array, self.attrs, self.encoding)
        else:
            made = super().__getitem__(key)
        return made if cut.gone else CubeVariable.of(made, part)

    def reduce(  # type: ignore[override]
        self,
        func: Callable[..., Any],
        dim: Dims = None,
        axis: int | Sequence[int] | None = None,
        keep_attrs: bool | None = None,
        keepdims: bool = False,
        **kwargs: Any,
    ) -> xr.Variable:
        """xarray's, along time with fewer tasks."""
        reduced = None if keepdims or not _along_first(self, dim, axis) else _reduced(self, func, kwargs)
        if reduced is None:
            return super().reduce(func, dim, axis, keep_attrs, keepdims, **kwargs)
        kept = xr.get_options()["keep_attrs"] if keep_attrs is None else keep_attrs  # type: ignore[no-untyped-call]
        return xr.Variable(self.dims[1:], reduced, self.attrs if kept in (True, "default") else None)


def _same(array: object, other: object) -> bool:
    if not (isinstance(array, dask.array.Array) and isinstance(other, dask.array.Array)):
        return False
    return array.name == other.name and array.dask is other.dask


def moments(variable: xr.Variable, rows: int) -> Array | None:
    """Moments along time of a cube's variable, shape (rows, y, x), float64; None where it is another variable."""
    origin = variable.origin if isinstance(variable, CubeVariable) else None
    if origin is None:
        return None
    chunks = _tasks(origin, variable.data.chunks[1:])
    return _by_window("read_moments", partial(read_moments, origin, rows=rows), chunks, np.float64, (rows,))


def _alone(origin: Origin, cut: _Cut, along: tuple[int, ...]) -> Array:
    """The pixels of a small part; as many tasks along time as there are chunks."""
    chunk = np.repeat(np.arange(len(along)), along)[cut.steps]
    steps = np.split(cut.steps, np.flatnonzero(np.diff(chunk)) + 1)
    behind = np.empty((len(steps), 1, 1), object)
    behind[:, 0, 0] = [origin.part(own, *cut.window) for own in steps]
    table = da.from_array(behind, chunks=1, inline_array=True, name=f"origin-{dask.base.tokenize(behind.tolist())}")
    shape = tuple(s.stop - s.start for s in cut.window)
    chunks = (tuple(len(own) for own in steps), (shape[0],), (shape[1],))
    kept = [axis for axis in range(3) if axis not in cut.gone]
    alone: Array = da.map_blocks(
        read_part, table, dtype=np.float32, drop_axis=list(cut.gone), chunks=[chunks[axis] for axis in kept],
        meta=np.empty((0,) * len(kept), np.float32), shape=shape, gone=cut.gone,
    )  # fmt: skip
    return alone


@dataclass(frozen=True)
class _Cut:
    """A part of an array (time, y, x): the time steps, rows and columns, and which axes an index takes away."""

    steps: NDArray[np.intp]
    window: tuple[slice, slice]
    gone: tuple[int, ...]

    @classmethod
    def of(cls, index: object, shape: tuple[int, ...]) -> _Cut | None:
        """What an index asks for; None where it is something else, or nothing."""
        index = index if isinstance(index, tuple) else (index,)
        if Ellipsis in [i for i in index if isinstance(i, type(Ellipsis))]:
            at = next(k for k, i in enumerate(index) if i is Ellipsis)
            index = (*index[:at], *(slice(None),) * (len(shape) - len(index) + 1), *index[at + 1 :])
        index = (*index, *(slice(None),) * (len(shape) - len(index)))
        if len(index) != len(shape):
            return None
        found = [_indices(i, n) for i, n in zip(index, shape, strict=True)]
        if any(f is None or not len(f) for f in found):
            return None
        steps, rows, cols = (np.asarray(f) for f in found)
        if any(len(f) > 1 and (np.diff(f) != 1).any() for f in (rows, cols)) or (np.diff(steps) <= 0).any():
            return None
        window = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)
        return cls(steps, window, tuple(k for k, i in enumerate(index) if not isinstance(i, slice | list | np.ndarray)))

    def whole(self, shape: tuple[int, ...]) -> bool:
        """Whether all rows and columns are in it."""
        return tuple(s.stop - s.start for s in self.window) == shape[1:]


def _indices(index: object, size: int) -> NDArray[np.intp] | None:
    """Places along an axis that an index means; None for what dask is to judge."""
    if isinstance(index, slice):
        return np.arange(size)[index]
    if isinstance(index, list | np.ndarray):
        places = np.asarray(index)
        if places.ndim != 1 or places.dtype.kind != "i":
            return None
    else:
        try:
            places = np.array([operator.index(index)])  # type: ignore[arg-type]
        except TypeError:
            return None
    if len(places) and not (-size <= places.min() and places.max() < size):
        return None
    return np.where(places < 0, places + size, places)


def _touched(chunks: Sequence[int], part: slice) -> int:
    """Pixels along an axis of the chunks that a part touches."""
    edges = np.concatenate([[0], np.cumsum(chunks)])
    first, last = np.searchsorted(edges, part.start, side="right") - 1, np.searchsorted(edges, part.stop)
    return int(edges[last] - edges[first])


def _tasks(origin: Origin, chunks: Sequence[Sequence[int]]) -> Chunks:
    """Chunks of y and x for a reduction: those of the array, joined to wide ones where that leaves enough of them, or
    cut as the files' tiles are where they are too few.
    """
    wanted = _TASKS_PER_CORE * cores()
    cut = [tuple(c) for c in chunks]
    wide = _joined(cut[1], _PIXELS // max(cut[0]))
    if len(cut[0]) * len(wide) >= wanted and origin.exact():
        cut[1] = wide
    for axis in (0, 1):
        if math.prod(map(len, cut)) < wanted and origin.exact():
            starts = np.cumsum([0, *cut[axis][:-1]]) + origin.offset()[axis]
            parts = [cuts(size, TILE, int(at)) for size, at in zip(cut[axis], starts, strict=True)]
            cut[axis] = tuple(s.stop - s.start for part in parts for s in part)
    return tuple(cut)


def _joined(sizes: Sequence[int], most: int) -> tuple[int, ...]:
    """Neighbours along an axis joined up to a length, those that are longer as they are."""
    joined: list[int] = []
    for size in sizes:
        if joined and joined[-1] + size <= most:
            joined[-1] += size
        else:
            joined.append(size)
    return tuple(joined)


def _by_window(
    name: str, read: Callable[..., Values], chunks: Chunks, dtype: DTypeLike, lead: tuple[int, ...] = ()
) -> Array:
    edges = tuple(tuple(int(e) for e in np.cumsum([0, *c])) for c in chunks)
    name = f"{name}-{dask.base.tokenize(read, chunks)}"
    blocks: Array = da.map_blocks(
        partial(_read_block, read, edges), name=name, chunks=(*((n,) for n in lead), *chunks), dtype=dtype,
        meta=np.empty((0,) * (len(lead) + 2), dtype),
    )  # fmt: skip
    return blocks


def _read_block(read: Callable[..., Values], edges: Chunks, block_id: tuple[int, ...]) -> Values:
    return read(tuple(slice(e[k], e[k + 1]) for e, k in zip(edges, block_id[-2:], strict=True)))


def _along_first(variable: CubeVariable, dim: Dims, axis: int | Sequence[int] | None) -> bool:
    axes = axis if dim is None else None if dim is ... else variable.get_axis_num(dim)
    return axes in (0, (0,)) or (isinstance(axes, int) and axes == -variable.ndim)


def _reduced(variable: CubeVariable, func: Callable[..., Any], asked: dict[str, Any]) -> Array | None:
    """What xarray's function makes of a cube's variable along time; None where xarray is to do it."""
    name = getattr(func, "__name__", "") if getattr(func, "__module__", "") == _XARRAY else ""
    origin = variable.origin
    more = {k: v for k, v in asked.items() if k not in ("dtype", "ddof") and v is not None}
    if name not in _FINISHERS or origin is None or not (more.pop("skipna", True) and not any(more.values())):
        return None
    if name == "median":
        return _by_window(
            "read_medians", partial(read_medians, origin), _tasks(origin, variable.data.chunks[1:]), np.float32
        )
    dtype = np.dtype(asked.get("dtype") or np.float32)
    if dtype.kind != "f" or dtype.itemsize < 4:
        return None
    # A deviation's moments hold the mean, so that both together read once.
    state = moments(variable, GREATEST + 1 if name in ("min", "max") else SQUARES + 1)
    finished: Array = da.map_blocks(
        _FINISHERS[name], state, drop_axis=0, dtype=dtype, meta=np.empty((0, 0), dtype), to=dtype,
        ddof=asked.get("ddof") or 0,
    )  # fmt: skip
    return finished


def _mean(state: NDArray[np.float64], to: Float, ddof: int) -> Values:
    return np.where(state[COUNT] > 0, state[MEAN], np.nan).astype(to)


def _variance(state: NDArray[np.float64], to: Float, ddof: int) -> Values:
    free = state[COUNT] - ddof
    with np.errstate(invalid="ignore", divide="ignore"):
        variance: Values = np.where(free > 0, state[SQUARES] / free, np.nan).astype(to)
    return variance


def _deviation(state: NDArray[np.float64], to: Float, ddof: int) -> Values:
    deviation: Values = np.sqrt(_variance(state, np.dtype(np.float64), ddof)).astype(to)
    return deviation


def _least(state: NDArray[np.float64], to: Float, ddof: int) -> Values:
    return np.where(state[COUNT] > 0, state[LEAST], np.nan).astype(to)


def _greatest(state: NDArray[np.float64], to: Float, ddof: int) -> Values:
    return np.where(state[COUNT] > 0, state[GREATEST], np.nan).astype(to)


_FINISHERS: dict[str, _Finisher | None] = {
    "mean": _mean, "std": _deviation, "var": _variance, "min": _least, "max": _greatest, "median": None,
}  # fmt: skip
