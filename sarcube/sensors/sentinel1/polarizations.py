"""Which polarizations a run asks for, as every workflow of Sentinel-1 lets people write it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

POLARIZATIONS = ("VV", "VH", "HH", "HV")


def _channels(value: object) -> object:
    if value == "auto" or not isinstance(value, str | list | tuple):
        return value
    names = value.replace(",", " ").replace("+", " ").split() if isinstance(value, str) else value
    names = [name.upper() if isinstance(name, str) else name for name in names]
    for name in names:
        if name not in POLARIZATIONS:
            raise ValueError(f"{name!r} is no polarization; write auto, or of {', '.join(POLARIZATIONS)}")
    if not names:
        raise ValueError("no polarization is named; write auto for all")
    return tuple(dict.fromkeys(names))


Polarizations = Annotated[Literal["auto"] | tuple[str, ...], BeforeValidator(_channels)]
"""A key of a section of the run file: auto, or names in any spelling."""


def wanted(chosen: Literal["auto"] | tuple[str, ...]) -> tuple[str, ...] | None:
    """The polarizations that were asked for; None for all that a scene has."""
    return None if chosen == "auto" else chosen
