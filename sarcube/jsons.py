"""JSON as `json.loads` gives it."""

from __future__ import annotations

from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
"""An object of a file or an answer that others wrote: a STAC item, its properties, what a catalogue says of a scene.

Which keys it has and of what type is not known before it is read. What is only handed on, or written, is `object`.
"""
