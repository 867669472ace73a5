"""Which orbit is chosen, how two become one, and what providers are asked."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from sarcube.config import Orbits
from sarcube.errors import CredentialError, OrbitError, TransferError
from sarcube.geometry.orbit import Orbit, state
from sarcube.sensors.sentinel1.orbit_file import read_orbit
from sarcube.sensors.sentinel1.orbits import OrbitIndex, covers, find_orbit, join, local_index
from tests.http_server import Reply, Request, Server

NEVADA = "S1A_OPER_AUX_POEORB_OPOD_20210318T120818_V20200510T225942_20200512T005942.excerpt.EOF"
FIRST = "S1A_OPER_AUX_RESORB_OPOD_20230823T162050_V20230823T123139_20230823T154909.EOF"
SECOND = "S1A_OPER_AUX_RESORB_OPOD_20230823T174849_V20230823T141024_20230823T172754.EOF"


def utc(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")


@pytest.fixture
def real(shared_data: Path) -> Path:
    return shared_data / "data" / "orbits"


def cut(path: Path, target: Path, first: str, last: str, kind: str | None = None, shift: float = 0.0) -> Path:
    """A real orbit file with only the vectors of a span of UTC; with `shift`, positions moved (metres)."""
    text = path.read_text()
    vectors = re.findall(r"\s*<OSV>.*?</OSV>", text, flags=re.DOTALL)
    kept = [v for v in vectors if first <= re.search(r"UTC=([\d\-T:.]+)", v)[1] <= last]  # type: ignore[index]
    if shift:
        kept = [re.sub(r'(<X unit="m">)([-+\d.]+)', lambda m: f"{m[1]}{float(m[2]) + shift:.6f}", v) for v in kept]
    start = text.index("<List_of_OSVs")
    text = f'{text[:start]}<List_of_OSVs count="{len(kept)}">{"".join(kept)}</List_of_OSVs>'
    text += "</Data_Block></Earth_Explorer_File>"
    if kind:
        text = text.replace("AUX_RESORB", f"AUX_{kind}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return target


def compact(text: str) -> str:
    return text.replace("-", "").replace(":", "")[:15]


def resorb(
    folder: Path, source: Path, first: str, last: str, created: str = "20230823T180000", **options: object
) -> Path:
    kind = str(options.get("kind", "RESORB"))
    name = f"S1A_OPER_AUX_{kind}_OPOD_{created}_V{compact(first)}_{compact(last)}.EOF"
    return cut(source, folder / name, first, last, kind if kind != "RESORB" else None, float(options.get("shift", 0.0)))  # type: ignore[arg-type]


def at(orbit: Orbit, time: np.datetime64) -> np.ndarray:
    seconds = np.array([(time - orbit.epoch) / np.timedelta64(1, "s")])
    return state(orbit, seconds)[0][0]


def test_the_file_that_covers_is_chosen_by_its_vectors_not_by_its_name(real: Path) -> None:
    index = OrbitIndex.of_folders([real])
    assert len(index.entries) == 8
    found = index.find("S1A", utc("2020-05-11T13:51:30"), utc("2020-05-11T13:51:33"))
    assert found is not None and (found.name, found.type) == (NEVADA, "POEORB")
    # The excerpt's name promises a day; it has vectors for three minutes.
    assert index.find("S1A", utc("2020-05-11T12:00:00"), utc("2020-05-11T12:00:03")) is None
    assert index.find("S1A", utc("2020-05-11T13:51:00"), utc("2020-05-11T13:51:03")) is None  # margin
    assert index.find("S1B", utc("2020-05-11T13:51:30"), utc("2020-05-11T13:51:33")) is None


def test_precise_goes_before_restituted_and_the_newest_before_the_older(real: Path, tmp_path: Path) -> None:
    span = ("2023-08-23T14:30:00", "2023-08-23T15:30:00")
    old = resorb(tmp_path, real / FIRST, *span, created="20230823T160000")
    new = resorb(tmp_path, real / FIRST, *span, created="20230823T170000")
    burst = utc("2023-08-23T15:00:00"), utc("2023-08-23T15:00:03")
    assert OrbitIndex.of_folders([tmp_path]).find("S1A", *burst).name == new.name  # type: ignore[union-attr]
    precise = resorb(tmp_path, real / FIRST, *span, created="20230823T150000", kind="POEORB")
    found = OrbitIndex.of_folders([tmp_path]).find("S1A", *burst)
    assert found is not None and (found.name, found.type) == (precise.name, "POEORB")
    assert old.exists()


def test_two_restituted_files_that_each_cover_a_part_are_joined(real: Path, tmp_path: Path) -> None:
    burst = utc("2023-08-23T15:00:00"), utc("2023-08-23T15:00:27")
    resorb(tmp_path, real / FIRST, "2023-08-23T14:30:00", "2023-08-23T15:00:20")
    resorb(tmp_path, real / SECOND, "2023-08-23T14:59:50", "2023-08-23T15:30:00")
    for path in tmp_path.iterdir():
        assert not covers(read_orbit(path).orbit, *burst)
    found = OrbitIndex.of_folders([tmp_path]).find("S1A", *burst)
    assert found is not None and found.type == "RESORB"
    assert " + " in found.name and covers(found.orbit, *burst)
    first, second = read_orbit(real / FIRST).orbit, read_orbit(real / SECOND).orbit
    for second_of_burst in range(0, 28):
        time = burst[0] + np.timedelta64(second_of_burst, "s")
        a, b, joined = at(first, time), at(second, time), at(found.orbit, time)
        # Between the two solutions, which are centimetres apart.
        assert np.linalg.norm(joined - a) + np.linalg.norm(joined - b) < np.linalg.norm(a - b) + 0.002
        assert np.linalg.norm(a - b) < 0.2


def test_a_join_runs_smoothly_from_one_file_to_the_other(real: Path, tmp_path: Path) -> None:
    one = read_orbit(resorb(tmp_path, real / FIRST, "2023-08-23T14:30:00", "2023-08-23T15:05:00"))
    two = read_orbit(resorb(tmp_path, real / FIRST, "2023-08-23T14:55:00", "2023-08-23T15:30:00", shift=1.0))
    joined = join(one, two).orbit
    whole = read_orbit(real / FIRST).orbit
    times = np.arange(utc("2023-08-23T14:40:00"), utc("2023-08-23T15:20:00"), np.timedelta64(7, "s"))
    moved = np.array([(at(joined, t) - at(whole, t))[0] for t in times])
    expected = np.clip((times - utc("2023-08-23T14:55:00")) / np.timedelta64(600, "s"), 0, 1)
    assert np.abs(moved - expected).max() < 0.02  # a metre over ten minutes, nowhere a jump
    assert len(joined.time) == len(np.unique(joined.time)) == 360


def test_files_that_do_not_meet_are_not_joined(real: Path, tmp_path: Path) -> None:
    resorb(tmp_path, real / FIRST, "2023-08-23T14:30:00", "2023-08-23T14:59:00")
    resorb(tmp_path, real / SECOND, "2023-08-23T15:01:30", "2023-08-23T15:30:00")
    index = OrbitIndex.of_folders([tmp_path])
    assert index.find("S1A", utc("2023-08-23T15:00:00"), utc("2023-08-23T15:00:27")) is None


def test_a_file_with_a_gap_does_not_cover_it(real: Path) -> None:
    orbit = read_orbit(real / FIRST).orbit
    hole = (orbit.time < 3600) | (orbit.time > 3660)
    holed = Orbit(orbit.epoch, orbit.time[hole], orbit.position[hole], orbit.velocity[hole])
    middle = orbit.epoch + np.timedelta64(3630, "s")
    assert covers(orbit, middle, middle) and not covers(holed, middle, middle)
    far = orbit.epoch + np.timedelta64(5000, "s")
    assert covers(holed, far, far)


def test_a_file_under_another_platforms_name_is_passed_over(real: Path, tmp_path: Path) -> None:
    burst = utc("2023-08-23T15:00:00"), utc("2023-08-23T15:00:27")
    span = ("2023-08-23T14:30:00", "2023-08-23T15:30:00")
    right = resorb(tmp_path, real / FIRST, *span, created="20230823T160000")
    wrong = resorb(tmp_path, real / FIRST, *span, created="20230823T170000")  # newer, so that it would be taken
    wrong.write_text(real.joinpath(FIRST).read_text().replace("Sentinel-1A", "Sentinel-1B"))
    found = OrbitIndex.of_folders([tmp_path]).find("S1A", *burst)
    assert found is not None and found.name == right.name
    right.unlink()
    with pytest.raises(OrbitError, match="is named an orbit of S1A and holds one of S1B"):
        OrbitIndex.of_folders([tmp_path]).find("S1A", *burst)


def test_a_vector_with_a_damaged_digit_is_no_orbit(real: Path, tmp_path: Path) -> None:
    """A kilometre off, and as far from the Earth's centre as Sentinel-1 flies."""
    burst = utc("2023-08-23T15:00:00"), utc("2023-08-23T15:00:27")
    path = resorb(tmp_path, real / FIRST, "2023-08-23T14:30:00", "2023-08-23T15:30:00")
    text = path.read_text()
    vector = re.search(r"<OSV>(?:(?!</OSV>).)*UTC=2023-08-23T15:00:0.*?</OSV>", text, flags=re.DOTALL)
    assert vector is not None
    damaged = re.sub(r'(<Y unit="m">)([-+\d.]+)', lambda m: f"{m[1]}{float(m[2]) + 1000.0:.6f}", vector[0])
    path.write_text(text.replace(vector[0], damaged))
    with pytest.raises(OrbitError, match="contradict each other by 1000 m about 2023-08-23T"):
        OrbitIndex.of_folders([tmp_path]).find("S1A", *burst)


def test_orbits_behind_a_link(real: Path, tmp_path: Path) -> None:
    (tmp_path / "orbits").mkdir()
    (tmp_path / "orbits" / "restituted").symlink_to(real)
    assert len(local_index(tmp_path / "orbits").entries) == len(local_index(real).entries)


def test_nothing_covers(real: Path, tmp_path: Path) -> None:
    burst = utc("2019-05-11T13:51:30"), utc("2019-05-11T13:51:33")
    assert find_orbit("S1A", *burst, Orbits(path=real)) is None
    with pytest.raises(OrbitError, match=r"none of 8 files covers it.*orbits\.path"):
        find_orbit("S1A", *burst, Orbits(path=real, allow_annotation=False))
    with pytest.raises(OrbitError, match=r"neither orbits\.path nor orbits\.kind"):
        find_orbit("S1A", *burst, Orbits(allow_annotation=False))
    with pytest.raises(OrbitError, match="does not exist"):
        find_orbit("S1A", *burst, Orbits(path=tmp_path / "none"))


def test_a_damaged_file_is_passed_over_and_named_when_nothing_else_covers(real: Path, tmp_path: Path) -> None:
    burst = utc("2020-05-11T13:51:30"), utc("2020-05-11T13:51:33")
    broken = tmp_path / NEVADA.replace("20210318T120818", "20220318T120818")
    broken.write_bytes((real / NEVADA).read_bytes()[:4000])
    with pytest.raises(OrbitError, match="20220318T120818"):
        find_orbit("S1A", *burst, Orbits(path=tmp_path, allow_annotation=False))
    shutil.copy(real / NEVADA, tmp_path)
    (tmp_path / "notes.EOF").write_text("my notes")
    found = find_orbit("S1A", *burst, Orbits(path=tmp_path))
    assert found is not None and found.name == NEVADA


def test_a_new_file_in_the_folder_is_seen(real: Path, tmp_path: Path) -> None:
    burst = utc("2020-05-11T13:51:30"), utc("2020-05-11T13:51:33")
    with pytest.raises(OrbitError, match="holds no orbit file"):
        find_orbit("S1A", *burst, Orbits(path=tmp_path))
    shutil.copy(real / NEVADA, tmp_path)
    assert find_orbit("S1A", *burst, Orbits(path=tmp_path)) is not None
    (tmp_path / NEVADA).unlink()
    shutil.copy(real / FIRST, tmp_path)
    assert find_orbit("S1A", *burst, Orbits(path=tmp_path)) is None


def test_every_orbit_file_that_was_given_covers_its_own_middle(real: Path) -> None:
    index = OrbitIndex.of_folders([real])
    for path in sorted(real.glob("*.EOF")):
        orbit = read_orbit(path)
        middle = orbit.start + (orbit.stop - orbit.start) // 2
        assert index.find("S1A", middle, middle) is not None


# Providers


def listing(keys: list[str], request: Request, page: int = 2) -> Reply:
    """ListObjectsV2 as S3 answers it, two keys a page."""
    start = request.query.get("continuation-token") or request.query.get("start-after", "")
    left = [k for k in sorted(keys) if k.startswith(request.query.get("prefix", "")) and k > start]
    shown, more = left[:page], len(left) > page
    contents = "".join(f"<Contents><Key>{k}</Key><Size>4000000</Size></Contents>" for k in shown)
    token = f"<NextContinuationToken>{shown[-1]}</NextContinuationToken>" if more else ""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>s1-orbits</Name><IsTruncated>{'true' if more else 'false'}</IsTruncated>{contents}{token}"
        "</ListBucketResult>"
    )
    return Reply(text.encode(), 200, {"Content-Type": "application/xml"})


def bucket(server: Server, real: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    files = {f"AUX_{p.name.split('_')[3]}/{p.name}": p for p in real.glob("*.EOF")}

    def answer(request: Request) -> Reply:
        if request.path == "/":
            return listing(list(files), request)
        path = files.get(request.path.lstrip("/"))
        return Reply(path.read_bytes()) if path else Reply(b"no such key", 404)

    server.routes["/"] = answer
    monkeypatch.setenv("SARCUBE_ORBITS_AWS_URL", server.url)
    return files


def test_aws_gives_the_orbit_once_and_the_cache_after_that(
    real: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket(server, real, monkeypatch)
    orbits = Orbits(kind="aws", cache=tmp_path / "cache")
    burst = utc("2020-05-11T13:51:30"), utc("2020-05-11T13:51:33")
    found = find_orbit("S1A", *burst, orbits)
    assert found is not None and found.name == NEVADA
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [NEVADA]
    asked = len(server.requests)
    assert find_orbit("S1A", *burst, orbits) is not None
    assert len(server.requests) == asked
    assert not any("authorization" in r.headers for r in server.requests)


def test_aws_falls_back_to_restituted_and_joins_them(
    real: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = tmp_path / "bucket"
    resorb(parts, real / FIRST, "2023-08-23T14:30:00", "2023-08-23T15:00:20")
    resorb(parts, real / SECOND, "2023-08-23T14:59:50", "2023-08-23T15:30:00")
    bucket(server, parts, monkeypatch)
    burst = utc("2023-08-23T15:00:00"), utc("2023-08-23T15:00:27")
    found = find_orbit("S1A", *burst, Orbits(kind="aws", cache=tmp_path / "cache"))
    assert found is not None and found.type == "RESORB" and " + " in found.name


def test_asf_is_asked_by_scene(real: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = "S1A_IW_SLC__1SDV_20200511T135117_20200511T135144_032518_03C421_7768"
    server.routes[f"/scene/{scene}"] = lambda r: Reply(b"", 302, {"Location": f"{server.url}/files/{NEVADA}"})
    server.routes["/files/"] = lambda r: Reply((real / NEVADA).read_bytes())
    monkeypatch.setenv("SARCUBE_ORBITS_ASF_URL", f"{server.url}/scene")
    burst = utc("2020-05-11T13:51:30"), utc("2020-05-11T13:51:33")
    orbits = Orbits(kind="asf", cache=tmp_path, allow_annotation=False)
    found = find_orbit("S1A", *burst, orbits, scene=scene)
    assert found is not None and found.name == NEVADA
    with pytest.raises(OrbitError, match=r"ASF: no POEORB covers it; ASF: no RESORB covers it"):
        find_orbit("S1A", utc("2021-05-11T13:51:30"), utc("2021-05-11T13:51:33"), orbits)


def test_cdse_is_searched_openly_and_downloaded_with_a_token(
    real: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = "0a1b2c3d-0000-1111-2222-333344445555"

    def catalogue(request: Request) -> Reply:
        text = request.query["$filter"]
        assert "startswith(Name,'S1A')" in text and "ContentDate/Start lt 2020-05-11T13:52:33.000Z" in text
        entry = f'{{"Id": "{product}", "Name": "{NEVADA}"}}' if "AUX_POEORB" in text else ""
        return Reply(f'{{"@odata.context": "$metadata#Products", "value": [{entry}]}}'.encode())

    server.routes["/odata/v1/Products"] = catalogue
    server.routes["/token"] = lambda r: Reply(b'{"access_token": "tok-123", "expires_in": 600}')
    server.routes[f"/download/Products({product})/$value"] = lambda r: (
        Reply((real / NEVADA).read_bytes())
        if r.headers.get("authorization") == "Bearer tok-123"
        else Reply(b"who are you", 401)
    )
    monkeypatch.setenv("SARCUBE_CDSE_ODATA_URL", f"{server.url}/odata/v1")
    monkeypatch.setenv("SARCUBE_CDSE_DOWNLOAD_URL", f"{server.url}/download")
    monkeypatch.setenv("SARCUBE_CDSE_TOKEN_URL", f"{server.url}/token")
    burst = utc("2020-05-11T13:51:30"), utc("2020-05-11T13:51:33")
    orbits = Orbits(kind="cdse", cache=tmp_path, allow_annotation=False)
    with pytest.raises(CredentialError, match="CDSE_USERNAME"):
        find_orbit("S1A", *burst, orbits)
    monkeypatch.setenv("CDSE_USERNAME", "someone")
    monkeypatch.setenv("CDSE_PASSWORD", "secret")
    found = find_orbit("S1A", *burst, orbits)
    assert found is not None and found.name == NEVADA
    assert all("authorization" not in r.headers for r in server.asked("/odata"))


def test_a_failure_that_passes_is_tried_again_and_one_that_stays_is_no_answer(
    real: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket(server, real, monkeypatch)
    works, failures = server.routes["/"], iter([503, 429])

    def shaky(request: Request) -> Reply:
        status = next(failures, 0)
        return Reply(b"slow down", status) if status else works(request)

    server.routes["/"] = shaky
    burst = utc("2020-05-11T13:51:30"), utc("2020-05-11T13:51:33")
    assert find_orbit("S1A", *burst, Orbits(kind="aws", cache=tmp_path / "a")) is not None
    server.routes["/"] = lambda r: Reply(b"down", 503)
    from sarcube.sensors.sentinel1 import orbit_providers

    orbit_providers._listing.cache_clear()
    with pytest.raises(TransferError, match=r"AWS s1-orbits: .*503") as error:
        find_orbit("S1A", *burst, Orbits(path=tmp_path / "a", kind="aws", cache=tmp_path / "b"), OrbitIndex(()))
    assert error.value.transient


def test_a_restituted_file_at_hand_is_used_when_the_provider_has_no_precise_one(
    real: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SARCUBE_ORBITS_AWS_URL", server.url)
    server.routes["/"] = lambda r: listing([], r)
    burst = utc("2023-08-23T15:00:00"), utc("2023-08-23T15:00:03")
    found = find_orbit("S1A", *burst, Orbits(path=real, kind="aws", cache=tmp_path))
    assert found is not None and found.type == "RESORB"
    assert {r.query["prefix"].split("/")[0] for r in server.requests} == {"AUX_POEORB"}


def test_what_a_provider_sends_damaged_does_not_get_into_the_cache(
    real: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket(server, real, monkeypatch)
    server.routes["/AUX_POEORB/"] = lambda r: Reply(b"<html>maintenance</html>")
    burst = utc("2020-05-11T13:51:30"), utc("2020-05-11T13:51:33")
    with pytest.raises(OrbitError, match="AWS"):
        find_orbit("S1A", *burst, Orbits(kind="aws", cache=tmp_path / "c", allow_annotation=False))
    assert list((tmp_path / "c").iterdir()) == []


@pytest.mark.parametrize("settled", [True, False])
def test_a_file_that_is_added_or_replaced_is_seen(real: Path, tmp_path: Path, settled: bool) -> None:
    """Also in a subfolder, and within one process: a notebook stays open for days."""
    folder = tmp_path / "orbits"
    (folder / "2020").mkdir(parents=True)
    old = 1_700_000_000
    if settled:
        for path in (folder / "2020", folder):
            os.utime(path, (old, old))
    span = (utc("2020-05-11T13:51:20"), utc("2020-05-11T13:51:25"))
    config = Orbits(path=folder)
    with pytest.raises(OrbitError, match="holds no orbit file"):
        find_orbit("S1A", *span, config)
    shutil.copy(real / NEVADA, folder / "2020")
    found = find_orbit("S1A", *span, config)
    assert found is not None and found.type == "POEORB"
    named = folder / "2020" / "mine.EOF"
    (folder / "2020" / NEVADA).rename(named)
    if settled:
        for path in (named, folder / "2020", folder):
            os.utime(path, (old + 5, old + 5))
    assert find_orbit("S1A", *span, config) is not None
    named.write_text(named.read_text().replace("<Mission>Sentinel-1A", "<Mission>Sentinel-1B"))
    assert find_orbit("S1A", *span, config) is None, "what it holds is another's now"
    named.unlink()
    with pytest.raises(OrbitError, match="holds no orbit file"):
        find_orbit("S1A", *span, config)


def test_a_settled_folder_is_listed_once(real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "orbits"
    folder.mkdir()
    shutil.copy(real / NEVADA, folder)
    os.utime(folder, (1_700_000_000, 1_700_000_000))
    first = local_index(folder)
    monkeypatch.setattr(OrbitIndex, "of_folders", None)
    assert local_index(folder) is first
