"""What the fields of items must be: checked always, since the schema of an extension cannot always be had."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_text(v) for v in value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _positive(value: Any) -> bool:
    return _number(value) and value > 0


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _switch(value: Any) -> bool:
    return isinstance(value, bool)


def _named_texts(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(_text(k) and _text(v) for k, v in value.items())


def _of(*values: str) -> Callable[[Any], bool]:
    return lambda value: value in values


def _list_of(*values: str) -> Callable[[Any], bool]:
    return lambda value: _texts(value) and set(value) <= set(values)


def _angle(value: Any) -> bool:
    return _number(value) and 0 <= value <= 90


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("platform", "constellation", "title", "product:type"), (_text, "a text")),
    **dict.fromkeys(("processing:level", "processing:version", "processing:facility"), (_text, "a text")),
    **dict.fromkeys(("s1:orbit_source", "s1:product_identifier", "sarcube:burst_id"), (_text, "a text")),
    **dict.fromkeys(("instruments", "sar:beam_ids", "sarcube:warnings"), (_texts, "a list of texts")),
    **dict.fromkeys(("gsd", "sar:center_frequency"), (_positive, "a positive number")),
    **dict.fromkeys(("sat:absolute_orbit", "proj:epsg"), (_count, "a positive integer")),
    **dict.fromkeys(
        ("sarcube:incidence_angle_near", "sarcube:incidence_angle_far"), (_angle, "an angle to 90 degrees")
    ),
    "view:incidence_angle": (_angle, "an angle from 0 to 90 degrees"),
    "sar:instrument_mode": (_of("IW", "EW", "SM", "WV"), "a mode of Sentinel-1"),
    "sar:frequency_band": (_of("P", "L", "S", "C", "X", "Ku", "K", "Ka"), "a radar band"),
    "sar:observation_direction": (_of("left", "right"), "left or right"),
    "sar:polarizations": (_list_of("VV", "VH", "HH", "HV"), "a list of polarizations"),
    "sat:orbit_state": (_of("ascending", "descending", "geostationary"), "ascending or descending"),
    "processing:software": (_named_texts, "names and versions"),
    "sarcube:measurement_type": (_of("gamma0", "sigma0", "beta0"), "gamma0, sigma0 or beta0"),
}


def field_problems(properties: dict[str, Any]) -> Iterable[str]:
    """What is wrong with an item's properties, one sentence each. What is not known must be left out."""
    for name, value in properties.items():
        if value == "" or (value is None and name != "datetime"):
            yield f"properties/{name} is empty: what is not known is left out"
        elif name in _KINDS and not _KINDS[name][0](value):
            yield f"properties/{name}: {value!r} is not {_KINDS[name][1]}"
        elif name.endswith("_applied") and not _switch(value):
            yield f"properties/{name}: {value!r} is neither true nor false"
