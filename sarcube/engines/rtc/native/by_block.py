"""Area factors and backscatter on the grid: a burst worked through block by block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from sarcube.engines.rtc.engine import RtcOptions
from sarcube.engines.rtc.native.area_factor import area_factors
from sarcube.engines.rtc.native.area_projection import area_projection
from sarcube.engines.rtc.native.blocks import TALL_BLOCK_LINES, Block, Window, blocks, each_block
from sarcube.engines.rtc.native.burst_geometry import BurstGeometry
from sarcube.engines.rtc.native.geocode import Geocoded, bilinear, pixel_lines
from sarcube.engines.rtc.native.image import Part, parts_of
from sarcube.engines.rtc.native.mesh import Mesh
from sarcube.engines.rtc.native.radiometry import Echo, PowerTables, Reach, fill_cells, power_tables
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.grd.model import GrdPass
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


@dataclass(frozen=True, eq=False)
class _Source:
    """A part of an image, ready to be read: its lines by polarization, and what turns them into power."""

    part: Part
    lines: tuple[int, int]
    readers: list[Callable[[int, int], NDArray[np.integer]]]
    tables: list[PowerTables]
    valid: tuple[NDArray[np.int32], NDArray[np.int32]]


def geocoded_echo(
    burst: Burst | GrdPass,
    names: tuple[str, ...],
    geometry: BurstGeometry,
    grid: GeoGrid,
    centres: NDArray[np.float32],
    options: RtcOptions,
    with_factor: bool,
    facets: Mesh | None = None,
) -> tuple[Geocoded, Reach]:
    """Power over area factor on the grid, one band a polarization, and where all of them have an echo.

    `with_factor` appends the area factor itself as a band; `facets` is the mesh whose areas count, by default the
    geometry's own.
    """
    facets = facets or geometry.mesh
    rmap, window = geometry.rmap, geometry.window
    sources = _sources(burst, names, window, options)
    by_terrain = options.normalization == "terrain" and options.backscatter != "beta0"
    which = int(options.backscatter == "sigma0")
    out = Geocoded.empty(len(names) + int(with_factor), grid)
    reach = Reach.unknown(window)

    def work(block: Block) -> None:
        here = block.window
        field = None
        if by_terrain:
            field = area_factors(rmap, facets, here, sigma=which == 1, minimum=_minimum(options))
        cells = np.empty((here.lines, here.samples + 2, out.bands.shape[0]), np.float32)
        done = np.zeros(here.lines, np.bool_)
        for source in sources:
            done |= _fill_from(source, names, here, cells, field, which, reach.of(window, here))
        _close(~done, cells, reach.of(window, here))
        if with_factor and field is not None:
            cells[..., -1] = field[..., which]
        if options.geocoding == "bilinear":
            bilinear(rmap, centres, grid, block, cells, out)
        else:
            area_projection(rmap, facets, grid, block, cells, out)

    tall = None if isinstance(burst, Burst) else TALL_BLOCK_LINES
    each_block(blocks(window, pixel_lines(rmap, grid.resolution), tall), work, numba.get_num_threads())
    return out, reach


def _sources(burst: Burst | GrdPass, names: tuple[str, ...], window: Window, options: RtcOptions) -> list[_Source]:
    """The parts of the image that have lines in the window, ready to be read."""
    to = options.backscatter if options.normalization == "ellipsoid" else "beta0"
    found = []
    for part in parts_of(burst):
        radar, source = part.source.radar, part.source
        begin = max(window.first_line, part.start)
        end = min(window.first_line + window.lines, part.stop)
        if begin >= end:
            continue
        lines = (
            min(max(begin - part.offset, 0), radar.lines), min(max(end - part.offset, 0), radar.lines)
        )  # fmt: skip
        valid = (source.first_valid_sample, source.last_valid_sample)
        if not options.valid_sample_masking:
            valid = (np.zeros_like(valid[0]), np.full_like(valid[1], radar.samples - 1))
        found.append(
            _Source(
                part,
                lines,
                line_readers(source, names, lines) if lines[0] < lines[1] else [],
                [
                    power_tables(
                        source, name, calibrate=options.absolute_calibration, denoise=options.thermal_noise, to=to
                    )
                    for name in names
                ],
                valid,
            )
        )
    return found


def _fill_from(
    source: _Source,
    names: tuple[str, ...],
    here: Window,
    cells: NDArray[np.float32],
    field: NDArray[np.float32] | None,
    which: int,
    reach: Reach,
) -> NDArray[np.bool_]:
    """Write a source's lines into the cells of a window; returns which lines of the window were its own."""
    part, radar = source.part, source.part.source.radar
    begin, end = max(here.first_line, part.start), min(here.first_line + here.lines, part.stop)
    done = np.zeros(here.lines, np.bool_)
    if begin >= end:
        return done
    rows = slice(begin - here.first_line, end - here.first_line)
    own = Window(begin - part.offset, here.first_sample, end - begin, here.samples)
    whole = Window(here.first_line - part.offset, here.first_sample, here.lines, here.samples)
    first, stop = max(own.first_line, source.lines[0]), min(own.first_line + own.lines, source.lines[1])
    for k, name in enumerate(names):
        if first < stop:
            samples, at = source.readers[k](first, stop), first
        else:
            stored = part.source.channels[name].samples
            shape = (0, radar.samples) if stored.detected else (0, radar.samples, 2)
            samples, at = np.empty(shape, np.uint16 if stored.detected else np.int16), 0
        echo = Echo(samples, at, source.tables[k], *source.valid, part.dark.get(name, 0))
        fill_cells(cells[rows], k, own, echo, None if field is None else field[rows], which, reach.of(whole, own))
    done[rows] = True
    return done


def _close(missing: NDArray[np.bool_], cells: NDArray[np.float32], reach: Reach) -> None:
    """Lines between slices that no slice has: no echo."""
    if missing.any():
        cells[missing] = np.nan
        reach.stop[missing] = 0


def _minimum(options: RtcOptions) -> float:
    return float(10.0 ** (options.minimum_area_factor_db / 10.0))
