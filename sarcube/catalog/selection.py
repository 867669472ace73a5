"""Which items are wanted: area, dates, places."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sarcube.errors import CatalogError
from sarcube.geometry.longitudes import spans
from sarcube.instants import utc_time
from sarcube.jsons import JsonObject

Dates = tuple[dt.date | dt.datetime | str | None, dt.date | dt.datetime | str | None]


@dataclass(frozen=True)
class Selection:
    """Which items are wanted; None means any.

    Attributes
    ----------
    bbox : (west, south, east, north), optional
        Degrees; west beyond east crosses the antimeridian, and so does an east beyond 180.
    start, end : datetime, optional
        UTC, both included. Items of what has no time are always taken.
    places : frozenset of str, optional
    """

    bbox: tuple[float, float, float, float] | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    places: frozenset[str] | None = None

    def takes(self, key: str, stored: JsonObject) -> bool:
        """Whether an item, by its key and as stored, is wanted."""
        if self.places is not None and place_of(key) not in self.places:
            return False
        if is_timed(key) and not self._in_time(stored["properties"]):
            return False
        return self.bbox is None or _overlaps(stored, self.bbox)

    def _in_time(self, properties: JsonObject) -> bool:
        first = _time(properties.get("start_datetime") or properties["datetime"])
        last = _time(properties.get("end_datetime") or properties.get("datetime") or properties["start_datetime"])
        return (self.start is None or last >= self.start) and (self.end is None or first <= self.end)


def place_of(key: str) -> str:
    """The place that an item's key in its store tells: `collection/place/...`."""
    return key.split("/", 2)[1]


def is_timed(key: str) -> bool:
    """Whether an item's key is that of a product with a time: it lies below the place's folder."""
    return key.count("/") > 2


def selection(
    bbox: Sequence[float] | None = None, dates: Dates | None = None, places: Iterable[str] | None = None
) -> Selection:
    """A Selection from what users write: dates as days (the last one included whole), texts or datetimes.

    Raises
    ------
    CatalogError
        The bbox is no area of degrees, or the dates are no first and last.
    """
    if dates is not None and (isinstance(dates, str) or len(dates) != 2):
        raise CatalogError(f"dates are (first, last), each of them a day or None, not {dates!r}")
    start, end = dates or (None, None)
    named = [places] if isinstance(places, str) else places
    wanted = frozenset(p.lower().replace("-", "_") for p in named) if named is not None else None
    return Selection(_box(bbox), _moment(start, last=False), _moment(end, last=True), wanted)


def _box(bbox: Sequence[float] | None) -> tuple[float, float, float, float] | None:
    if bbox is None:
        return None
    try:
        west, south, east, north = (float(v) for v in bbox)
    except (TypeError, ValueError) as error:
        raise CatalogError(f"bbox must be west, south, east, north, not {bbox!r}") from error
    if not (all(abs(v) <= 540 for v in (west, east)) and -90 <= south <= north <= 90):
        raise CatalogError(f"bbox must be west, south, east, north in degrees, south below north, not {bbox!r}")
    return west, south, east, north


def _time(text: str) -> dt.datetime:
    return utc_time(text)


def _moment(value: dt.date | dt.datetime | str | None, *, last: bool) -> dt.datetime | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value) if len(value) == 10 else utc_time(value)
        except ValueError:
            raise CatalogError(f"{value!r} is not a date like 2025-04-01") from None
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    if not isinstance(value, dt.date):
        raise CatalogError(f"{value!r} is not a date like 2025-04-01")
    midnight = dt.datetime.combine(value, dt.time(), dt.UTC)
    return midnight + dt.timedelta(days=1, microseconds=-1) if last else midnight


def _overlaps(stored: JsonObject, bbox: tuple[float, float, float, float]) -> bool:
    from shapely.geometry import box, shape

    west, south, east, north = stored["bbox"]
    if north < bbox[1] or south > bbox[3]:
        return False
    if not any(a0 <= b1 and b0 <= a1 for a0, a1 in spans(west, east) for b0, b1 in spans(bbox[0], bbox[2])):
        return False
    geometry = shape(stored["geometry"])
    return any(geometry.intersects(box(b0, bbox[1], b1, bbox[3])) for b0, b1 in spans(bbox[0], bbox[2]))
