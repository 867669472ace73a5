"""What the fields of a kind's items must be, which no schema says or can always be asked: declared by the kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeGuard


@dataclass(frozen=True)
class Rule:
    """A property of an item and what it has to be.

    Attributes
    ----------
    name : str
    allows : callable
        Whether a value will do.
    text : str
        What it has to be, in words.
    """

    name: str
    allows: Callable[[object], bool]
    text: str


def text(value: object) -> TypeGuard[str]:
    """A text that says something."""
    return isinstance(value, str) and bool(value.strip())


def texts(value: object) -> TypeGuard[list[str]]:
    """A list of such texts."""
    return isinstance(value, list) and bool(value) and all(text(v) for v in value)


def number(value: object) -> TypeGuard[float]:
    """A finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def positive(value: object) -> bool:
    """A number above zero."""
    return number(value) and value > 0


def count(value: object) -> TypeGuard[int]:
    """A whole number above zero."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def switch(value: object) -> bool:
    """True or false."""
    return isinstance(value, bool)


def named_texts(value: object) -> bool:
    """Texts by name."""
    return isinstance(value, dict) and bool(value) and all(text(k) and text(v) for k, v in value.items())


def one_of(*values: str) -> Callable[[object], bool]:
    """One of these texts."""
    return lambda value: value in values


def list_of(*values: str) -> Callable[[object], bool]:
    """A list of these texts."""
    return lambda value: texts(value) and set(value) <= set(values)


def angle(value: object) -> bool:
    """Degrees from 0 to 90."""
    return number(value) and 0 <= value <= 90
