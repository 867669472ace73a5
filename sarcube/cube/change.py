"""Change between two periods: the log-ratio of their means, and how likely speckle alone makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy.special import fdtr, fdtrc

from sarcube.cube.cf import PRODUCTS, fingerprint, with_grid
from sarcube.cube.layers import measures
from sarcube.cube.lazy import da
from sarcube.cube.temporal import TimescanOptions, select_period, timescan
from sarcube.errors import CubeError

if TYPE_CHECKING:
    from sarcube.cube.selection import Period


@dataclass(frozen=True)
class ChangeOptions:
    """How change is judged.

    Attributes
    ----------
    enl : float
        Equivalent number of looks of one date. `cube.sar.enl()` estimates it.
    alpha : float
        Chance of calling change where there is none, pixel by pixel.
    independent : float
        Share of the dates that count as independent looks, 0 to 1: speckle of repeat passes over stable ground
        is correlated, which makes means of many dates less sure than their number tells.
    layers : tuple of str, optional
        By default the measures.
    """

    enl: float
    alpha: float = 0.01
    independent: float = 1.0
    layers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        numbers = (self.enl, self.alpha, self.independent)
        if (
            not all(isinstance(v, int | float | np.number) for v in numbers)
            or not self.enl > 0
            or not 0 < self.alpha < 1
            or not 0 < self.independent <= 1
        ):
            raise CubeError(
                f"enl must be positive, alpha and independent within 0 to 1, not {self.enl}, {self.alpha}, "
                f"{self.independent}"
            )


def detect_change(cube: xr.Dataset, before: Period, after: Period, options: ChangeOptions) -> xr.Dataset:
    """Compare two periods.

    The mean of n dates of L looks of fully developed speckle is gamma distributed with n L looks, so without
    change the ratio of two such means follows Fisher's F with (2 n2 L, 2 n1 L) degrees of freedom (Conradsen et
    al. 2003, IEEE TGRS 41(1), for one channel; Touzi et al. 1988 for equal looks). The p-value is two-sided.

    Parameters
    ----------
    cube : Dataset
        From `open_cube`, linear power.
    before, after : str or pair of dates
        As `open_cube` takes them.
    options : ChangeOptions

    Returns
    -------
    Dataset
        Lazy, (y, x), for each layer: VV_log_ratio in dB (positive: brighter after), VV_p_value, and VV_change: 1
        brighter, -1 darker, 0 no significant change, -128 unknown.
    """
    layers = options.layers or measures(cube)
    scan = TimescanOptions(metrics=("mean", "count"), layers=layers)
    first, second = (timescan(select_period(cube, period), scan) for period in (before, after))
    variables: dict[str, xr.DataArray] = {}
    for layer in layers:
        inputs = [s[f"{layer}_{m}"].data for s in (first, second) for m in ("mean", "count")]
        result = da.map_blocks(
            _compare, *inputs, dtype=np.float32, new_axis=0, chunks=((3,), *inputs[0].chunks), options=options,
            meta=np.empty((0, 0, 0), np.float32),
        )  # fmt: skip
        names = {"log_ratio": "dB", "p_value": "1", "change": "1"}
        for i, (name, unit) in enumerate(names.items()):
            data = result[i].astype(np.int8) if name == "change" else result[i]
            about = {"units": unit, "long_name": f"{layer} {name.replace('_', ' ')}"}
            variables[f"{layer}_{name}"] = xr.DataArray(data, dims=("y", "x"), attrs=about)
    attributes = {**first.attrs, "enl": options.enl, "alpha": options.alpha, "independent": options.independent}
    for key in ("time_first", "time_last", "dates"):
        attributes[f"before_{key}"], attributes[f"after_{key}"] = attributes.pop(key), second.attrs[key]
    attributes["time_first"] = min(first.attrs["time_first"], second.attrs["time_first"])
    attributes["time_last"] = max(first.attrs["time_last"], second.attrs["time_last"])
    coords = dict(first.coords)
    if PRODUCTS in first.coords:
        both = fingerprint(str(s[PRODUCTS].values) for s in (first, second))
        coords[PRODUCTS] = xr.DataArray(both, attrs=first[PRODUCTS].attrs)
    return with_grid(xr.Dataset(variables, coords=coords, attrs=attributes), cube)


def _compare(
    mean1: np.ndarray, count1: np.ndarray, mean2: np.ndarray, count2: np.ndarray, options: ChangeOptions
) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((mean1 > 0) & (mean2 > 0), mean2.astype(np.float64) / mean1, np.nan)
        looks1 = np.maximum(count1 * options.independent, 1) * options.enl
        looks2 = np.maximum(count2 * options.independent, 1) * options.enl
        p = 2 * np.minimum(fdtr(2 * looks2, 2 * looks1, ratio), fdtrc(2 * looks2, 2 * looks1, ratio))
        p = np.where(np.isnan(ratio), np.nan, np.minimum(p, 1))
        change = np.where(p < options.alpha, np.sign(ratio - 1), 0)
        change = np.where(np.isnan(p), -128, change)
        result: np.ndarray = np.stack([10 * np.log10(ratio), p, change]).astype(np.float32)
    return result
