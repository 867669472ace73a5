"""Heights of an area out of one raster or many: only the window and a margin are read.

Rasters that share CRS, pixel size and phase are copied side by side, pixel for pixel. Others are brought to
the finest one's pixels by GDAL's warper (bilinear). Where rasters overlap the first one named wins and the
others fill its voids; rasters that contradict each other there are refused. Values that are no heights are void.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import DemError
from sarcube.geometry.grid import metres_per_unit
from sarcube.geometry.longitudes import TURNS, wrap, wrap_longitude
from sarcube.terrain.lattice import Bounds, Lattice, Ring, extent, lattice_crs, rectangle, ring_mask, say
from sarcube.terrain.raster_info import RasterInfo, describe
from sarcube.terrain.voids import Voids
from sarcube.transfer.raster import gdal_path, open_raster
from sarcube.transfer.redact import redact

if TYPE_CHECKING:
    import rasterio
    from rasterio.windows import Window

MARGIN = 8  # pixels around the area, for the widest interpolation kernel in use (biquintic: 6 x 6)
LARGEST = 250_000_000  # pixels: 1 GB of float32; beyond it a mistake is likelier than a wish
_AT_ONCE = 40_000_000  # pixels of a raster that are held to be warped
_CONTRADICTION_M = 30.0  # half of the shared pixels differ by more: other heights, or no heights at all
_SHARED = 100  # pixels that two rasters must share to be compared


def read_mosaic(
    paths: Sequence[str],
    bounds: Bounds,
    *,
    resolution_m: float | None = None,
    footprint: Ring | None = None,
    voids: Voids | None = None,
) -> tuple[NDArray[np.float32], Lattice]:
    """Read the rasters' values over an area; NaN where they are void.

    Parameters
    ----------
    paths : sequence of str
        Rasters that GDAL reads, one band each (the first band is taken).
    bounds : (west, south, east, north)
        Degrees; east may exceed 180.
    resolution_m : float, optional
        Posting that is wanted. A raster more than four times finer is averaged to no coarser than half of
        it; a coarser one stays as it is.
    footprint : ring of (longitude, latitude), optional
        What must be covered; the bounds' rectangle where it is not given.
    voids : Voids, optional
        Counts values that are no heights.

    Raises
    ------
    DemError
        A raster cannot be read or holds no heights, two contradict each other, or together they do not cover the
        area (the message says which part).
    """
    infos = [describe(path) for path in paths]
    near = [info for info in infos if _touches(info, bounds)]
    if not near:
        raise DemError(f"{_names(infos)} does not overlap {say(bounds)} at all; give a DEM of that area")
    reference = min(near, key=_metres)
    lattice, exact = _lattice(reference, near, bounds, resolution_m)
    if lattice.width * lattice.height > LARGEST:
        raise DemError(
            f"{_names(infos)} has {lattice.width} x {lattice.height} pixels over the area, more than can be held "
            "in memory; give a coarser DEM or a VRT with larger pixels"
        )
    values = np.full((lattice.height, lattice.width), np.nan, np.float32)
    covered = np.zeros(values.shape, np.bool_)
    laid = _Laid(lattice, values, covered, voids or Voids())
    for info in near:
        (_copy if exact else _warp)(info, laid)
    _require(covered, lattice, footprint or rectangle(bounds), infos)
    return _trimmed(values, lattice, covered)


def _trimmed(
    values: NDArray[np.float32], lattice: Lattice, covered: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], Lattice]:
    """Without margins that no raster reaches: a DEM's extent is what was read, not what was wished."""
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    r0, r1, c0, c1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    left, top = lattice.left + c0 * lattice.dx, lattice.top - r0 * lattice.dy
    part = Lattice(lattice.epsg, left, top, lattice.dx, lattice.dy, c1 - c0, r1 - r0)
    return np.ascontiguousarray(values[r0:r1, c0:c1]), part


def _metres(info: RasterInfo) -> float:
    """Pixel height in metres; heights decide, because longitudes shrink towards the poles."""
    return info.dy * metres_per_unit(info.epsg)


def _turns(info: RasterInfo, west: float, east: float) -> Iterator[float]:
    """Whole turns of longitude by which the raster meets the interval."""
    for turn in TURNS:
        if info.left + turn < east and info.right + turn > west:
            yield turn


def _touches(info: RasterInfo, bounds: Bounds) -> bool:
    west, south, east, north = bounds
    if not info.geographic:
        left, bottom, right, top = project_bounds(bounds, info.epsg)
        return info.left < right and info.right > left and info.bottom < top and info.top > bottom
    return info.bottom < north and info.top > south and any(True for _ in _turns(info, west, east))


def project_bounds(bounds: Bounds, epsg: int) -> Bounds:
    """Bounds of a longitude and latitude rectangle in another CRS: its inside counts, not its corners alone."""
    from rasterio.warp import transform

    west, south, east, north = bounds
    if epsg == 4326:
        return bounds
    lon, lat = np.meshgrid(np.linspace(west, east, 41), np.linspace(south, north, 41))
    x, y = transform("EPSG:4326", f"EPSG:{epsg}", wrap_longitude(lon.ravel()).tolist(), lat.ravel().tolist())
    return min(x), min(y), max(x), max(y)


def _lattice(
    reference: RasterInfo, near: Sequence[RasterInfo], bounds: Bounds, resolution_m: float | None
) -> tuple[Lattice, bool]:
    """The pixels to fill, and whether every raster lies on them exactly."""
    factor = int(resolution_m / 2 / _metres(reference)) if resolution_m else 1
    factor = max(factor, 1)
    dx, dy = reference.dx * factor, reference.dy * factor
    epsg = reference.epsg
    left, bottom, right, top = project_bounds(bounds, epsg)
    first = math.floor((left - reference.left) / dx + 1e-6) - MARGIN
    last = math.ceil((right - reference.left) / dx - 1e-6) + MARGIN
    row0 = math.floor((reference.top - top) / dy + 1e-6) - MARGIN
    row1 = math.ceil((reference.top - bottom) / dy - 1e-6) + MARGIN
    lattice = Lattice(epsg, reference.left + first * dx, reference.top - row0 * dy, dx, dy, last - first, row1 - row0)
    exact = factor == 1 and all(_aligned(info, lattice, bounds) for info in near)
    return lattice, exact


def _aligned(info: RasterInfo, lattice: Lattice, bounds: Bounds) -> bool:
    if info.warped or info.epsg != lattice.epsg:
        return False
    # Sizes may differ by rounding only: less than a twentieth of a pixel over the raster's length.
    if abs(info.dx - lattice.dx) * info.width > 0.05 * lattice.dx:
        return False
    if abs(info.dy - lattice.dy) * info.height > 0.05 * lattice.dy:
        return False
    row = (lattice.top - info.top) / lattice.dy
    turns = list(_turns(info, bounds[0], bounds[2])) if lattice.geographic else [0.0]
    columns = [(info.left + turn - lattice.left) / lattice.dx for turn in turns]
    return all(abs(value - round(value)) < 0.02 for value in (row, *columns))


def read_window(source: rasterio.DatasetReader, window: Window, **options: object) -> NDArray[np.float32]:
    """Values of a window as float32, void as NaN, the file's scale and offset applied."""
    data = source.read(1, window=window, masked=True, **options)
    values: NDArray[np.float32] = data.data.astype(np.float32, copy=False)
    if np.ma.is_masked(data):
        values[data.mask] = np.nan
    scale, offset = source.scales[0], source.offsets[0]
    return values if (scale, offset) == (1.0, 0.0) else values * np.float32(scale) + np.float32(offset)


def _metres_of(info: RasterInfo, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a raster holds, in metres."""
    return values if info.metre == 1.0 else values * np.float32(info.metre)


@dataclass(frozen=True, eq=False)
class _Laid:
    """What has been put together so far."""

    lattice: Lattice
    values: NDArray[np.float32]
    covered: NDArray[np.bool_]
    voids: Voids

    def add(
        self, info: RasterInfo, block: NDArray[np.float32], at: tuple[slice, slice], inside: NDArray[np.bool_] | None
    ) -> None:
        """Put a block where nothing was before, and into the voids of what was; DemError where it contradicts."""
        values, covered = self.values[at], self.covered[at]
        if not covered.any():
            values[...] = block
        else:
            difference = np.abs(block - values)
            difference = difference[np.isfinite(difference)]
            if difference.size >= _SHARED and (middle := float(np.median(difference))) > _CONTRADICTION_M:
                raise DemError(
                    f"DEM {redact(info.path)} contradicts the rasters named before it on the same ground: half of the "
                    f"{difference.size} pixels that both have differ by more than {middle:.0f} m; name the rasters "
                    "that hold the heights (dem.path: a pattern or list), all of one vertical reference"
                )
            np.copyto(values, block, where=np.isnan(values))
        covered |= True if inside is None else inside


def _copy(info: RasterInfo, laid: _Laid) -> None:
    """Put a raster that lies on the lattice into it, pixel for pixel."""
    from rasterio.windows import Window

    lattice = laid.lattice
    row = round((info.top - lattice.top) / -lattice.dy)
    for turn in TURNS if lattice.geographic else (0.0,):
        column = round((info.left + turn - lattice.left) / lattice.dx)
        r0, r1 = max(row, 0), min(row + info.height, lattice.height)
        c0, c1 = max(column, 0), min(column + info.width, lattice.width)
        if c0 >= c1 or r0 >= r1:
            continue
        with open_raster(gdal_path(info.path)) as source:
            block = _metres_of(info, read_window(source, Window(c0 - column, r0 - row, c1 - c0, r1 - r0)))
        laid.add(info, laid.voids.clear(block, info.path), np.s_[r0:r1, c0:c1], None)


def _warp(info: RasterInfo, laid: _Laid) -> None:
    """Put a raster of another CRS, pixel size or phase into the lattice."""
    lattice = laid.lattice
    same = info.geographic and lattice.geographic
    for turn in TURNS if same else (0.0,):
        inside = _extent_mask(info, lattice, turn)
        if not inside.any():
            continue
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        r0, r1, c0, c1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        left, top = lattice.left + c0 * lattice.dx - turn, lattice.top - r0 * lattice.dy
        part = Lattice(lattice.epsg, left, top, lattice.dx, lattice.dy, c1 - c0, r1 - r0)
        with open_raster(gdal_path(info.path)) as source:
            block = _warped(source, info, part, laid.voids)
        laid.add(info, block, np.s_[r0:r1, c0:c1], inside[r0:r1, c0:c1])


def _warped(source: rasterio.DatasetReader, info: RasterInfo, part: Lattice, voids: Voids) -> NDArray[np.float32]:
    """The raster on a part of the lattice: its voids are taken out first, so that they do not bleed into heights."""
    from affine import Affine
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    finer = _metres(info) * 2 <= part.dy * metres_per_unit(part.epsg)
    block = np.full((part.height, part.width), np.nan, np.float32)
    # The lower half of what is too much at once waits.
    waiting = [(0, part.height)]
    while waiting:
        first, last = waiting.pop()
        window = _source_window(source, part, first, last)
        if window is None:
            continue
        if window.width * window.height > _AT_ONCE and last - first > 1:
            middle = (first + last) // 2
            waiting += [(middle, last), (first, middle)]
            continue
        reproject(
            voids.clear(_metres_of(info, read_window(source, window)), info.path),
            block[first:last],
            src_transform=source.window_transform(window),
            src_crs=source.crs,
            src_nodata=math.nan,
            dst_transform=Affine(part.dx, 0, part.left, 0, -part.dy, part.top - first * part.dy),
            dst_crs=lattice_crs(part),
            dst_nodata=math.nan,
            resampling=Resampling.average if finer else Resampling.bilinear,
        )
    return block


def _source_window(source: rasterio.DatasetReader, part: Lattice, first: int, last: int) -> Window | None:
    """The raster's pixels below rows `first` to `last` of a part of the lattice, and some around; None where none."""
    from rasterio.warp import transform
    from rasterio.windows import Window

    x, y = np.meshgrid(
        np.linspace(part.left, part.left + part.width * part.dx, 41),
        np.linspace(part.top - first * part.dy, part.top - last * part.dy, 41),
    )
    at = np.asarray(transform(lattice_crs(part), source.crs, x.ravel().tolist(), y.ravel().tolist()))
    at = at[:, np.isfinite(at).all(axis=0)]
    if not at.size:
        return None
    column, row = ~source.transform @ (at[0], at[1])
    # Between the points the way may bend outwards: a hundredth of the window, and the kernel.
    pad_c, pad_r = 4 + 0.01 * np.ptp(column), 4 + 0.01 * np.ptp(row)
    c0, c1 = max(int(column.min() - pad_c), 0), min(math.ceil(column.max() + pad_c), source.width)
    r0, r1 = max(int(row.min() - pad_r), 0), min(math.ceil(row.max() + pad_r), source.height)
    return Window(c0, r0, c1 - c0, r1 - r0) if c0 < c1 and r0 < r1 else None


def _extent_mask(info: RasterInfo, lattice: Lattice, turn: float) -> NDArray[np.bool_]:
    """Pixels of the lattice whose centre lies on the raster, voids included."""
    steps = np.linspace(0.0, 1.0, 41)
    x = np.concatenate([steps, np.ones(41), steps[::-1], np.zeros(41)]) * (info.right - info.left) + info.left
    y = np.concatenate([np.zeros(41), steps, np.ones(41), steps[::-1]]) * (info.bottom - info.top) + info.top
    if info.outline:  # the pixels fill less than their box
        x, y = np.array(info.outline).T
        x = x + wrap(float(x.mean()), 0.5 * (info.left + info.right)) - float(x.mean())
    if info.epsg != lattice.epsg:
        from rasterio.warp import transform

        x, y = (np.asarray(v) for v in transform(lattice_crs(info), lattice_crs(lattice), x.tolist(), y.tolist()))
        if lattice.geographic:
            middle = (lattice.left + lattice.right) / 2
            x = wrap_longitude(x, middle)
    return ring_mask(np.column_stack([x + turn, y]), lattice)


def _require(covered: NDArray[np.bool_], lattice: Lattice, ring: Ring, infos: Sequence[RasterInfo]) -> None:
    if covered.all():
        return
    points = np.asarray(ring, np.float64)
    if lattice.geographic:
        middle = (lattice.left + lattice.right) / 2
        points[:, 0] += 360.0 * np.round((middle - points[:, 0].mean()) / 360.0)
    else:
        from rasterio.warp import transform

        lon = wrap_longitude(points[:, 0])
        points = np.column_stack(transform("EPSG:4326", lattice_crs(lattice), lon.tolist(), points[:, 1].tolist()))
    wanted = ring_mask(points, lattice)
    missing = wanted & ~covered
    if missing.any():
        from scipy.ndimage import binary_dilation

        # One pixel is forgiven: bounds are often those of the DEM itself, rounded.
        if not (missing & ~binary_dilation(covered)).any():
            return
        share = missing.sum() / max(int(wanted.sum()), 1)
        raise DemError(
            f"{_names(infos)} does not cover {share:.1%} of the area: missing {say(extent(missing, lattice))}; "
            "give a DEM or further tiles that reach there"
        )


def _names(infos: Sequence[RasterInfo]) -> str:
    first = redact(infos[0].path)
    return f"DEM {first}" if len(infos) == 1 else f"DEM {first} and {len(infos) - 1} more"
