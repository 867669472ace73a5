"""Orbits across a leap second: by TAI where it is given, refused near it where it is not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sarcube.errors import OrbitError
from sarcube.geometry.orbit import state
from sarcube.sensors.sentinel1.burst import read_bursts, refuse_leap_second, with_orbit
from sarcube.sensors.sentinel1.grd.model import GrdSlice
from sarcube.sensors.sentinel1.grd.reader import read_grd
from sarcube.sensors.sentinel1.grd.reader import with_orbit as grd_with_orbit
from sarcube.sensors.sentinel1.leap_seconds import tai_minus_utc
from sarcube.sensors.sentinel1.orbit_file import parse_orbit
from sarcube.sensors.sentinel1.orbits import OrbitIndex, entry_of, join
from sarcube.sensors.sentinel1.safe import open_safe
from tests.sensors.conftest import circular_state

LEAP = np.datetime64("2017-01-01T00:00:00", "ns")  # preceded by 2016-12-31T23:59:60
SECOND = np.timedelta64(1_000_000_000, "ns")
ORIGIN = np.datetime64("2016-12-31T20:00:00", "ns")  # of the closed form, which goes by uniform time


def uniform(utc: np.datetime64) -> float:
    """Seconds since ORIGIN that really pass."""
    return float((utc - ORIGIN) / SECOND) + (1.0 if utc >= LEAP else 0.0)


def eof(first: int, last: int, tai: bool = True) -> bytes:
    """Vectors every 10 s of real time, from `first` to `last` seconds after ORIGIN."""
    vectors = ""
    for second in range(first, last + 1, 10):
        utc = ORIGIN + second * SECOND
        utc = utc - SECOND if utc > LEAP else utc
        position, velocity = circular_state(float(second))
        numbers = "".join(f"<{a}>{v:.6f}</{a}>" for a, v in zip("XYZ", position, strict=True))
        numbers += "".join(f"<V{a}>{v:.6f}</V{a}>" for a, v in zip("XYZ", velocity, strict=True))
        stamp = f"<TAI>TAI={str(ORIGIN + (second + 36) * SECOND)[:26]}</TAI>" if tai else ""
        vectors += f"<OSV>{stamp}<UTC>UTC={str(utc)[:26]}</UTC>{numbers}</OSV>"
    return (
        "<Earth_Explorer_File><Earth_Explorer_Header><Fixed_Header><Mission>Sentinel-1A</Mission>"
        "<File_Type>AUX_RESORB</File_Type></Fixed_Header><Variable_Header><Ref_Frame>EARTH_FIXED</Ref_Frame>"
        "<Time_Reference>UTC</Time_Reference></Variable_Header></Earth_Explorer_Header><Data_Block><List_of_OSVs>"
        f"{vectors}</List_of_OSVs></Data_Block></Earth_Explorer_File>"
    ).encode()


AROUND = 4 * 3600 + 1  # seconds after ORIGIN at which 2017 begins


@pytest.mark.parametrize("seconds", [-15, -2, 2, 25])
def test_positions_are_right_on_both_sides(seconds: int) -> None:
    orbit = parse_orbit(eof(AROUND - 405, AROUND + 395), "x.EOF")
    assert orbit.has_tai
    time = LEAP + seconds * SECOND
    seen = orbit.at(time)
    position, _ = state(seen, np.array([float((time - seen.epoch) / SECOND)]))
    assert np.linalg.norm(position.reshape(3) - circular_state(uniform(time))[0]) < 0.01


def test_two_files_joined_over_a_leap_second() -> None:
    joined = join(
        parse_orbit(eof(AROUND - 405, AROUND + 5), "a.EOF"), parse_orbit(eof(AROUND - 25, AROUND + 395), "b.EOF")
    )
    apart = join(
        parse_orbit(eof(AROUND - 405, AROUND - 5), "a.EOF"), parse_orbit(eof(AROUND + 5, AROUND + 395), "b.EOF")
    )
    for orbit in (joined, apart):
        assert np.allclose(np.diff(orbit.orbit.time), 10.0)
        time = np.datetime64("2017-01-01T00:00:08", "ns")
        seen = orbit.at(time)
        position, _ = state(seen, np.array([float((time - seen.epoch) / SECOND)]))
        assert np.linalg.norm(position.reshape(3) - circular_state(uniform(time))[0]) < 0.01


@pytest.mark.parametrize(
    ("start", "by_tai", "without"), [(-40.0, True, False), (2.0, True, False), (-1.0, False, False), (70.0, True, True)]
)
def test_a_burst_is_refused_where_nothing_tells(
    make: Any, tmp_path: Path, start: float, by_tai: bool, without: bool
) -> None:
    recipe = make.recipe(
        origin=LEAP - np.timedelta64(1000, "s") + np.timedelta64(int(start * 1000), "ms"), start=1000.0
    )
    burst = read_bursts(open_safe(make.zip(tmp_path / "a.zip", make.members([recipe]))))[0]
    times = burst.radar.first_line_time, burst.radar.last_line_time
    assert times[1] > times[0]

    def outcome(orbit: Any) -> bool:
        try:
            refuse_leap_second(burst, orbit)
        except OrbitError as error:
            assert "leap second before 2017-01-01T00:00:00" in str(error)
            return False
        return True

    with_tai = parse_orbit(eof(AROUND - 405, AROUND + 395), "x.EOF")
    lacking = parse_orbit(eof(AROUND - 405, AROUND + 395, tai=False), "x.EOF")
    assert lacking.has_tai is False
    within = bool(burst.start_time < LEAP <= burst.end_time)
    assert outcome(with_tai) == (by_tai or not within)
    assert outcome(lacking) == without
    assert outcome(None) == without
    if outcome(with_tai):
        moved = with_orbit(burst, with_tai)
        assert moved.start_time == burst.start_time
        middle = (moved.radar.first_line_time + moved.radar.last_line_time) / 2
        position, _ = state(moved.orbit, np.array([middle]))
        time = moved.orbit.epoch + np.timedelta64(round(middle * 1e9), "ns")
        assert np.linalg.norm(position.reshape(3) - circular_state(uniform(time))[0]) < 0.01


def test_a_detected_image_is_refused_as_a_burst_is(shared_data: Path) -> None:
    (path,) = (shared_data / "data" / "grd").glob("*_1SDV_2021*.zip")
    image = read_grd(open_safe(path, product="GRD"), polarizations=["VV"], look_at_borders=False)

    def beginning(seconds: float) -> GrdSlice:
        """The image as if it began so many seconds after the leap second; it lasts 25 s."""
        begin = LEAP + np.timedelta64(round(seconds * 1e9), "ns")
        epoch = begin - np.timedelta64(round(image.radar.first_line_time * 1e9), "ns")
        return replace(image, orbit=replace(image.orbit, epoch=epoch))

    with_tai = parse_orbit(eof(AROUND - 405, AROUND + 395), "x.EOF")
    lacking = parse_orbit(eof(AROUND - 405, AROUND + 395, tai=False), "x.EOF")
    for seconds, orbit, refused in (
        (-40.0, with_tai, False), (-40.0, lacking, True), (-40.0, None, True), (-10.0, with_tai, True),
        (3.0, with_tai, False), (3.0, None, True), (70.0, None, False),
    ):  # fmt: skip
        moved = beginning(seconds)
        if refused:
            with pytest.raises(OrbitError, match=f"{image.scene} at .* the leap second before 2017-01-01"):
                refuse_leap_second(moved, orbit) if orbit is None else grd_with_orbit(moved, orbit)
        elif orbit is None:
            refuse_leap_second(moved, orbit)
        else:
            placed = grd_with_orbit(moved, orbit)
            position, _ = state(placed.orbit, np.array([placed.radar.first_line_time]))
            true = circular_state(uniform(LEAP + np.timedelta64(round(seconds * 1e9), "ns")))[0]
            assert np.linalg.norm(position.reshape(3) - true) < 0.01


def test_real_files_agree_with_the_table(shared_data: Path) -> None:
    files = sorted((shared_data / "data" / "orbits").glob("*.EOF"))
    assert len(files) > 5
    for path in files:
        text = path.read_text()
        tai = np.datetime64(re.search(r"TAI=([\d\-T:.]+)", text)[1])  # type: ignore[index]
        utc = np.datetime64(re.search(r"<UTC>UTC=([\d\-T:.]+)", text)[1], "ns")  # type: ignore[index]
        assert (tai - utc) / SECOND == tai_minus_utc(utc)


def test_the_index_chooses_across_it(tmp_path: Path) -> None:
    path = tmp_path / "S1A_OPER_AUX_RESORB_OPOD_20170101T030000_V20161231T235300_20170101T000635.EOF"
    path.write_bytes(eof(AROUND - 405, AROUND + 395))
    entry = entry_of(path)
    assert entry is not None
    found = OrbitIndex((entry,)).find("S1A", LEAP + 5 * SECOND, LEAP + 8 * SECOND)
    assert found is not None and found.has_tai
