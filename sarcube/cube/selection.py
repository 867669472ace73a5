"""From many items to the few that matter: by place, time and what the user names, before anything is opened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pystac
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from sarcube.cube.acquisition import as_time, place_in, place_of_item
from sarcube.cube.asked import Bbox
from sarcube.errors import CubeError
from sarcube.instants import states_offset, utc_ns, utc_time

When = str | dt.date | dt.datetime | np.datetime64
Period = When | Sequence[When] | slice
"""Dates as people write them: "2022-03", a first and a last, or a slice."""


@dataclass(frozen=True)
class Selection:
    """What to keep. None keeps all.

    Attributes
    ----------
    bbox : tuple of float
        West, south, east, north in degrees. East below west, or above 180, crosses the antimeridian.
    dates : tuple of datetime64
        First and last instant, both included.
    places, platforms : tuple of str
    orbit_direction : str
        "ascending" or "descending".
    relative_orbits : tuple of int
    """

    bbox: Bbox | None = None
    dates: tuple[np.datetime64, np.datetime64] | None = None
    places: tuple[str, ...] | None = None
    platforms: tuple[str, ...] | None = None
    orbit_direction: str | None = None
    relative_orbits: tuple[int, ...] | None = None


def parse_dates(dates: Period | None) -> tuple[np.datetime64, np.datetime64] | None:
    """First and last instant of what the user wrote; whole days, months and years are included to their end.

    >>> parse_dates("2022-03")
    (np.datetime64('2022-03-01T00:00:00.000000000'), np.datetime64('2022-03-31T23:59:59.999999999'))
    """
    if dates is None:
        return None
    if isinstance(dates, slice):
        if dates.step is not None or dates.start is None or dates.stop is None:
            raise CubeError(f"dates as a slice have a first and a last date and no step, unlike {dates!r}")
        dates = (dates.start, dates.stop)
    if isinstance(dates, str) and "/" in dates:
        dates = dates.split("/")
    try:
        both = [dates, dates] if isinstance(dates, str | dt.date | np.datetime64) else list(dates)
    except TypeError as error:
        raise CubeError(f"dates is one date, (first, last) or a slice, not {dates!r}") from error
    if len(both) != 2:
        raise CubeError(f"dates is one date or (first, last), not {dates!r}")
    first, last = _edges(both[0])[0], _edges(both[1])[1]
    if first > last:
        raise CubeError(f"dates: the first, {both[0]}, is after the last, {both[1]}; swap them")
    return first, last


def _edges(value: When) -> tuple[np.datetime64, np.datetime64]:
    if value is None or pd.isna(value):  # NaT is a datetime by its type
        raise CubeError(f"dates have a first and a last, and one of them is {value}; write 1900 or 2100 for any")
    try:
        if isinstance(value, str):
            if states_offset(value):
                return utc_ns(value), utc_ns(value)
            period = pd.Period(value)
            return period.start_time.to_datetime64(), period.end_time.to_datetime64()
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            period = pd.Period(value, freq="D")
            return period.start_time.to_datetime64(), period.end_time.to_datetime64()
        if isinstance(value, np.datetime64) and np.datetime_data(value.dtype)[0] in "YMD":
            return _edges(str(value))
        return as_time(value), as_time(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise CubeError(f"dates: {value!r} is not a date; write it like 2022-01-31 or 2022-01") from error


def select(items: Sequence[pystac.Item], selection: Selection) -> list[pystac.Item]:
    """Items that meet every condition that item fields can decide; no file is opened.

    Raises
    ------
    CubeError
        Nothing is left; the message says which condition left nothing.
    """
    if not items:
        raise CubeError("there are no items to open; check the store's address and collection")
    kept = list(items)
    for name, test in _tests(selection):
        before, kept = kept, [item for item in kept if test(item)]
        if not kept:
            raise CubeError(f"none of {len(before)} items is left by {name}; {_hint(before, name)}")
    return kept


def _tests(selection: Selection) -> list[tuple[str, Callable[[pystac.Item], bool]]]:
    # Cheap ones first: the footprint test runs on what is left.
    tests: list[tuple[str, Callable[[pystac.Item], bool]]] = []
    if selection.dates is not None:
        first, last = selection.dates
        # The catalogue keeps datetimes, so compare those: making a datetime64 costs ten times as much.
        low, high = (pd.Timestamp(t, tz="UTC").to_pydatetime(warn=False) for t in (first, last))

        def in_time(item: pystac.Item) -> bool:
            moment = item.datetime or utc_time(item.properties["start_datetime"])
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=dt.UTC)
            return low <= moment <= high

        tests.append((f"dates {str(first)[:19]} to {str(last)[:19]}", in_time))
    if selection.places is not None:
        places = {place_in(p) or p.lower() for p in selection.places}
        tests.append((f"places {sorted(places)}", lambda i: place_of_item(i) in places))
    if selection.orbit_direction is not None:
        state = selection.orbit_direction.lower()
        tests.append((f"orbit_direction {state}", lambda i: i.properties.get("sat:orbit_state") == state))
    if selection.relative_orbits is not None:
        orbits = set(selection.relative_orbits)
        tests.append((f"relative_orbits {sorted(orbits)}", lambda i: i.properties.get("sat:relative_orbit") in orbits))
    if selection.platforms is not None:
        platforms = {p.lower() for p in selection.platforms}
        tests.append(
            (f"platforms {sorted(platforms)}", lambda i: i.properties.get("platform", "").lower() in platforms)
        )
    if selection.bbox is not None:
        area = area_of(selection.bbox)
        bounds = [part.bounds for part in getattr(area, "geoms", [area])]
        tests.append((f"bbox {selection.bbox}", lambda i: _near(i.bbox, bounds) and _touches(i, area)))
    return tests


def area_of(bbox: Bbox) -> BaseGeometry:
    """The bbox as a geometry in -180..180 degrees, in two parts where it crosses the antimeridian."""
    west, south, east, north = bbox
    if east < west:
        east += 360
    shift = 360 * np.floor((west + 180) / 360)
    west, east = west - shift, east - shift
    if east <= 180:
        return box(west, south, east, north)
    return unary_union([box(west, south, 180, north), box(-180, south, east - 360, north)])


def _near(bbox: list[float] | None, areas: list[Bbox]) -> bool:
    if bbox is None:
        return True
    west, south, east, north = bbox if len(bbox) == 4 else (bbox[0], bbox[1], bbox[3], bbox[4])
    spans = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    return any(
        w < right and e > left and south < top and north > bottom
        for left, bottom, right, top in areas
        for w, e in spans
    )


def _touches(item: pystac.Item, area: BaseGeometry) -> bool:
    if item.geometry is None:
        return True
    footprint = shape(item.geometry)
    # A footprint drawn across the antimeridian with longitudes beyond 180 also lies one turn away.
    return bool(area.intersects(footprint)) or (footprint.bounds[2] > 180 and bool(area.intersects(_turned(footprint))))


def _turned(footprint: BaseGeometry) -> BaseGeometry:
    from shapely.affinity import translate

    return translate(footprint, xoff=-360)


def _hint(items: list[pystac.Item], name: str) -> str:
    if name.startswith("dates"):
        times = sorted(i.datetime for i in items if i.datetime is not None)
        return f"they run from {times[0]:%Y-%m-%d} to {times[-1]:%Y-%m-%d}" if times else "they have no datetime"
    if name.startswith("bbox"):
        boxes = np.array([i.bbox[:2] + i.bbox[-2:] for i in items if i.bbox and len(i.bbox) == 4])
        if not len(boxes):
            return "they have no bbox"
        low, high = boxes.min(axis=0), boxes.max(axis=0)
        return f"they lie within {low[0]:.3f}, {low[1]:.3f}, {high[2]:.3f}, {high[3]:.3f} degrees"
    if name.startswith("places"):
        return f"they are of {', '.join(sorted({place_of_item(i) for i in items})[:20])}"
    key = {"orbit_direction": "sat:orbit_state", "relative_orbits": "sat:relative_orbit"}.get(
        name.split(maxsplit=1)[0], "platform"
    )
    return f"they have {sorted({str(i.properties.get(key)) for i in items})}"
