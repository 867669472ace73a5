"""What a GRD image is: values only. A slice is one scene; a pass is slices put together by azimuth time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.orbit import Orbit
from sarcube.geometry.radar import RadarGrid
from sarcube.sensors.sentinel1.model import Channel, GeolocationGrid


@dataclass(frozen=True, eq=False)
class GrdSlice:
    """One GRD scene, ready for an engine: every value but the samples.

    Attributes
    ----------
    scene : str
        SAFE name without its extension.
    platform, mode : str
        "S1A", "IW".
    product_type : str
        "GRDH", "GRDM" or "GRDF", by the name; "GRD" where it does not say.
    orbit_direction : str
        "ascending" or "descending".
    absolute_orbit, relative_orbit : int
    anx_time : float
        Ascending-node time, seconds since the orbit's epoch.
    radar : RadarGrid
        In ground range.
    azimuth_spacing : float
        Metres between lines, as annotated.
    orbit : Orbit
    orbit_source, orbit_type : str
        File name and type of the orbit, or "annotation".
    footprint : tuple of (longitude, latitude)
        Closed ring in degrees, unwrapped.
    channels : mapping of polarization to Channel
    dark : mapping of polarization to int
        Amplitude up to which samples at the ends of a line count as no echo: 0, or what was seen of the low garbage
        at the borders of products made before IPF 2.90.
    ipf_version : str
    geolocation : GeolocationGrid
    radar_frequency : float
        Hz.
    warnings : tuple of str
    source_facility, source_processed : str
    """

    scene: str
    platform: str
    mode: str
    product_type: str
    orbit_direction: str
    absolute_orbit: int
    relative_orbit: int
    anx_time: float
    radar: RadarGrid
    azimuth_spacing: float
    orbit: Orbit
    orbit_source: str
    orbit_type: str
    footprint: tuple[tuple[float, float], ...]
    channels: Mapping[str, Channel]
    dark: Mapping[str, int]
    ipf_version: str
    geolocation: GeolocationGrid
    radar_frequency: float
    warnings: tuple[str, ...] = field(default=())
    source_facility: str = ""
    source_processed: str = ""

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.scene

    @property
    def polarizations(self) -> tuple[str, ...]:
        return tuple(self.channels)

    @property
    def first_line_of_swath(self) -> int:
        """A GRD is one image: lines of its annotation are its own."""
        return 0

    @property
    def first_valid_sample(self) -> NDArray[np.int32]:
        return np.zeros(self.radar.lines, np.int32)

    @property
    def last_valid_sample(self) -> NDArray[np.int32]:
        return np.full(self.radar.lines, self.radar.samples - 1, np.int32)

    @property
    def start_time(self) -> np.datetime64:
        """UTC zero-Doppler time of the first line, nanoseconds."""
        return self.orbit.epoch + np.timedelta64(round(self.radar.first_line_time * 1e9), "ns")

    @property
    def end_time(self) -> np.datetime64:
        """UTC zero-Doppler time of the last line, nanoseconds."""
        return self.orbit.epoch + np.timedelta64(round(self.radar.last_line_time * 1e9), "ns")


@dataclass(frozen=True, eq=False)
class Piece:
    """A slice's place in a pass: its line 0 is the pass's line `offset`, and [start, stop) of the pass is its own."""

    offset: int
    start: int
    stop: int
    image: GrdSlice


@dataclass(frozen=True, eq=False)
class GrdPass:
    """Slices of one pass as one image.

    Attributes
    ----------
    radar : RadarGrid
        Of all lines; its ground range has the stretches of every slice.
    pieces : tuple of Piece
        In order of time; lines between them that no slice has belong to none. A slice may have more than one.
    passed_over : tuple of str
        Scenes of which nothing is taken: others have all of their lines, in a later version or as well.
    """

    radar: RadarGrid
    pieces: tuple[Piece, ...]
    passed_over: tuple[str, ...] = ()

    @property
    def first(self) -> GrdSlice:
        return self.pieces[0].image

    @property
    def label(self) -> str:
        more = len(self.scenes) - 1
        return self.first.scene + (f" and {more} more" if more else "")

    @property
    def scenes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(piece.image.scene for piece in self.pieces))

    @property
    def orbit(self) -> Orbit:
        return self.first.orbit

    @property
    def orbit_source(self) -> str:
        return self.first.orbit_source

    @property
    def orbit_type(self) -> str:
        return self.first.orbit_type

    @property
    def polarizations(self) -> tuple[str, ...]:
        """Those that all slices have."""
        return tuple(n for n in self.first.channels if all(n in p.image.channels for p in self.pieces))

    @property
    def start_time(self) -> np.datetime64:
        return self.first.start_time

    @property
    def end_time(self) -> np.datetime64:
        return self.pieces[-1].image.end_time

    @property
    def warnings(self) -> tuple[str, ...]:
        gaps = [
            f"{after.start - before.stop} lines between {before.image.scene} and {after.image.scene} are in no slice"
            for before, after in pairwise(self.pieces)
            if after.start > before.stop
        ]
        return tuple(dict.fromkeys([*(text for piece in self.pieces for text in piece.image.warnings), *gaps]))
