"""Products of single bursts, HyP3's own or ours, merged into one: HyP3-ISCE2's `merge_tops_bursts`.

HyP3 merges in radar geometry. Here the interferogram of each burst is laid on one map by the places of its looks, and
what follows is what a pass of this project's bursts goes through: overlaps brought to one phase, sums added, filtered
and unwrapped once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.cube.hyp3.facts import Processing
from sarcube.cube.hyp3.product import Hyp3Pair, write_product
from sarcube.cube.hyp3.reading import (
    Hyp3Burst,
    check_mergeable,
    common_grid,
    find_products,
    interferogram_on_map,
    on_the_map,
)
from sarcube.engines.insar.merge import Piece, align, merge
from sarcube.engines.insar.unwrap import Method
from sarcube.engines.insar.whole import WholeOptions, finish
from sarcube.geometry.grid import GeoGrid

# Of looks in range by azimuth so many are independent: samples are closer than their resolution. 20 x 4 are 45.
_INDEPENDENT = 45.0 / 80.0
_WATER, _LAND = 0, 1
_NO_COMPONENT = 65535


@dataclass(frozen=True)
class MergeOptions:
    """Choices that change the result.

    Attributes
    ----------
    alpha : float, optional
        Of the phase filter, 0 to 1; None: one minus the coherence.
    mask_water : bool
        Leave water out before the phase is filtered and unwrapped.
    method : str
        "whirlwind" or "snaphu".
    """

    alpha: float | None = 0.6
    mask_water: bool = False
    method: Method = "whirlwind"


def merge_products(folder: str | Path, out: str | Path, options: MergeOptions | None = None) -> Path:
    """Merge the unzipped products of single bursts in a folder; gives the zip of the whole.

    Parameters
    ----------
    folder : path or str
        Holds folders like `S1_136231_IW2_20200604_20200616_VV_INT80_8F3C`.
    out : path or str
        Folder for the zip.
    options : MergeOptions, optional

    Raises
    ------
    CubeError
        No product is there, one is damaged, or they are not of one pair.
    EngineError
        The library to unwrap with is not there, or there is nothing to unwrap.
    """
    return write_product(merged(find_products(folder), options or MergeOptions()), out)


def merged(bursts: Sequence[Hyp3Burst], options: MergeOptions) -> Hyp3Pair:
    """As `merge_products`, of products that were found, and not written."""
    check_mergeable(bursts)
    grid = common_grid(bursts)
    pieces = [_piece(burst, grid) for burst in bursts]
    whole = merge(pieces, align(pieces).constants, grid.shape, (0,), 255)
    water = _water(bursts, grid)
    how = WholeOptions(options.alpha, options.method, options.mask_water)
    made = finish(whole.interferogram, whole.coherence, whole.looks, water == _WATER, how)
    assert made.unwrapped_phase is not None and made.components is not None  # a method was named
    theta, phi, heights = (_first(bursts, end, grid) for end in ("lv_theta", "lv_phi", "dem"))
    layers = {
        "interferogram": whole.interferogram,
        "filtered_phase": made.filtered_phase,
        "coherence": whole.coherence,
        "unwrapped_phase": made.unwrapped_phase,
        "connected_components": np.where(np.isfinite(whole.interferogram), made.components, _NO_COMPONENT),
        "water_mask": water,
        "los_east": np.cos(theta) * np.cos(phi),
        "los_north": np.cos(theta) * np.sin(phi),
        "los_up": np.sin(theta),
        "digital_elevation_model": heights,
    }
    told = "the products of its bursts" if (water == _WATER).any() else ""
    done = Processing(options.alpha, options.method, told, options.mask_water and bool(told))
    return Hyp3Pair(layers, grid, tuple(burst.pair for burst in bursts), done)


def _piece(burst: Hyp3Burst, grid: GeoGrid) -> Piece:
    """Powers of both dates are not told: such as give the coherence that is."""
    window, seen = interferogram_on_map(burst, grid)
    coherence = on_the_map(burst, "corr", grid)[window]
    with np.errstate(invalid="ignore", divide="ignore"):
        power = np.abs(seen) / np.where(coherence > 0, np.minimum(coherence, 1.0), np.nan)
    there = np.isfinite(seen) & np.isfinite(power)
    amplitude = np.where(there, np.sqrt(power), np.nan).astype(np.float32)
    looks = np.where(there, burst.looks[0] * burst.looks[1] * _INDEPENDENT, 0.0).astype(np.float32)
    seen = np.where(there, seen, np.complex64(np.nan))
    mask = np.where(there, 0, 255).astype(np.uint8)
    return Piece(
        str(burst.pair.burst),
        window[0].start,
        window[1].start,
        seen,
        amplitude,
        amplitude,
        np.maximum(looks, 0.0),
        mask,
    )


def _first(bursts: Sequence[Hyp3Burst], end: str, grid: GeoGrid) -> NDArray[np.float32]:
    """Of each pixel the first burst's value that there is."""
    out = np.full(grid.shape, np.nan, np.float32)
    for burst in bursts:
        np.copyto(out, on_the_map(burst, end, grid), where=np.isnan(out))
    return out


def _water(bursts: Sequence[Hyp3Burst], grid: GeoGrid) -> NDArray[np.uint8]:
    """Water where every burst that tells says so; land elsewhere."""
    told = np.full(grid.shape, np.nan, np.float32)
    for burst in bursts:
        told = np.fmax(told, on_the_map(burst, "water_mask", grid))
    return np.where(told == _WATER, _WATER, _LAND).astype(np.uint8)
