"""SAFEs in every wrapping: folder, zip, odd names, missing files, extractors' single bursts."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sarcube.errors import BurstNotFoundError, SceneError
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_samples


def test_folder_and_zip_are_the_same_scene(make: Any, tmp_path: Path) -> None:
    recipes = [make.recipe(swath=s, polarization=p) for s in ("IW1", "IW2") for p in ("VH", "VV")]
    members = make.members(recipes)
    folder = open_safe(make.folder(tmp_path / f"{make.name}.SAFE", members))
    zipped = open_safe(make.zip(tmp_path / "renamed.zip", members))
    deep = open_safe(make.zip(tmp_path / "deep.zip", members, zipfile.ZIP_DEFLATED, f"a/b/{make.name}.SAFE/"))
    assert folder.name == zipped.name == deep.name == make.name
    assert folder.swaths == zipped.swaths == {"IW1": ("VV", "VH"), "IW2": ("VV", "VH")}
    for bursts in zip(*(read_bursts(safe) for safe in (folder, zipped, deep)), strict=True):
        assert len({burst.burst_id for burst in bursts}) == 1
        assert bursts[0].polarizations == ("VV", "VH")
        for polarization in ("VV", "VH"):
            read = [read_samples(burst, polarization) for burst in bursts]
            assert all(np.array_equal(read[0], other) for other in read)
        recipe = make.recipe(swath=bursts[0].swath, polarization="VH")
        first = bursts[0].first_line_of_swath
        assert np.array_equal(read_samples(bursts[1], "VH"), recipe.values()[first : first + recipe.lines])


def test_the_manifest_itself_names_the_folder(make: Any, tmp_path: Path) -> None:
    folder = make.folder(tmp_path / f"{make.name}.SAFE", make.members([make.recipe()]))
    assert open_safe(folder / "manifest.safe").name == make.name


def test_without_manifest_and_noise_it_is_read_with_warnings(make: Any, tmp_path: Path) -> None:
    members = {k: v for k, v in make.members([make.recipe()]).items() if "noise" not in k and "manifest" not in k}
    burst = read_bursts(open_safe(make.zip(tmp_path / "a.zip", members)))[0]
    assert burst.channels["VV"].noise is None
    assert "no manifest" in burst.warnings
    assert "no noise annotation for VV" in burst.warnings
    assert burst.ipf_version == ""


def test_without_calibration_it_is_refused(make: Any, tmp_path: Path) -> None:
    members = {k: v for k, v in make.members([make.recipe()]).items() if "calibration-" not in k}
    safe = open_safe(make.zip(tmp_path / "a.zip", members))
    with pytest.raises(SceneError, match="no calibration annotation for IW2 VV"):
        read_bursts(safe)


@pytest.mark.parametrize(("swath", "polarization"), [("IW1", "HH"), ("IW3", "HV"), ("EW1", "HH"), ("EW5", "HV")])
@pytest.mark.parametrize("platform", ["S1A", "S1B", "S1C", "S1D"])
def test_platforms_modes_polarizations(make: Any, tmp_path: Path, swath: str, polarization: str, platform: str) -> None:
    recipe = make.recipe(swath=swath, polarization=polarization, platform=platform)
    burst = read_bursts(open_safe(make.zip(tmp_path / "a.zip", make.members([recipe]))))[0]
    assert (burst.platform, burst.mode, burst.swath) == (platform, swath[:2], swath)
    assert burst.polarizations == (polarization,)
    # Whatever the orbit number says, the platform is on relative orbit 1, 1000 s after its node.
    assert burst.relative_orbit == 1
    assert burst.burst_id.startswith("t001_000")


def test_one_burst_as_extractors_make_it(make: Any, tmp_path: Path) -> None:
    # One burst, its own file names, and the annotation of a swath of which nothing was taken.
    recipe, empty = make.recipe(bursts=1), make.recipe(swath="IW1", bursts=0)
    members = make.members([recipe])
    stem = recipe.stem()
    for old, new in (
        (f"annotation/{stem}.xml", "annotation/S1_136231_IW2_20210301T000000_VV_7C85-BURST.xml"),
        (f"measurement/{stem}.tiff", "measurement/S1_136231_IW2_20210301T000000_VV_7C85-BURST.tiff"),
    ):
        members[new] = members.pop(old)
    members[f"annotation/{empty.stem()}.xml"] = empty.annotation()
    burst, *others = read_bursts(open_safe(make.zip(tmp_path / "a.zip", members)))
    assert not others
    assert burst.index == 0
    assert np.array_equal(read_samples(burst, "VV"), recipe.values())
    # The grid of a single burst ends where the next one would begin, 0.3 s before its last line.
    assert burst.footprint[0] == burst.footprint[-1]
    assert burst.channels["VV"].noise is not None


def test_antimeridian_footprints_are_unwrapped(make: Any, tmp_path: Path) -> None:
    burst = read_bursts(open_safe(make.zip(tmp_path / "a.zip", make.members([make.recipe(longitude=179.5)]))))[0]
    longitudes = [x for x, _ in burst.footprint]
    assert min(longitudes) < 180 < max(longitudes)
    assert max(longitudes) - min(longitudes) < 1.0
    ring = np.array(burst.footprint)
    area = np.sum(ring[:-1, 0] * ring[1:, 1] - ring[1:, 0] * ring[:-1, 1])
    assert area > 0, "rings run counter-clockwise"


def test_choosing(make: Any, tmp_path: Path) -> None:
    safe = open_safe(
        make.zip(
            tmp_path / "a.zip",
            make.members([make.recipe(swath=s, polarization=p) for s in ("IW1", "IW2") for p in ("VV", "VH")]),
        )
    )
    every = read_bursts(safe)
    only = read_bursts(safe, swaths=["iw2"], polarizations=["vh"], burst_ids=[every[-1].burst_id.upper()])
    assert [(b.burst_id, b.polarizations) for b in only] == [(every[-1].burst_id, ("VH",))]
    assert only[0].first_line_of_swath == every[-1].first_line_of_swath == 12
    with pytest.raises(BurstNotFoundError, match="IW3; it has IW1, IW2"):
        read_bursts(safe, swaths=["IW3"])
    with pytest.raises(BurstNotFoundError, match="t001_000001_iw1"):
        read_bursts(safe, burst_ids=["t001_000001_iw1"])
    with pytest.raises(BurstNotFoundError, match="has no HH; it has VV, VH"):
        read_samples(every[0], "HH")


def test_bursts_pickle_and_still_read(make: Any, tmp_path: Path) -> None:
    burst = read_bursts(open_safe(make.zip(tmp_path / "a.zip", make.members([make.recipe()]))))[1]
    again = pickle.loads(pickle.dumps(burst))
    assert np.array_equal(read_samples(again, "VV"), read_samples(burst, "VV"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no zip directory"), (b"PK\x03\x04 nothing more", "no zip directory"), (b"x" * 70_000, "no zip directory")],
)
def test_a_broken_zip_says_so(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "S1A.zip"
    path.write_bytes(content)
    with pytest.raises(SceneError, match=message) as caught:
        open_safe(path)
    assert str(path) in str(caught.value)


def test_what_is_no_scene(make: Any, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="no such file"):
        open_safe(tmp_path / "missing.zip")
    (tmp_path / "empty.SAFE").mkdir()
    with pytest.raises(SceneError, match="holds no annotation"):
        open_safe(tmp_path / "empty.SAFE")
    with pytest.raises(SceneError, match="needs a byte source"):
        open_safe("s3://bucket/scene.zip")
    two = {f"{name}/{k}": v for name in ("A.SAFE", "B.SAFE") for k, v in make.members([make.recipe()]).items()}
    with pytest.raises(SceneError, match="holds 2 scenes"):
        open_safe(make.zip(tmp_path / "two.zip", two, lead=""))


def test_a_path_out_of_the_scene_is_refused(make: Any, tmp_path: Path) -> None:
    members = make.members([make.recipe()]) | {"../../outside.xml": b"<x/>"}
    with pytest.raises(SceneError, match="leads out of the scene"):
        open_safe(make.zip(tmp_path / "a.zip", members))


def test_a_truncated_zip_says_so(make: Any, tmp_path: Path) -> None:
    path = make.zip(tmp_path / "a.zip", make.members([make.recipe()]))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SceneError, match="fetch it again"):
        open_safe(path)


def test_a_flipped_bit_in_an_annotation_is_found(make: Any, tmp_path: Path) -> None:
    path = make.zip(tmp_path / "a.zip", make.members([make.recipe()]))
    data = bytearray(path.read_bytes())
    data[data.index(b"<rank>9") + 6] ^= 1  # still valid XML, another number
    path.write_bytes(data)
    with pytest.raises(SceneError, match="does not match its checksum"):
        read_bursts(open_safe(path))


def test_real_scene_without_samples(shared_data: Path) -> None:
    (path,) = (shared_data / "data" / "safe").glob("*20200511*.zip")
    safe = open_safe(path)
    assert safe.name == "S1A_IW_SLC__1SDV_20200511T135117_20200511T135144_032518_03C421_7768"
    burst = read_bursts(safe, swaths=["IW2"])[3]
    assert burst.burst_id == "t071_151202_iw2"
    assert burst.ipf_version == "003.20"
    with pytest.raises(SceneError, match=r"measurement/s1a-iw2-slc-vv.*is empty"):
        read_samples(burst, "VV")


def test_real_folder_equals_real_zip(shared_data: Path, real_folder: Callable[[str], Path]) -> None:
    (path,) = (shared_data / "data" / "safe").glob("*20230904*.zip")
    folder = read_bursts(open_safe(real_folder("*20230904*.zip")), swaths=["IW1"])
    zipped = read_bursts(open_safe(path), swaths=["IW1"])
    assert [b.burst_id for b in folder] == [b.burst_id for b in zipped]
    assert folder[0].footprint == zipped[0].footprint
    with pytest.raises(SceneError, match=r"has no .*measurement/s1a-iw1-slc-vv"):
        read_samples(folder[0], "VV")


def test_footprint_follows_the_geolocation_grid(shared_data: Path) -> None:
    (path,) = (shared_data / "data" / "safe").glob("*20230904*.zip")
    burst = read_bursts(open_safe(path), swaths=["IW1"], polarizations=["VV"])[0]
    ring = np.array(burst.footprint)
    grid = burst.geolocation
    near = grid.longitude[grid.line == 0][0], grid.latitude[grid.line == 0][0]
    # Valid samples begin some hundred metres into the first line and 40 m further down than the image's corner.
    assert np.hypot((ring[:, 0] - near[0]) * 94.6e3, (ring[:, 1] - near[1]) * 111e3).min() < 2000
    height = ring[:, 1].max() - ring[:, 1].min()
    assert 0.28 < height < 0.40


def test_mid_swath_is_estimated_within_a_centimetre(shared_data: Path, tmp_path: Path) -> None:
    for path in (shared_data / "data" / "safe").glob("*1SDV_202[035]*.zip"):
        safe = open_safe(path)
        true = read_bursts(safe, swaths=["IW2"], polarizations=["VV"])[0].mid_swath_range_time
        for swath in ("IW1", "IW3"):
            reduced = tmp_path / path.name
            with zipfile.ZipFile(path) as source, zipfile.ZipFile(reduced, "w") as target:
                for name in source.namelist():
                    if f"-{swath.lower()}-slc-vv" in name and name.endswith(".xml"):
                        target.writestr(name, source.read(name))
            burst = read_bursts(open_safe(reduced))[0]
            reduced.unlink()
            # Half of it enters the bistatic correction; the beam moves 6.8 km/s over the ground.
            assert abs(burst.mid_swath_range_time - true) / 2 * 6800 < 0.01
            assert any("no IW2 annotation" in warning for warning in burst.warnings)


def test_nothing_is_left_behind(make: Any, tmp_path: Path) -> None:
    path = make.zip(tmp_path / "a.zip", make.members([make.recipe()]))
    read_samples(read_bursts(open_safe(path))[0], "VV")
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"], "a zip is read in place"
    shutil.rmtree(tmp_path)


def test_one_burst_id_twice_is_damage(make: Any, tmp_path: Path) -> None:
    members = make.members([make.recipe(burst_ids=[500, 500])])
    with pytest.raises(SceneError, match="has t001_000500_iw2 twice"):
        read_bursts(open_safe(make.zip(tmp_path / "a.zip", members)))


def test_a_manifest_of_another_track_is_noted(make: Any, tmp_path: Path) -> None:
    members = make.members([make.recipe()])
    assert not read_bursts(open_safe(make.zip(tmp_path / "a.zip", members)))[0].warnings[1:]
    members["manifest.safe"] = members["manifest.safe"].replace(b'"start">1<', b'"start">44<')
    (burst, *_) = read_bursts(open_safe(make.zip(tmp_path / "b.zip", members)))
    assert "the manifest says relative orbit 44, the burst is on 1" in burst.warnings
