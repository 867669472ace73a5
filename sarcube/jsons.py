"""JSON as `json.loads` gives it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
"""An object of a file or an answer that others wrote: a STAC item, its properties, what a catalogue says of a scene.

Which keys it has and of what type is not known before it is read. What is only handed on, or written, is `object`.
"""


def finite(value: object) -> object:
    """The same with null for numbers that JSON does not have: NaN and the infinite, which strict readers refuse."""
    if isinstance(value, Mapping):
        return {name: finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
