"""What changes between the dates of a coherent archive, and the truth about it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from sarcube.geometry.grid import GeoGrid
from sarcube.simulate.coherent import Change
from sarcube.simulate.looks import Look
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.scenes import COVERS, Scene
from sarcube.simulate.terrain import Terrain, fractal_terrain
from sarcube.simulate.viewing import normal, radar_coordinates, to_ecef

SQUARE = 3000.0  # m, side of a square of one coherence
_SQUARES = (0.9, 0.5)
_OF_COVER = dict(zip(COVERS, (0.0, 0.3, 0.7, 0.5, 0.85), strict=True))
_MOGI_DEPTH = 3000.0  # m
_FAULT_DEPTH = 1500.0  # m, of its locked part: slip is a step at depth, an arc tangent on the ground
_FAULT_STRIKE = math.radians(60.0)  # from north to east
_THIN = 16  # terrain cells between the places at which a look's direction is computed

Raster = NDArray[np.float32]


def plan_change(
    options: SimulationOptions, terrain: Terrain, scene: Scene, dates: Sequence[str], center: tuple[float, float]
) -> Change:
    """Coherence, displacement and air of all dates on the terrain's grid; `center` in its CRS."""
    day = np.array(dates, "datetime64[D]")
    days = tuple(float((d - day[0]) / np.timedelta64(1, "D")) for d in day)
    renewed = np.zeros(terrain.grid.shape, np.int8)
    for k in range(1, len(days)):
        renewed[scene.classes[k] != scene.classes[k - 1]] = k
    span = max(days) or 1.0
    full = displacement(options, terrain.grid, center)
    moved = []
    for k, since in enumerate(days):
        share = float(k > 0) if options.displacement == "fault" else since / span
        moved.append(None if full is None or share == 0 else np.asarray(full * np.float32(share), np.float32))
    air = [
        fractal_terrain(terrain.grid, options.screen, 0.0, options.seed * 1009 + 101 + k) if options.screen else None
        for k in range(len(days))
    ]
    return Change(
        options.seed, days, _coherence(options, terrain.grid, scene), renewed, complex(options.correlation),
        tuple(moved), tuple(air),
    )  # fmt: skip


def _coherence(options: SimulationOptions, grid: GeoGrid, scene: Scene) -> Raster:
    if not options.coherence and scene.names == COVERS:
        table = np.array([_OF_COVER[name] for name in scene.names], np.float32)
        return np.ascontiguousarray(table[scene.classes[0]])
    values = options.coherence or _SQUARES
    if len(values) == 1:
        return np.full(grid.shape, values[0], np.float32)
    even = (np.floor(grid.x() / SQUARE)[None, :] + np.floor(grid.y() / SQUARE)[:, None]) % 2 == 0
    return np.where(even, np.float32(values[0]), np.float32(values[1]))


def displacement(options: SimulationOptions, grid: GeoGrid, center: tuple[float, float]) -> Raster | None:
    """East, north and up displacement on the last date, (3, rows, columns) in metres along the map's axes.

    Mogi's source (Mogi 1958; Segall 2010, Earthquake and Volcano Deformation, eq. 7.14): u = A d / (r^2 + d^2)^3/2
    upward and A r / (r^2 + d^2)^3/2 outward, A such that the highest uplift is `displacement_metres`. The fault is
    Savage and Burford's (1973) screw dislocation: both sides move half of it, at depth a step.
    """
    if options.displacement == "none":
        return None
    x = (grid.x() - center[0])[None, :].astype(np.float32)
    y = (grid.y() - center[1])[:, None].astype(np.float32)
    metres = np.float32(options.displacement_metres)
    out = np.zeros((3, *grid.shape), np.float32)
    if options.displacement == "ramp":
        out[2] = metres * x / (grid.width * grid.resolution / 2)
    elif options.displacement == "mogi":
        scale = metres * _MOGI_DEPTH**2 / (x**2 + y**2 + _MOGI_DEPTH**2) ** 1.5
        out[0], out[1], out[2] = scale * x, scale * y, scale * _MOGI_DEPTH
    else:
        along = math.sin(_FAULT_STRIKE), math.cos(_FAULT_STRIKE)
        away = x * along[1] - y * along[0]
        slip = metres / np.pi * np.arctan(away / _FAULT_DEPTH)
        out[0], out[1] = slip * along[0], slip * along[1]
    return out


def slant_change(change: Change, terrain: Terrain, look: Look, first: int, second: int) -> Raster | None:
    """Metres by which slant range grows from one date to another, displacement and air; None where neither changes."""
    east, north, up = _directions(terrain, look)
    total: Raster | None = None
    for date, sign in ((first, -1.0), (second, 1.0)):
        u, air = change.moved[date], change.air[date]
        part = np.zeros(terrain.grid.shape, np.float32)
        if u is not None:
            part -= u[0] * east + u[1] * north + u[2] * up
        if air is not None:
            part += air / up
        if u is not None or air is not None:
            total = part * np.float32(sign) if total is None else total + part * np.float32(sign)
    return total


def _directions(terrain: Terrain, look: Look) -> tuple[Raster, Raster, Raster]:
    """Components along the map's axes and up of the unit vector from the ground to the sensor."""
    from scipy.ndimage import map_coordinates

    grid = terrain.grid
    rows = np.arange(0, grid.height + _THIN, _THIN, dtype=np.float64)
    columns = np.arange(0, grid.width + _THIN, _THIN, dtype=np.float64)
    heights = terrain.heights[
        np.minimum(rows, grid.height - 1).astype(int)[:, None], np.minimum(columns, grid.width - 1).astype(int)
    ]
    to_lonlat = Transformer.from_crs(grid.epsg, 4326, always_xy=True)

    def ground(dx: float, dy: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        x = grid.left + (columns + 0.5) * grid.resolution + dx
        y = grid.top - (rows + 0.5) * grid.resolution + dy
        xx, yy = np.meshgrid(x, y)
        lon, lat = (np.reshape(v, xx.shape) for v in to_lonlat.transform(xx.ravel(), yy.ravel()))
        return to_ecef(lon, lat, heights), normal(lon, lat)

    points, up = ground(0.0, 0.0)
    middle = look.radar.first_line_time + look.radar.lines / 2 * look.radar.line_interval
    p, v, _ = look.track.state(np.array(middle))
    guess = np.clip((points - p) @ v / (v @ v), -12.0, 12.0) + middle
    time, _ = radar_coordinates(look.track, points, guess)
    direction = look.track.state(time)[0] - points
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    out = []
    at = np.meshgrid(np.arange(grid.height) / _THIN, np.arange(grid.width) / _THIN, indexing="ij")
    for axis in (ground(50.0, 0.0)[0] - points, ground(0.0, 50.0)[0] - points, up):
        unit = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
        out.append(map_coordinates((direction * unit).sum(axis=-1), at, order=1, output=np.float32))
    return out[0], out[1], out[2]


def pair_coherence(change: Change, first: int, second: int) -> Raster:
    """Coherence of the scatterers of two dates: what lies between them, multiplied."""
    days = change.days[second] - change.days[first]
    with np.errstate(divide="ignore"):
        out = np.asarray(change.coherence ** np.float32(abs(days) / 12.0), np.float32)
    low, high = sorted((first, second))
    out[(change.renewed > low) & (change.renewed <= high)] = 0.0
    return out
