"""The area of interest as a shape that knows the antimeridian."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from sarcube.config import Aoi, check_width
from sarcube.errors import ConfigError
from sarcube.geometry.longitudes import cut, shortest_span, turns, unwrap
from sarcube.jsons import JsonObject

if TYPE_CHECKING:
    from shapely import Geometry

_PIECES = 200  # that a side as long as the area is cut into: of 100 km they bend by millimetres
_MAX_FILE = 64 << 20  # bytes; an area of interest is a few polygons
FILES_OF_SHAPES = (".geojson", ".json", ".gpkg", ".shp", ".fgb", ".kml", ".gml", ".zip")


@dataclass(frozen=True)
class Area:
    """An area in longitude and latitude.

    Attributes
    ----------
    shape : shapely geometry
        Planar in degrees. Longitudes are continuous within each part and may run beyond 180.
    origin : str
        Where it came from, for messages.
    """

    shape: Geometry
    origin: str

    def intersects(self, footprint: Sequence[tuple[float, float]]) -> bool:
        """Whether a footprint ring (longitude, latitude; unwrapped) shares area or border with this area."""
        import shapely

        lon, lat = unwrap([point[0] for point in footprint]), np.array([point[1] for point in footprint], np.float64)
        west, south, east, north = self.shape.bounds
        if lat.min() > north or lat.max() < south:
            return False
        return any(
            shapely.intersects(self.shape, shapely.polygons(np.column_stack([lon + turn, lat])))
            for turn in turns(float(lon.min()), float(lon.max()), west, east)
        )

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the narrowest box around it; east is beyond 180 across the antimeridian.

        Of parts that were cut at the antimeridian, as GeoJSON wants them, that is not the box of their numbers.
        """
        import shapely

        west, south, east, north = self.shape.bounds
        pieces = shapely.get_parts(self.shape)
        if east - west > 180.0 and len(pieces) > 1:
            first, last = shortest_span((one.bounds[0], one.bounds[2]) for one in pieces)
            last += 360.0 if last < first else 0.0
            if last - first < east - west:
                west, east = first, last
        return west, south, east, north

    def parts(self) -> list[Geometry]:
        """The area cut at the antimeridian, longitudes within -180 to 180: the form that search APIs take."""
        return cut(self.shape)


def load_aoi(aoi: Aoi | None) -> Area | None:
    """The run file's area; None where none is given (everything that the source has).

    A bounding box whose west is greater than its east crosses the antimeridian. GeoJSON and WKT are taken
    as written (RFC 7946 cuts shapes at the antimeridian; longitudes beyond 180 are understood, too).

    Raises
    ------
    ConfigError
        The file cannot be read, or what it holds is no area in degrees.
    """
    if aoi is None:
        return None
    import shapely
    from shapely.errors import ShapelyError

    if aoi.bbox is not None:
        west, south, east, north = aoi.bbox
        if west > east:
            east += 360.0
        return _checked(shapely.box(west, south, east, north), "aoi.bbox")
    if aoi.wkt is not None:
        try:
            shape = shapely.from_wkt(aoi.wkt)
        except (ShapelyError, ValueError, TypeError) as error:
            raise ConfigError(f"aoi.wkt is not well-known text: {error}") from error
        _check_parts(shape, "aoi.wkt")
        return _checked(shape, "aoi.wkt")
    path = Path(str(aoi.geojson or aoi.file))
    if aoi.geojson is None and path.suffix.lower() not in (".geojson", ".json"):
        return _from_shapes(path)
    return _from_geojson(path)


def area_of_text(text: str, bbox: tuple[float, float, float, float] | None = None) -> Area | None:
    """The area that a command's option names: WKT, the path of a file, or numbers that were read as `bbox`.

    Raises
    ------
    ConfigError
        As of `load_aoi`.
    """
    if bbox is not None:
        try:
            return load_aoi(Aoi(bbox=bbox))
        except ValidationError as error:
            raise ConfigError("; ".join(told["msg"] for told in error.errors())) from error
    if "(" in text and text.strip()[:1].isalpha() and not text.lower().endswith(FILES_OF_SHAPES):
        return load_aoi(Aoi(wkt=text))
    return load_aoi(Aoi(file=Path(text))) if text else None


def _from_shapes(path: Path) -> Area:
    """All polygons of the first layer of a file that GDAL reads, brought to degrees."""
    import shapely
    from pyproj import CRS, Transformer
    from pyproj.exceptions import CRSError

    from sarcube.extras import need

    origin = f"aoi.file {path}"
    pyogrio = need("pyogrio", "shapes")
    if not path.exists():
        raise ConfigError(f"{origin} is not there; check the path")
    if path.is_file() and path.stat().st_size > _MAX_FILE:
        raise ConfigError(f"{origin} is larger than {_MAX_FILE >> 20} MB; simplify it")
    try:
        about, _, stored, _ = pyogrio.raw.read(path, columns=[])
        shapes = [s for s in shapely.from_wkb(stored) if s is not None and s.area > 0]
        crs = CRS.from_user_input(about["crs"]) if about.get("crs") else None
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, CRSError, ValueError, TypeError) as error:
        raise ConfigError(f"{origin} cannot be read as shapes: {error}") from error
    if crs is None:
        raise ConfigError(f"{origin} tells no CRS; give it one (a shapefile wants its .prj)")
    if not shapes:
        raise ConfigError(f"{origin} holds no polygon; draw at least one")
    turn = Transformer.from_crs(crs, 4326, always_xy=True).transform
    if not crs.is_geographic:  # what is straight there is bent in degrees
        west, south, east, north = shapely.total_bounds(shapes)
        shapes = [shapely.segmentize(s, max(east - west, north - south) / _PIECES) for s in shapes]
    shapes = [shapely.transform(shapely.force_2d(s), turn, interleaved=False) for s in shapes]
    for one in shapes:
        _check_parts(one, origin)
    return _checked(shapely.unary_union([shapely.make_valid(s) for s in shapes]), origin)


def _from_geojson(path: Path) -> Area:
    origin = f"aoi.geojson {path}"
    try:
        if path.stat().st_size > _MAX_FILE:
            raise ConfigError(f"{origin} is larger than {_MAX_FILE >> 20} MB; simplify it")
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{origin} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{origin} is not JSON: {error}") from error
    return area_of_geojson(raw, origin)


def area_of_geojson(raw: object, origin: str) -> Area:
    """The area of a GeoJSON object as Python has it; features without a geometry are no part of it.

    Raises
    ------
    ConfigError
        It is no GeoJSON, or no area in degrees.
    """
    import shapely
    from shapely.geometry import shape as to_shape

    shapes = []
    for geometry in _geometries(raw, origin):
        try:
            shapes.append(to_shape(_flat(geometry)))
        except (
            shapely.errors.ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError
        ) as error:  # fmt: skip
            kind = geometry.get("type") if isinstance(geometry, dict) else type(geometry).__name__
            raise ConfigError(f"{origin} holds a geometry ({kind}) that cannot be read: {error}") from error
        _check_parts(shapes[-1], origin)
    if not shapes:
        raise ConfigError(f"{origin} holds no geometry; draw at least one polygon")
    return _checked(shapely.unary_union([shapely.make_valid(s) for s in shapes]), origin)


def _geometries(raw: object, origin: str, depth: int = 0) -> list[JsonObject]:
    if not isinstance(raw, Mapping) or not raw.keys() & {"type", "geometry"} or depth > 8:
        raise ConfigError(f"{origin} is not GeoJSON: a Feature, a FeatureCollection or a geometry is wanted")
    inner = {"FeatureCollection": "features", "GeometryCollection": "geometries"}.get(str(raw.get("type")))
    if inner:
        members = raw.get(inner)
        if not isinstance(members, list | tuple):
            raise ConfigError(f"{origin}: `{inner}` must be a list")
        return [g for member in members for g in _geometries(member, origin, depth + 1)]
    if raw.get("type", "Feature") == "Feature":
        return [raw["geometry"]] if raw.get("geometry") else []
    return [dict(raw)]


def _flat(geometry: JsonObject) -> JsonObject:
    """The geometry without heights: points of two and of three numbers may stand in one ring."""

    def flat(value: object) -> object:
        if isinstance(value, list | tuple) and value and not isinstance(value[0], list | tuple):
            return value[:2]
        return [flat(v) for v in value] if isinstance(value, list | tuple) else value

    return {**geometry, "coordinates": flat(geometry["coordinates"])}


def _check_parts(shape: Geometry, origin: str) -> None:
    """A single part wider than half the globe jumps across the antimeridian where it should be cut there."""
    import shapely

    for part in shapely.get_parts(shape):
        if not part.is_empty and np.isfinite(part.bounds).all():
            try:
                check_width(part.bounds[0], part.bounds[2])
            except ConfigError as error:
                raise ConfigError(f"{origin}: {error}") from error


def _checked(shape: Geometry, origin: str) -> Area:
    import shapely

    if shape.is_empty:
        raise ConfigError(f"{origin} is empty; give an area")
    coordinates = shapely.get_coordinates(shape)
    if not np.isfinite(coordinates).all():
        raise ConfigError(f"{origin} has coordinates that are not numbers")
    west, south, east, north = shape.bounds
    if south < -90.0 or north > 90.0 or west < -360.0 or east > 540.0:
        raise ConfigError(
            f"{origin} reaches from {west}, {south} to {east}, {north}, which are no degrees of longitude and "
            "latitude; convert it to EPSG:4326"
        )
    if not shape.is_valid:
        shape = shapely.make_valid(shape)
    shapely.prepare(shape)  # asked once for each burst of the source
    return Area(shape, origin)
