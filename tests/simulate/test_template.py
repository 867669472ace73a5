"""Archives on real annotation: metadata untouched, echo where the real burst lies."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sarcube.errors import DemError, SceneError
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_samples
from sarcube.simulate.archive import simulate
from sarcube.simulate.options import SimulationOptions

MOROCCO = (-8.40, 31.70, -8.36, 31.73)


def safe(shared_data: Path, date: str) -> Path:
    return next((shared_data / "data/safe").glob(f"*_{date}T*.zip"))


def test_two_real_dates_get_an_echo_and_keep_their_metadata(shared_data: Path, tmp_path: Path) -> None:
    templates = (safe(shared_data, "20230904"), safe(shared_data, "20230916"))
    archive = simulate(
        tmp_path / "a",
        SimulationOptions(
            template=templates, swaths=("IW1",), bursts=2, aoi=MOROCCO, truth="checkerboard", format="folder",
            dem=shared_data / "data/dem/morocco_iw1_b0.tif",
        ),
    )  # fmt: skip
    assert archive.dates == ("2023-09-04", "2023-09-16")
    assert archive.burst_ids == ("t052_110431_iw1",)
    assert archive.epsg == 32629
    for template, scene in zip(templates, archive.scenes, strict=True):
        assert scene.stem == template.stem
        with zipfile.ZipFile(template) as source:
            names = [p.relative_to(scene.parent).as_posix() for p in scene.rglob("*.xml")]
            assert len(names) >= 6
            for name in [*names, f"{scene.name}/manifest.safe"]:
                assert (scene.parent / name).read_bytes() == source.read(name)
        first, second = read_bursts(open_safe(scene))[:2]
        samples = read_samples(first, "VV")
        rows = np.flatnonzero(samples.any(axis=(1, 2)))
        assert first.first_valid_line <= rows[0] < rows[-1] <= first.last_valid_line
        assert not read_samples(second, "VV").any()
        # The echo lies where the real geolocation grid puts the box.
        g = first.geolocation
        lines = (g.azimuth_time - first.radar.first_line_time) / first.radar.line_interval
        inside = lines < 2 * first.radar.lines
        center = np.array([np.mean(MOROCCO[::2]), np.mean(MOROCCO[1::2])])
        design = np.stack([np.ones(inside.sum()), g.longitude[inside], g.latitude[inside]], axis=1)
        cols = np.flatnonzero(samples.any(axis=(0, 2)))
        for values, found, tolerance in ((lines, rows, 25), (g.sample, cols, 400)):
            fit, *_ = np.linalg.lstsq(design, values[inside], rcond=None)
            assert fit @ [1, *center] == pytest.approx((found[0] + found[-1]) / 2, abs=tolerance)


def test_a_dem_that_lacks_part_of_a_burst_goes_on_from_its_edge(shared_data: Path, tmp_path: Path) -> None:
    options = {
        "template": safe(shared_data, "20230904"),
        "swaths": ("IW1",),
        "bursts": (6,),
        "dem": shared_data / "data/dem/morocco_iw1_b0.tif",
        "aoi": (-8.60, 30.70, -8.57, 30.72),
        "truth": "constant",
    }
    with pytest.raises(DemError, match="does not touch"):
        simulate(tmp_path / "a", SimulationOptions(**options))
    assert not (tmp_path / "a").exists()
    options |= {"bursts": (1,), "aoi": (-8.60, 31.52, -8.57, 31.62)}
    archive = simulate(tmp_path / "a", SimulationOptions(**options))
    assert "outside of it and continues from its edge" in archive.terrain
    with rasterio.open(archive.dem) as dem:
        assert np.isfinite(dem.read(1)).all()
        assert dem.bounds.right - dem.bounds.left > 85_000  # whole bursts, though the echo is of a part
    assert archive.burst_ids == ("t052_110432_iw1",)


def test_one_polarization_without_noise_annotation(shared_data: Path, tmp_path: Path) -> None:
    archive = simulate(
        tmp_path / "a",
        SimulationOptions(
            template=safe(shared_data, "20220104"), swaths=("IW1",), bursts=(3,), truth="constant",
            aoi=(11.50, 41.60, 11.53, 41.62), relief=50, posting=30.0,
        ),
    )  # fmt: skip
    assert archive.polarizations == ("VV",)
    assert archive.burst_ids


def test_bad_templates_are_named(tmp_path: Path, shared_data: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 no zip at all")
    with pytest.raises(SceneError):
        simulate(tmp_path / "a", SimulationOptions(template=tmp_path / "x.zip"))
    with pytest.raises(SceneError, match="has none of the swaths IW3"):
        simulate(tmp_path / "a", SimulationOptions(template=safe(shared_data, "20220104"), swaths=("IW3",)))
    with pytest.raises(SceneError, match="no burst of index"):
        simulate(
            tmp_path / "a", SimulationOptions(template=safe(shared_data, "20220104"), swaths=("IW1",), bursts=(40,))
        )
    assert not (tmp_path / "a").exists()
