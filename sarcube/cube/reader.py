"""Reading pixels: what stands behind every chunk. stackstac calls it, through its reader protocol.

A chunk of a cube shows all products of one time step, so one call reads every file that touches the chunk and
merges them at once: the graph holds one task per chunk however many meet there, and memory holds the
chunk and one product's part of it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from sarcube.cube.handles import gdal_env, open_raster
from sarcube.cube.stored_numbers import Pixels, fits, told_by
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import Merge as LayerMerge
from sarcube.raster_facts import AS_STORED, Numbers

if TYPE_CHECKING:
    from stackstac.raster_spec import RasterSpec

MergeRule = Literal["first", "mean", "looks", "centre"]
MERGE_RULES: tuple[str, ...] = get_args(MergeRule)
# A thousandth of a pixel: grids closer than this are one lattice.
_LATTICE = 1e-3
# Pixels by which GDAL's approximated reprojection may err; its default of 0.125 shows on edges.
_WARP_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Source:
    """One file that contributes to a time step.

    Attributes
    ----------
    href : str
        Path or address.
    origin : str
        Item id, for messages.
    grid : GeoGrid
        Grid of the file.
    bounds : tuple of float
        Left, bottom, right, top in the CRS of the cube.
    weight : str or None
        File of the weights, on the same grid.
    numbers : Numbers
        What stored numbers mean, where the file does not say.
    """

    href: str
    origin: str
    grid: GeoGrid
    bounds: tuple[float, float, float, float]
    weight: str | None = None
    numbers: Numbers = AS_STORED

    def __reduce__(self) -> tuple[object, ...]:
        # Dask pickles every one of them for the names in its graph; what dataclass makes for that takes four times it.
        return Source, (self.href, self.origin, self.grid, self.bounds, self.weight, self.numbers)


@dataclass(frozen=True, slots=True)
class Merge:
    """What stackstac carries as the address of one time step of one layer: files and how they meet.

    Attributes
    ----------
    sources : tuple of Source
    rule : str
        What the user asked for.
    averaging : str
        What an average of the layer is: "mean", "sum", "mode", "classes" or "first".
    blind : tuple of int
        Classes where measures have no value.
    """

    sources: tuple[Source, ...]
    rule: MergeRule = "first"
    averaging: LayerMerge = "mean"
    blind: tuple[int, ...] = ()

    def __reduce__(self) -> tuple[object, ...]:
        return Merge, (self.sources, self.rule, self.averaging, self.blind)

    def __dask_tokenize__(self) -> tuple[object, ...]:
        return (
            self.rule,
            self.averaging,
            self.blind,
            tuple((s.href, s.weight, s.grid.left, s.grid.top, s.grid.resolution, s.numbers) for s in self.sources),
        )


class MergeReader:
    """Reader of one layer of one time step (stackstac's Reader protocol); pickles, and safe in threads."""

    def __init__(
        self,
        *,
        url: Merge,
        spec: RasterSpec,
        resampling: Resampling,
        dtype: np.dtype[np.generic],
        fill_value: float,
        scale_offset: tuple[float, float],
        gdal_env: object = None,
        errors_as_nodata: tuple[Exception, ...] = (),
    ) -> None:
        height, width = spec.shape
        left, _, _, top = spec.bounds
        self._set(url, GeoGrid(spec.epsg, left, top, spec.resolutions_xy[0], width, height), resampling, dtype)
        self.fill_value = fill_value

    @classmethod
    def on(
        cls, merge: Merge, grid: GeoGrid, resampling: Resampling, dtype: np.dtype[np.generic], fill_value: float
    ) -> MergeReader:
        """A reader of a merge on a grid, without stackstac's words for it."""
        reader = cls.__new__(cls)
        reader._set(merge, grid, resampling, dtype)
        reader.fill_value = fill_value
        return reader

    def _set(self, merge: Merge, grid: GeoGrid, resampling: Resampling, dtype: np.dtype[np.generic]) -> None:
        self.merge, self.grid, self.resampling, self.dtype = merge, grid, resampling, np.dtype(dtype)

    def read(self, window: Window, out: Pixels | None = None) -> Pixels | None:
        """Pixels of a window of the cube's grid, shape (height, width), or None where no file touches it.

        With `out` they are written there and `out` is returned; it stays as it was where no file touches it.
        """
        box = _box(window)
        parts = [(source, part) for source in self.merge.sources if (part := self._overlap(source, box))]
        if not parts:
            return None
        remote = any("://" in source.href for source, _ in parts)
        with gdal_env(remote):
            if len(parts) == 1 and parts[0][1] == box:
                values = self._read(parts[0][0], box, out=out)
            else:
                values = self._merged(parts, box)
        if out is None or values is out:
            return values
        out[:] = values
        return out

    def touches(self, window: Window) -> bool:
        """Whether `read` finds a file there."""
        box = _box(window)
        return any(self._overlap(source, box) for source in self.merge.sources)

    def _merged(self, parts: list[tuple[Source, _Box]], box: _Box) -> Pixels:
        if self.merge.averaging == "classes":
            return self._merge_masks(parts, box)
        if self.merge.rule in ("mean", "looks") and self.merge.averaging == "mode":
            return self._most_frequent(parts, box)
        if self.merge.rule in ("mean", "looks") and self.merge.averaging != "first":
            return self._average(parts, box)
        return self._pick(parts, box)

    def close(self) -> None:
        """Nothing stays open between reads."""

    def __getstate__(self) -> dict[str, object]:
        return dict(self.__dict__)

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    def _empty(self, box: _Box) -> Pixels:
        return np.full((box.height, box.width), self.fill_value, self.dtype)

    def _missing(self, values: Pixels) -> NDArray[np.bool_]:
        return np.asarray(np.isnan(values) if np.isnan(self.fill_value) else values == self.dtype.type(self.fill_value))

    def _pick(self, parts: list[tuple[Source, _Box]], box: _Box) -> Pixels:
        out = self._empty(box)
        nearest = np.full(out.shape, np.inf, np.float32) if self.merge.rule == "centre" else None
        for source, part in parts:
            rows, cols = part.within(box)
            target = out[rows, cols]
            if nearest is None:
                missing = self._missing(target)
                if missing.any():
                    np.copyto(target, self._read(source, part), where=missing)
            else:
                values, distance = self._read(source, part), self._distance(source, part)
                closer = ~self._missing(values) & (distance < nearest[rows, cols])
                np.copyto(target, values, where=closer)
                np.copyto(nearest[rows, cols], distance, where=closer)
        return out

    def _average(self, parts: list[tuple[Source, _Box]], box: _Box) -> Pixels:
        complex_ = self.dtype.kind == "c"
        total = np.zeros((box.height, box.width), np.complex128 if complex_ else np.float64)
        weights = np.zeros((box.height, box.width), np.float64)
        for source, part in parts:
            values = self._read(source, part)
            missing = self._missing(values)
            weight = np.ones(values.shape, np.float32)
            if source.weight is not None:
                weight = self._read(source, part, weight=True).astype(np.float32)
            weight = np.where(missing | ~(weight > 0), 0, weight)
            rows, cols = part.within(box)
            total[rows, cols] += np.where(weight > 0, values, 0) * weight
            weights[rows, cols] += weight
        if self.merge.averaging == "sum":
            averaged = total
        else:
            with np.errstate(invalid="ignore"):
                averaged = total / np.where(weights > 0, weights, np.nan)
        if self.dtype.kind in "ui":  # whole numbers have a value for nothing, and an end
            limits = np.iinfo(self.dtype.str)
            averaged = np.clip(np.rint(np.nan_to_num(averaged)), limits.min, limits.max)
        out: Pixels = averaged.astype(self.dtype)
        out[weights == 0] = self.fill_value
        return out

    def _most_frequent(self, parts: list[tuple[Source, _Box]], box: _Box) -> Pixels:
        """The value that most products have; of equally many the first in time."""
        layers = []
        for source, part in parts:
            layer = self._empty(box)
            layer[part.within(box)] = self._read(source, part)
            layers.append(layer)
        stack = np.stack(layers)
        votes = np.stack([(stack == layer).sum(axis=0) for layer in layers])
        votes[np.stack([self._missing(layer) for layer in layers])] = 0
        return np.asarray(np.take_along_axis(stack, votes.argmax(axis=0)[None], axis=0)[0])

    def _merge_masks(self, parts: list[tuple[Source, _Box]], box: _Box) -> Pixels:
        # Where a measure has no value (radar shadow) a neighbour that does see the pixel decides, as it does for the
        # measure itself.
        out = self._empty(box)
        seen = np.full(out.shape, np.inf, np.float32)
        for source, part in parts:
            rows, cols = part.within(box)
            values = self._read(source, part)
            rank = self._distance(source, part) if self.merge.rule == "centre" else np.zeros(values.shape, np.float32)
            rank = np.where(np.isin(values, self.merge.blind), rank + np.float32(1e12), rank)
            better = ~self._missing(values) & (rank < seen[rows, cols])
            np.copyto(out[rows, cols], values, where=better)
            np.copyto(seen[rows, cols], rank, where=better)
        return out

    def _distance(self, source: Source, part: _Box) -> NDArray[np.float32]:
        # Squared distance of pixel centres to the centre of the product, in pixels of the cube.
        x, y = _fractional(self.grid, source.bounds)
        cols = np.arange(part.col, part.col + part.width, dtype=np.float32) + 0.5 - (x[0] + x[1]) / 2
        rows = np.arange(part.row, part.row + part.height, dtype=np.float32) + 0.5 - (y[0] + y[1]) / 2
        distance: NDArray[np.float32] = (rows[:, None] ** 2 + cols[None, :] ** 2).astype(np.float32)
        return distance

    def _overlap(self, source: Source, box: _Box) -> _Box | None:
        x, y = _fractional(self.grid, source.bounds)
        if aligned(self.grid, source.grid):
            first_col, last_col, first_row, last_row = round(x[0]), round(x[1]), round(y[0]), round(y[1])
        else:
            # One pixel more, since the outline of a reprojected rectangle is curved.
            first_col, last_col = int(np.floor(x[0])) - 1, int(np.ceil(x[1])) + 1
            first_row, last_row = int(np.floor(y[0])) - 1, int(np.ceil(y[1])) + 1
        return box.intersection(first_row, first_col, last_row, last_col)

    def _read(self, source: Source, part: _Box, weight: bool = False, out: Pixels | None = None) -> Pixels:
        if weight and self.dtype.kind != "f":
            plain = copy.copy(self)
            plain.dtype, plain.fill_value = np.dtype(np.float32), float("nan")
            return plain._read(source, part, weight=True)
        href = source.weight if weight and source.weight is not None else source.href
        try:
            with open_raster(href) as dataset:
                _check(dataset, source, href)
                _check_type(dataset, self.dtype, source, href)
                numbers = told_by(dataset, AS_STORED if weight else source.numbers)
                if aligned(self.grid, source.grid):
                    return self._read_aligned(dataset, source, part, numbers, out)
                return self._read_warped(dataset, part, numbers)
        except RasterioError as error:
            x, y = self.grid.left + part.col * self.grid.resolution, self.grid.top - part.row * self.grid.resolution
            raise CubeError(
                f"{href} (item {source.origin}) cannot be read at rows {part.row} to {part.row + part.height}, "
                f"columns {part.col} to {part.col + part.width} of the cube (from x {x:.10g}, y {y:.10g} in "
                f"{self.grid.crs}): {error}. It vanished or is damaged: restore it or open the cube again"
            ) from error

    def _read_aligned(
        self, dataset: rasterio.DatasetReader, source: Source, part: _Box, numbers: Numbers, out: Pixels | None
    ) -> Pixels:
        col = part.col - round((source.grid.left - self.grid.left) / self.grid.resolution)
        row = part.row - round((self.grid.top - source.grid.top) / self.grid.resolution)
        window = Window(col, row, part.width, part.height)
        if out is not None:
            dataset.read([1], window=window, out=out[np.newaxis])  # of two dimensions rasterio makes a copy
        values: Pixels = dataset.read(1, window=window, out_dtype=self.dtype) if out is None else out
        nodata = numbers.nodata
        if nodata is not None and not np.isnan(nodata) and nodata != self.fill_value and fits(nodata, self.dtype):
            values[values == self.dtype.type(nodata)] = self.fill_value
        return self._physical(values, numbers)

    def _read_warped(self, dataset: rasterio.DatasetReader, part: _Box, numbers: Numbers) -> Pixels:
        resolution = self.grid.resolution
        left, top = self.grid.left + part.col * resolution, self.grid.top - part.row * resolution
        fill = float(np.real(self.fill_value))  # GDAL's nodata is real, also of complex numbers
        told = numbers.nodata
        nodata = told if told is not None and fits(told, np.dtype(dataset.dtypes[0])) else fill
        with WarpedVRT(
            dataset,
            crs=self.grid.crs,
            transform=rasterio.Affine(resolution, 0, left, 0, -resolution, top),
            width=part.width,
            height=part.height,
            resampling=self.resampling,
            src_nodata=nodata,
            nodata=fill,
            tolerance=_WARP_TOLERANCE,
            dtype=self.dtype.name,
        ) as warped:
            values: Pixels = warped.read(1)
        return self._physical(values, numbers)

    def _physical(self, values: Pixels, numbers: Numbers) -> Pixels:
        """Stored numbers in units of the layer, where a scale is stated and the cube has room for fractions."""
        if self.dtype.kind == "f":
            if numbers.scale != 1.0:
                values *= self.dtype.type(numbers.scale)  # NaN stays
            if numbers.offset != 0.0:
                values += self.dtype.type(numbers.offset)
        return values


@dataclass(frozen=True, slots=True)
class _Box:
    """A window of the cube's grid, whole pixels."""

    row: int
    col: int
    height: int
    width: int

    def intersection(self, row0: int, col0: int, row1: int, col1: int) -> _Box | None:
        row0, row1 = max(row0, self.row), min(row1, self.row + self.height)
        col0, col1 = max(col0, self.col), min(col1, self.col + self.width)
        return _Box(row0, col0, row1 - row0, col1 - col0) if row0 < row1 and col0 < col1 else None

    def within(self, outer: _Box) -> tuple[slice, slice]:
        row, col = self.row - outer.row, self.col - outer.col
        return slice(row, row + self.height), slice(col, col + self.width)


def _box(window: Window) -> _Box:
    return _Box(int(window.row_off), int(window.col_off), int(window.height), int(window.width))


def _fractional(
    grid: GeoGrid, bounds: tuple[float, float, float, float]
) -> tuple[tuple[float, float], tuple[float, float]]:
    left, bottom, right, top = bounds
    r = grid.resolution
    return ((left - grid.left) / r, (right - grid.left) / r), ((grid.top - top) / r, (grid.top - bottom) / r)


def aligned(grid: GeoGrid, other: GeoGrid) -> bool:
    """Whether the pixels of two grids are those of one lattice."""
    if grid.epsg != other.epsg or abs(grid.resolution - other.resolution) > 1e-9 * grid.resolution:
        return False
    x, y = (other.left - grid.left) / grid.resolution, (grid.top - other.top) / grid.resolution
    return abs(x - round(x)) < _LATTICE and abs(y - round(y)) < _LATTICE


def _check_type(dataset: rasterio.DatasetReader, dtype: np.dtype[np.generic], source: Source, href: str) -> None:
    """Refuse numbers that would lose what they are: fractions, or an imaginary part."""
    stored = dataset.dtypes[0]
    if (stored.startswith("complex") and dtype.kind != "c") or (stored.startswith("float") and dtype.kind in "ui"):
        raise CubeError(
            f"{href} is of {stored}, and item {source.origin} tells {dtype.name}; make the product and its item again"
        )


def _check(dataset: rasterio.DatasetReader, source: Source, href: str) -> None:
    grid, transform = source.grid, dataset.transform
    tolerance = _LATTICE * grid.resolution
    if (
        dataset.shape != grid.shape
        or abs(transform.a - grid.resolution) > 1e-9 * grid.resolution
        or abs(transform.c - grid.left) > tolerance
        or abs(transform.f - grid.top) > tolerance
    ):
        raise CubeError(
            f"{href} is not on the grid that item {source.origin} tells: {dataset.shape} pixels from "
            f"({transform.c}, {transform.f}) instead of {grid.shape} from ({grid.left}, {grid.top}); "
            "make the product and its item again"
        )
