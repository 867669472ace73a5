"""Series over time at a point, in a box around it, or within a polygon; as a table and as a picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr
from rasterio.features import rasterize
from rasterio.warp import transform as transform_points
from rasterio.warp import transform_geom
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from sarcube.cube.found import Store
from sarcube.cube.grid_of import grid_of
from sarcube.cube.layers import NODATA, layer_of, real_values
from sarcube.cube.preview import to_db
from sarcube.errors import CubeError
from sarcube.geometry.lattice import pixel_metres
from sarcube.jsons import JsonObject
from sarcube.text_file import writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DEGREE = 111_195.0  # metres of one along a meridian
_COORDINATES = ("platform", "orbit_direction", "relative_orbit", "secondary", "place")
PIXELS = "pixels"


def parse_where(text: str) -> tuple[float, float] | BaseGeometry:
    """A point from `longitude,latitude`, a box from `west,south,east,north`, in degrees.

    Raises
    ------
    CubeError
        It is neither, or the latitude comes first.
    """
    from shapely.geometry import box

    try:
        numbers = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 4) or not all(map(math.isfinite, numbers)):
        raise CubeError(f"a place is longitude,latitude or west,south,east,north in degrees, not {text[:80]!r}")
    if any(abs(latitude) > 90 for latitude in numbers[1::2]):
        raise CubeError(f"{text[:80]!r} has no latitude: longitude comes first, as in 8.2,48.0")
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    west, south, east, north = numbers
    if not (west < east and south < north):
        raise CubeError(f"a box is west,south,east,north with west below east and south below north, not {text[:80]!r}")
    return box(west, south, east, north)


Where: TypeAlias = Sequence[float] | BaseGeometry | JsonObject
"""A place in degrees: a point or a box as numbers, or a geometry as shapely or GeoJSON has it."""


def timeseries(cube: xr.Dataset, where: Where, *, box: float | None = None) -> xr.Dataset:
    """Backscatter over time.

    Parameters
    ----------
    cube : Dataset
        From `open_cube`.
    where : pair of float, or geometry
        Longitude and latitude of a point, the pixel that holds it; or a polygon in degrees, as shapely or GeoJSON
        has it, the mean in power of the pixels whose centres lie within.
    box : float, optional
        Metres: of a point the mean in power over a square of that side around its pixel.

    Returns
    -------
    Dataset
        Lazy, (time); of means also `pixels`, how many of them were seen.

    Raises
    ------
    CubeError
        It lies outside the cube, or holds no pixel centre.
    """
    grid, layers = grid_of(cube), _values(cube)
    if not isinstance(where, BaseGeometry):
        where = _place(where)
    if isinstance(where, tuple):
        (x,), (y,) = transform_points(4326, grid.epsg, [where[0]], [where[1]])
        across, down = (x - grid.left) / grid.resolution, (grid.top - y) / grid.resolution
        if not (0 <= across < grid.width and 0 <= down < grid.height):
            raise CubeError(f"the point {where} lies outside the cube")
        col, row = int(across), int(down)
        if box is None:
            return _told(layers.isel(x=col, y=row))
        if not (isinstance(box, int | float | np.number) and math.isfinite(box) and box > 0):
            raise CubeError(f"a box has a side in metres, not {box!r}")
        half = max(round(min(box / pixel_metres(grid), 2.0 * max(grid.shape))), 1) // 2
        square = layers.isel(x=slice(max(col - half, 0), col + half + 1), y=slice(max(row - half, 0), row + half + 1))
        return _mean(square)
    if where.is_empty:
        raise CubeError("the geometry is empty; give a point or one with an area")
    if where.geom_type == "Point":
        return timeseries(cube, (where.x, where.y), box=box)
    projected = shape(transform_geom(4326, grid.epsg, mapping(where)))
    left, bottom, right, top = projected.bounds
    if not all(map(math.isfinite, projected.bounds)):
        raise CubeError("the polygon lies outside the cube")
    cols = slice(max(0, int((left - grid.left) / grid.resolution)), int((right - grid.left) / grid.resolution) + 1)
    rows = slice(max(0, int((grid.top - top) / grid.resolution)), int((grid.top - bottom) / grid.resolution) + 1)
    part = layers.isel(x=cols, y=rows)
    if not part.sizes["x"] or not part.sizes["y"] or right < grid.left or bottom > grid.top:
        raise CubeError("the polygon lies outside the cube")
    inner = grid_of(part) if min(part.sizes["x"], part.sizes["y"]) > 1 else None
    if inner is None:
        raise CubeError("the polygon is smaller than a pixel; ask for a point")
    import rasterio

    inside = rasterize([projected], out_shape=inner.shape, transform=rasterio.Affine(*inner.transform), dtype="uint8")
    if not inside.any():
        raise CubeError("the polygon holds no pixel centre; ask for a point")
    chosen = xr.DataArray(inside.astype(bool), dims=("y", "x"))
    return _mean(part.where(chosen))


def _place(where: object) -> tuple[float, float] | BaseGeometry:
    """A point, or a geometry, of what users hand in."""
    if isinstance(where, dict):
        try:
            return shape(where.get("geometry", where))
        except (ShapelyError, AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            raise CubeError(f"this is no geometry of GeoJSON: {str(where)[:100]}") from error
    try:
        longitude, latitude = (float(number) for number in where)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise CubeError(f"a point is (longitude, latitude), not {where!r:.100}") from error
    if not (math.isfinite(longitude) and abs(latitude) <= 90):
        raise CubeError(f"a point is (longitude, latitude) in degrees, not {(longitude, latitude)}")
    return longitude, latitude


def _values(cube: xr.Dataset) -> xr.Dataset:
    """What has a series: all that changes with time but masks; whole numbers with NaN where there is none.

    Raises
    ------
    CubeError
        There is nothing.
    """
    names = [
        name
        for name, variable in cube.data_vars.items()
        if {"y", "x"} <= set(variable.dims) and not (str(name).startswith("static_") or layer_of(variable).classes)
        and ("time" in variable.dims or "time" not in cube.dims)
    ]  # fmt: skip
    if not names:
        raise CubeError(f"the cube has no layer with values; it has {', '.join(map(str, cube.data_vars)) or 'none'}")
    own = cube[names]
    whole = {n: real_values(v) for n, v in own.data_vars.items() if v.dtype.kind in "ui" or NODATA in v.attrs}
    return own.assign(whole) if whole else own


def _mean(part: xr.Dataset) -> xr.Dataset:
    mean = xr.Dataset({n: v.mean(("y", "x"), dtype=_wide(v), keep_attrs=True) for n, v in part.data_vars.items()},
                      attrs=part.attrs)  # fmt: skip
    seen = next(iter(part.data_vars.values())).notnull()
    return _told(mean.assign({PIXELS: seen.sum(("y", "x")).astype(np.int32)}))


def _wide(variable: xr.DataArray) -> type[np.inexact]:
    return np.complex128 if variable.dtype.kind == "c" else np.float64


def _told(series: xr.Dataset) -> xr.Dataset:
    """A series in real numbers: of complex ones magnitude and phase."""
    real: dict[str, xr.DataArray] = {}
    for name, variable in series.data_vars.items():
        if variable.dtype.kind != "c":
            real[str(name)] = variable
            continue
        real[f"{name}_magnitude"] = abs(variable).assign_attrs(units=variable.attrs.get("units", "1"))
        real[f"{name}_phase"] = xr.apply_ufunc(np.angle, variable, dask="allowed").assign_attrs(units="rad")
    return xr.Dataset(real, coords=series.coords, attrs=series.attrs)


def rows(series: xr.Dataset) -> list[dict[str, object]]:
    """A series as rows for a table: time, where it is from, values; in decibel too where a layer is read in it.

    What was not seen at a time is None.
    """
    series = series.compute()
    found = []
    for i, time in enumerate(series["time"].values):
        row: dict[str, object] = {"time": str(time)[:19]}
        for known in _COORDINATES:
            if known in series.coords and series[known].dims == ("time",):
                told = series[known].values[i]
                row[known] = str(told)[:19] if np.issubdtype(series[known].dtype, np.datetime64) else told.item()
        for name, variable in series.data_vars.items():
            value = variable.values[i].item()
            row[str(name)] = (
                value if isinstance(value, int) else float(f"{value:.7g}") if math.isfinite(value) else None
            )
            if name != PIXELS and layer_of(variable).shown.scale == "db":
                power = isinstance(value, float) and value > 0
                row[f"{name}_db"] = round(10 * math.log10(value), 3) if power else None
        found.append(row)
    return found


def as_csv(found: Iterable[dict[str, object]]) -> str:
    """Rows as CSV, the names on top; what was not seen is empty."""
    table = list(found)
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in table for name in row))
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows([{name: "" if value is None else value for name, value in row.items()} for row in table])
    return out.getvalue()


def series_of(store: Store, text: str, box: float | None = None, **keywords: Any) -> xr.Dataset:
    """Open no more of a store than a place needs, and compute its series; further keywords are those of `open_cube`.

    Raises
    ------
    CubeError
        The text is no place, or nothing was seen there; it says so where longitude and latitude are swapped.
    """
    from sarcube.cube.open_cube import open_cube

    where = parse_where(text)
    try:
        cube = open_cube(store, bbox=_around(where, box), **keywords)
    except CubeError as error:
        if isinstance(where, tuple) and abs(where[0]) <= 90:
            raise CubeError(f"{error}; a place is longitude,latitude: {where[0]:g} was taken as longitude") from error
        raise
    return timeseries(cube, where, box=box).compute()


def _around(where: tuple[float, float] | BaseGeometry, box: float | None) -> tuple[float, ...]:
    """West, south, east, north that hold a place with some pixels around it."""
    if isinstance(where, BaseGeometry):
        west, south, east, north = where.bounds
        middle, margin = (south + north) / 2, 0.002
    else:
        west, middle = where
        east, south, north, margin = west, middle, middle, 0.002 + (box or 0.0) / _DEGREE
    wide = margin / max(math.cos(math.radians(middle)), 0.02)
    bounds = west - wide, max(south - margin, -90.0), east + wide, min(north + margin, 90.0)
    return tuple(round(degrees, 6) for degrees in bounds)


def plot_timeseries(cube: xr.Dataset, where: Where, *, box: float | None = None, ax: Axes | None = None) -> Axes:
    """Plot `timeseries`, backscatter in decibel; returns matplotlib's axes."""
    return plot_series(timeseries(cube, where, box=box), ax=ax)


def plot_series(series: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Plot what `timeseries` returned; what is read in decibel in that, other layers in their unit."""
    import matplotlib.pyplot as plt

    series = series.compute()
    if ax is None:
        _, ax = plt.subplots(figsize=(9, 3.5), layout="constrained")
    units: dict[str, None] = {}
    for name, variable in series.data_vars.items():
        if name == PIXELS:
            continue
        decibels = layer_of(variable).shown.scale == "db"
        level = to_db(variable) if decibels else variable
        unit = str(variable.attrs.get("units", "1"))
        units["backscatter (dB)" if decibels else str(name) if unit == "1" else f"{name} ({unit})"] = None
        seen = level.notnull()
        ax.plot(level["time"].values[seen], level.values[seen], marker=".", label=str(name))
    ax.set_ylabel(", ".join(units))
    ax.legend()
    ax.grid(alpha=0.3)
    return ax


def write_plot(series: xr.Dataset, path: Path, title: str = "") -> None:
    """Draw a series into a file, of the type that its name ends in.

    Raises
    ------
    CubeError
        Matplotlib writes no such file.
    ConfigError
        It cannot be written there.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    known = canvas.get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in known:
        raise CubeError(f"{path} ends in none of {', '.join(sorted(known))}, which a picture can be")
    axes = plot_series(series, ax=figure.add_subplot())
    axes.set_title(title, fontsize=10)
    axes.tick_params(axis="x", rotation=20)
    with writing(path):
        figure.savefig(path, dpi=130)
