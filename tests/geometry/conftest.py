"""Orbits for the tests of this room: one known in closed form, and real ones."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from lxml import etree
from numpy.typing import ArrayLike, NDArray

from sarcube.geometry.orbit import Orbit
from sarcube.geometry.radar import SPEED_OF_LIGHT, RadarGrid

EARTH_RATE = 7.292115e-5  # rad/s
INCLINATION = np.radians(98.18)
RADIUS = 7_071_000.0
RATE = np.sqrt(3.986004418e14 / RADIUS**3)


def circular_state(t: ArrayLike, phase: float = 0.0, node: float = 0.0) -> tuple[NDArray, NDArray]:
    """A circular orbit of Sentinel-1's size on the rotating Earth, exactly: position and velocity."""
    s = np.asarray(t, np.float64)
    u, g = RATE * s + phase, node - EARTH_RATE * s
    x, y, z = np.cos(u), np.sin(u) * np.cos(INCLINATION), np.sin(u) * np.sin(INCLINATION)
    dx, dy, dz = (
        -RATE * np.sin(u),
        RATE * np.cos(u) * np.cos(INCLINATION),
        RATE * np.cos(u) * np.sin(INCLINATION),
    )
    c, n = np.cos(g), np.sin(g)
    position = np.stack([c * x - n * y, n * x + c * y, z], axis=-1)
    velocity = np.stack(
        [
            c * dx - n * dy + EARTH_RATE * (n * x + c * y),
            n * dx + c * dy - EARTH_RATE * (c * x - n * y),
            dz,
        ],
        axis=-1,
    )
    return RADIUS * position, RADIUS * velocity


def circular_orbit(time: ArrayLike, phase: float = 0.0, node: float = 0.0) -> Orbit:
    """State vectors of that orbit."""
    t = np.asarray(time, np.float64)
    position, velocity = circular_state(t, phase, node)
    return Orbit(np.datetime64("2023-01-01T00:00:00", "ns"), t, position, velocity)


def _orbit(times: list[str], position: list[list[float]], velocity: list[list[float]]) -> Orbit:
    t = np.array([np.datetime64(s, "ns") for s in times])
    epoch = t[0].astype("M8[s]").astype("M8[ns]")
    seconds = (t - epoch) / np.timedelta64(1, "ns") * 1e-9
    return Orbit(epoch, seconds, np.array(position), np.array(velocity))


def read_eof(path: Path) -> Orbit:
    """A plain reading of an ESA orbit file."""
    osv = list(etree.parse(path).getroot().iter("OSV"))
    return _orbit(
        [o.findtext("UTC").removeprefix("UTC=") for o in osv],
        [[float(o.findtext(k)) for k in ("X", "Y", "Z")] for o in osv],
        [[float(o.findtext(k)) for k in ("VX", "VY", "VZ")] for o in osv],
    )


@dataclass(frozen=True)
class Swath:
    """What the geometry tests need of one annotation."""

    name: str
    orbit: Orbit
    line_interval: float
    range_sampling_rate: float
    lon: NDArray
    lat: NDArray
    height: NDArray
    azimuth_time: NDArray
    range_time: NDArray
    pixel: NDArray
    incidence: NDArray
    line: NDArray
    burst_time: NDArray
    lines_per_burst: int
    samples: int
    first_sample_range: float

    def radar(self, first_line_time: float, lines: int) -> RadarGrid:
        spacing = SPEED_OF_LIGHT / 2.0 / self.range_sampling_rate
        return RadarGrid(
            first_line_time,
            self.line_interval,
            self.first_sample_range,
            spacing,
            lines,
            self.samples,
            0.0555,
        )


def parse_annotation(name: str, text: bytes) -> Swath:
    """A plain reading of an ESA annotation."""
    root = etree.fromstring(text)
    osv = root.findall(".//orbitList/orbit")
    orbit = _orbit(
        [o.findtext("time") for o in osv],
        [[float(o.findtext(f"position/{k}")) for k in "xyz"] for o in osv],
        [[float(o.findtext(f"velocity/{k}")) for k in "xyz"] for o in osv],
    )
    points = root.findall(".//geolocationGridPoint")

    def column(key: str) -> NDArray:
        return np.array([float(p.findtext(key)) for p in points])

    when = np.array([np.datetime64(p.findtext("azimuthTime"), "ns") for p in points])
    bursts = np.array([np.datetime64(b.findtext("azimuthTime"), "ns") for b in root.findall(".//burst")])
    return Swath(
        name=name,
        orbit=orbit,
        line_interval=float(root.findtext(".//azimuthTimeInterval")),
        range_sampling_rate=float(root.findtext(".//rangeSamplingRate")),
        lon=column("longitude"),
        lat=column("latitude"),
        height=column("height"),
        azimuth_time=(when - orbit.epoch) / np.timedelta64(1, "ns") * 1e-9,
        range_time=column("slantRangeTime"),
        pixel=column("pixel"),
        incidence=column("incidenceAngle"),
        line=column("line"),
        burst_time=(bursts - orbit.epoch) / np.timedelta64(1, "ns") * 1e-9,
        lines_per_burst=int(root.findtext(".//linesPerBurst")),
        samples=int(root.findtext(".//numberOfSamples")),
        first_sample_range=float(root.findtext(".//imageInformation/slantRangeTime")) * SPEED_OF_LIGHT / 2.0,
    )


def annotations(root: Path) -> Iterator[Swath]:
    """Every annotation in the shared data."""
    data = root / "data"
    for archive in sorted([*(data / "safe").glob("*.zip"), *(data / "azores").glob("*.zip")]):
        with zipfile.ZipFile(archive) as opened:
            for name in sorted(opened.namelist()):
                folder, _, file = name.rpartition("/")
                if folder.endswith("annotation") and file.endswith(".xml"):
                    yield parse_annotation(file, opened.read(name))


@pytest.fixture(scope="session")
def swaths(shared_data: Path) -> list[Swath]:
    return list(annotations(shared_data))


@pytest.fixture(scope="session")
def make_orbit() -> Callable[..., Orbit]:
    return circular_orbit


@pytest.fixture(scope="session")
def exact_state() -> Callable[..., tuple[NDArray, NDArray]]:
    return circular_state


@pytest.fixture(scope="session")
def eof_orbit() -> Callable[[Path], Orbit]:
    return read_eof
