"""One product onto one grid: bands, classes and clouds. Knows no store: the run and the command use it alike.

The order is that of S2-preprocess: resampling, land or sea, clouds, the window, the projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.optical import masks
from sarcube.engines.optical.reflectance import Numbers, harmonise, to_reflectance
from sarcube.engines.optical.resample import REACH, mixes, resample, resample_flags, taken_in
from sarcube.engines.optical.upsample import Pixel
from sarcube.errors import GridError, SceneError
from sarcube.geometry.areas import ground_size
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel2.clouds import CLOUD_RESOLUTION, cloud_probability, l1c_clouds
from sarcube.sensors.sentinel2.images import native_resolution, read_image, window_around
from sarcube.workflows.sentinel2.section import Sentinel2Section

if TYPE_CHECKING:
    from sarcube.sensors.sentinel2.model import Scene

Water = Callable[[GeoGrid], NDArray[np.bool_]]
SCL_RESOLUTION = 20
_TRUE = 0.2  # a CRS whose metres differ by less from those of the ground has the pixels that it says


@dataclass
class Processed:
    """Layers on the grid, and what was found on the way.

    Attributes
    ----------
    layers : dict of str to array
        By name: bands (uint16, reflectance = number * 0.0001, 0 is no data; or floating), "scl", "cloud_mask".
    counts : dict of str to int
        Pixels: "raised" (reflectance too low for a number), "saturated", "cloud", "land_sea".
    notes : list of str
        What users of the product should know.
    """

    layers: dict[str, NDArray[np.unsignedinteger | np.floating]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def process(
    scene: Scene, grid: GeoGrid, section: Sentinel2Section, water: Water | None = None, *, floating: bool = False
) -> Processed:
    """The layers of a product on a grid.

    Parameters
    ----------
    scene : Scene
    grid : GeoGrid
        In any CRS. In another than the tile's, pixels are the nearest of those on the tile's own.
    section : Sentinel2Section
    water : callable, optional
        From a grid to where water is; needed where `section.land_sea` is not "none".
    floating : bool
        Bands as float32 reflectance, NaN where there is none: below zero, too, for which numbers have no place.

    Raises
    ------
    SceneError
        A band or mask is not there or damaged.
    GridError
        The grid and the tile do not meet.
    """
    native = native_grid(scene, grid, section.resolution)
    out = Processed()
    clouds = None
    if scene.level == "L2A" and section.classes:
        _keep_classes(scene, native, section, out)
    if section.cloud_mask != "none":
        clouds = _clouds(scene, native, section, out)
        out.layers["cloud_mask"] = clouds
    hidden = _hidden(native, clouds, section, water, out)
    for name in section.bands:
        resolution = native_resolution(scene, name)
        _say_native(scene, name, resolution, out)
        numbers = _on(scene, name, resolution, native, section)
        r = scene.radiometry
        meaning = Numbers(r.quantification, scene.offset(name), r.nodata, r.saturated)
        values = to_reflectance(numbers, meaning) if floating else _harmonised(numbers, meaning, out)
        del numbers
        if hidden is not None:
            masks.blank(values, hidden, np.nan if floating else 0)
        out.layers[name] = values
    if native != grid:
        for name, layer in out.layers.items():
            missing = masks.UNKNOWN if name == "cloud_mask" else np.nan if layer.dtype.kind == "f" else 0
            out.layers[name] = reproject(layer, native, grid, missing)
    if out.counts.get("raised"):
        out.notes.append(f"{out.counts['raised']} pixels have a reflectance below 0.00005 and are kept as 0.0001")
    return out


def fill(done: Processed, other: Processed) -> None:
    """Put what another product of the same datatake saw where the first one saw nothing."""
    for name, layer in done.layers.items():
        if name in other.layers:
            missing = masks.UNKNOWN if name == "cloud_mask" else 0
            np.copyto(layer, other.layers[name], where=layer == missing)
    for name, count in other.counts.items():
        done.counts[name] = done.counts.get(name, 0) + count
    done.notes += [note for note in other.notes if note not in done.notes]


def _harmonised(numbers: NDArray[np.unsignedinteger], meaning: Numbers, out: Processed) -> NDArray[np.uint16]:
    values, raised, saturated = harmonise(numbers, meaning)
    out.counts["raised"] = out.counts.get("raised", 0) + raised
    out.counts["saturated"] = out.counts.get("saturated", 0) + saturated
    return values


def native_grid(scene: Scene, grid: GeoGrid, resolution: float) -> GeoGrid:
    """The grid on which bands are resampled: the same in the tile's CRS, else one in it around.

    Raises
    ------
    GridError
        The tile lies elsewhere.
    """
    tile = scene.grid(10)
    if grid.epsg == scene.epsg:
        apart = grid.left >= tile.right or grid.right <= tile.left or grid.top <= tile.bottom or grid.bottom >= tile.top
        if apart:
            raise GridError(f"{scene.path}: the tile {scene.tile} and the area do not meet; check the area")
        return grid
    from sarcube.workflows.sentinel2.grids import bounds_in

    metres = ground_size(grid)
    true = grid.resolution == resolution and abs(metres / resolution - 1.0) < _TRUE
    metres = resolution if true else max(10.0, 10.0 * round(metres / 10.0))  # on the lattice of the pixels
    bounds = bounds_in(grid.bounds, grid.epsg, scene.epsg)
    left, bottom = max(bounds[0], tile.left), max(bounds[1], tile.bottom)
    right, top = min(bounds[2], tile.right), min(bounds[3], tile.top)
    if left >= right or bottom >= top:
        raise GridError(f"{scene.path}: the tile {scene.tile} and the area do not meet; check the area")
    return GeoGrid.snapped(scene.epsg, (left, bottom, right, top), metres)


def reproject(values: NDArray[Pixel], source: GeoGrid, target: GeoGrid, nodata: float) -> NDArray[Pixel]:
    """The nearest pixel of the source for each of the target, in another CRS."""
    from affine import Affine
    from rasterio.warp import Resampling
    from rasterio.warp import reproject as warp

    out = np.full(target.shape, nodata, values.dtype)
    warp(
        values,
        out,
        src_transform=Affine(*source.transform),
        src_crs=source.crs,
        dst_transform=Affine(*target.transform),
        dst_crs=target.crs,
        src_nodata=nodata,
        dst_nodata=nodata,
        resampling=Resampling.nearest,
        tolerance=0.01,
    )
    return out


def _on(
    scene: Scene, name: str, resolution: int, grid: GeoGrid, section: Sentinel2Section, *, classes: bool = False
) -> NDArray[np.unsignedinteger]:
    """A band on a grid of the tile's CRS, by the section's rules; classes by the nearest and the first."""
    whole = scene.grid(resolution)
    window = window_around(whole, grid, REACH)
    if window is None:
        raise GridError(f"{scene.path}: the tile {scene.tile} and the area do not meet; check the area")
    values = read_image(scene, name, resolution, None if window == whole else window)
    if window == grid:
        return values
    if classes:
        return resample(values, window, grid, "nearest", "first", 0)
    rules = section.upsampling, section.downsampling
    found = resample(values, window, grid, *rules, scene.radiometry.nodata)
    saturated = scene.radiometry.saturated
    if mixes(window, grid, *rules) and (values == saturated).any():
        found[taken_in(values == saturated, window, grid, *rules)] = saturated
    return found


def _keep_classes(scene: Scene, grid: GeoGrid, section: Sentinel2Section, out: Processed) -> None:
    if not any(name == "SCL" for name, _ in scene.images):
        out.notes.append("the product has no scene classification (SCL): there is no layer of classes")
        return
    resolution = native_resolution(scene, "SCL")
    if resolution != SCL_RESOLUTION:
        out.notes.append(f"SCL is not in the product at {SCL_RESOLUTION} m; taken from {resolution} m")
    out.layers["scl"] = _on(scene, "SCL", resolution, grid, section, classes=True)


def _scl_flags(scene: Scene, grid: GeoGrid, section: Sentinel2Section) -> NDArray[np.uint16]:
    resolution = native_resolution(scene, "SCL")
    whole = scene.grid(resolution)
    window = window_around(whole, grid, REACH)
    assert window is not None  # the grids meet
    values = read_image(scene, "SCL", resolution, None if window == whole else window)
    flags: NDArray[np.uint16] = resample_flags(masks.class_flags(values), window, grid, section.flag_downsampling, 0)
    return flags


def _clouds(scene: Scene, grid: GeoGrid, section: Sentinel2Section, out: Processed) -> NDArray[np.uint8]:
    """Classes of clouds; a buffer is also that of clouds beside the grid, as far as the tile reaches."""
    wide, rows, columns = _widened(grid, scene.grid(10), section.cloud_buffer)
    if section.cloud_mask == "l1c":
        whole = scene.grid(CLOUD_RESOLUTION)
        window = window_around(whole, wide, REACH)
        assert window is not None
        flags = l1c_clouds(scene, window)
        found = masks.l1c_cloud_classes(resample_flags(flags, window, wide, section.flag_downsampling))
        out.notes.append("cloud_mask: opaque clouds and cirrus as L1C processing found them, at 60 m")
    else:
        if scene.level != "L2A":
            raise SceneError(f"{scene.path}: cloud_mask: l2a needs an L2A, this is {scene.level}; choose l1c or none")
        found = masks.scl_clouds(_scl_flags(scene, wide, section), section.cloud_shadow)
    if section.cloud_probability is not None:
        found = _probable(scene, wide, section.cloud_probability, found)
    return masks.buffered(found, section.cloud_buffer / grid.resolution)[rows, columns]


def _widened(grid: GeoGrid, tile: GeoGrid, metres: float) -> tuple[GeoGrid, slice, slice]:
    """A grid that reaches so much farther within the tile, and which rows and columns of it are the grid's own."""
    if metres <= 0:
        return grid, slice(None), slice(None)
    size = grid.resolution
    reach = int(np.ceil(metres / size))

    def more(room: float) -> int:
        return int(np.clip(np.ceil(room / size), 0, reach))

    left, right = more(grid.left - tile.left), more(tile.right - grid.right)
    top, bottom = more(tile.top - grid.top), more(grid.bottom - tile.bottom)
    width, height = grid.width + left + right, grid.height + top + bottom
    wide = GeoGrid(grid.epsg, grid.left - left * size, grid.top + top * size, size, width, height)
    return wide, slice(top, top + grid.height), slice(left, left + grid.width)


def _probable(scene: Scene, grid: GeoGrid, percent: int, found: NDArray[np.uint8]) -> NDArray[np.uint8]:
    whole = scene.grid(20)
    window = window_around(whole, grid, REACH)
    assert window is not None
    got = cloud_probability(scene, window)
    if got is None:
        raise SceneError(f"{scene.path}: has no MSK_CLDPRB; leave cloud_probability out")
    values, resolution = got
    source = window if resolution == 20 else scene.grid(60)
    likely = resample_flags((values > percent).astype(np.uint8), source, grid, "first") > 0
    return np.where(likely & (found != masks.UNKNOWN), np.uint8(masks.CLOUD), found)


def _hidden(
    grid: GeoGrid,
    clouds: NDArray[np.uint8] | None,
    section: Sentinel2Section,
    water: Water | None,
    out: Processed,
) -> NDArray[np.bool_] | None:
    hidden: NDArray[np.bool_] | None = None
    if clouds is not None:
        hidden = (clouds != masks.CLEAR) & (clouds != masks.UNKNOWN)
        out.counts["cloud"] = int(np.count_nonzero(hidden))
    if section.land_sea != "none":
        assert water is not None  # the caller knows where water is
        sea = water(grid)
        removed = sea if section.land_sea == "sea" else ~sea
        out.counts["land_sea"] = int(np.count_nonzero(removed))
        hidden = removed if hidden is None else hidden | removed
    return hidden


def _say_native(scene: Scene, name: str, resolution: int, out: Processed) -> None:
    from sarcube.sensors.sentinel2.bands import BANDS

    if resolution != BANDS[name].resolution:
        out.notes.append(f"{name} is not in the product at {BANDS[name].resolution} m; taken from {resolution} m")
