"""What grows on the terrain: land covers, their gamma0, and what changes between dates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.grid import GeoGrid
from sarcube.simulate.options import SimulationOptions

Heights = NDArray[np.float32]
Classes = NDArray[np.uint8]

# linear gamma0 (co-polarized, cross-polarized): lake, forest, meadow, fields, clear-cut
COVERS = ("lake", "forest", "meadow", "fields", "clearcut")
_DEMO = ((0.008, 0.0016), (0.160, 0.045), (0.090, 0.024), (0.070, 0.018), (0.075, 0.020))
_FIELD_GROWTH = (1.0, 1.25, 1.55)  # fields from date to date
CHECKER = 2000.0  # m, side of a square
CHECKER_GAMMA0 = (0.2, 0.05)
CROSS = 0.2  # cross- to co-polarized in the plain presets


@dataclass(frozen=True, eq=False)
class Scene:
    """Terrain heights as the covers shape them, and the covers of each date.

    Attributes
    ----------
    heights : (rows, columns) float32
    classes : tuple of (rows, columns) uint8, one per date
    gamma0 : tuple of dict polarization -> (classes,) values, one per date
    names : tuple of str
        Name of each class.
    """

    heights: Heights
    classes: tuple[Classes, ...]
    gamma0: tuple[dict[str, tuple[float, ...]], ...]
    names: tuple[str, ...]


def build_scene(
    options: SimulationOptions, grid: GeoGrid, heights: Heights, center: tuple[float, float], dates: int
) -> Scene:
    """The preset's scene on a grid; `center` in the grid's CRS."""
    if options.truth == "checkerboard":
        even = (np.floor(grid.x() / CHECKER)[None, :] + np.floor(grid.y() / CHECKER)[:, None]) % 2 == 0
        return Scene(heights, (np.where(even, 0, 1).astype(np.uint8),) * dates,
                     (_plain(CHECKER_GAMMA0),) * dates, ("even", "odd"))  # fmt: skip
    if options.truth == "constant":
        return Scene(heights, (np.zeros(grid.shape, np.uint8),) * dates,
                     (_plain((options.gamma0,)),) * dates, ("constant",))  # fmt: skip
    return _demo(options, grid, heights, center, dates)


def _plain(co: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    cross = tuple(v * CROSS for v in co)
    return {"VV": co, "HH": co, "VH": cross, "HV": cross}


def _demo(
    options: SimulationOptions, grid: GeoGrid, heights: Heights, center: tuple[float, float], dates: int
) -> Scene:
    """A lake south-west of the center, forest on the hills, fields in the low, a clear-cut north-east."""
    size = _extent(options)
    x = (grid.x()[None, :] - center[0]) / size
    y = (grid.y()[:, None] - center[1]) / size
    rng = np.random.default_rng(np.random.SeedSequence([options.seed, 23]))
    # The lake: an uneven ellipse; its bed is level, its banks blend into the hills.
    lx, ly = (x + 0.20) / 0.17, (y + 0.17) / 0.11
    angle = np.arctan2(ly, lx)
    waves = zip((2, 3, 5), (0.10, 0.08, 0.05), rng.uniform(0, 6, 3), strict=True)
    ripple = sum(amplitude * np.cos(k * angle + phase) for k, amplitude, phase in waves)
    shore = np.hypot(lx, ly) / (1 + ripple)
    lake = shore < 1
    shaped = heights
    if lake.any() and options.dem is None:
        level = np.float32(np.percentile(heights[lake], 25))
        blend = np.clip((shore - 1) / 0.8, 0, 1)
        blend = (blend * blend * (3 - 2 * blend)).astype(np.float32)
        shaped = level + blend * (heights - level)
    # Forest where the ground is high, fields in the low, in strips; meadow between them.
    low, high = np.percentile(shaped[~lake], (38, 55)) if (~lake).any() else (0.0, 0.0)
    if high - low < 1:  # a plain: stripes of cover
        classes = np.where((x + 0.5 * y) % 0.5 < 0.25, 1, 3).astype(np.uint8)
    else:
        classes = np.where(shaped > high, 1, np.where(shaped < low, 3, 2)).astype(np.uint8)
    classes[lake] = 0
    cut = _clearcut(x, y)
    classes[cut] = 1
    before, after = classes, classes.copy()
    after[cut] = 4
    per_date, values = [], []
    for i in range(dates):
        per_date.append(before if i < options.clearcut_after else after)
        growth = _FIELD_GROWTH[i % len(_FIELD_GROWTH)]
        co = tuple(v[0] * (growth if k == 3 else 1) for k, v in enumerate(_DEMO))
        cross = tuple(v[1] * (growth if k == 3 else 1) for k, v in enumerate(_DEMO))
        values.append({"VV": co, "HH": co, "VH": cross, "HV": cross})
    return Scene(shaped.astype(np.float32), tuple(per_date), tuple(values), COVERS)


def _clearcut(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """A turned rectangle with a notch, in units of the scene's size."""
    turn = math.radians(20)
    u = (x - 0.17) * math.cos(turn) + (y - 0.16) * math.sin(turn)
    v = -(x - 0.17) * math.sin(turn) + (y - 0.16) * math.cos(turn)
    inside = (np.abs(u) < 0.10) & (np.abs(v) < 0.065)
    notch = (u > 0.04) & (v > 0.02)
    return inside & ~notch


def _extent(options: SimulationOptions) -> float:
    """Side of the scene that the preset's shapes scale with, metres."""
    if options.aoi is None:
        return 12_000.0
    west, south, east, north = options.aoi
    return min((north - south) * 111_000, (east - west) * 111_000 * math.cos(math.radians((south + north) / 2)))
