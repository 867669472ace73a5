"""The native engine: from a burst, a grid and a DEM to layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

import numba
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.engines.rtc.engine import RtcOptions
from sarcube.engines.rtc.native.angles import incidence_angles
from sarcube.engines.rtc.native.burst_geometry import BurstGeometry, burst_geometry
from sarcube.engines.rtc.native.by_block import geocoded_echo, geocoded_factors
from sarcube.engines.rtc.native.echo_extent import beyond_echo, pixel_centres
from sarcube.engines.rtc.native.geocode import Geocoded
from sarcube.engines.rtc.native.image import RadarImage
from sarcube.engines.rtc.native.mapping import in_slant_range, map_row
from sarcube.engines.rtc.native.shadow_layover import OUTSIDE, SHADOW, geocode_mask, mask_window, shadow_layover
from sarcube.errors import DemError, EngineError, GridError
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.model import Burst

VERSION = "1"
STATIC_LINES, STATIC_SAMPLES = 0.1, 0.02  # parts of a burst by which static layers reach beyond it


class NativeEngine:
    """Radiometric terrain correction by area projection, embedded in Python."""

    name = "native"

    def static(self, burst: Burst, grid: GeoGrid, dem: Dem, options: RtcOptions) -> xr.Dataset:
        """The static layers of the burst ID; see `sarcube.engines.rtc.engine.Engine`."""
        with kernel_threads(options.threads):
            geometry = burst_geometry(burst, grid, dem, options, (STATIC_LINES, STATIC_SAMPLES))
            area = geocoded_factors(geometry, grid, options)
            incidence, local, height = incidence_angles(geometry.rmap, geometry.mesh, grid, geometry.window)
            mask = burst_mask(burst, geometry, grid, height)
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
        facts = {"thermal_noise": False, "void_dem_pixels": voids, "geometry": "exact", "dem": dem.description}
        return _dataset(layers, grid, burst, options, facts)

    def backscatter(
        self, burst: Burst, grid: GeoGrid, dem: Dem | None, options: RtcOptions, static: xr.Dataset | None
    ) -> xr.Dataset:
        """The backscatter layers of one acquisition; see `sarcube.engines.rtc.engine.Engine`.

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
        with kernel_threads(options.threads):
            geometry = burst_geometry(burst, grid, terrain, options, (0.0, 0.0))
            centres = pixel_centres(geometry.mesh, grid)
            tied = dem is None and options.backscatter != "beta0"
            result, reach = geocoded_echo(burst, names, geometry, grid, centres, options, tied)
            if reuse is not None:
                mask = np.array(reuse["mask"].values, np.uint8)
            else:
                mask = burst_mask(burst, geometry, grid, centres)
        if tied and reuse is not None:
            published = np.asarray(reuse["rtc_anf_gamma0_to_beta0"].values, np.float32)
            if options.backscatter == "sigma0":
                published = np.divide(published, reuse["rtc_anf_gamma0_to_sigma0"].values, dtype=np.float32)
            result.bands[: len(names)] *= result.bands[len(names)] / published
        shadow = ((mask & SHADOW) > 0) & (mask != OUTSIDE)
        _apply_mask(result, mask, options, beyond_echo(geometry, grid, centres, shadow, reach))
        layers = {name: result.bands[k] for k, name in enumerate(names)}
        layers["mask"] = mask
        layers["number_of_looks"] = result.looks
        noisy = [n for n in names if burst.channels[n].noise is None]
        facts = {
            # What was done, not what was asked for: true where it was done to all polarizations.
            "thermal_noise": options.thermal_noise and not noisy,
            "void_dem_pixels": _void_pixels(geometry, grid, centres, burst),
            "empty_lines": int(reach.empty.sum()),
            "noise_removed": [n for n in names if options.thermal_noise and n not in noisy],
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
def kernel_threads(count: int) -> Iterator[None]:
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


def burst_mask(
    burst: RadarImage, geometry: BurstGeometry, grid: GeoGrid, centres: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Layover and shadow on the grid, 255 outside of the burst; `centres` are the heights at the pixels' centres.

    Of an image in ground range it is made on samples even in slant range.
    """
    radar, rmap, cells = in_slant_range(burst.radar, geometry.rmap, geometry.window)
    window = mask_window(radar, cells)
    radar_mask = shadow_layover(burst.orbit, radar, rmap, geometry.mesh, window)
    return geocode_mask(rmap, centres, grid, window, radar_mask)


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


def _void_pixels(geometry: BurstGeometry, grid: GeoGrid, centres: NDArray[np.float32], burst: Burst) -> int:
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
    layers: dict[str, NDArray[np.generic]],
    grid: GeoGrid,
    burst: Burst,
    options: RtcOptions,
    facts: dict[str, object],
) -> xr.Dataset:
    choices = asdict(replace(options, engine_options={}))
    choices["engine_options"] = dict(options.engine_options)
    if options.polarizations is not None:
        choices["polarizations"] = list(options.polarizations)
    attrs: dict[str, object] = {
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
    from sarcube.engines.rtc.native.warm import run_all

    run_all()
