"""Orbit files of the Copernicus POD service (EOF): POEORB, RESORB and excerpts of them (GMES-GSEG-EOPG-FS-10-0075)."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import OrbitError, SarcubeError
from sarcube.geometry.orbit import Orbit
from sarcube.sensors.sentinel1.leap_seconds import tai_minus_utc
from sarcube.sensors.sentinel1.xml_tree import Node, parse_xml, seconds, whole_second

MAX_VECTORS = 100_000  # a day at 10 s is 8,641
_OFF_M, _JERK = 50.0, 2e-3  # m, m/s3: how far a vector may lie from where its neighbour's velocity leads
KINDS = ("POEORB", "RESORB", "PREORB", "MOEORB")
COVER_MARGIN = 30.0  # s an orbit must reach beyond a burst: geocoding asks for times outside of it
KEEP_MARGIN = 90.0  # s of state vectors kept on either side of a burst


@dataclass(frozen=True, eq=False)
class OrbitFile:
    """One orbit file.

    Attributes
    ----------
    name : str
        File name with extension.
    type : str
        "POEORB" or "RESORB".
    platform : str
        "S1A" ...
    start, stop : numpy.datetime64
        UTC of the first and last state vector (an excerpt's header claims more than it holds).
    orbit : Orbit
        All state vectors; epoch is the whole second at or before the first. Times are uniform: where a leap second
        lies among them, they go on as UTC went at `epoch`; see `at`.
    has_tai : bool
        TAI is given and agrees with the leap seconds that are known.
    """

    name: str
    type: str
    platform: str
    start: np.datetime64
    stop: np.datetime64
    orbit: Orbit
    has_tai: bool = True

    def at(self, time: np.datetime64) -> Orbit:
        """The orbit with times as UTC goes at an instant, so that a burst's UTC can be compared with them."""
        shift = tai_minus_utc(self.orbit.epoch) - tai_minus_utc(time)
        if not shift:
            return self.orbit
        orbit = self.orbit
        return Orbit(orbit.epoch, orbit.time + shift, orbit.position, orbit.velocity)

    def covers(self, start: np.datetime64, end: np.datetime64, margin: float = COVER_MARGIN) -> bool:
        """True where state vectors reach `margin` seconds beyond both ends."""
        span = np.timedelta64(round(margin * 1e9), "ns")
        return bool(self.start <= start - span and end + span <= self.stop)


def read_orbit(path: str | Path) -> OrbitFile:
    """Read an EOF file, plain or as the only member of a zip.

    Raises
    ------
    OrbitError
        Not there, not an orbit file, damaged, or without usable state vectors.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OrbitError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    return parse_orbit(data, path.name, str(path))


def parse_orbit(data: bytes, name: str, where: str | None = None) -> OrbitFile:
    """Read the bytes of an EOF file; `name` is its file name."""
    where = where or name
    if data[:2] == b"PK":
        data, name = _unzip(data, where)
    root = parse_xml(data, where, "Earth_Explorer_File", OrbitError)
    kind, platform = _told_by_header(root, where) if root.has("Earth_Explorer_Header") else _told_by_name(root, name)
    times, position, velocity = _state_vectors(root, where)
    uniform, has_tai = _uniform(root, times)
    orbit = make_orbit(uniform, position, velocity, where)
    return OrbitFile(name, kind, platform, times[0], times[-1], orbit, has_tai)


def _told_by_header(root: Node, where: str) -> tuple[str, str]:
    """Type and platform."""
    header = root.find("Earth_Explorer_Header/Fixed_Header")
    kind = header.text("File_Type").removeprefix("AUX_")
    if kind not in KINDS:
        raise OrbitError(f"{where}: file type {kind[:40]!r} is not an orbit; give a POEORB or RESORB file")
    mission = header.text("Mission")
    if not mission.startswith("Sentinel-1") or len(mission) != len("Sentinel-1A"):
        raise OrbitError(f"{where}: orbit of {mission[:40]!r}, not of a Sentinel-1")
    variable = "Earth_Explorer_Header/Variable_Header/"
    frame = root.text_or(variable + "Ref_Frame", "EARTH_FIXED")
    reference = root.text_or(variable + "Time_Reference", "UTC")
    if frame != "EARTH_FIXED" or reference != "UTC":
        raise OrbitError(f"{where}: state vectors in {frame[:20]} and {reference[:20]}; only EARTH_FIXED and UTC")
    return kind, "S1" + mission[-1]


def _told_by_name(root: Node, name: str) -> tuple[str, str]:
    """Type and platform of a file whose header was cut off with all but its state vectors."""
    match = re.match(r"(S1[A-Z])_OPER_AUX_(POEORB|RESORB)_", name)
    if match is None:
        raise root.fail("no <Earth_Explorer_Header>, nor does the file's name tell type and platform,")
    return match[2], match[1]


def _uniform(root: Node, times: NDArray[np.datetime64]) -> tuple[NDArray[np.datetime64], bool]:
    """Times that no leap second interrupts, as UTC went at the first; whether TAI is given and says the same."""
    if tai_minus_utc(times.min()) == tai_minus_utc(times.max()):
        return times, True  # nothing between them that TAI had to tell
    second = np.timedelta64(1_000_000_000, "ns")
    steps = np.array([tai_minus_utc(time) for time in times]) - tai_minus_utc(times.min())
    uniform = times + steps * second
    path = "Data_Block/List_of_OSVs/OSV"
    if not all(node.has("TAI") for node in root.find_all(path)):
        return uniform, False
    tai = root.times(path, "TAI")
    return uniform, bool((tai - uniform == tai_minus_utc(times.min()) * second).all())


def _state_vectors(root: Node, where: str) -> tuple[NDArray[np.datetime64], NDArray[np.float64], NDArray[np.float64]]:
    path = "Data_Block/List_of_OSVs/OSV"
    states = root.columns(path, ("X", "Y", "Z", "VX", "VY", "VZ"), MAX_VECTORS)
    if len(states) < 2:
        raise OrbitError(f"{where}: holds {len(states)} state vectors; at least 2 are needed, fetch it again")
    return root.times(path, "UTC"), states[:, :3], states[:, 3:]


def make_orbit(
    times: NDArray[np.datetime64],
    position: NDArray[np.float64],
    velocity: NDArray[np.float64],
    where: str,
    error: type[SarcubeError] = OrbitError,
) -> Orbit:
    """Checked state vectors as an Orbit: in time order, without doubles, near where Sentinel-1 flies.

    `times` (n,) datetime64[ns], `position` and `velocity` (n, 3) in metres and metres per second, Earth-fixed.
    """
    order = np.argsort(times, kind="stable")
    times, position, velocity = times[order], position[order], velocity[order]
    keep = np.concatenate(([True], np.diff(times).astype(np.int64) > 0))
    times, position, velocity = times[keep], position[keep], velocity[keep]
    with np.errstate(over="ignore"):  # absurd numbers are told apart below
        radius, speed = np.linalg.norm(position, axis=1), np.linalg.norm(velocity, axis=1)
    if len(times) < 2 or not ((radius > 6.9e6) & (radius < 7.3e6) & (speed > 7e3) & (speed < 8.2e3)).all():
        raise error(f"{where}: its state vectors are not those of Sentinel-1 (radius or speed); the file is damaged")
    _check_motion(times, position, velocity, where, error)
    epoch = whole_second(times[0])
    return Orbit(epoch, seconds(times, epoch), np.ascontiguousarray(position), np.ascontiguousarray(velocity))


def _check_motion(
    times: NDArray[np.datetime64],
    position: NDArray[np.float64],
    velocity: NDArray[np.float64],
    where: str,
    error: type[SarcubeError],
) -> None:
    """Refuse vectors that do not lie where their neighbours' velocities lead: a digit of them is damaged."""
    step = np.diff(times).astype(np.int64)[:, None] / 1e9
    off = np.linalg.norm(np.diff(position, axis=0) - 0.5 * (velocity[1:] + velocity[:-1]) * step, axis=1)
    # The trapezoid is off by a twelfth of the jerk (8.4 mm/s3) times the step cubed: 0.7 m in 10 s.
    wrong = np.flatnonzero(off > _OFF_M + _JERK * step[:, 0] ** 3)
    if wrong.size:
        raise error(
            f"{where}: its state vectors contradict each other by {off[wrong].max():.0f} m about {times[wrong[0]]}; "
            "the file is damaged, fetch it again"
        )


def _unzip(data: bytes, where: str) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [info for info in archive.infolist() if info.filename.upper().endswith(".EOF")]
            if len(members) != 1 or members[0].file_size > 16 << 20:
                raise OrbitError(f"{where}: a zip with {len(members)} EOF files of usable size; give one orbit file")
            with archive.open(members[0]) as member:
                return member.read(members[0].file_size), Path(members[0].filename).name
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise OrbitError(f"{where}: damaged zip ({error}); fetch the orbit file again") from error


__all__ = ["COVER_MARGIN", "KEEP_MARGIN", "OrbitFile", "make_orbit", "parse_orbit", "read_orbit"]
