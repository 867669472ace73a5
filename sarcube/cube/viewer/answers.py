"""What the page can ask for: the store, points, series, percentiles; each a function of a content and a query.

What else a page should show is a line of `ANSWERS`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from sarcube.cube.viewer.colours import Stretch, scale_of, settled
from sarcube.cube.viewer.passes import Content
from sarcube.cube.viewer.readings import Series, as_csv, as_png, read_box, read_series
from sarcube.cube.viewer.tiles import default_stretch, percentiles
from sarcube.errors import CubeError
from sarcube.jsons import finite

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Query = Mapping[str, str]
_LONGEST = 40  # letters of a number
_LONGEST_NAME = 400  # of a layer
_FILE = re.compile(r"/((?:leaflet/)?[A-Za-z]+\.(?:html|js|css|txt))")
_UNSAFE = re.compile(r"[^0-9A-Za-z._-]+")


@dataclass(frozen=True)
class Answer:
    """What is sent.

    Attributes
    ----------
    body : bytes
    kind : str
        Media type.
    unread : sequence of str
        Items that could not be read for it.
    name : str
        Of the file, where it is to be kept as one.
    """

    body: bytes
    kind: str = "application/json"
    unread: Sequence[str] = ()
    name: str = ""


def page_file(path: str) -> Traversable | None:
    """A file of the page, None where there is none of that name."""
    match = _FILE.fullmatch("/index.html" if path == "/" else path)
    found = files("sarcube.cube.viewer").joinpath("page", *match[1].split("/")) if match else None
    return found if found is not None and found.is_file() else None


def number(query: Query, name: str, default: float | None = None) -> float:
    """A finite number of a query.

    Raises
    ------
    CubeError
        There is none.
    """
    text = query.get(name)
    if text is None and default is not None:
        return float(default)
    try:
        value = float(text or "") if len(text or "") <= _LONGEST else math.nan
    except ValueError as error:
        raise CubeError(f"{name}={text} is not a number") from error
    if not math.isfinite(value):
        raise CubeError(f"{name}={(text or '')[:_LONGEST]} is no place or size: it is not a finite number")
    return value


def asked_stretch(content: Content, layer: str, query: Query) -> Stretch | None:
    """The stretch that a query asks for, as it is drawn; None of a layer that has none.

    Raises
    ------
    CubeError
        It goes from high to low, or is none.
    """
    about = content.table.get(layer)
    low, high = (number(query, name) if name in query else None for name in ("low", "high"))
    if layer not in content.layers or scale_of(about) == "classes":
        return None
    if low is None or high is None:
        usual = default_stretch(content, layer)
        low, high = usual.low if low is None else low, usual.high if high is None else high
    return settled(Stretch(low, high), about)


def _json(value: object, unread: Sequence[str] = ()) -> Answer:
    return Answer(json.dumps(finite(value), default=str).encode(), unread=unread)


def _store(content: Content, _query: Query) -> Answer:
    return _json(content.describe())


def _points(content: Content, _query: Query) -> Answer:
    return _json(content.points())


def _stretch(content: Content, query: Query) -> Answer:
    return _json(percentiles(content, query.get("layer", "")[:_LONGEST_NAME]))


def _read(content: Content, query: Query) -> tuple[Series, str]:
    """The series of a place or a box, and what it is of."""
    if "west" in query:
        west, south, east, north = (number(query, side) for side in ("west", "south", "east", "north"))
        named = f"{west:.5f},{south:.5f},{east:.5f},{north:.5f}"
        return read_box(content, (west, south, east, north)), named
    lon, lat = number(query, "lon"), number(query, "lat")
    return read_series(content, lon, lat, int(number(query, "box", 5))), f"{lon:.5f},{lat:.5f}"


def _series(content: Content, query: Query) -> Answer:
    found, _ = _read(content, query)
    return _json([reading.as_dict() for reading in found.readings], found.unread)


def _series_csv(content: Content, query: Query) -> Answer:
    found, named = _read(content, query)
    name = f"series_{_UNSAFE.sub('_', named)}.csv"
    return Answer(as_csv(content, found).encode(), "text/csv; charset=utf-8", found.unread, name)


def _series_png(content: Content, query: Query) -> Answer:
    found, named = _read(content, query)
    what = "mean of the box" if "west" in query else "longitude, latitude"
    title = f"{what} {named.replace(',', ', ')}"
    return Answer(as_png(content, found, title), "image/png", found.unread, f"series_{_UNSAFE.sub('_', named)}.png")


ANSWERS: dict[str, Callable[[Content, Query], Answer]] = {
    "/api/store": _store,
    "/api/points": _points,
    "/api/stretch": _stretch,
    "/api/series": _series,
    "/api/series.csv": _series_csv,
    "/api/series.png": _series_png,
}
