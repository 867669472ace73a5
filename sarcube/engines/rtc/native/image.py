"""What the engine asks of what it geocodes: a burst, or slices of a detected image put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.orbit import Orbit
from sarcube.geometry.radar import RadarGrid
from sarcube.sensors.sentinel1.grd.model import GrdPass
from sarcube.sensors.sentinel1.model import Burst, Channel

_FAR = 1 << 40


class Readable(Protocol):
    """One file's worth of an image: a burst or a slice."""

    @property
    def scene(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def radar(self) -> RadarGrid: ...

    @property
    def channels(self) -> Mapping[str, Channel]: ...

    @property
    def first_line_of_swath(self) -> int: ...

    @property
    def first_valid_sample(self) -> NDArray[np.int32]: ...

    @property
    def last_valid_sample(self) -> NDArray[np.int32]: ...


class RadarImage(Protocol):
    """What has a place in radar geometry."""

    @property
    def label(self) -> str: ...

    @property
    def radar(self) -> RadarGrid: ...

    @property
    def orbit(self) -> Orbit: ...


@dataclass(frozen=True, eq=False)
class Part:
    """Lines [start, stop) of an image lie in `source`, whose line 0 is the image's line `offset`."""

    offset: int
    start: int
    stop: int
    source: Readable
    dark: Mapping[str, int]


def parts_of(image: Burst | GrdPass) -> list[Part]:
    """The parts of an image in order; the outer ones go on for ever, so that lines beyond belong to one."""
    if isinstance(image, Burst):
        return [Part(0, -_FAR, _FAR, image, {})]
    last = len(image.pieces) - 1
    return [
        Part(
            piece.offset,
            -_FAR if k == 0 else piece.start,
            _FAR if k == last else piece.stop,
            piece.image,
            piece.image.dark,
        )
        for k, piece in enumerate(image.pieces)
    ]
