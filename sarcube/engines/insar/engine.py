"""The interferometric engine: bursts, grid and terrain in, datasets on the grid out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numba
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.engines.insar.baseline import Baseline, find_baseline
from sarcube.engines.insar.coherence import debiased_coherence
from sarcube.engines.insar.date import make_date
from sarcube.engines.insar.fine import FineGrid, as_fine, fine_grid
from sarcube.engines.insar.lattice import Nodes, make_nodes
from sarcube.engines.insar.options import InsarOptions
from sarcube.engines.insar.pair import Cells, locate_cells, sum_pair
from sarcube.engines.insar.slc import SlcRows, geocode_slc, sum_slcs
from sarcube.engines.insar.static import line_of_sight, shadow_mask
from sarcube.engines.insar.sums import PairSums
from sarcube.engines.insar.terrain import Relief, make_relief
from sarcube.errors import EngineError, GridError
from sarcube.geometry.dem import Dem, sample_grid
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.model import Burst

VERSION = "1"
OUTSIDE = 255


@dataclass(frozen=True, eq=False)
class Ground:
    """A grid with its terrain, as every date of a burst shares it.

    Attributes
    ----------
    fine : FineGrid
    nodes : Nodes
    relief : Relief
    height : (rows, columns) float32
        At the cells' centres, metres.
    """

    fine: FineGrid
    nodes: Nodes
    relief: Relief
    height: NDArray[np.float32]


def lay_ground(grid: GeoGrid | FineGrid, dem: Dem) -> Ground:
    """Terrain on a grid, or on a fine grid that is not the usual one.

    Raises
    ------
    DemError, GridError
        The DEM holds no height on the grid, or its CRS cannot be reached.
    """
    fine = as_fine(grid)
    height = sample_grid(dem, fine.grid)
    low, high = _heights_of(dem, height)
    return Ground(fine, make_nodes(fine, (low, high)), make_relief(dem, fine), height)


def interferogram(
    first: Burst,
    second: Burst,
    grid: GeoGrid,
    dem: Dem,
    options: InsarOptions | None = None,
    *,
    polarization: str | None = None,
    static: xr.Dataset | None = None,
    shift: float = 0.0,
) -> xr.Dataset:
    """The layers of a pair of dates of one burst.

    Parameters
    ----------
    first, second : Burst
        The same burst ID on two dates; phase is first times conjugate of second.
    grid : GeoGrid
        Of the burst, at the posting of the product.
    dem : Dem
    options : InsarOptions, optional
    polarization : str, optional
        By default the first that both dates have.
    static : Dataset, optional
        Static layers on this grid: their layover and shadow are taken over, else computed.
    shift : float
        Azimuth timing of the second date against the first, seconds (`timing.solve_timing`): taken off the phase.

    Returns
    -------
    Dataset
        interferogram (complex64, unfiltered), coherence, amplitude_first, amplitude_second, number_of_looks, mask;
        `doppler` (Hz) and `samples` for those who estimate timing or merge. Facts in `attrs`.

    Raises
    ------
    EngineError
        Dates of different bursts, or one and the same acquisition.
    BurstNotFoundError, SceneError, OrbitError, DemError
        What an input lacks.
    """
    options = options or InsarOptions()
    name = common_polarization(first, second, polarization)
    with threads(options.threads):
        ground = lay_ground(grid, dem)
        one, two = (make_date(burst, name, ground.nodes, options) for burst in (first, second))
        cells = locate_cells(one, ground.fine, ground.nodes.lattice, ground.height)
        sums = sum_pair(one, two, ground.fine, ground.nodes.lattice, ground.relief, cells)
        mask = _mask(static, first, grid, dem)
    baseline = find_baseline(first, second, ground.nodes)
    facts = {
        "first_scene": first.scene, "second_scene": second.scene,
        "first_orbit": first.orbit_source, "second_orbit": second.orbit_source,
        "dem": dem.description, "wavelength": first.radar.wavelength,
    }  # fmt: skip
    return pair_layers(sums, cells, mask, ground.fine, options, baseline, {"polarization": name, **facts}, shift)


def pair_layers(
    sums: PairSums,
    cells: Cells,
    mask: NDArray[np.uint8],
    fine: FineGrid,
    options: InsarOptions,
    baseline: Baseline,
    facts: Mapping[str, object],
    shift: float,
) -> xr.Dataset:
    """Layers and facts of a pair from its sums."""
    grid = fine.grid
    enough = sums.count >= max(1.0, options.minimum_share * fine.rows * fine.columns)
    enough &= (sums.power_first > 0) & (sums.power_second > 0)
    complex_mean = sums.mean_interferogram()
    if shift:
        complex_mean = shifted(complex_mean, cells.doppler, shift)
    coherence = sums.coherence()
    if options.debias:
        coherence = debiased_coherence(coherence, sums.looks)
    amplitude_first, amplitude_second = sums.amplitudes()
    layers: dict[str, NDArray[np.generic]] = {
        "interferogram": complex_mean,
        "coherence": coherence,
        "amplitude_first": amplitude_first,
        "amplitude_second": amplitude_second,
        "number_of_looks": sums.looks,
        "doppler": cells.doppler,
    }
    layers = {key: np.where(enough, values, np.array(np.nan, values.dtype)) for key, values in layers.items()}
    layers["samples"] = sums.count
    layers["mask"] = np.where(enough, np.where(mask == OUTSIDE, 0, mask), OUTSIDE).astype(np.uint8)
    attrs: dict[str, object] = {
        "engine": "insar", "engine_version": VERSION, **asdict(options), **facts,
        "samples_per_cell": fine.rows * fine.columns,
        "perpendicular_baseline": baseline.perpendicular, "parallel_baseline": baseline.parallel,
        "temporal_baseline_days": baseline.days, "range_common_band": baseline.range_common_band,
        "azimuth_common_band": baseline.azimuth_common_band, "azimuth_shift_removed": shift,
    }  # fmt: skip
    return xr.Dataset({k: (("y", "x"), v) for k, v in layers.items()}, {"y": grid.y(), "x": grid.x()}, attrs)


def shifted(interferogram: NDArray[np.complex64], doppler: NDArray[np.float32], shift: float) -> NDArray[np.complex64]:
    """An interferogram without what an azimuth shift of the second date (s) makes of its carrier; see `timing`."""
    turns = np.nan_to_num(doppler).astype(np.float64) * shift
    return np.asarray(interferogram * np.exp(-2j * np.pi * turns), np.complex64)


def geocoded_slc(
    burst: Burst,
    grid: GeoGrid,
    dem: Dem,
    options: InsarOptions | None = None,
    *,
    polarizations: tuple[str, ...] | None = None,
    out: dict[str, NDArray[np.complex64]] | None = None,
) -> xr.Dataset:
    """One date of a burst, flattened, on the fine grid of a product's grid.

    Any two dates of one burst and grid give a pair by a multiplication (`pair_of_slcs`).

    Parameters
    ----------
    burst, grid, dem, options
        As for `interferogram`.
    polarizations : tuple of str, optional
        All by default.
    out : mapping, optional
        Arrays of zeros to fill, one per polarization: memory-mapped ones keep a burst's 0.8 GB out of memory.

    Returns
    -------
    Dataset
        A complex64 layer per polarization, NaN where there is no sample, dims (y, x) of the fine grid.
    """
    options = options or InsarOptions()
    with threads(options.threads):
        ground = lay_ground(grid, dem)
        layers = {}
        for name in polarizations or burst.polarizations:
            date = make_date(burst, name, ground.nodes, options)
            cells = locate_cells(date, ground.fine, ground.nodes.lattice, ground.height)
            target = None if out is None else out[name]
            layers[name] = geocode_slc(date, ground.fine, ground.nodes.lattice, ground.relief, cells, target)
    attrs: dict[str, object] = {
        "engine": "insar", "engine_version": VERSION, **asdict(options), "scene": burst.scene,
        "orbit_source": burst.orbit_source, "dem": dem.description, "wavelength": burst.radar.wavelength,
        "flattened": "by the geometric slant range, 4 pi / wavelength",
    }  # fmt: skip
    coordinates = {"y": ground.fine.y(), "x": ground.fine.x()}
    return xr.Dataset({k: (("y", "x"), v) for k, v in layers.items()}, coordinates, attrs)


def pair_of_slcs(
    first: Burst,
    second: Burst,
    slcs: tuple[SlcRows, SlcRows],
    grid: GeoGrid | FineGrid,
    dem: Dem,
    options: InsarOptions | None = None,
    *,
    static: xr.Dataset | None = None,
    shift: float = 0.0,
) -> xr.Dataset:
    """As `interferogram`, from geocoded SLCs of the same polarization that were kept.

    `grid` is a fine grid where their samples are not those of `fine_grid`: others made them. `options` are those that
    they were made with.

    Raises
    ------
    GridError
        They do not lie on the fine grid of `grid`.
    """
    options = options or InsarOptions()
    name = common_polarization(first, second, None)
    fine = as_fine(grid)
    for slc in slcs:
        if slc.shape != fine.shape:
            raise GridError(f"a geocoded SLC of {slc.shape} samples is not of this grid, whose are {fine.shape}")
    with threads(options.threads):
        ground = lay_ground(fine, dem)
        date = make_date(first, name, ground.nodes, options)
        cells = locate_cells(date, fine, ground.nodes.lattice, ground.height)
        sums = sum_slcs(slcs, date, fine, ground.nodes.lattice, cells)
        mask = _mask(static, first, fine.grid, dem)
    baseline = find_baseline(first, second, ground.nodes)
    facts = {"first_scene": first.scene, "second_scene": second.scene, "dem": dem.description}
    return pair_layers(sums, cells, mask, fine, options, baseline, facts, shift)


def static_layers(burst: Burst, grid: GeoGrid, dem: Dem) -> xr.Dataset:
    """What is the same on all dates: los_east, los_north, los_up (unit vector from the ground to the sensor),
    digital_elevation_model, mask."""  # fmt: skip
    ground = lay_ground(grid, dem)
    east, north, up = line_of_sight(burst, ground.nodes, ground.fine, ground.height)
    layers = {
        "los_east": east, "los_north": north, "los_up": up,
        "digital_elevation_model": ground.height, "mask": shadow_mask(burst, grid, dem),
    }  # fmt: skip
    attrs = {"engine": "insar", "engine_version": VERSION, "scene": burst.scene, "dem": dem.description}
    return xr.Dataset({k: (("y", "x"), v) for k, v in layers.items()}, {"y": grid.y(), "x": grid.x()}, attrs)


def line_of_sight_layers(burst: Burst, grid: GeoGrid, dem: Dem) -> xr.Dataset:
    """los_east, los_north, los_up and digital_elevation_model on any grid that the burst's orbit passes by."""
    fine, height = fine_grid(grid), sample_grid(dem, grid)
    components = line_of_sight(burst, make_nodes(fine, _heights_of(dem, height)), fine, height)
    layers = dict(zip(("los_east", "los_north", "los_up"), components, strict=True))
    layers["digital_elevation_model"] = height
    attrs = {"engine": "insar", "engine_version": VERSION, "scene": burst.scene, "dem": dem.description}
    return xr.Dataset({k: (("y", "x"), v) for k, v in layers.items()}, {"y": grid.y(), "x": grid.x()}, attrs)


def _mask(static: xr.Dataset | None, burst: Burst, grid: GeoGrid, dem: Dem) -> NDArray[np.uint8]:
    if static is None:
        return shadow_mask(burst, grid, dem)
    mask = np.asarray(static["mask"].values, np.uint8)
    if mask.shape != grid.shape:
        raise GridError(f"the static layers {mask.shape} are not on the burst's grid {grid.shape}; make them anew")
    return mask


def _heights_of(dem: Dem, height: NDArray[np.float32]) -> tuple[float, float]:
    from sarcube.geometry.dem import height_range

    if not np.isfinite(height).any():
        height_range(dem)
        raise EngineError("the DEM does not cover the grid at all; check dem.path and the AOI")
    low, high = height_range(dem)
    # Between cell centres the ground may rise a little above all of them, but not above the whole DEM.
    return max(low, float(np.nanmin(height)) - 200.0), min(high, float(np.nanmax(height)) + 200.0)


def common_polarization(first: Burst, second: Burst, asked: str | None) -> str:
    """The polarization asked for, or the first that both dates have; EngineError where they make no pair."""
    if first.burst_id != second.burst_id:
        raise EngineError(
            f"{first.burst_id} ({first.scene}) and {second.burst_id} ({second.scene}) are different bursts: a pair is "
            "made of two dates of one"
        )
    if abs(first.start_time - second.start_time) < np.timedelta64(1, "s") and first.scene == second.scene:
        raise EngineError(f"{first.scene}: both dates of the pair are the same acquisition; choose two")
    both = [name for name in first.polarizations if name in second.polarizations]
    if asked is not None and asked not in both:
        raise EngineError(
            f"{first.burst_id}: {asked} is not on both dates ({', '.join(first.polarizations)} and "
            f"{', '.join(second.polarizations)})"
        )
    if not both:
        raise EngineError(
            f"{first.burst_id}: the dates have no polarization in common ({', '.join(first.polarizations)} and "
            f"{', '.join(second.polarizations)})"
        )
    return asked or both[0]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Numba's threads for the calls within; 0 leaves them as they are."""
    before = numba.get_num_threads()
    if count > 0:
        most: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
        numba.set_num_threads(max(1, min(count, most)))
    try:
        yield
    finally:
        numba.set_num_threads(before)
