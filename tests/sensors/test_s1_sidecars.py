"""What is no part of a scene: macOS sidecars, strange XML; and zips under any name."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sarcube.config import Orbits, RunConfig
from sarcube.errors import OrbitError, SceneError
from sarcube.production.plan.plan import plan
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.orbits import OrbitIndex, find_orbit, local_index
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.search.scenes import find_scenes

START = np.datetime64("2021-03-01T00:16:40", "ns")


def run(path: Path, **options: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "source": {"kind": "local", "path": str(path)},
            "dem": {"path": "dem.tif", "heights": "ellipsoid"},
            "store": str(path.parent / "store"),
            **options,
        }
    )


def with_sidecars(members: dict[str, bytes]) -> dict[str, bytes]:
    """As Finder's archives and exFAT disks have them: a twin `._x` for each file."""
    twins = {}
    for name in members:
        folder, slash, file = name.rpartition("/")
        twins[f"{folder}{slash}._{file}"] = b"\0\5\x16\7\0\2\0\0Mac OS X        "
    return {**members, **twins, ".DS_Store": b"\0\0\0\1Bud1", "annotation/.DS_Store": b"\0\0\0\1Bud1"}


def test_sidecars_are_no_part_of_a_scene(make: Any, tmp_path: Path) -> None:
    members = make.members([make.recipe()])
    clean = read_bursts(open_safe(make.zip(tmp_path / "clean.zip", members)))
    dirty = make.zip(tmp_path / "dirty.zip", with_sidecars(members))
    with zipfile.ZipFile(dirty, "a") as archive:
        for name in archive.namelist():
            archive.writestr(f"__MACOSX/{name}", b"\0\5\x16\7")
    folder = make.folder(tmp_path / f"{make.name}.SAFE", with_sidecars(members))
    for path in (dirty, folder):
        safe = open_safe(path)
        assert not any("passed over" in text for text in safe.warnings)
        assert [b.burst_id for b in read_bursts(safe)] == [b.burst_id for b in clean]


def test_sidecars_are_no_scenes_and_no_orbits(make: Any, tmp_path: Path, shared_data: Path) -> None:
    scenes, orbits = tmp_path / "scenes", tmp_path / "orbits"
    scenes.mkdir()
    orbits.mkdir()
    make.zip(scenes / f"{make.name}.zip", make.members([make.recipe()]))
    (scenes / f"._{make.name}.zip").write_bytes(b"\0\5\x16\7")
    twin = scenes / "__MACOSX" / f"{make.name}.SAFE"
    twin.mkdir(parents=True)
    (twin / "._manifest.safe").write_bytes(b"\0\5\x16\7")
    search = find_scenes(run(scenes))
    assert len(search.bursts) == 2 and not search.problems
    name = "S1A_OPER_AUX_RESORB_OPOD_20230823T162050_V20230823T123139_20230823T154909.EOF"
    (orbits / name).write_bytes((shared_data / "data" / "orbits" / name).read_bytes())
    (orbits / f"._{name}").write_bytes(b"\0\5\x16\7")
    assert [Path(e.path).name for e in OrbitIndex.of_folders([orbits]).entries] == [name]


def test_one_strange_xml_among_known_ones_is_a_note(make: Any, tmp_path: Path) -> None:
    members = make.members([make.recipe()])
    members["annotation/notes.xml"] = b"<a><b></a>"
    members["annotation/rfi.xml"] = b"<rfi><swath>IW2</swath></rfi>"
    safe = open_safe(make.zip(tmp_path / "a.zip", members))
    assert len(read_bursts(safe)) == 2
    said = [text for text in safe.warnings if text.startswith("passed over: ")]
    assert len(said) == 2 and "notes.xml" in said[0] and "rfi.xml" in said[1]
    alone = {name: data for name, data in members.items() if "annotation/s1" not in name}
    with pytest.raises(SceneError, match=r"notes\.xml"):
        open_safe(make.zip(tmp_path / "b.zip", alone))


def test_a_swath_without_footprints_takes_no_other_with_it(make: Any, tmp_path: Path) -> None:
    """Where the geolocation grid is gone nobody knows where the bursts lie; each is told, those beside it are found."""
    recipes = [make.recipe(swath="IW1"), make.recipe(swath="IW2")]
    members = make.members(recipes)
    (name,) = [n for n in members if n.startswith("annotation/s1a-iw1-")]
    first = b"<geolocationGridPoint>"
    head, points, tail = re.split(rb"(<geolocationGridPoint>.*</geolocationGridPoint>)", members[name], flags=re.DOTALL)
    members[name] = head + first.join(points.split(first)[:4]) + tail
    (tmp_path / "scenes").mkdir()
    make.zip(tmp_path / "scenes" / f"{make.name}.zip", members)
    for _ in range(2):  # read, and remembered
        search = find_scenes(run(tmp_path / "scenes"))
        assert [(b.swath, b.index) for b in search.bursts] == [("IW2", 0), ("IW2", 1)]
        assert len(search.problems) == 2
        for burst, problem in enumerate(search.problems, 1):
            assert "the geolocation grid has 3 points" in problem.message
            assert f"(burst {burst} of IW1) is left out" in problem.message


def test_zips_under_any_name(make: Any, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    inner = {f"{make.name}.SAFE/{name}": data for name, data in make.members([make.recipe()]).items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in inner.items():
            archive.writestr(name, data)
    (scenes / "4f0c1f0e-7b2d-4d55-9d39-1f6f6a3b0d11.zip").write_bytes(buffer.getvalue())
    with zipfile.ZipFile(scenes / "photos.zip", "w") as archive:
        archive.writestr("cat.jpg", b"")
    (scenes / "S1A_scenes.tar.gz").write_bytes(b"")
    search = find_scenes(run(scenes))
    assert [b.scene for b in search.bursts] == [make.name] * 2
    (problem,) = search.problems
    assert (
        "2 archives" in problem.message and "photos.zip" in problem.message and "S1A_scenes.tar.gz" in problem.message
    )
    named = find_scenes(run(scenes, source={"kind": "local", "path": str(scenes), "scenes": [make.name]}))
    assert len(named.bursts) == 2


def test_an_orbit_folder_that_is_not_there_or_empty_is_an_error_of_the_plan(make: Any, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    make.zip(scenes / f"{make.name}.zip", make.members([make.recipe()]))
    empty = tmp_path / "empty"
    (empty / "deeper").mkdir(parents=True)
    (empty / "readme.txt").touch()
    for path, says in ((tmp_path / "absent", "does not exist"), (empty, "holds no orbit file")):
        with pytest.raises(OrbitError, match=says):
            plan(run(scenes, orbits={"path": str(path)}))
        with pytest.raises(OrbitError, match=says):
            local_index(path)
        with pytest.raises(OrbitError, match=says):
            find_orbit("S1A", START, START, Orbits(path=path))
