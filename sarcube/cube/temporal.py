"""Statistics over time, pixel by pixel: metrics, trend and annual harmonic, with outliers removed where asked.

Everything is computed in linear power, missing values left out, and handed out in decibel where asked. The
choice of metrics and the rule for outliers are those of OpenSarToolkit's timescan.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube.cf import PRODUCTS, fingerprint, with_grid
from sarcube.cube.cube_variable import moments
from sarcube.cube.layers import in_decibel, measures, real_values
from sarcube.cube.lazy import as_dask, da, fold, whole_stack
from sarcube.cube.moment_kernels import no_moments, update_moments
from sarcube.cube.temporal_kernels import LEAST_SPAN, scan_pixels
from sarcube.errors import CubeError

if TYPE_CHECKING:
    from dask.array import Array

    from sarcube.cube.selection import Period

Scale = Literal["power", "db"]
MOMENTS = ("count", "mean", "min", "max", "std", "cov")
HARMONIC = ("amplitude", "phase", "model_mean", "residual")
FITS = ("trend", *HARMONIC)
METRICS = (*MOMENTS, "median", *FITS)
_YEAR = np.timedelta64(31_557_600, "s")  # 365.25 days
# Blocks folded at once: fewer passes over the state, a few more chunks in memory.
_BLOCKS_PER_STEP = 4
# What a conversion to decibel applies to; spread, count and angles have none.
_LEVELS = ("mean", "median", "min", "max")
_EMPTY = np.empty((0, 0), np.float32)
_UNITS = {"count": "1", "cov": "1", "phase": "radian"}


@dataclass(frozen=True)
class TimescanOptions:
    """What to compute.

    Attributes
    ----------
    metrics : tuple of str
        Of count, mean, min, max, std, cov (std / mean), median, percentiles as "p5" or "p97.5"; trend, the slope
        of the least-squares line (per year); and of an annual harmonic amplitude, phase (radians; the maximum
        comes at phase / 2 pi of the year), model_mean (the fitted level at the middle of the series) and residual
        (root mean square). Where any of the harmonic is asked for, line and harmonic are fitted together, and
        the trend is that fit's. A trend needs two dates, a harmonic four that span 0.9 years; a pixel that was
        seen less is NaN.
    remove_outliers : bool
        Where a pixel has five dates or more: drop values beyond its 5th to 95th percentile, then values
        beyond the mean plus or minus two standard deviations of the rest.
    scale : {"power", "db"}
        What levels of powers are reported in; coherence and the like have no decibel. std, cov and count stay in power.
        The linear fits (trend, harmonic) are made in this scale, since a slope cannot be converted.
    layers : tuple of str, optional
        By default the measures.
    """

    metrics: tuple[str, ...] = ("mean", "median", "min", "max", "std", "cov", "p5", "p95", "count")
    remove_outliers: bool = False
    scale: Scale = "power"
    layers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.scale not in ("power", "db"):
            raise CubeError(f'scale is "power" or "db", not {self.scale!r}')
        for metric in self.metrics:
            if metric not in METRICS and _percentile(metric) is None:
                raise CubeError(
                    f"there is no metric {metric!r}; there are {', '.join(METRICS)} and percentiles as p5 or p97.5"
                )


def timescan(cube: xr.Dataset, options: TimescanOptions | None = None) -> xr.Dataset:
    """Metrics over the time axis.

    Parameters
    ----------
    cube : Dataset
        From `open_cube`, linear power.
    options : TimescanOptions, optional

    Returns
    -------
    Dataset
        Lazy, variables (y, x) named as VV_mean. Moments alone are folded over time, with one chunk in memory;
        percentiles, outliers and fits take all dates of a tile at once: cheapest on a cube that was opened
        with chunks={"time": -1, "y": 512, "x": 512}.

    Raises
    ------
    CubeError
        There is no such layer, or the dates are too few or too close together for a fit.
    """
    options = options or TimescanOptions()
    if "time" not in cube.dims:
        raise CubeError("there is no time axis; open several dates")
    if not cube.sizes["time"]:
        raise CubeError("the cube has no time step; open or select some")
    layers = options.layers or measures(cube)
    if missing := [n for n in layers if n not in cube]:
        raise CubeError(f"the cube has no layer {', '.join(missing)}; it has {', '.join(map(str, cube.data_vars))}")
    if not layers:
        raise CubeError("the cube has no measure; name the layers to scan")
    _check_dates(cube["time"].values, options)
    coords = {n: c for n, c in cube.coords.items() if "time" not in c.dims}
    variables: dict[str, xr.DataArray] = {}
    for layer in layers:
        own = options if in_decibel(cube[layer]) else replace(options, scale="power")
        arrays = _scan(cube[layer], own)
        for metric, array in zip(options.metrics, arrays, strict=True):
            attributes = {"long_name": f"{cube[layer].attrs.get('long_name', layer)}, {metric} over time"}
            attributes["units"] = _unit(metric, own.scale)
            variables[f"{layer}_{metric}"] = xr.DataArray(array, dims=("y", "x"), attrs=attributes)
    times = cube["time"].values
    span = {"time_first": str(times.min())[:19], "time_last": str(times.max())[:19], "dates": len(times)}
    if PRODUCTS in cube.coords:
        coords[PRODUCTS] = xr.DataArray(fingerprint(map(str, cube[PRODUCTS].values)), attrs=cube[PRODUCTS].attrs)
    how = {"outliers_removed": int(options.remove_outliers), "scale": options.scale}
    return with_grid(xr.Dataset(variables, coords=coords, attrs={**cube.attrs, **span, **how}), cube)


def scan_chunks(dates: int, options: TimescanOptions) -> dict[str, int]:
    """Chunks to open a cube of that many dates with, so that a scan reads every pixel once and rechunks nothing."""
    if not options.remove_outliers and set(options.metrics) <= set(MOMENTS):
        return {"time": 1, "y": 1024, "x": 1024}
    # 64 MB of float32, in halves of the COGs' blocks.
    edge = int(np.sqrt(2**24 / max(dates, 1))) // 256 * 256
    return {"time": -1, "y": min(max(edge, 256), 1024), "x": min(max(edge, 256), 1024)}


def _terms(options: TimescanOptions) -> int:
    """Unknowns of the fit: none, a line's two, or four with the annual harmonic."""
    if set(HARMONIC) & set(options.metrics):
        return 4
    return 2 if "trend" in options.metrics else 0


def _check_dates(times: NDArray[np.datetime64], options: TimescanOptions) -> None:
    least, when = _terms(options), years(np.unique(times))
    if len(when) < least:
        what = "a trend" if least == 2 else f"an annual harmonic ({', '.join(HARMONIC)})"
        raise CubeError(f"{what} needs {least} dates or more, and the cube has {len(when)}; open more dates")
    if least == 4 and when[-1] - when[0] < LEAST_SPAN:
        raise CubeError(
            f"an annual harmonic ({', '.join(HARMONIC)}) needs dates that span a year ({LEAST_SPAN} years at least), "
            f"and these span {(when[-1] - when[0]) * 365.25:.0f} days; open more dates, or ask for the trend alone"
        )


def years(times: NDArray[np.datetime64]) -> np.ndarray:
    """Years since 1970 of instants, float64."""
    result: np.ndarray = (np.asarray(times) - np.datetime64("1970-01-01")) / _YEAR
    return result


def _scan(variable: xr.DataArray, options: TimescanOptions) -> list[Array]:
    variable = real_values(variable)
    if not options.remove_outliers and set(options.metrics) <= set(MOMENTS):
        return _moments(variable, options)
    data = whole_stack(variable)
    percentiles = tuple(q for m in options.metrics if (q := _percentile(m)) is not None)
    names = (*METRICS, *(m for m in options.metrics if _percentile(m) is not None))
    time = years(variable["time"].values)
    block = da.map_blocks(
        _scan_block,
        data,
        dtype=np.float32,
        chunks=((len(names),), *data.chunks[1:]),
        meta=np.empty((0, 0, 0), np.float32),
        time=time,
        percentiles=np.array(percentiles, np.float64),
        options=options,
    )
    return [block[names.index(metric)] for metric in options.metrics]


def _scan_block(block: np.ndarray, time: np.ndarray, percentiles: np.ndarray, options: TimescanOptions) -> np.ndarray:
    decibel = options.scale == "db"
    scanned: np.ndarray = scan_pixels(
        np.ascontiguousarray(block, np.float32), time, percentiles, options.remove_outliers, _terms(options), decibel
    )
    if decibel:
        levels = [METRICS.index(m) for m in _LEVELS] + list(range(len(METRICS), len(scanned)))
        scanned[levels] = _decibel(scanned[levels])
    return scanned


def _moments(variable: xr.DataArray, options: TimescanOptions) -> list[Array]:
    wanted = set(options.metrics)
    states = 5 if wanted & {"min", "max"} else 3 if wanted & {"std", "cov"} else 2
    finishers = [partial(_moment, metric=m, decibel=options.scale == "db") for m in options.metrics]
    state = moments(variable.transpose("time", "y", "x").variable, states)
    if state is not None:
        return [da.map_blocks(f, state, dtype=np.float32, drop_axis=0, meta=_EMPTY) for f in finishers]
    data = as_dask(variable)
    parts = [[data.blocks[i : i + _BLOCKS_PER_STEP]] for i in range(0, data.numblocks[0], _BLOCKS_PER_STEP)]
    return [fold(partial(_update, states=states), states, parts, f, np.float32) for f in finishers]


def _update(state: np.ndarray | None, blocks: list[np.ndarray], states: int) -> np.ndarray:
    state = no_moments(states, *blocks[0].shape[1:]) if state is None else state.copy()
    for block in blocks:
        update_moments(state, np.ascontiguousarray(block, np.float32))
    return state


def _moment(state: np.ndarray, metric: str, decibel: bool) -> np.ndarray:
    count, mean = state[0], state[1]
    seen = count > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "count":
            values = count
        elif metric in ("std", "cov"):
            values = np.sqrt(state[2] / np.where(seen, count, np.nan))
            values = values / mean if metric == "cov" else values
        else:
            values = np.where(seen, state[{"mean": 1, "min": 3, "max": 4}[metric]], np.nan)
    result: np.ndarray = values.astype(np.float32)
    return _decibel(result) if decibel and metric in _LEVELS else result


def _percentile(metric: str) -> float | None:
    match = re.fullmatch(r"p(\d{1,3}(?:\.\d{1,6})?)", str(metric), re.ASCII)
    return float(match[1]) if match and float(match[1]) <= 100 else None


def _decibel(power: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        result: np.ndarray = np.where(power > 0, 10 * np.log10(power), np.nan).astype(np.float32)
    return result


def _unit(metric: str, scale: Scale) -> str:
    if metric in _UNITS:
        return _UNITS[metric]
    if scale == "power" or metric == "std":
        return "1"
    return "dB/year" if metric == "trend" else "dB"


def select_period(cube: xr.Dataset, period: Period) -> xr.Dataset:
    """The time steps within a period, given as dates of `open_cube` are."""
    from sarcube.cube.selection import parse_dates

    edges = parse_dates(period)
    if edges is None:
        return cube
    times = cube["time"].values
    keep = np.flatnonzero((times >= edges[0]) & (times <= edges[1]))
    if not len(keep):
        raise CubeError(
            f"no time step lies within {edges[0]!s:.10} to {edges[1]!s:.10}; "
            f"the cube runs from {times.min()!s:.10} to {times.max()!s:.10}"
        )
    return cube.isel(time=keep)
