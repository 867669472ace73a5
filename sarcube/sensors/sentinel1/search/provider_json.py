"""What providers answer, taken with care: JSON of the expected form, footprints, times."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, SourceError
from sarcube.geometry.aoi import Area
from sarcube.geometry.longitudes import unwrap, wrap_longitude
from sarcube.instants import utc_time
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.polarizations import POLARIZATIONS
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, scene_name

if TYPE_CHECKING:
    import requests

_SCENE_TIMES = re.compile(r"_(\d{8}T\d{6})_(\d{8}T\d{6})_")
_FEW_POINTS = 300  # of an area in a query: longer ones meet limits of servers


def json_of(answer: requests.Response, provider: str) -> JsonObject:
    """The JSON object of an answer.

    Raises
    ------
    SourceError
        It is something else, such as a page that says the service is down.
    """
    try:
        raw = answer.json()
    except ValueError as error:
        raise SourceError(f"{provider} answered something that is not JSON; try again later") from error
    if not isinstance(raw, dict):
        raise SourceError(f"{provider} answered JSON of another form than its API has; is the address right?")
    return raw


def in_words(error: Exception) -> str:
    """What was wrong with a description: a key that is missing, or what a reader of it said."""
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def time_of(text: object) -> dt.datetime:
    """A provider's time as UTC; more than six decimals are cut."""
    return utc_time(str(text))


def time_or_none(text: object) -> dt.datetime | None:
    """The same where it may be missing or unreadable."""
    try:
        return utc_time(str(text))
    except ValueError:
        return None


def ring_of(geometry: JsonObject | None) -> tuple[tuple[float, float], ...]:
    """The outer ring of a GeoJSON polygon, unwrapped; parts that the antimeridian cuts are put together."""
    if geometry is None:
        raise ValueError("no footprint")
    kind, coordinates = geometry["type"], geometry["coordinates"]
    rings = [coordinates[0]] if kind == "Polygon" else [polygon[0] for polygon in coordinates]
    if len(rings) > 1:
        import shapely

        # Moved to one side of the antimeridian the parts touch, and their hull is the footprint.
        points = np.array([(float(p[0]), float(p[1])) for ring in rings for p in ring])
        points[:, 0] = wrap_longitude(points[:, 0], float(points[0, 0]))
        hull = shapely.convex_hull(shapely.multipoints(points))
        return tuple((float(x), float(y)) for x, y in hull.exterior.coords)
    lon = unwrap([float(p[0]) for p in rings[0]])
    return tuple(zip(lon.tolist(), (float(p[1]) for p in rings[0]), strict=True))


def polarization_of(text: object) -> str:
    """One of VV, VH, HH, HV; ValueError where it is none, or missing."""
    name = str(text).strip().upper()
    if name not in POLARIZATIONS:
        raise ValueError(f"the polarization is {str(text)[:40]!r}, none of {', '.join(POLARIZATIONS)}")
    return name


def direction_of(text: object) -> str:
    """ "ascending" or "descending"; ValueError where it is neither, or missing."""
    name = str(text).strip().lower()
    if name not in ("ascending", "descending"):
        raise ValueError(f"the orbit direction is {str(text)[:40]!r}, neither ascending nor descending")
    return name


def query_area(area: Area) -> list[str]:
    """The area as WKT polygons that search APIs take: cut at the antimeridian, few points, perhaps too large.

    What is found too much is sorted out by burst footprints afterwards.
    """
    import shapely

    texts = []
    for part in area.parts():
        shape = part
        if shapely.get_num_coordinates(shape) > _FEW_POINTS or shape.geom_type not in ("Polygon", "Point"):
            shape = shapely.convex_hull(shape)
        if shapely.get_num_coordinates(shape) > _FEW_POINTS:
            shape = shapely.box(*shape.bounds)
        if shape.geom_type == "Polygon":
            shape = shapely.geometry.polygon.orient(shape)
        texts.append(shapely.to_wkt(shape, rounding_precision=6, trim=True))
    return texts


def period(config: RunConfig) -> tuple[dt.datetime, dt.datetime] | None:
    """First and last instant that can be wanted, from the dates and from the names of scenes."""
    if config.dates:
        first, last = config.dates
        return (
            dt.datetime.combine(first, dt.time(), dt.UTC),
            dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), dt.UTC),
        )
    times = [t for name in config.source.scenes or () for m in _SCENE_TIMES.finditer(name) for t in m.groups()]
    if not times:
        return None
    stamps = [dt.datetime.strptime(t, "%Y%m%dT%H%M%S").replace(tzinfo=dt.UTC) for t in times]
    return min(stamps) - dt.timedelta(seconds=5), max(stamps) + dt.timedelta(seconds=5)


def require_limits(config: RunConfig, area: Area | None, provider: str) -> None:
    """Refuse a question that a provider would answer with its whole archive.

    Raises
    ------
    ConfigError
        Neither an area nor burst IDs nor scenes are given.
    """
    if area is None and not config.source.burst_ids and not config.source.scenes:
        raise ConfigError(
            f"source.kind {config.source.kind}: give an aoi, source.burst_ids or source.scenes; without any of "
            f"them {provider} would be asked for its whole archive"
        )


def grouped(channels: Iterable[FoundBurst]) -> list[FoundBurst]:
    """Bursts with all their polarizations, from entries that have one each."""
    bursts: dict[tuple[str, str, int], FoundBurst] = {}
    for channel in channels:
        # Polarizations of one burst start within microseconds; whole seconds may part them, so count in tens.
        key = (channel.scene, channel.burst_id, channel.index)
        known = bursts.get(key)
        if known is None:
            bursts[key] = channel
        elif not set(channel.polarizations) <= set(known.polarizations):
            both = {*known.polarizations, *channel.polarizations}
            bursts[key] = replace(
                known,
                polarizations=tuple(sorted(both, key=lambda p: POLARIZATIONS.index(p) if p in POLARIZATIONS else 9)),
                size_bytes=known.size_bytes + channel.size_bytes,
            )
    return list(bursts.values())


def scene_in(text: str, product: str = "SLC") -> str:
    """A scene name, checked to be one of a Sentinel-1 SLC (or GRD)."""
    name = scene_name(text)
    if not re.fullmatch(rf"S1[A-D]_[A-Z0-9]{{2}}_{product}[FHM_]_[A-Z0-9]{{4}}(_[0-9A-Z]+){{4,5}}(_COG)?", name):
        raise ValueError(f"{name[:80]!r} is no Sentinel-1 {product}")
    return name
