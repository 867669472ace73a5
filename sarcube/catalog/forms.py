"""What a JSON value must be, in forms that are put together: numbers in a range, texts of a pattern, lists of these."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from sarcube.jsons import JsonObject

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_DURATION = re.compile(r"P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
_GEOMETRIES = ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon")


@dataclass(frozen=True)
class Form:
    """What a value must be.

    Attributes
    ----------
    allows : callable
        Whether a value is that.
    text : str
        The same in words, as they follow "is not".
    """

    allows: Callable[[object], bool]
    text: str


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(low: float = float("-inf"), high: float = float("inf")) -> Form:
    """A number in a range, its ends included."""
    said = "a number" if low == float("-inf") else f"a number from {low:g}" + (f" to {high:g}" if high < 1e300 else "")
    return Form(lambda v: _is_number(v) and low <= v <= high, said)


def integer(low: float = float("-inf")) -> Form:
    """A whole number; JSON knows no other difference between 3 and 3.0 than how it is written."""
    said = "a whole number" + ("" if low == float("-inf") else f" of at least {low:g}")
    return Form(lambda v: _is_number(v) and (isinstance(v, int) or v.is_integer()) and v >= low, said)


def text(least: int = 0) -> Form:
    """A text of at least so many characters."""
    return Form(lambda v: isinstance(v, str) and len(v) >= least, "a text" if not least else "a text that is not empty")


def like(pattern: str, said: str) -> Form:
    """A text that is wholly of a pattern."""
    wanted = re.compile(pattern)
    return Form(lambda v: isinstance(v, str) and wanted.fullmatch(v) is not None, said)


def one_of(*values: str) -> Form:
    """One of these texts."""
    return Form(lambda v: isinstance(v, str) and v in values, f"one of {', '.join(values)}")


def listed(of: Form, least: int = 0, lengths: tuple[int, ...] = (), *, once: bool = False) -> Form:
    """A list: each member of a form, and where asked of these lengths, or nothing in it twice."""

    def allows(value: object) -> bool:
        if not isinstance(value, list) or len(value) < least or (lengths and len(value) not in lengths):
            return False
        if once and len({json.dumps(v, sort_keys=True) for v in value}) < len(value):
            return False
        return all(of.allows(v) for v in value)

    count = " or ".join(map(str, lengths)) or (f"at least {least}" if least else "")
    said = f"a list of {count + ' times ' if count else ''}{of.text}"
    return Form(allows, said + (", none twice" if once else ""))


def record(needed: Mapping[str, Form], more: Mapping[str, Form] | None = None, *, closed: bool = False) -> Form:
    """An object with members by name: those needed, those that may be there; closed: and no others."""
    known = {**needed, **(more or {})}

    def allows(value: object) -> bool:
        if not isinstance(value, dict) or any(name not in value for name in needed):
            return False
        if closed and any(name not in known for name in value):
            return False
        return all(known[name].allows(v) for name, v in value.items() if name in known)

    with_what = ", ".join(f"{name} ({form.text})" for name, form in needed.items())
    return Form(allows, f"an object with {with_what}" if with_what else "such an object")


def by_name(of: Form, key: Form | None = None) -> Form:
    """An object whose members are all of a form."""

    def allows(value: object) -> bool:
        return isinstance(value, dict) and all((not key or key.allows(k)) and of.allows(v) for k, v in value.items())

    return Form(allows, f"an object whose members are each {of.text}")


def either(*forms: Form) -> Form:
    """Of one form or another."""
    return Form(lambda v: any(form.allows(v) for form in forms), " or ".join(form.text for form in forms))


def _is_time(value: object) -> TypeGuard[str]:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        dt.datetime.fromisoformat(value[:19])
    except ValueError:
        return value[17:19] == "60"  # a leap second is one
    return True


def _is_projjson(value: object) -> bool:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return isinstance(value, dict) and CRS.from_json_dict(value) is not None
    except CRSError:
        return False


def _is_geometry(value: object) -> bool:
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        return isinstance(value, dict) and _is_bare(value) and not shape(value).is_empty
    except (ShapelyError, ValueError, TypeError, AttributeError, KeyError, IndexError):
        return False


def _is_bare(value: JsonObject) -> bool:
    """Whether types are written as GeoJSON has them and coordinates are numbers: shapely reads more."""
    if value.get("type") == "GeometryCollection":
        return all(_is_bare(part) for part in value["geometries"])
    return value.get("type") in _GEOMETRIES and _all_numbers(value["coordinates"])


def _all_numbers(value: object) -> bool:
    return all(_all_numbers(v) for v in value) if isinstance(value, list) else _is_number(value)


NULL = Form(lambda v: v is None, "null")
ANYTHING = Form(lambda v: True, "anything")
FLAG = Form(lambda v: isinstance(v, bool), "true or false")
OBJECT = Form(lambda v: isinstance(v, dict), "an object")
PROJJSON = Form(_is_projjson, "a coordinate reference system as PROJ's JSON")
GEOMETRY = Form(_is_geometry, "a geometry of GeoJSON")
TIME = Form(_is_time, "a time by RFC 3339")
TIME_UTC = Form(
    lambda v: _is_time(v) and v.endswith(("Z", "+00:00")), "a time in UTC by RFC 3339 (ending with Z or +00:00)"
)
DURATION = Form(lambda v: isinstance(v, str) and _DURATION.fullmatch(v) is not None, "a duration by ISO 8601")
