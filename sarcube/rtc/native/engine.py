"""The native engine: from a burst, a grid and a DEM to layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numba
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.errors import DemError, EngineError, GridError
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.orbit import require_coverage
from sarcube.rtc.engine import RtcOptions
from sarcube.rtc.native.angles import incidence_angles
from sarcube.rtc.native.area_factor import AreaFactors, Window, area_factors
from sarcube.rtc.native.corrections import timing_correction
from sarcube.rtc.native.geocode import Geocoded, area_projection, bilinear
from sarcube.rtc.native.mapping import RadarMap, map_row, radar_map
from sarcube.rtc.native.mesh import Mesh, make_mesh
from sarcube.rtc.native.radiometry import Echo, Reach, fill_cells, power_tables
from sarcube.rtc.native.shadow_layover import OUTSIDE, SHADOW, geocode_mask, mask_window, shadow_layover
from sarcube.sentinel1.model import Burst
from sarcube.sentinel1.samples import read_samples

VERSION = "1"
STATIC_LINES, STATIC_SAMPLES = 0.1, 0.02  # parts of a burst by which static layers reach beyond it
_MARGIN_METRES = 5000.0  # farthest terrain beyond the grid that is followed
_CLOSE_PIXELS = 8
_COARSEST, _COARSEST_METRES = 10.0, 500.0  # DEM postings beyond both, in pixels and metres, are refused
_FLAT = 1.0  # m between lowest and highest height: no terrain to correct


@dataclass(frozen=True, eq=False)
class _Geometry:
    mesh: Mesh
    rmap: RadarMap
    window: Window


class NativeEngine:
    """Radiometric terrain correction by area projection, embedded in Python."""

    name = "native"

    def static(self, burst: Burst, grid: GeoGrid, dem: Dem, options: RtcOptions) -> xr.Dataset:
        """The static layers of the burst ID; see `sarcube.rtc.engine.Engine`."""
        with _threads(options.threads):
            geometry = _geometry(burst, grid, dem, options, (STATIC_LINES, STATIC_SAMPLES))
            factors = _factors(geometry, options, sigma=True)
            area = area_projection(geometry.rmap, geometry.mesh, grid, geometry.window, factors.field)
            del factors
            incidence, local, height = incidence_angles(geometry.rmap, geometry.mesh, grid)
            mask = _mask(burst, geometry, grid, height)
        outside = mask == OUTSIDE
        voids = _void_pixels(geometry, grid, height, burst)
        for layer in (incidence, local, height):
            layer[outside] = np.nan
        gamma, sigma = area.bands
        layers = {
            "incidence_angle": incidence,
            "local_incidence_angle": local,
            "mask": mask,
            "number_of_looks": area.looks,
            "rtc_anf_gamma0_to_beta0": gamma,
            "rtc_anf_gamma0_to_sigma0": gamma / sigma,
            "digital_elevation_model": height,
        }
        facts = {"void_dem_pixels": voids, "geometry": "exact", "dem": dem.description}
        return _dataset(layers, grid, burst, options, facts)

    def backscatter(
        self, burst: Burst, grid: GeoGrid, dem: Dem | None, options: RtcOptions, static: xr.Dataset | None
    ) -> xr.Dataset:
        """The backscatter layers of one acquisition; see `sarcube.rtc.engine.Engine`.

        With `static_reuse` the layover and shadow mask is that of the static layers. The area factor is computed
        anew wherever there is a DEM: its value per radar cell is what the weights of a speckled pixel need. Without a
        DEM the terrain is taken from the static layers and the result tied to their published area factor.
        """
        names = _polarizations(burst, options)
        reuse = static if options.static_reuse else None
        if reuse is not None:
            _check_static(reuse, grid)
        terrain = dem
        if terrain is None:
            if reuse is None:
                raise DemError("backscatter needs a DEM or, with geometry: reuse, the static layers; give either")
            terrain = _published_dem(reuse, grid)
        with _threads(options.threads):
            geometry = _geometry(burst, grid, terrain, options, (0.0, 0.0))
            centres = _centres(geometry.mesh, grid)
            tied = dem is None and options.backscatter != "beta0"
            cells, reach = _cells(burst, names, geometry, options, tied)
            if options.geocoding == "bilinear":
                result = bilinear(geometry.rmap, centres, grid, geometry.window, cells)
            else:
                result = area_projection(geometry.rmap, geometry.mesh, grid, geometry.window, cells)
            del cells
            if reuse is not None:
                mask = np.array(reuse["mask"].values, np.uint8)
            else:
                mask = _mask(burst, geometry, grid, centres)
        if tied and reuse is not None:
            published = np.asarray(reuse["rtc_anf_gamma0_to_beta0"].values, np.float32)
            if options.backscatter == "sigma0":
                published = np.divide(published, reuse["rtc_anf_gamma0_to_sigma0"].values, dtype=np.float32)
            result.bands[: len(names)] *= result.bands[len(names)] / published
        _apply_mask(result, mask, options, _beyond_echo(geometry, grid, centres, mask, reach))
        layers = {name: result.bands[k] for k, name in enumerate(names)}
        layers["mask"] = mask
        layers["number_of_looks"] = result.looks
        facts = {
            "void_dem_pixels": _void_pixels(geometry, grid, centres, burst),
            "empty_lines": reach.empty_lines,
            "noise_removed": [n for n in names if options.thermal_noise and burst.channels[n].noise is not None],
            "geometry": "exact" if reuse is None else "reuse",
            "dem": terrain.description,
        }
        return _dataset(layers, grid, burst, options, facts)


def _polarizations(burst: Burst, options: RtcOptions) -> tuple[str, ...]:
    if options.polarizations is None:
        return burst.polarizations
    missing = [p for p in options.polarizations if p not in burst.channels]
    if missing:
        raise EngineError(
            f"{burst.scene}: {burst.burst_id} has {', '.join(burst.polarizations)}, not {', '.join(missing)}; "
            "ask for those or leave polarizations at auto"
        )
    return tuple(options.polarizations)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Numba's threads for the calls within; 0 leaves them as they are."""
    if count <= 0:
        yield
        return
    before = numba.get_num_threads()
    most: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    numba.set_num_threads(max(1, min(count, most)))
    try:
        yield
    finally:
        numba.set_num_threads(before)


def _geometry(burst: Burst, grid: GeoGrid, dem: Dem, options: RtcOptions, beyond: tuple[float, float]) -> _Geometry:
    """Terrain, lattice and window; `beyond` are the parts of a burst (lines, samples) allowed outside it."""
    radar = burst.radar
    require_coverage(burst.orbit, radar.first_line_time, radar.last_line_time, f"the lines of {burst.burst_id}")
    _check_posting(dem, grid)
    factor = max(2, options.dem_upsampling + options.dem_upsampling % 2)
    low, high = _dem_range(dem)
    metres = grid.resolution * _metres_per_unit(grid.epsg)
    reach = min(1.5 * (high - low), _MARGIN_METRES)
    mesh = make_mesh(dem, grid, factor, _CLOSE_PIXELS + math.ceil(reach / metres))
    correction = timing_correction(burst, bistatic=options.bistatic_delay, troposphere=options.static_troposphere)
    rmap = radar_map(burst.orbit, radar, grid.epsg, mesh.bounds, mesh.height_range(), correction)
    window = _window(rmap, mesh, grid, burst, beyond)
    return _Geometry(mesh, rmap, window)


def _metres_per_unit(epsg: int) -> float:
    return 111_320.0 if epsg == 4326 else 1.0


def _check_posting(dem: Dem, grid: GeoGrid) -> None:
    posting = max(dem.dx, dem.dy) * _metres_per_unit(dem.epsg)
    low, high = _dem_range(dem)
    # A plane of one height loses nothing by wide spacing: it is what people take where there is no relief.
    if high - low > _FLAT and posting > max(
        _COARSEST * grid.resolution * _metres_per_unit(grid.epsg), _COARSEST_METRES
    ):
        raise DemError(
            f"the DEM ({dem.description or 'unnamed'}) has a posting of {posting:.0f} m: too coarse to correct "
            f"terrain at {grid.resolution:g}; give a finer dem.path"
        )


def _check_static(static: xr.Dataset, grid: GeoGrid) -> None:
    if static["mask"].shape != grid.shape or (
        "x" in static.coords
        and not (
            np.allclose(static["x"].values[[0, -1]], grid.x()[[0, -1]], atol=0.01 * grid.resolution)
            and np.allclose(static["y"].values[[0, -1]], grid.y()[[0, -1]], atol=0.01 * grid.resolution)
        )
    ):
        raise GridError(
            f"the static layers {static['mask'].shape} lie on another grid than the burst's {grid.shape} at "
            f"({grid.left}, {grid.top}); make the static layers of this grid first"
        )


def _dem_range(dem: Dem) -> tuple[float, float]:
    valid = np.isfinite(dem.heights)
    if not valid.any():
        raise DemError(f"the DEM ({dem.description or 'unnamed'}) has no valid height; check dem.path")
    return float(dem.heights[valid].min()), float(dem.heights[valid].max())


def _window(rmap: RadarMap, mesh: Mesh, grid: GeoGrid, burst: Burst, beyond: tuple[float, float]) -> Window:
    """Cells that the grid's pixels can touch, within the burst or what is allowed beyond it."""
    step = 8 * mesh.factor
    first = mesh.margin * mesh.factor
    rows = np.arange(first, mesh.heights.shape[0] - first, step)
    columns = np.arange(first, mesh.heights.shape[1] - first, step)
    lines, samples = np.empty((rows.size, columns.size)), np.empty((rows.size, columns.size))
    for k, row in enumerate(rows):
        heights = np.ascontiguousarray(mesh.heights[row, columns])
        y, x = mesh.y0 - row * mesh.spacing, mesh.x0 + columns[0] * mesh.spacing
        map_row(rmap, y, x, step * mesh.spacing, 0, columns.size, heights, lines[k], samples[k])
    if not np.isfinite(lines).any():
        raise DemError("the DEM does not cover the grid at all; check dem.path and the AOI")
    radar = burst.radar
    extra_lines, extra_samples = round(beyond[0] * radar.lines), round(beyond[1] * radar.samples)
    slack = (64, 512)
    line0 = max(math.floor(np.nanmin(lines)) - slack[0], -extra_lines)
    line1 = min(math.ceil(np.nanmax(lines)) + slack[0] + 1, radar.lines + extra_lines)
    sample0 = max(math.floor(np.nanmin(samples)) - slack[1], -extra_samples)
    sample1 = min(math.ceil(np.nanmax(samples)) + slack[1] + 1, radar.samples + extra_samples)
    if line1 <= line0 or sample1 <= sample0:
        raise GridError(f"the grid {grid.bounds} ({grid.crs}) does not touch burst {burst.burst_id}; check the grid")
    return Window(int(line0), int(sample0), int(line1 - line0), int(sample1 - sample0))


def _factors(geometry: _Geometry, options: RtcOptions, *, sigma: bool) -> AreaFactors:
    minimum = 10.0 ** (options.minimum_area_factor_db / 10.0)
    return area_factors(geometry.rmap, geometry.mesh, geometry.window, sigma=sigma, minimum=minimum)


def _cells(
    burst: Burst, names: tuple[str, ...], geometry: _Geometry, options: RtcOptions, with_factor: bool
) -> tuple[NDArray[np.float32], Reach]:
    """Power over area factor of every cell of the window, one band a polarization, and where all have an echo.

    `with_factor` appends the factor itself as a band.
    """
    window = geometry.window
    first = max(window.first_line, 0)
    stop = min(window.first_line + window.lines, burst.radar.lines)
    valid = (burst.first_valid_sample, burst.last_valid_sample)
    if not options.valid_sample_masking:
        valid = (np.zeros_like(valid[0]), np.full_like(valid[1], burst.radar.samples - 1))
    field, which = None, 0
    reaches = []
    with _reader(burst, names, (first, stop), ahead=options.threads != 1) as read:
        if options.backscatter != "beta0":
            which = int(options.backscatter == "sigma0")
            field = _factors(geometry, options, sigma=which == 1).field
        bands = len(names) + int(with_factor)
        cells = np.empty((window.lines, window.samples + 2, bands), np.float32)
        for k, name in enumerate(names):
            tables = power_tables(burst, name, calibrate=options.absolute_calibration, denoise=options.thermal_noise)
            echo = Echo(read(name), first, tables, valid[0], valid[1])
            reaches.append(fill_cells(cells, k, window, echo, field, which))
            del echo
    if with_factor and field is not None:
        cells[..., -1] = field[..., which]
    common = Reach(
        np.max([r.first for r in reaches], axis=0),
        np.min([r.stop for r in reaches], axis=0),
        max(r.empty_lines for r in reaches),
    )
    return cells, common


@contextmanager
def _reader(
    burst: Burst, names: tuple[str, ...], lines: tuple[int, int], *, ahead: bool
) -> Iterator[Callable[[str], NDArray[np.int16]]]:
    """A function that gives a polarization's samples (once each); `ahead` reads them while others compute."""
    if not ahead:
        yield lambda name: read_samples(burst, name, lines)
        return
    with ThreadPoolExecutor(1) as pool:
        waiting = {name: pool.submit(read_samples, burst, name, lines) for name in names}
        try:
            yield lambda name: waiting.pop(name).result()
        finally:
            for future in waiting.values():
                future.cancel()


def _mask(burst: Burst, geometry: _Geometry, grid: GeoGrid, centres: NDArray[np.float32]) -> NDArray[np.uint8]:
    window = mask_window(burst.radar, geometry.window)
    radar_mask = shadow_layover(burst.orbit, burst.radar, geometry.rmap, geometry.mesh, window)
    return geocode_mask(geometry.rmap, centres, grid, window, radar_mask)


def _apply_mask(
    result: Geocoded, mask: NDArray[np.uint8], options: RtcOptions, beyond: NDArray[np.bool_] | None
) -> None:
    """Shadowed pixels are left out; pixels without backscatter are outside, shadow where there is an echo is not."""
    absent = np.isnan(result.bands[0])
    shadow = (mask & SHADOW).astype(bool) & (mask != OUTSIDE)
    if options.shadow_masking:
        result.bands[:, shadow] = np.nan
        result.looks[shadow] = np.nan
    absent &= ~shadow
    if beyond is not None:
        absent |= beyond
        result.bands[:, beyond] = np.nan
        result.looks[beyond] = np.nan
    mask[absent] = OUTSIDE


def _beyond_echo(
    geometry: _Geometry, grid: GeoGrid, centres: NDArray[np.float32], mask: NDArray[np.uint8], reach: Reach
) -> NDArray[np.bool_] | None:
    """Shadowed pixels whose centre lies where there is no echo; None where none are shadowed."""
    shadow: NDArray[np.bool_] = np.asarray(((mask & SHADOW) > 0) & (mask != OUTSIDE))
    if not shadow.any():
        return None
    rmap, window = geometry.rmap, geometry.window
    line, sample = np.empty(grid.width), np.empty(grid.width)
    x, y = grid.left + 0.5 * grid.resolution, grid.y()
    for r in np.flatnonzero(shadow.any(axis=1)):
        map_row(rmap, y[r], x, grid.resolution, 0, grid.width, centres[r], line, sample)
        columns = np.flatnonzero(shadow[r])
        i = np.floor(line[columns] + 0.5 - window.first_line)
        j = sample[columns] + 0.5 - window.first_sample
        within = (i >= 0) & (i < window.lines)
        k = np.where(within, i, 0).astype(np.int64)
        shadow[r, columns] = ~(within & (j >= reach.first[k]) & (j < reach.stop[k]))
    return shadow


def _centres(mesh: Mesh, grid: GeoGrid) -> NDArray[np.float32]:
    """Heights at the pixel centres, (rows, columns)."""
    start = mesh.margin * mesh.factor + mesh.factor // 2
    step = mesh.factor
    return np.ascontiguousarray(mesh.heights[start::step, start::step][: grid.height, : grid.width])


def _void_pixels(geometry: _Geometry, grid: GeoGrid, centres: NDArray[np.float32], burst: Burst) -> int:
    """Pixels inside the burst, judged at the middle height, whose DEM is void."""
    void = np.isnan(centres)
    if not void.any():
        return 0
    rmap, radar = geometry.rmap, burst.radar
    middle = np.full(grid.width, rmap.h0 + rmap.dh, np.float32)
    line, sample = np.empty(grid.width), np.empty(grid.width)
    x, y = grid.left + 0.5 * grid.resolution, grid.y()
    count = 0
    for r in np.flatnonzero(void.any(axis=1)):
        map_row(rmap, y[r], x, grid.resolution, 0, grid.width, middle, line, sample)
        inside = (line >= 0) & (line < radar.lines) & (sample >= 0) & (sample < radar.samples)
        count += int(np.count_nonzero(void[r] & inside))
    return count


def _published_dem(static: xr.Dataset, grid: GeoGrid) -> Dem:
    heights = np.asarray(static["digital_elevation_model"].values, np.float32)
    return Dem(heights, grid.epsg, grid.left, grid.top, grid.resolution, grid.resolution, "static layers")


def _dataset(
    layers: dict[str, NDArray[Any]],
    grid: GeoGrid,
    burst: Burst,
    options: RtcOptions,
    facts: dict[str, Any],
) -> xr.Dataset:
    choices = asdict(replace(options, engine_options={}))
    choices["engine_options"] = dict(options.engine_options)
    if options.polarizations is not None:
        choices["polarizations"] = list(options.polarizations)
    attrs: dict[str, Any] = {
        "engine": NativeEngine.name,
        "engine_version": VERSION,
        **choices,
        "conversion": "beta0 = gamma0 * rtc_anf_gamma0_to_beta0; sigma0 = gamma0 * rtc_anf_gamma0_to_sigma0",
        "orbit_source": burst.orbit_source,
        "orbit_type": burst.orbit_type,
        **facts,
    }
    variables = {name: (("y", "x"), values) for name, values in layers.items()}
    return xr.Dataset(variables, {"y": grid.y(), "x": grid.x()}, attrs)


def warm_up() -> None:
    """Compile (or load from numba's cache) every kernel, so that the first burst of a worker is not slower."""
    from sarcube.rtc.native.warm import run_all

    run_all()
