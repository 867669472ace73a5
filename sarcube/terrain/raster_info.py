"""What a raster of heights says of itself: its pixels, where they lie, and what its heights refer to."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sarcube.errors import DemError
from sarcube.geometry.longitudes import unwrap
from sarcube.terrain.lattice import Lattice
from sarcube.transfer.raster import gdal_path, open_raster
from sarcube.transfer.redact import redact

if TYPE_CHECKING:
    import rasterio.crs
    from affine import Affine

_VERTICAL = {3855: "egm2008", 5773: "egm96"}
# Names of units, in small letters and without signs, as GDAL's drivers and people write them.
_UNITS = {
    1.0: ("m", "metre", "metres", "meter", "meters"),
    0.3048: ("ft", "foot", "feet", "international foot", "international feet", "foot (international)"),
    1200.0 / 3937.0: (
        "us ft", "usft", "ftus", "ft us", "us survey foot", "us survey feet", "us foot", "us feet", "survey foot",
        "survey feet", "foot us", "sft",
    ),
    0.1: ("dm", "decimetre", "decimetres", "decimeter", "decimeters"),
    0.01: ("cm", "centimetre", "centimetres", "centimeter", "centimeters"),
    0.001: ("mm", "millimetre", "millimetres", "millimeter", "millimeters"),
    1000.0: ("km", "kilometre", "kilometres", "kilometer", "kilometers"),
}  # fmt: skip


@dataclass(frozen=True)
class RasterInfo(Lattice):
    """A raster and its pixels.

    `warped`: the pixels are those it gets in EPSG:4326, because it cannot be copied pixel for pixel. `vertical`: what
    its own CRS says that heights refer to (ellipsoid, egm2008, egm96 or another's name), empty where it says nothing.
    `metre`: what one of its numbers is in metres, as its band or its vertical CRS says; `unit`: the unit's name where
    that is not known here. `outline`: of warped pixels, the ring of longitude and latitude that they fill.
    """

    path: str
    warped: bool = False
    vertical: str = ""
    metre: float = 1.0
    unit: str = ""
    outline: tuple[tuple[float, float], ...] = ()


def _stamp(path: str) -> tuple[int, int, int]:
    """Time, size and number of a file, so that one that was replaced is described anew."""
    try:
        status = Path(path).stat()
    except OSError:  # remote, or GDAL's to say
        return 0, 0, 0
    return status.st_mtime_ns, status.st_size, status.st_ino


def describe(path: str) -> RasterInfo:
    """Size and placement of a raster; remembered for as long as the file stays, for lists of thousands of tiles."""
    return _describe(path, _stamp(path))


@functools.lru_cache(maxsize=20_000)
def _describe(path: str, stamp: tuple[int, int, int]) -> RasterInfo:
    with open_raster(gdal_path(path)) as source:
        if source.crs is None:
            raise DemError(f"DEM {redact(path)} has no coordinate reference system; set one with gdal_edit -a_srs")
        _require_heights(path, str(source.dtypes[0]))
        crs = source.crs
        vertical = _vertical(crs.to_wkt())
        metre, unit = _unit(source.units[0] or "", crs.to_wkt())
        epsg = crs.to_epsg()
        if epsg is None and crs.is_projected:
            epsg = _horizontal_epsg(crs.to_wkt())
        if epsg is not None and _is_compound(crs.to_wkt()):
            epsg = _horizontal_epsg(crs.to_wkt())
        if epsg in (4979, 9518, 9707) or (epsg is None and _is_wgs84(crs.to_wkt())):
            epsg = 4326
        t = source.transform
        plain = not t.b and not t.d and t.a > 0 and t.e < 0
        if plain and epsg is not None and (not crs.is_geographic or epsg == 4326):
            size = source.width, source.height
            return RasterInfo(epsg, t.c, t.f, t.a, -t.e, *size, path, False, vertical, metre, unit)
        from rasterio.warp import calculate_default_transform

        # Rotated, south-up, without EPSG code or of another datum: what it becomes in longitude and latitude.
        outline = _outline(t, (source.width, source.height), crs)
        t, width, height = calculate_default_transform(crs, "EPSG:4326", source.width, source.height, *source.bounds)
        return RasterInfo(4326, t.c, t.f, t.a, -t.e, width, height, path, True, vertical, metre, unit, outline)


def _outline(transform: Affine, size: tuple[int, int], crs: rasterio.crs.CRS) -> tuple[tuple[float, float], ...]:
    """Ring around a raster's pixels, longitudes unwrapped; empty where it winds about a pole or leads nowhere."""
    from rasterio.warp import transform as project

    edge, far = np.linspace(0.0, 1.0, 33)[:-1], np.ones(32)
    column = np.concatenate([edge, far, 1.0 - edge, 0.0 * far]) * size[0]
    row = np.concatenate([0.0 * far, edge, far, 1.0 - edge]) * size[1]
    x = transform.a * column + transform.b * row + transform.c
    y = transform.d * column + transform.e * row + transform.f
    lon, lat = (np.asarray(v) for v in project(crs, "EPSG:4326", x.tolist(), y.tolist()))
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        return ()
    ring = unwrap([*lon, lon[0]])
    if abs(ring[-1] - ring[0]) > 180.0:
        return ()
    return tuple(zip(ring[:-1].tolist(), lat.tolist(), strict=True))


def rasters_by_heights(paths: Sequence[str]) -> dict[str, list[str]]:
    """The rasters by what their own CRS says that heights refer to; "" where it says nothing."""
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(describe(path).vertical, []).append(path)
    return found


def rasters_by_units(paths: Sequence[str]) -> dict[tuple[float, str], list[str]]:
    """The rasters by what one of their numbers is in metres, and the unit's name where that is not known."""
    found: dict[tuple[float, str], list[str]] = {}
    for path in paths:
        info = describe(path)
        found.setdefault((info.metre, info.unit), []).append(path)
    return found


def _require_heights(path: str, dtype: str) -> None:
    """Refuse rasters whose type of values is none of heights."""
    if dtype.startswith("complex"):
        raise DemError(f"DEM {redact(path)} holds complex numbers ({dtype}), an image or interferogram and no heights")
    if dtype in ("uint8", "int8"):
        raise DemError(
            f"DEM {redact(path)} holds bytes ({dtype}), a mask or a picture and no heights; take it out of dem.path, "
            "or name the rasters with the heights by a pattern"
        )


def _unit(told: str, wkt: str) -> tuple[float, str]:
    """Metres of a unit that a band names, else of its vertical CRS; the name too where it is not known here."""
    name = " ".join(told.lower().replace("_", " ").replace("-", " ").split())
    if name:
        known = next((metre for metre, names in _UNITS.items() if name in names), None)
        return (1.0, told) if known is None else (known, "")
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        crs = CRS.from_wkt(wkt)
    except CRSError:
        return 1.0, ""
    parts = crs.sub_crs_list if crs.is_compound else [crs] if len(crs.axis_info) == 3 else []
    up = [axis for part in parts for axis in part.axis_info if axis.direction in ("up", "down")]
    return (float(up[0].unit_conversion_factor), "") if up else (1.0, "")


def _vertical(wkt: str) -> str:
    """What a CRS says that heights refer to, empty where it is of two dimensions."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        crs = CRS.from_wkt(wkt)
    except CRSError:
        return ""
    for part in crs.sub_crs_list if crs.is_compound else ():
        if part.is_vertical:
            epsg = part.to_epsg()
            known = _VERTICAL.get(epsg) if epsg else None
            return known or next((v for v in _VERTICAL.values() if v in part.name.lower()), part.name)
    return "ellipsoid" if len(crs.axis_info) == 3 else ""


def _horizontal_epsg(wkt: str) -> int | None:
    """EPSG code of the horizontal part of a compound CRS (the vertical part is the run file's to say)."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        crs = CRS.from_wkt(wkt)
    except CRSError:
        return None
    parts = crs.sub_crs_list
    return parts[0].to_epsg() if parts else crs.to_epsg()


def _is_compound(wkt: str) -> bool:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return bool(CRS.from_wkt(wkt).is_compound)
    except CRSError:
        return False


def _is_wgs84(wkt: str) -> bool:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        crs = CRS.from_wkt(wkt)
    except CRSError:
        return False
    parts = crs.sub_crs_list
    flat = parts[0] if parts else crs
    return flat.is_geographic and flat.datum is not None and "World Geodetic System 1984" in flat.datum.name
