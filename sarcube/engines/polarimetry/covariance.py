"""Covariance of two polarizations of one date on a product's grid.

Both channels of a date lie on one radar grid, so that their covariance is what a pair's sums are: the co-polarized
channel times the conjugate of the cross-polarized one, and two powers (`sarcube.engines.insar`). The phase of the
flattening is common to both and drops out. Noise is independent between the channels: it is taken off the powers and
leaves C12 alone (thermal noise near the cross-polarized signal would raise the entropy of everything).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from sarcube.engines.insar.date import Date, make_date
from sarcube.engines.insar.engine import lay_ground, threads
from sarcube.engines.insar.fine import FineGrid
from sarcube.engines.insar.lattice import LINE, SAMPLE, Lattice, positions
from sarcube.engines.insar.options import InsarOptions
from sarcube.engines.insar.pair import locate_cells, sum_pair
from sarcube.engines.insar.sums import PairSums
from sarcube.engines.polarimetry.decomposition import decompose, dprvi
from sarcube.engines.polarimetry.lee import refined_lee
from sarcube.engines.rtc.native.radiometry import power_tables
from sarcube.errors import BurstNotFoundError, GridError
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.model import Burst

VERSION = "1"
PAIRS = (("VV", "VH"), ("HH", "HV"))
OUTSIDE = 255
_BLIND = (1, 3)  # mask classes: radar shadow, alone or with layover
_STEP = 8  # cells: thermal noise is smooth, it is looked up at every eighth


@dataclass(frozen=True)
class PolarimetryOptions:
    """Choices that change the result.

    Attributes
    ----------
    window : int
        Cells across the square that is averaged; odd, 1 for the cell alone.
    speckle : str
        "refined_lee": Lee's refined filter on the covariance instead of the square window (Lee, Grunes, de Grandi
        1999).
    thermal_noise, bistatic_delay, static_troposphere : bool
    threads : int
        0: what numba finds.
    """

    window: int = 5
    speckle: Literal["none", "refined_lee"] = "none"
    thermal_noise: bool = True
    bistatic_delay: bool = True
    static_troposphere: bool = True
    threads: int = 0


def polarimetry(
    burst: Burst, grid: GeoGrid, dem: Dem, static: xr.Dataset, options: PolarimetryOptions | None = None
) -> xr.Dataset:
    """Covariance and its decomposition for one burst.

    Parameters
    ----------
    burst : Burst
        With a co-polarized channel and its cross-polarized one.
    grid : GeoGrid
    dem : Dem
    static : Dataset
        On the grid: `mask` (0 valid, 1 shadow, 2 layover, 3 both, 255 outside) and `rtc_anf_gamma0_to_beta0`, with
        which powers become gamma0.
    options : PolarimetryOptions, optional

    Returns
    -------
    Dataset
        C11, C22 (float32, gamma0, linear), C12 (complex64), entropy, anisotropy, alpha (degrees), span, ratio
        (C22 / C11), dprvi, number_of_looks (independent ones that were averaged), mask. Facts in `attrs`.

    Raises
    ------
    BurstNotFoundError
        The burst has one polarization only.
    GridError
        Static layers of another grid.
    SceneError, OrbitError, DemError
        What an input lacks.
    """
    options = options or PolarimetryOptions()
    names = channels_of(burst)
    for layer in ("mask", "rtc_anf_gamma0_to_beta0"):
        if static[layer].shape != grid.shape:
            raise GridError(f"the static layer {layer} {static[layer].shape} is not on the burst's grid {grid.shape}")
    place = InsarOptions(
        bistatic_delay=options.bistatic_delay, static_troposphere=options.static_troposphere, threads=options.threads
    )
    with threads(options.threads):
        ground = lay_ground(grid, dem)
        co, cross = (make_date(burst, name, ground.nodes, place) for name in names)
        cells = locate_cells(co, ground.fine, ground.nodes.lattice, ground.height)
        sums = sum_pair(co, cross, ground.fine, ground.nodes.lattice, ground.relief, cells)
        removed = [n for n in names if options.thermal_noise and burst.channels[n].noise is not None]
        noise = [
            noise_power(date, ground.fine, ground.nodes.lattice, ground.height) if date.polarization in removed else 0.0
            for date in (co, cross)
        ]
    mask = np.asarray(static["mask"].values, np.uint8)
    factor = np.asarray(static["rtc_anf_gamma0_to_beta0"].values, np.float32)
    least = 0.5 * ground.fine.rows * ground.fine.columns
    seen = (sums.count >= least) & np.isfinite(factor) & (factor > 0) & ~np.isin(mask, (*_BLIND, OUTSIDE))
    c11, c22, c12, looks = _averaged(sums, noise, factor, seen, options)
    parts = decompose(c11, c12, c22)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(c11 > 0, c22 / np.where(c11 > 0, c11, 1.0), np.nan)
    measures: dict[str, NDArray[np.generic]] = {
        "C11": c11, "C12": c12, "C22": c22, "entropy": parts.entropy, "anisotropy": parts.anisotropy,
        "alpha": parts.alpha, "span": c11 + c22, "ratio": ratio.astype(np.float32), "dprvi": dprvi(c11, c12, c22),
        "number_of_looks": looks,
    }  # fmt: skip
    layers = {name: np.where(seen, values, np.array(np.nan, values.dtype)) for name, values in measures.items()}
    layers["mask"] = np.where((sums.count >= least) & (mask != OUTSIDE), mask, OUTSIDE).astype(np.uint8)
    attrs: dict[str, object] = {
        "engine": "polarimetry", "engine_version": VERSION, **asdict(options), "backscatter": "gamma0",
        "co_polarization": names[0], "cross_polarization": names[1],
        "thermal_noise": len(removed) == len(names), "noise_removed": removed, "absolute_calibration": True,
        "orbit_source": burst.orbit_source, "dem": dem.description,
    }  # fmt: skip
    return xr.Dataset({k: (("y", "x"), v) for k, v in layers.items()}, {"y": grid.y(), "x": grid.x()}, attrs)


def channels_of(burst: Burst) -> tuple[str, str]:
    """Co- and cross-polarized channel of a burst; BurstNotFoundError where it has not both."""
    for pair in PAIRS:
        if all(name in burst.channels for name in pair):
            return pair
    raise BurstNotFoundError(
        f"{burst.scene}: {burst.burst_id} has {', '.join(burst.channels)} alone; polarimetry needs VV with VH, or HH "
        "with HV: choose dual-polarized scenes"
    )


def _averaged(
    sums: PairSums,
    noise: list[NDArray[np.float32] | float],
    factor: NDArray[np.float32],
    seen: NDArray[np.bool_],
    options: PolarimetryOptions,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.complex64], NDArray[np.float32]]:
    """C11, C22, C12 and looks after averaging: sums of all samples of a window, cut at 0 only then."""
    share = np.where(seen, 1.0 / np.where(seen, factor, 1.0), 0.0)
    count = np.where(seen, sums.count, 0).astype(np.float64)
    c11 = np.where(seen, sums.power_first - noise[0] * count, 0.0) * share
    c22 = np.where(seen, sums.power_second - noise[1] * count, 0.0) * share
    c12 = np.where(seen, sums.interferogram, 0.0).astype(np.complex128) * share
    looks = np.where(seen, sums.looks, 0.0).astype(np.float64)
    if options.speckle == "refined_lee":
        per = np.where(seen, 1.0 / np.where(seen, count, 1.0), 0.0)
        c11, c22, c12, looks = refined_lee((c11 * per, c22 * per, c12 * per), looks, seen)
    else:

        def over_window(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(uniform_filter(values, options.window, mode="constant"), np.float64)

        total = np.maximum(over_window(count), 1e-12)
        c11, c22 = over_window(c11) / total, over_window(c22) / total
        c12 = np.asarray((over_window(c12.real) + 1j * over_window(c12.imag)) / total, np.complex128)
        looks = over_window(looks) * options.window**2
    c11, c22 = np.maximum(c11, 0.0), np.maximum(c22, 0.0)
    return (
        c11.astype(np.float32), c22.astype(np.float32), c12.astype(np.complex64), looks.astype(np.float32)
    )  # fmt: skip


def noise_power(date: Date, fine: FineGrid, lattice: Lattice, height: NDArray[np.float32]) -> NDArray[np.float32]:
    """Thermal noise of a channel at each cell as beta0, linear; (rows, columns), 0 where the burst is not."""
    tables = power_tables(date.burst, date.polarization, calibrate=True, denoise=True)
    shape = (height.shape[0] // _STEP + 2, height.shape[1] // _STEP + 2)
    line, sample = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    _locate_coarse(lattice, date.view.place, (fine.rows, fine.columns), height, line, sample)
    radar = date.burst.radar
    row = np.clip(np.nan_to_num(line), 0, radar.lines - 1)
    column = np.clip(np.nan_to_num(sample), 0, radar.samples - 1).astype(np.int64)
    node = np.clip(np.searchsorted(tables.noise_line, row, side="right") - 1, 0, tables.noise_line.size - 2)
    span = np.maximum(tables.noise_line[node + 1] - tables.noise_line[node], 1.0)
    f = np.clip((row - tables.noise_line[node]) / span, 0.0, 1.0)
    power = tables.noise[node, column] * (1.0 - f) + tables.noise[node + 1, column] * f
    power *= tables.azimuth[tables.block[column], row.astype(np.int64)] * tables.gain.mean(axis=0)[column]
    return _between_coarse(power.astype(np.float32), height.shape)


def _between_coarse(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Values at every eighth cell, linear between them."""
    for axis, size in enumerate(shape):
        at = np.arange(size) / _STEP
        low = np.minimum(at.astype(np.int64), values.shape[axis] - 2)
        f = (at - low).astype(np.float32)
        f = f[:, None] if axis == 0 else f[None, :]
        values = np.take(values, low, axis) * (1 - f) + np.take(values, low + 1, axis) * f
    return values


@njit(cache=True, nogil=True)
def _locate_coarse(
    lattice: Lattice,
    place: NDArray[np.float64],
    cell: tuple[int, int],
    height: NDArray[np.float32],
    line: NDArray[np.float32],
    sample: NDArray[np.float32],
) -> None:
    out = np.empty((3, line.shape[1]))
    along = np.empty(line.shape[1], np.float32)
    for r in range(line.shape[0]):
        row = min(r * _STEP, height.shape[0] - 1)
        for c in range(line.shape[1]):
            along[c] = height[row, min(c * _STEP, height.shape[1] - 1)]
        first, step = 0.5 * cell[1], float(cell[1] * _STEP)
        positions(lattice, place, (r * _STEP + 0.5) * cell[0], first, step, along, out)
        for c in range(line.shape[1]):
            line[r, c], sample[r, c] = out[LINE, c], out[SAMPLE, c]
