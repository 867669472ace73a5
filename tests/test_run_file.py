"""What a run file may say, in other words than the model's, and what is refused by name."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sarcube.cluster.profiles import find_profile
from sarcube.config import RunConfig
from sarcube.errors import ClusterError, ConfigError
from sarcube.workflows.rtc.section import RtcSection
from sarcube.yaml_text import load_yaml

BASE = "source: {path: .}\ndem: {kind: cop_glo30}\n"


def read(tmp_path: Path, text: str) -> RunConfig:
    path = tmp_path / "run.yaml"
    path.write_text(BASE + text)
    return RunConfig.from_file(path)


def test_instants_are_days_where_they_begin_one_in_utc() -> None:
    def dates(*values: object) -> tuple[dt.date, dt.date] | None:
        raw = {"source": {"kind": "local", "path": "x"}, "dem": {"path": "d", "heights": "ellipsoid"}}
        return RunConfig.from_dict({**raw, "dates": list(values)}).dates

    there = dt.datetime(2024, 5, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert dates(dt.datetime(2024, 5, 1), there + dt.timedelta(hours=2)) == (dt.date(2024, 5, 1), dt.date(2024, 5, 1))
    for first, last in (
        (np.datetime64("2024-05-01"), np.datetime64("2024-05-09")),
        (np.datetime64("2024-05-01", "ns"), np.datetime64("2024-05-09T00:00:00", "s")),
        (pd.Timestamp("2024-05-01"), pd.Timestamp("2024-05-09", tz="UTC")),
    ):
        assert dates(first, last) == (dt.date(2024, 5, 1), dt.date(2024, 5, 9))
    for wrong in (there, dt.datetime(2024, 5, 1, 12), "2024-05-01T00:00:00+02:00"):
        with pytest.raises(ConfigError, match=r"`dates`: .* (no whole day in UTC|is no date)"):
            dates(wrong, "2024-05-31")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024-05", "2024-05-01", "2024-05-31"),
        ("2024", "2024-01-01", "2024-12-31"),
        ("2024-02-29", "2024-02-29", "2024-02-29"),
        ("2024-05-01, 2024-05-09", "2024-05-01", "2024-05-09"),
        ("[2023-12, 2024-02]", "2023-12-01", "2024-02-29"),
        ("[2023, 2024]", "2023-01-01", "2024-12-31"),
        ("2024-05-01/2024-05-09", "2024-05-01", "2024-05-09"),
        ("2023/2024-02", "2023-01-01", "2024-02-29"),
        ("20240501", "2024-05-01", "2024-05-01"),
        ("20240501/20240509", "2024-05-01", "2024-05-09"),
        ("[2024-05]", "2024-05-01", "2024-05-31"),
        ("[2024-05-31, 2024-06-01]", "2024-05-31", "2024-06-01"),
    ],
)
def test_dates_are_understood_as_on_the_command_line(tmp_path: Path, text: str, first: str, last: str) -> None:
    assert read(tmp_path, f"dates: {text}").dates == (dt.date.fromisoformat(first), dt.date.fromisoformat(last))


@pytest.mark.parametrize(
    ("text", "channels"),
    [("VV", ("VV",)), ("vv", ("VV",)), ("VV,VH", ("VV", "VH")), ("VV+VH", ("VV", "VH")), ("[HH]", ("HH",))],
)
def test_one_polarization_needs_no_list(tmp_path: Path, text: str, channels: tuple[str, ...]) -> None:
    assert read(tmp_path, f"polarizations: {text}").section(RtcSection).polarizations == channels


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dates: [2024-05-31, 2024-06-31]", "2024-06-31"),
        ("dates: 2024-13", "2024-13"),
        ("dates: 20241301", "20241301"),
        ("dates: 2024/05/01", "is no date|are no dates"),
        ("dates: [2024-05-01, 2024-05-02, 2024-05-03]", "the first and the last"),
        ("dates: {first: 2024-05-01}", "the first and the last"),
        ("aoi: {bbox: [8, 47, 9]}", "four numbers, west, south, east, north, and not 3"),
        ("polarizations: VX", "VX"),
        ("polarizations: []", "auto"),
        ("aoi: {bbox: [8.3, 48, 8.18, 49]}", r"`aoi`: .*359.88 degrees.*swapped"),
        ("aoi: {bbox: [179.94, 48, -180.18, 49]}", r"`aoi`: .*359.88 degrees.*swapped"),
        ("aoi: {bbox: [-180, -90, 180, 90]}", "without an area everything is taken"),
        (f"aoi: {{bbox: [1{'0' * 400}, 0, 9, 5]}}", r"`aoi.bbox`: .*too large"),
        (f"aoi: {{bbox: [1{'0' * 5000}, 0, 9, 5]}}", r"`aoi.bbox`"),
        ("aoi: {bbox: [.nan, 0, 9, 5]}", r"`aoi.bbox`: nan"),
        ("grid: {crs: 4326}", "degrees in EPSG:4326"),
        ("grid: {crs: EPSG:4258, resolution: 20}", "degrees in EPSG:4258"),
        ("grid: {crs: 4269}", "degrees in EPSG:4269"),
        ("grid: {crs: 7844}", "degrees in EPSG:7844"),
        ("grid: {crs: 32633, resolution: 0.0002}", "metres in EPSG:32633"),
        ("grid: {resolution: .inf}", "finite"),
        ("grid: {crs: EPSG:99999}", "EPSG:99999 is no known"),
        ("grid: {crs: 5773}", "no horizontal CRS"),
        ("grid: {crs: 4978}", "no horizontal CRS"),
        ("x: " + "[" * 5000, "32 levels"),
        ("x: &a [1]\ny: *a", "alias"),
        ("store: a\nstore: b", r"store stands here twice \(line 4, column 1\)"),
        (
            "store: a\ndem: {path: [http://me:" + 60 * "x" + "secret@h/x",
            r"not valid YAML: ((?!secret).)*\(line 4, column \d+\)$",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        read(tmp_path, text)
    assert "run.yaml" in str(error.value)


def test_the_forms_across_the_antimeridian_stay(tmp_path: Path) -> None:
    for box in ("[179, 0, -179, 5]", "[170, 0, 190, 5]", "[-190, 0, -170, 5]", "[-90, 0, 90, 5]"):
        assert read(tmp_path, f"aoi: {{bbox: {box}}}").aoi is not None


def test_degrees_in_a_crs_of_degrees(tmp_path: Path) -> None:
    for code in (4326, 4258, 4269, 7844):
        assert read(tmp_path, f"grid: {{crs: {code}, resolution: 0.0002}}").grid.crs == code


def test_nothing_that_multiplies_is_read(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    bomb = "\n".join(lines)
    start = time.process_time()
    with pytest.raises(ConfigError, match="alias"):
        read(tmp_path, bomb)
    path = tmp_path / "mine.yaml"
    path.write_text("kind: local\nenvironment:\n  " + bomb.replace("\n", "\n  "))
    with pytest.raises(ClusterError, match="alias"):
        find_profile(str(path))
    path.write_text("kind: local\nx: " + "[" * 5000)
    with pytest.raises(ClusterError, match="32 levels"):
        find_profile(str(path))
    path.write_text("x" * (5 << 20))
    with pytest.raises(ClusterError, match="more than a file of settings needs"):
        find_profile(str(path))
    assert time.process_time() - start < 20  # 24 s for each of them, if they were read


def test_what_yaml_says_elsewise_stays() -> None:
    assert load_yaml("a: 1\nb: [x, 2.5, true, null]\nc: {d: 2024-05-01}") == {
        "a": 1,
        "b": ["x", 2.5, True, None],
        "c": {"d": dt.date(2024, 5, 1)},
    }


def test_there_is_no_second_reader_of_yaml() -> None:
    package = Path(__file__).parents[1] / "sarcube"
    readers = [path.name for path in package.rglob("*.py") if "yaml.safe_load" in path.read_text()]
    assert readers == []


@pytest.mark.parametrize(
    "address", ["my-bucket", "s3://my-bucket/nrb", "https://user:secret@host/nrb", "https://host/nrb?token=secret"]
)
def test_a_public_address_is_one_that_others_can_read(address: str) -> None:
    raw = {"source": {"path": "."}, "dem": {"kind": "cop_glo30"}, "public": address}
    with pytest.raises(ConfigError, match=r"https://my-bucket\.s3") as caught:
        RunConfig.from_dict(raw)
    assert "secret" not in str(caught.value)
    assert RunConfig.from_dict(raw | {"public": "https://host/nrb/"}).public == "https://host/nrb"
