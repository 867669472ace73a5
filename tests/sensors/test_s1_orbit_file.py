"""Orbit files: what is in them, which bursts they serve, and every burst time after a change of orbit."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sarcube.errors import OrbitError
from sarcube.geometry.orbit import state
from sarcube.sensors.sentinel1.burst import read_bursts, with_orbit
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.orbit_file import OrbitFile, make_orbit, parse_orbit, read_orbit
from sarcube.sensors.sentinel1.rebase import rebase
from sarcube.sensors.sentinel1.safe import open_safe

EXCERPT = "S1A_OPER_AUX_POEORB_OPOD_20210318T120818_V20200510T225942_20200512T005942.excerpt.EOF"


@pytest.fixture(scope="module")
def excerpt(shared_data: Path) -> OrbitFile:
    return read_orbit(shared_data / "data" / "orbits" / EXCERPT)


@pytest.fixture(scope="module")
def nevada(shared_data: Path) -> Burst:
    (path,) = (shared_data / "data" / "safe").glob("*20200511*.zip")
    return read_bursts(open_safe(path), swaths=["IW2"])[3]


def test_every_shared_orbit_file(shared_data: Path) -> None:
    files = [*(shared_data / "data" / "orbits").glob("*.EOF"), *(shared_data / "data" / "azores").glob("*.EOF")]
    assert len(files) == 9
    for path in files:
        orbit = read_orbit(path)
        assert orbit.type == path.name[13:19]
        assert orbit.platform == "S1A"
        assert orbit.name == path.name
        steps = np.diff(orbit.orbit.time)
        assert np.allclose(steps, 10.0)
        assert orbit.start == orbit.orbit.epoch + np.timedelta64(round(orbit.orbit.time[0] * 1e9), "ns")


def test_first_vector_of_the_excerpt(excerpt: OrbitFile) -> None:
    assert str(excerpt.start) == "2020-05-11T13:50:12.000000000"
    assert excerpt.orbit.position[0].tolist() == [-1792832.870021, -4956019.645839, 4712535.279540]
    assert excerpt.orbit.velocity[0].tolist() == [-3383.338577, -4008.906539, -5488.653132]
    assert len(excerpt.orbit.time) == 18


def test_zipped_orbit(shared_data: Path, tmp_path: Path, excerpt: OrbitFile) -> None:
    path = tmp_path / "orbit.EOF.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(shared_data / "data" / "orbits" / EXCERPT, EXCERPT)
    again = read_orbit(path)
    assert again.name == EXCERPT
    assert np.array_equal(again.orbit.position, excerpt.orbit.position)


def test_precise_orbit_agrees_with_the_annotation(nevada: Burst, excerpt: OrbitFile) -> None:
    burst = with_orbit(nevada, excerpt)
    assert (burst.orbit_source, burst.orbit_type) == (EXCERPT, "POEORB")
    assert (nevada.orbit_source, nevada.orbit_type) == ("annotation", "annotation")
    middle = 0.5 * (burst.radar.first_line_time + burst.radar.last_line_time)
    old_middle = 0.5 * (nevada.radar.first_line_time + nevada.radar.last_line_time)
    precise, _ = state(burst.orbit, np.array([middle]))
    annotated, _ = state(nevada.orbit, np.array([old_middle]))
    # Predicted or restituted against precise: decimetres, where a second of time shift would be 7.6 km.
    assert np.linalg.norm(precise - annotated) < 1.0


def test_every_time_moves_with_the_epoch(nevada: Burst) -> None:
    moved = rebase(nevada, nevada.orbit.epoch - np.timedelta64(86_400, "s"))
    assert moved.start_time == nevada.start_time
    assert moved.end_time == nevada.end_time
    channel, old = moved.channels["VV"], nevada.channels["VV"]
    assert channel.noise is not None and old.noise is not None
    pairs = [
        (moved.orbit.time, nevada.orbit.time),
        (moved.anx_time, nevada.anx_time),
        (moved.geolocation.azimuth_time, nevada.geolocation.azimuth_time),
        (channel.calibration.line_time, old.calibration.line_time),
        ([v.line_time for v in channel.noise.range], [v.line_time for v in old.noise.range]),
        ([p.azimuth_time for p in moved.tops.fm_rates], [p.azimuth_time for p in nevada.tops.fm_rates]),
        (
            [p.azimuth_time for p in moved.tops.doppler_centroids],
            [p.azimuth_time for p in nevada.tops.doppler_centroids],
        ),
    ]
    for new, before in pairs:
        assert np.allclose(np.asarray(new) - np.asarray(before), 86_400.0, atol=1e-9, rtol=0)
    back = rebase(moved, nevada.orbit.epoch)
    assert back.radar.first_line_time == pytest.approx(nevada.radar.first_line_time, abs=1e-9)


def test_orbit_is_trimmed_around_the_burst(shared_data: Path) -> None:
    (path,) = (shared_data / "data" / "azores").glob("*.zip")
    (eof,) = (shared_data / "data" / "azores").glob("*.EOF")
    orbit = read_orbit(eof)
    assert len(orbit.orbit.time) > 1000
    burst = read_bursts(open_safe(path), orbit=orbit)[6]
    assert 15 <= len(burst.orbit.time) <= 24
    assert burst.orbit.covers(burst.radar.first_line_time - 80, burst.radar.last_line_time + 80)
    t = np.linspace(burst.radar.first_line_time, burst.radar.last_line_time, 5)
    assert np.abs(state(burst.orbit, t)[0] - state(orbit.orbit, t)[0]).max() < 1e-6


def test_orbits_that_do_not_serve(nevada: Burst, excerpt: OrbitFile, shared_data: Path) -> None:
    other = read_orbit(next((shared_data / "data" / "orbits").glob("*20230823T162050*.EOF")))
    with pytest.raises(OrbitError, match="does not reach 30 s beyond t071_151202_iw2"):
        with_orbit(nevada, other)
    short = OrbitFile(excerpt.name, "POEORB", "S1A", excerpt.start, excerpt.stop, make_orbit(
        excerpt.orbit.epoch + (excerpt.orbit.time[:9] * 1e9).astype("timedelta64[ns]"),
        excerpt.orbit.position[:9], excerpt.orbit.velocity[:9], "short"))  # fmt: skip
    with pytest.raises(OrbitError, match="does not reach"):
        with_orbit(nevada, short)
    with pytest.raises(OrbitError, match="is an orbit of S1B"):
        with_orbit(nevada, OrbitFile("x", "POEORB", "S1B", excerpt.start, excerpt.stop, excerpt.orbit))
    assert excerpt.covers(nevada.start_time, nevada.end_time)
    assert not excerpt.covers(nevada.start_time, nevada.end_time, margin=120)


def eof(body: str, **header: str) -> bytes:
    values = {"Mission": "Sentinel-1C", "File_Type": "AUX_RESORB", "Ref_Frame": "EARTH_FIXED"} | header
    return f"""<Earth_Explorer_File><Earth_Explorer_Header><Fixed_Header><Mission>{values["Mission"]}</Mission>
<File_Type>{values["File_Type"]}</File_Type></Fixed_Header><Variable_Header><Ref_Frame>{values["Ref_Frame"]}</Ref_Frame>
<Time_Reference>UTC</Time_Reference></Variable_Header></Earth_Explorer_Header><Data_Block><List_of_OSVs>{body}
</List_of_OSVs></Data_Block></Earth_Explorer_File>""".encode()


def vectors(make: Any, times: list[int]) -> str:
    out = ""
    for t in times:
        p, v = make.state(float(t))
        values = zip(("X", "Y", "Z", "VX", "VY", "VZ"), (*p, *v), strict=True)
        out += f"<OSV><UTC>UTC=2026-01-01T00:{t // 60:02d}:{t % 60:02d}.000000</UTC>"
        out += "".join(f"<{key}>{value:.6f}</{key}>" for key, value in values) + "</OSV>"
    return out


def test_unordered_and_repeated_vectors_are_put_in_order(make: Any) -> None:
    orbit = parse_orbit(eof(vectors(make, [20, 0, 10, 10, 30])), "S1C.EOF")
    assert (orbit.platform, orbit.type) == ("S1C", "RESORB")
    assert orbit.orbit.time.tolist() == [0, 10, 20, 30]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("<X>", "<X>x"), "lacks a number"),
        (("UTC=2026-01-01T00:00:10", "UTC=2026-13-01T00:00:10"), "not a time"),
        (("UTC=2026", "UTC=1826"), "outside of the mission"),
        (("Sentinel-1C", "Sentinel-2A"), "not of a Sentinel-1"),
        (("AUX_RESORB", "AUX_CAL"), "is not an orbit"),
        (("EARTH_FIXED", "INERTIAL"), "only EARTH_FIXED"),
        (("<OSV>", "<!DOCTYPE x><OSV>"), "refused"),
        (("Earth_Explorer_File", "Other_File"), "not <Earth_Explorer_File>"),
        (("</Data_Block>", ""), "not well-formed"),
    ],
)
def test_damage_says_what_is_wrong(make: Any, change: tuple[str, str], message: str) -> None:
    data = eof(vectors(make, [0, 10, 20])).decode().replace(*change).encode()
    with pytest.raises(OrbitError, match=message) as caught:
        parse_orbit(data, "S1C_orbit.EOF")
    assert "S1C_orbit.EOF" in str(caught.value)


def test_vectors_elsewhere_in_space_are_refused(make: Any) -> None:
    with pytest.raises(OrbitError, match="not those of Sentinel-1"):
        parse_orbit(eof(vectors(make, [0, 10]).replace("<X>", "<X>9")), "x.EOF")
    with pytest.raises(OrbitError, match="holds 1 state vectors"):
        parse_orbit(eof(vectors(make, [0])), "x.EOF")
    with pytest.raises(OrbitError, match="cannot be read"):
        read_orbit("/nowhere/x.EOF")


def test_a_file_without_header_is_told_by_its_name(shared_data: Path) -> None:
    """As excerpts of state vectors alone are handed on."""
    (path, _) = sorted((shared_data / "reference" / "insar" / "mogi").glob("*.EOF"))
    orbit = read_orbit(path)
    assert (orbit.type, orbit.platform, len(orbit.orbit.time)) == ("POEORB", "S1A", 15)
    with pytest.raises(OrbitError, match="name"):
        parse_orbit(path.read_bytes(), "vectors.EOF")
