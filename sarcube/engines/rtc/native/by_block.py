"""Area factors and backscatter on the grid: a burst worked through block by block."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from sarcube.engines.rtc.engine import RtcOptions
from sarcube.engines.rtc.native.area_factor import area_factors
from sarcube.engines.rtc.native.area_projection import area_projection
from sarcube.engines.rtc.native.blocks import Block, blocks, each_block
from sarcube.engines.rtc.native.burst_geometry import BurstGeometry
from sarcube.engines.rtc.native.geocode import Geocoded, bilinear, pixel_lines
from sarcube.engines.rtc.native.radiometry import Echo, Reach, fill_cells, power_tables
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.samples import line_readers


def geocoded_factors(geometry: BurstGeometry, grid: GeoGrid, options: RtcOptions) -> Geocoded:
    """Area factors of gamma0 and sigma0 on the grid."""
    rmap, mesh = geometry.rmap, geometry.mesh
    out = Geocoded.empty(2, grid)

    def work(block: Block) -> None:
        factors = area_factors(rmap, mesh, block.window, sigma=True, minimum=_minimum(options))
        area_projection(rmap, mesh, grid, block, factors, out)

    each_block(blocks(geometry.window, pixel_lines(rmap, grid.resolution)), work, numba.get_num_threads())
    return out


def geocoded_echo(
    burst: Burst,
    names: tuple[str, ...],
    geometry: BurstGeometry,
    grid: GeoGrid,
    centres: NDArray[np.float32],
    options: RtcOptions,
    with_factor: bool,
) -> tuple[Geocoded, Reach]:
    """Power over area factor on the grid, one band a polarization, and where all of them have an echo.

    `with_factor` appends the area factor itself as a band.
    """
    rmap, mesh, window, radar = geometry.rmap, geometry.mesh, geometry.window, burst.radar
    valid = (burst.first_valid_sample, burst.last_valid_sample)
    if not options.valid_sample_masking:
        valid = (np.zeros_like(valid[0]), np.full_like(valid[1], radar.samples - 1))
    lines = (max(window.first_line, 0), min(window.first_line + window.lines, radar.lines))
    readers = line_readers(burst, names, lines)
    tables = [
        power_tables(burst, name, calibrate=options.absolute_calibration, denoise=options.thermal_noise)
        for name in names
    ]
    which = int(options.backscatter == "sigma0")
    out = Geocoded.empty(len(names) + int(with_factor), grid)
    reach = Reach.unknown(window)

    def work(block: Block) -> None:
        here = block.window
        field = None
        if options.backscatter != "beta0":
            field = area_factors(rmap, mesh, here, sigma=which == 1, minimum=_minimum(options))
        cells = np.empty((here.lines, here.samples + 2, out.bands.shape[0]), np.float32)
        first, stop = max(here.first_line, 0), min(here.first_line + here.lines, radar.lines)
        for k, read in enumerate(readers):
            samples = read(first, stop) if first < stop else np.empty((0, radar.samples, 2), np.int16)
            echo = Echo(samples, first, tables[k], *valid)
            fill_cells(cells, k, here, echo, field, which, reach.of(window, here))
        if with_factor and field is not None:
            cells[..., -1] = field[..., which]
        if options.geocoding == "bilinear":
            bilinear(rmap, centres, grid, block, cells, out)
        else:
            area_projection(rmap, mesh, grid, block, cells, out)

    each_block(blocks(window, pixel_lines(rmap, grid.resolution)), work, numba.get_num_threads())
    return out, reach


def _minimum(options: RtcOptions) -> float:
    return float(10.0 ** (options.minimum_area_factor_db / 10.0))
