"""What an EPSG code stands for: the one answer to "is this CRS geographic", and what its units are in metres."""

from __future__ import annotations

import functools

from sarcube.errors import GridError

_METRES_PER_DEGREE = 111_320.0  # along the equator, WGS 84, rounded


@functools.lru_cache(maxsize=256)
def is_geographic(epsg: int) -> bool:
    """Whether x and y are longitude and latitude in degrees; False: a plane's, in its units.

    Raises
    ------
    GridError
        There is no such code, or it is neither (a vertical, geocentric or three-dimensional system).
    """
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
    return bool(crs.is_geographic)


def metres_per_unit(epsg: int) -> float:
    """About how many metres a step of one in x or y is: 1 in a projected CRS, those of a degree in a geographic one."""
    return _METRES_PER_DEGREE if is_geographic(epsg) else 1.0
