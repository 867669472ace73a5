"""What an EPSG code stands for: the one answer to "is this CRS geographic", and what its units are in metres."""

from __future__ import annotations

import functools

from sarcube.errors import GridError

_METRES_PER_DEGREE = 111_320.0  # along the equator, WGS 84, rounded


def is_geographic(epsg: int) -> bool:
    """Whether x and y are longitude and latitude in degrees; False: a plane's, in its units.

    Raises
    ------
    GridError
        There is no such code, or it is neither (a vertical, geocentric or three-dimensional system), or it counts in
        other parts of a circle than degrees.
    """
    return _described(epsg)[0]


def metres_per_unit(epsg: int) -> float:
    """Metres that a step of one in x or y stands for: in a projected CRS by its unit (1, or those of a foot), in a
    geographic one about those of a degree.

    Errors are those of `is_geographic`.
    """
    geographic, metres = _described(epsg)
    return _METRES_PER_DEGREE if geographic else metres


@functools.lru_cache(maxsize=256)
def _described(epsg: int) -> tuple[bool, float]:
    """Whether a code's CRS is geographic, and what its unit is in metres where it is not."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        crs = CRS.from_epsg(epsg)
    except (CRSError, OverflowError) as error:
        raise GridError(f"EPSG:{epsg} is no known coordinate reference system; check the code") from error
    if not (crs.is_geographic or crs.is_projected) or len(crs.axis_info) != 2:
        raise GridError(
            f"EPSG:{epsg} ({crs.name}) is no horizontal CRS of two axes; give a projected one, or 4326 for degrees"
        )
    unit = crs.axis_info[0]
    if crs.is_geographic and unit.unit_name != "degree":
        raise GridError(
            f"EPSG:{epsg} ({crs.name}) counts in {unit.unit_name}s; give a CRS in degrees, or a projected one"
        )
    return bool(crs.is_geographic), 1.0 if crs.is_geographic else float(unit.unit_conversion_factor)
