"""What a user can get wrong: its own clear error, no traceback, and all else is done."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.way.running import Demo, sarcube

pytestmark = pytest.mark.timeout(600)


def run_file(demo: Demo, folder: Path, **changes: object) -> Path:
    run = yaml.safe_load((demo.folder / "run.yaml").read_text())
    archive = demo.folder / "archive"
    run |= {
        "source": {"kind": "local", "path": str(archive / "scenes")},
        "orbits": {"path": str(archive / "orbits")},
        "dem": {"path": str(archive / "dem.tif"), "heights": "ellipsoid"},
        "store": str(folder / "store"),
    }
    run |= changes
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(run))
    return path


def refused(path: Path, *words: str, command: str = "run") -> str:
    done = sarcube(command, path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    return done.stderr


def test_an_unknown_key_is_refused_with_the_nearest_one(demo: Demo, tmp_path: Path) -> None:
    refused(run_file(demo, tmp_path, backscater="gamma0"), "backscater", "backscatter")


def test_an_aoi_beside_the_scenes_says_what_the_source_has(demo: Demo, tmp_path: Path) -> None:
    refused(run_file(demo, tmp_path, aoi={"bbox": [20.0, 10.0, 21.0, 11.0]}), "aoi", "8.")


def orbits_of_other_days(folder: Path) -> Path:
    made = folder / "orbits"
    made.mkdir()
    (made / "S1A_OPER_AUX_POEORB_OPOD_20200121T120000_V20200101T225942_20200103T005942.EOF").write_text("<unread/>")
    return made


def test_a_missing_orbit_is_named(demo: Demo, tmp_path: Path) -> None:
    empty = orbits_of_other_days(tmp_path)
    path = run_file(demo, tmp_path, orbits={"path": str(empty), "allow_annotation": False})
    done = sarcube("plan", path)
    assert "Traceback" not in done.stderr
    assert done.returncode == 2 and sarcube("run", path).returncode == 2
    assert done.stdout.count("no orbit file covers") == 1 and "problem: 12 times: no orbit file covers" in done.stdout
    assert "nothing to do; 12 problems" in done.stdout


def test_the_annotation_orbit_is_the_recorded_last_resort(demo: Demo, tmp_path: Path) -> None:
    empty = orbits_of_other_days(tmp_path)
    done = sarcube("plan", run_file(demo, tmp_path, orbits={"path": str(empty)}))
    assert done.returncode == 0 and "16 tasks" in done.stdout


def test_a_dem_that_does_not_cover_is_a_problem_of_its_bursts(demo: Demo, tmp_path: Path) -> None:
    import rasterio
    from rasterio.windows import Window

    small = tmp_path / "small.tif"
    with rasterio.open(demo.folder / "archive" / "dem.tif") as source:
        window = Window(0, 0, source.width, source.height // 2)
        profile = source.profile | {"height": window.height}
        with rasterio.open(small, "w", **profile) as target:
            target.write(source.read(window=window))
    path = run_file(demo, tmp_path, dem={"path": str(small), "heights": "ellipsoid"})
    done = sarcube("plan", path)
    assert "Traceback" not in done.stderr
    assert "small.tif" in done.stdout and "missing" in done.stdout


def test_a_truncated_zip_is_reported_and_the_rest_is_done(demo: Demo, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    first, second = sorted((demo.folder / "archive" / "scenes").iterdir())[:2]
    (scenes / first.name).symlink_to(first)
    whole = shutil.make_archive(str(tmp_path / second.stem), "zip", second.parent, second.name)
    broken = scenes / f"{second.stem}.zip"
    broken.write_bytes(Path(whole).read_bytes()[:1_000_000])
    path = run_file(demo, tmp_path, source={"kind": "local", "path": str(scenes)}, polarizations=["VV"])
    done = sarcube("run", path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert broken.name in done.stdout
    assert len(list((tmp_path / "store" / "s1_rtc_c1").rglob("*_VV.tif"))) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [("store: [", "YAML"), ("- a", "keys and values"), ("store: ./x\n", "source")],
)
def test_run_files_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    refused(path, words, command="plan")
