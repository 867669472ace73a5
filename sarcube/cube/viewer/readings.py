"""Values over time at a place or in a box, for the page, as CSV and as a picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from sarcube.cube.acquisition import Acquisition, LayerFile
from sarcube.cube.handles import gdal_env, open_raster
from sarcube.cube.stored_numbers import in_units, told_by
from sarcube.cube.viewer.passes import Content, at_place, in_box
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject
from sarcube.products.kinds import Layer

_SIDE = 256  # pixels of each side that are read of a box; of a larger one means of several


@dataclass(frozen=True)
class Reading:
    """Values of one pass at a place.

    Attributes
    ----------
    step : int
        Index of the pass.
    item : str
        Id of the item that they come from.
    values : mapping of str to float
        By measure: its mean over the box; linear.
    classes : mapping of str to int
        By mask: the class at the place itself.
    decibels : frozenset of str
        Measures that people read in decibel.
    pixels : int
        Of a box how many were seen; 0 where nobody asked.
    """

    step: int
    item: str
    values: dict[str, float]
    classes: dict[str, int]
    decibels: frozenset[str]
    pixels: int = 0

    def as_dict(self) -> JsonObject:
        """For JSON; in decibels what is read in them."""
        in_db = {n: round(10 * math.log10(v), 2) for n, v in self.values.items() if n in self.decibels and v > 0}
        others = {n: float(f"{v:.6g}") for n, v in self.values.items() if n not in self.decibels}
        told: JsonObject = {
            "pass": self.step,
            "item": self.item,
            "db": in_db,
            "values": others,
            "classes": self.classes,
        }
        return told | ({"pixels": self.pixels} if self.pixels else {})


@dataclass(frozen=True)
class Series:
    """Readings in order of time, and the items that could not be read."""

    readings: tuple[Reading, ...]
    unread: tuple[str, ...] = ()


def read_series(content: Content, lon: float, lat: float, box: int = 5) -> Series:
    """Values at a place in every pass that saw it, as means over `box` x `box` pixels.

    Raises
    ------
    CubeError
        There is no such place, or nothing of it can be read.
    """
    if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 540 and abs(lat) <= 90 and 1 <= box <= 101):
        raise CubeError(f"there is no place at longitude {lon}, latitude {lat}")
    candidates = list(enumerate(at_place(content.steps, content.bounds, lon, lat)))
    failed: dict[str, CubeError] = {}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: _reading(content, pair[0], pair[1], (lon, lat, box), failed), candidates))
    return _series(found, failed)


def read_box(content: Content, bounds: tuple[float, float, float, float]) -> Series:
    """Means over a box of degrees (west, south, east, north) in every pass that saw some of it; of power in power.

    All products of a pass count, pixel by pixel of a box of at most 256 x 256; of a larger one means of several.
    Of a mask the class that is most frequent.

    Raises
    ------
    CubeError
        It is no box, or nothing of it can be read.
    """
    west, south, east, north = bounds
    if not (all(map(math.isfinite, bounds)) and -90 <= south < north <= 90 and 0 < east - west <= 180):
        raise CubeError(f"there is no box {bounds}: west, south, east, north in degrees")
    if not (west >= -540 and east <= 540):
        raise CubeError(f"there is no box {bounds}: its longitudes are none")
    candidates = list(enumerate(in_box(content.steps, content.bounds, bounds)))
    failed: dict[str, CubeError] = {}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: _mean_reading(content, pair[0], pair[1], bounds, failed), candidates))
    return _series(found, failed)


def _series(found: Sequence[Reading | None], failed: Mapping[str, CubeError]) -> Series:
    readings = tuple(reading for reading in found if reading is not None)
    if failed and not readings:
        raise next(iter(failed.values()))
    return Series(readings, tuple(sorted(failed)))


def _reading(
    content: Content,
    step: int,
    acquisitions: list[Acquisition],
    place: tuple[float, float, int],
    failed: dict[str, CubeError],
) -> Reading | None:
    lon, lat, box = place
    decibels = _in_decibels(content)
    for acquisition in acquisitions:
        values: dict[str, float] = {}
        classes: dict[str, int] = {}
        try:
            for name, layer in content.table.items():
                if name not in acquisition.files or layer.role == "auxiliary":
                    continue
                part = _window(acquisition, name, lon, lat, 1 if layer.classes else box)
                if part is None or not part.size:
                    continue
                if layer.classes:
                    classes[name] = int(part[0, 0])
                elif (mean := _mean(part, layer)) is not None:
                    values[name] = mean
        except CubeError as error:
            failed[acquisition.id] = error
            continue
        if values:
            return Reading(step, acquisition.id, values, classes, decibels)
    return None


def _mean(part: NDArray[np.generic], layer: Layer) -> float | None:
    """Of what is there; of complex numbers the phase or magnitude of their mean, as they are shown."""
    seen = part[~np.asarray(layer.missing(part))]
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        return None
    mean = seen.mean(dtype=np.complex128 if part.dtype.kind == "c" else np.float64)
    if part.dtype.kind == "c":
        return float(np.angle(mean) if layer.shown.cyclic else np.abs(mean))
    return float(mean)


def _window(acquisition: Acquisition, layer: str, lon: float, lat: float, box: int) -> NDArray[np.generic] | None:
    file = acquisition.files[layer]
    grid = file.grid
    x, y = Transformer.from_crs("EPSG:4326", f"EPSG:{grid.epsg}", always_xy=True).transform(lon, lat)
    column = math.floor((x - grid.left) / grid.resolution) - box // 2
    row = math.floor((grid.top - y) / grid.resolution) - box // 2
    first, last = max(column, 0), min(column + box, grid.width)
    top, bottom = max(row, 0), min(row + box, grid.height)
    if first >= last or top >= bottom:
        return None
    try:
        with gdal_env("://" in file.href), open_raster(file.href) as dataset:
            return _in_units(dataset, file, {"window": Window(first, top, last - first, bottom - top)})
    except RasterioError as error:
        raise CubeError(f"{file.href} cannot be read: {error}") from error


def _in_units(dataset: rasterio.DatasetReader, file: LayerFile, what: Mapping[str, object]) -> NDArray[np.generic]:
    """Numbers as stored; where file or item states a scale what they are worth, NaN where there are none."""
    numbers = told_by(dataset, file.numbers)
    plain = (numbers.scale, numbers.offset) == (1.0, 0.0)
    return np.asarray(in_units(dataset.read(1, masked=not plain, **what), numbers))


def _in_decibels(content: Content) -> frozenset[str]:
    return frozenset(name for name, layer in content.table.items() if layer.shown.scale == "db")


def _mean_reading(
    content: Content,
    step: int,
    acquisitions: list[Acquisition],
    bounds: tuple[float, float, float, float],
    failed: dict[str, CubeError],
) -> Reading | None:
    seen: dict[str, list[NDArray[np.generic]]] = {}
    used = ""
    for acquisition in acquisitions:
        try:
            for name, layer in content.table.items():
                if name not in acquisition.files or layer.role == "auxiliary":
                    continue
                part = _inside(acquisition, name, layer, bounds)
                part = part[~np.asarray(layer.missing(part))]
                if part.size:
                    used = used or acquisition.id
                    seen.setdefault(name, []).append(part)
        except CubeError as error:
            failed[acquisition.id] = error
    values: dict[str, float] = {}
    classes: dict[str, int] = {}
    pixels = 0
    for name, parts in seen.items():
        whole, layer = np.concatenate(parts), content.table[name]
        if layer.classes:
            numbers, counts = np.unique(whole, return_counts=True)
            classes[name] = int(numbers[counts.argmax()])
        elif (mean := _mean(whole, layer)) is not None:
            values[name] = mean
            pixels = pixels or int(whole.size)
    return Reading(step, used, values, classes, _in_decibels(content), pixels) if values else None


def _inside(
    acquisition: Acquisition, name: str, layer: Layer, bounds: tuple[float, float, float, float]
) -> NDArray[np.generic]:
    """Values (n,) of the pixels whose centres lie in a box of degrees, of a large box in coarser pixels."""
    file = acquisition.files[name]
    grid = file.grid
    left, bottom, right, top = _reach(grid, bounds)
    first = max(math.floor((left - grid.left) / grid.resolution), 0)
    last = min(math.ceil((right - grid.left) / grid.resolution), grid.width)
    upper = max(math.floor((grid.top - top) / grid.resolution), 0)
    lower = min(math.ceil((grid.top - bottom) / grid.resolution), grid.height)
    if first >= last or upper >= lower:
        return np.empty(0, layer.dtype)
    shape = (min(lower - upper, _SIDE), min(last - first, _SIDE))
    average = layer.overview != "nearest" and not layer.shown.cyclic
    try:
        with gdal_env("://" in file.href), open_raster(file.href) as dataset:
            values = _in_units(dataset, file, {
                "window": Window(first, upper, last - first, lower - upper), "out_shape": shape,
                "resampling": Resampling.average if average else Resampling.nearest,
            })  # fmt: skip
    except RasterioError as error:
        raise CubeError(f"{file.href} cannot be read: {error}") from error
    x = grid.left + (first + (np.arange(shape[1]) + 0.5) * (last - first) / shape[1]) * grid.resolution
    y = grid.top - (upper + (np.arange(shape[0]) + 0.5) * (lower - upper) / shape[0]) * grid.resolution
    return values[_within(grid, x, y, bounds)]


def _reach(grid: GeoGrid, bounds: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A box of degrees in the CRS of a grid; all of the grid where the box reaches beyond what the CRS can show."""
    try:
        found = transform_bounds("EPSG:4326", f"EPSG:{grid.epsg}", *bounds, 21)
    except (RasterioError, CPLE_BaseError):
        return grid.bounds
    return found if all(map(math.isfinite, found)) and found[0] < found[2] else grid.bounds


def _within(
    grid: GeoGrid, x: NDArray[np.float64], y: NDArray[np.float64], bounds: tuple[float, float, float, float]
) -> NDArray[np.bool_]:
    west, south, east, north = bounds
    xs, ys = np.meshgrid(x, y)
    lon, lat = Transformer.from_crs(f"EPSG:{grid.epsg}", "EPSG:4326", always_xy=True).transform(xs, ys)
    lon = west + (np.asarray(lon) - west) % 360.0
    return np.asarray((lon <= east) & (lat >= south) & (lat <= north))


def as_rows(content: Content, series: Series) -> list[dict[str, object]]:
    """One row per pass: when, of what, values; in decibel too where a layer is read in it, and names of classes."""
    found = []
    for reading in series.readings:
        step, told = content.steps[reading.step], reading.as_dict()
        row: dict[str, object] = {
            "time": str(step.start)[:19], "platform": step.platform, "orbit_direction": step.orbit_direction,
            "relative_orbit": step.relative_orbit or "",
        }  # fmt: skip
        for name, value in reading.values.items():
            row[name] = float(f"{value:.7g}")
            if name in told["db"]:
                row[f"{name}_db"] = told["db"][name]
        for name, number in reading.classes.items():
            names = {c.value: c.name for c in content.table[name].classes}
            row[name] = names.get(number, number)
        if reading.pixels:
            row["pixels"] = reading.pixels
        found.append(row | {"item": reading.item})
    return found


def as_csv(content: Content, series: Series) -> str:
    """Rows as CSV, the names on top."""
    rows = as_rows(content, series)
    names = list(dict.fromkeys(name for row in rows for name in row if name != "item"))
    out = io.StringIO()
    writer = csv.DictWriter(out, [*names, "item"], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_png(content: Content, series: Series, title: str) -> bytes:
    """The series as a picture: what is read in decibel, else everything."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    told = [(content.steps[r.step].start, r.as_dict()) for r in series.readings]
    part = "db" if any(reading["db"] for _, reading in told) else "values"
    for name in dict.fromkeys(name for _, reading in told for name in reading[part]):
        points = [(time, reading[part][name]) for time, reading in told if name in reading[part]]
        axes.plot([p[0] for p in points], [p[1] for p in points], marker=".", label=name)
    if told:
        axes.legend()
    axes.set_ylabel("dB" if part == "db" else "value")
    axes.set_title(title, fontsize=10)
    axes.tick_params(axis="x", rotation=20)
    axes.grid(alpha=0.3)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=130)
    return out.getvalue()
