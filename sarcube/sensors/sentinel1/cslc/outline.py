"""A footprint from well-known text."""

from __future__ import annotations

from sarcube.geometry.longitudes import unwrap_ring

_MOST_POINTS = 100_000


def ring_of_wkt(text: str) -> tuple[tuple[float, float], ...]:
    """The outline of a POLYGON or, cut by the antimeridian, a MULTIPOLYGON: a closed ring in degrees, unwrapped.

    Raises
    ------
    ValueError
        The text is neither, or no polygon on the Earth.
    """
    import shapely
    from shapely.geometry import shape

    try:
        found = shapely.from_wkt(text)
    except shapely.errors.ShapelyError as error:
        raise ValueError(f"identification/bounding_polygon is no polygon ({str(error)[:100]})") from error
    parts = list(getattr(found, "geoms", [found]))
    if not parts or any(part.geom_type != "Polygon" or part.is_empty for part in parts):
        raise ValueError("identification/bounding_polygon is no polygon")
    rings = [shapely.get_coordinates(part.exterior) for part in parts]
    points = [point for ring in rings for point in ring]
    if len(points) > _MOST_POINTS or any(not (abs(lon) <= 540.0 and abs(lat) <= 90.0) for lon, lat in points):
        raise ValueError("identification/bounding_polygon lies beyond the Earth")
    if len(rings) == 1:
        outline = unwrap_ring(tuple((float(lon), float(lat)) for lon, lat in rings[0]))
    else:
        # Moved to one side of the antimeridian the parts touch, and their hull is the footprint.
        hull = shapely.convex_hull(shapely.multipoints([(float(lon) % 360.0, float(lat)) for lon, lat in points]))
        outline = unwrap_ring(tuple(shape(hull).exterior.coords))
    return tuple((float(lon), float(lat)) for lon, lat in outline)
