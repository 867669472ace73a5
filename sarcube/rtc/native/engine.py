"""The native engine: from a burst, a grid and a DEM to layers."""

from __future__ import annotations

import math
from collections.abc import Iterator
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
from sarcube.rtc.native.radiometry import fill_cells, power_tables
from sarcube.rtc.native.shadow_layover import OUTSIDE, SHADOW, geocode_mask, mask_window, shadow_layover
from sarcube.sentinel1.model import Burst
from sarcube.sentinel1.samples import read_samples

VERSION = "1"
STATIC_LINES, STATIC_SAMPLES = 0.1, 0.02  # parts of a burst by which static layers reach beyond it
_MARGIN_METRES = 5000.0  # farthest terrain beyond the grid that is followed
_CLOSE_PIXELS = 8


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
            geometry = _geometry(burst, grid, dem, options, STATIC_LINES, STATIC_SAMPLES)
            factors = _factors(geometry, options, sigma=True)
            area = area_projection(geometry.rmap, geometry.mesh, grid, geometry.window, factors.cells)
            del factors
            incidence, local, height = incidence_angles(geometry.rmap, geometry.mesh, grid)
            mask = _mask(burst, geometry, grid, height)
        outside = mask == OUTSIDE
        for angle in (incidence, local):
            angle[outside] = np.nan
        voids = _void_pixels(geometry, grid, height, burst)
        gamma, sigma = area.bands
        layers = {
            "incidence_angle": incidence,
            "local_incidence_angle": local,
            "mask": mask,
            "number_of_looks": area.looks,
            "rtc_anf_gamma0_to_beta0": gamma,
            "rtc_anf_gamma0_to_sigma0": gamma / sigma,
            "digital_elevation_model": np.where(outside, np.float32(np.nan), height),
        }
        return _dataset(layers, grid, burst, options, dem, {"void_dem_pixels": voids, "geometry": "exact"})

    def backscatter(
        self, burst: Burst, grid: GeoGrid, dem: Dem | None, options: RtcOptions, static: xr.Dataset | None
    ) -> xr.Dataset:
        """The backscatter layers of one acquisition; see `sarcube.rtc.engine.Engine`."""
        names = _polarizations(burst, options)
        reuse = options.static_reuse and static is not None
        if static is not None and static["mask"].shape != grid.shape:
            raise GridError(f"the static layers have shape {static['mask'].shape}, the grid {grid.shape}")
        with _threads(options.threads):
            if dem is None:
                if static is None or not options.static_reuse:
                    raise DemError("backscatter needs a DEM or, with geometry: reuse, the static layers")
                dem = _published_dem(static, grid)
            geometry = _geometry(burst, grid, dem, options, 0.0, 0.0)
            centres = _centres(geometry.mesh, grid)
            cells = _cells(burst, names, geometry, options)
            project = area_projection
            if options.geocoding == "bilinear":
                result = bilinear(geometry.rmap, centres, grid, geometry.window, cells)
            else:
                result = project(geometry.rmap, geometry.mesh, grid, geometry.window, cells)
            del cells
            if reuse and static is not None:
                mask = np.array(static["mask"].values, np.uint8)
            else:
                mask = _mask(burst, geometry, grid, centres)
        _apply_mask(result, mask, options)
        layers = {name: result.bands[k] for k, name in enumerate(names)}
        layers["mask"] = mask
        layers["number_of_looks"] = result.looks
        facts = {
            "void_dem_pixels": _void_pixels(geometry, grid, centres, burst),
            "geometry": "reuse" if reuse else "exact",
        }
        return _dataset(layers, grid, burst, options, dem, facts)


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
    numba.set_num_threads(max(1, min(count, numba.config.NUMBA_NUM_THREADS)))
    try:
        yield
    finally:
        numba.set_num_threads(before)


def _geometry(
    burst: Burst, grid: GeoGrid, dem: Dem, options: RtcOptions, more_lines: float, more_samples: float
) -> _Geometry:
    radar = burst.radar
    require_coverage(burst.orbit, radar.first_line_time, radar.last_line_time, f"the lines of {burst.burst_id}")
    factor = max(2, options.dem_upsampling + options.dem_upsampling % 2)
    low, high = _dem_range(dem)
    metres = grid.resolution * (111_320.0 if grid.epsg == 4326 else 1.0)
    reach = min(1.5 * (high - low), _MARGIN_METRES)
    margin = _CLOSE_PIXELS + math.ceil(reach / metres)
    mesh = make_mesh(dem, grid, factor, margin)
    correction = timing_correction(
        burst, bistatic=options.bistatic_delay, troposphere=options.static_troposphere
    )
    rmap = radar_map(burst.orbit, radar, grid.epsg, mesh.bounds, mesh.height_range(), correction)
    window = _window(rmap, mesh, grid, burst, more_lines, more_samples)
    return _Geometry(mesh, rmap, window)


def _dem_range(dem: Dem) -> tuple[float, float]:
    valid = np.isfinite(dem.heights)
    if not valid.any():
        raise DemError(f"the DEM ({dem.description or 'unnamed'}) has no valid height; check dem.path")
    return float(dem.heights[valid].min()), float(dem.heights[valid].max())


def _window(
    rmap: RadarMap, mesh: Mesh, grid: GeoGrid, burst: Burst, more_lines: float, more_samples: float
) -> Window:
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
    extra_lines, extra_samples = round(more_lines * radar.lines), round(more_samples * radar.samples)
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
    burst: Burst, names: tuple[str, ...], geometry: _Geometry, options: RtcOptions
) -> NDArray[np.float32]:
    """Power over area factor of every cell of the window, (lines, samples, polarizations)."""
    window = geometry.window
    factor = None
    if options.backscatter != "beta0":
        factors = _factors(geometry, options, sigma=options.backscatter == "sigma0")
        factor = factors.sigma if options.backscatter == "sigma0" else factors.gamma
    cells = np.empty((window.lines, window.samples, len(names)), np.float32)
    first = max(window.first_line, 0)
    stop = min(window.first_line + window.lines, burst.radar.lines)
    valid = (burst.first_valid_sample, burst.last_valid_sample)
    if not options.valid_sample_masking:
        valid = (np.zeros_like(valid[0]), np.full_like(valid[1], burst.radar.samples - 1))
    for k, name in enumerate(names):
        samples = read_samples(burst, name, (first, stop))
        tables = power_tables(
            burst, name, calibrate=options.absolute_calibration, denoise=options.thermal_noise
        )
        fill_cells(cells, k, window, samples, first, tables, valid, factor)
    return cells


def _mask(burst: Burst, geometry: _Geometry, grid: GeoGrid, centres: NDArray[np.float32]) -> NDArray[np.uint8]:
    window = mask_window(burst.radar, geometry.window)
    radar_mask = shadow_layover(burst.orbit, burst.radar, geometry.rmap, geometry.mesh, window)
    return geocode_mask(geometry.rmap, centres, grid, window, radar_mask)


def _apply_mask(result: Geocoded, mask: NDArray[np.uint8], options: RtcOptions) -> None:
    """Shadowed pixels are left out; pixels without backscatter are outside."""
    absent = np.isnan(result.bands[0])
    if options.shadow_masking:
        shadow = (mask & SHADOW).astype(bool) & (mask != OUTSIDE)
        result.bands[:, shadow] = np.nan
        result.looks[shadow] = np.nan
        absent &= ~shadow
    mask[absent] = OUTSIDE


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
    dem: Dem,
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
        "dem": dem.description,
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
