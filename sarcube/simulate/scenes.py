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
    shaped = heights.copy()
    part, x, y = _around(grid, center, size, (-0.65, 0.25), (-0.50, 0.16))
    shore = _shore(x, y, options.seed)
    lake = shore < 1
    if lake.any() and options.dem is None:
        # Its bed is level, its banks blend into the hills.
        level = np.float32(np.percentile(heights[part][lake], 25))
        blend = np.clip((shore - 1) / 0.8, 0, 1)
        blend = (blend * blend * (3 - 2 * blend)).astype(np.float32)
        shaped[part] = level + blend * (heights[part] - level)
    # Forest where the ground is high, fields in the low, meadow between them, each with a share near the center.
    middle, x, y = _around(grid, center, size, (-0.5, 0.5), (-0.5, 0.5))
    low, high = np.percentile(shaped[middle] if x.size else shaped[::8, ::8], (38, 55))
    if high - low < 1:  # a plain: stripes of forest and fields
        stripes = np.floor(grid.x()[None, :] / 1500) + np.floor(grid.y()[:, None] / 6000)
        classes = np.where(stripes % 2 == 0, 1, 3).astype(np.uint8)
    else:
        classes = np.where(shaped > high, 1, np.where(shaped < low, 3, 2)).astype(np.uint8)
    classes[part][lake] = 0
    part, x, y = _around(grid, center, size, (0.0, 0.35), (0.0, 0.32))
    cut = _clearcut(x, y)
    classes[part][cut] = 1
    after = classes.copy()
    after[part][cut] = 4
    per_date = tuple(classes if i < options.clearcut_after else after for i in range(dates))
    return Scene(shaped, per_date, tuple(_demo_values(i) for i in range(dates)), COVERS)


def _demo_values(date: int) -> dict[str, tuple[float, ...]]:
    growth = _FIELD_GROWTH[date % len(_FIELD_GROWTH)]
    co = tuple(v[0] * (growth if k == 3 else 1) for k, v in enumerate(_DEMO))
    cross = tuple(v[1] * (growth if k == 3 else 1) for k, v in enumerate(_DEMO))
    return {"VV": co, "HH": co, "VH": cross, "HV": cross}


def _around(
    grid: GeoGrid,
    center: tuple[float, float],
    size: float,
    east: tuple[float, float],
    north: tuple[float, float],
) -> tuple[tuple[slice, slice], NDArray[np.float64], NDArray[np.float64]]:
    """The part of the grid within fractions of the scene's size from the center, and its coordinates in them."""
    x, y = (grid.x() - center[0]) / size, (grid.y() - center[1]) / size
    cols = np.flatnonzero((x >= east[0]) & (x <= east[1]))
    rows = np.flatnonzero((y >= north[0]) & (y <= north[1]))
    across = slice(int(cols[0]), int(cols[-1]) + 1) if cols.size else slice(0, 0)
    down = slice(int(rows[0]), int(rows[-1]) + 1) if rows.size else slice(0, 0)
    return (down, across), x[None, across], y[down, None]


def _shore(x: NDArray[np.float64], y: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Distance from the middle of the lake, 1 on its shore: an uneven ellipse."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 23]))
    east, north = (x + 0.20) / 0.17, (y + 0.17) / 0.11
    angle = np.arctan2(north, east)
    waves = zip((2, 3, 5), (0.10, 0.08, 0.05), rng.uniform(0, 6, 3), strict=True)
    ripple = sum((amplitude * np.cos(k * angle + phase) for k, amplitude, phase in waves), np.zeros(angle.shape))
    return np.asarray(np.hypot(east, north) / (1 + ripple))


def _clearcut(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """A turned rectangle with a notch, in units of the scene's size."""
    turn = math.radians(20)
    u = (x - 0.17) * math.cos(turn) + (y - 0.16) * math.sin(turn)
    v = -(x - 0.17) * math.sin(turn) + (y - 0.16) * math.cos(turn)
    inside = (np.abs(u) < 0.10) & (np.abs(v) < 0.065)
    notch = (u > 0.04) & (v > 0.02)
    return np.asarray(inside & ~notch)


def _extent(options: SimulationOptions) -> float:
    """Side of the scene that the preset's shapes scale with, metres."""
    if options.aoi is None:
        return 12_000.0
    west, south, east, north = options.aoi
    return min((north - south) * 111_000, (east - west) * 111_000 * math.cos(math.radians((south + north) / 2)))
