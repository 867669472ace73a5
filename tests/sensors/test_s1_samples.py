"""Samples: every layout of TIFF, only the bytes asked for, and damage that names the file."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from sarcube.errors import BurstNotFoundError, SceneError
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.bytes_source import LocalBytes
from sarcube.sensors.sentinel1.model import Samples
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_samples, read_stored
from sarcube.sensors.sentinel1.tiff import read_layout


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("rows", "gap"), [(1, 0), (1, 3), (5, 0), (5, 8), (24, 0)])
def test_every_strip_layout(make: Any, tmp_path: Path, order: str, big: bool, rows: int, gap: int) -> None:
    recipe = make.recipe()
    members = make.members([recipe], order=order, big=big, rows=rows, gap=gap)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        bursts = read_bursts(open_safe(make.zip(tmp_path / f"{method}.zip", members, method)))
        for burst, values in zip(bursts, np.split(recipe.values(), 2), strict=True):
            read = read_samples(burst, "VV")
            assert read.dtype == np.int16 and read.dtype.isnative
            assert np.array_equal(read, values)
            assert np.array_equal(read_samples(burst, "VV", (3, 5)), values[3:5])


def test_rasterio_agrees_with_the_direct_read(make: Any, tmp_path: Path) -> None:
    recipe = make.recipe()
    path = tmp_path / "x.tiff"
    path.write_bytes(make.tiff(recipe.values(), order=">"))
    with rasterio.open(path) as dataset:
        assert dataset.dtypes == ("complex_int16",)
        values = dataset.read(1)
    assert np.array_equal(values.real, recipe.values()[..., 0])
    assert np.array_equal(values.imag, recipe.values()[..., 1])


@pytest.mark.parametrize(
    "options",
    [{"compress": "deflate"}, {"compress": "lzw", "predictor": 1}, {"tiled": True, "blockxsize": 16, "blockysize": 16}],
)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_compressed_and_tiled(make: Any, tmp_path: Path, options: dict[str, Any], method: int) -> None:
    recipe = make.recipe()
    values = recipe.values()
    path = tmp_path / "x.tiff"
    with rasterio.open(
        path, "w", driver="GTiff", width=20, height=24, count=1, dtype="complex_int16", **options
    ) as dataset:
        dataset.write(values[..., 0].astype(np.float32) + 1j * values[..., 1].astype(np.float32), 1)
    members = make.members([recipe])
    members[f"measurement/{recipe.stem()}.tiff"] = path.read_bytes()
    burst = read_bursts(open_safe(make.zip(tmp_path / "a.zip", members, method)))[1]
    assert np.array_equal(read_samples(burst, "VV"), values[12:])
    assert np.array_equal(read_samples(burst, "VV", (2, 7)), values[14:19])


def test_extreme_values_are_exact(make: Any, tmp_path: Path) -> None:
    recipe = make.recipe()
    values = recipe.values()
    values[12, :4] = [[-32768, 32767], [32767, -32768], [-1, 0], [0, 1]]
    path = tmp_path / "x.tiff"
    with rasterio.open(
        path, "w", driver="GTiff", width=20, height=24, count=1, dtype="complex_int16", compress="deflate"
    ) as dataset:
        dataset.write(values[..., 0].astype(np.float32) + 1j * values[..., 1].astype(np.float32), 1)
    members = make.members([recipe])
    members[f"measurement/{recipe.stem()}.tiff"] = path.read_bytes()
    assert np.array_equal(
        read_samples(read_bursts(open_safe(make.zip(tmp_path / "a.zip", members)))[1], "VV"), values[12:]
    )


def test_only_the_bytes_of_the_burst_are_read(make: Any, tmp_path: Path) -> None:
    class Counting(LocalBytes):
        bytes_read = 0

        def read(self, offset: int, length: int) -> bytes:
            data = super().read(offset, length)
            type(self).bytes_read += len(data)
            return data

        def read_into(self, offset: int, view: memoryview) -> int:
            count = super().read_into(offset, view)
            type(self).bytes_read += count
            return count

    recipe = make.recipe(lines=200, samples=2000, bursts=9)
    path = make.zip(tmp_path / "a.zip", make.members([recipe]))
    safe = open_safe("https://example.test/a.zip", opener=lambda _: Counting(path))
    burst = read_bursts(safe)[4]
    Counting.bytes_read = 0
    values = read_samples(burst, "VV")
    assert np.array_equal(values, recipe.values()[800:1000])
    # Directory and strip tables come on top: 64 kB and 256 kB at most.
    assert values.nbytes <= Counting.bytes_read < values.nbytes + 400_000 < path.stat().st_size / 4


@pytest.mark.parametrize("keep", [0, 5, 8, 60, 200, 1500])
def test_truncated_measurement_names_the_member(make: Any, tmp_path: Path, keep: int) -> None:
    members = make.members([make.recipe()])
    member = next(name for name in members if name.endswith("tiff"))
    members[member] = members[member][:keep]
    burst = read_bursts(open_safe(make.zip(tmp_path / "a.zip", members)))[1]
    with pytest.raises(SceneError, match=member.rpartition("/")[2]):
        read_samples(burst, "VV")


def test_truncation_leaves_the_bursts_before_it(make: Any, tmp_path: Path) -> None:
    recipe = make.recipe()
    members = make.members([recipe])
    member = next(name for name in members if name.endswith("tiff"))
    members[member] = members[member][:-100]
    first, second = read_bursts(open_safe(make.folder(tmp_path / "a.SAFE", members)))
    assert np.array_equal(read_samples(first, "VV"), recipe.values()[:12])
    with pytest.raises(SceneError, match="truncated"):
        read_samples(second, "VV")


def test_missing_measurement(make: Any, tmp_path: Path) -> None:
    members = {k: v for k, v in make.members([make.recipe()]).items() if not k.endswith("tiff")}
    burst = read_bursts(open_safe(make.zip(tmp_path / "a.zip", members)))[0]
    with pytest.raises(SceneError, match=r"has no .*measurement/s1a-iw2-slc-vv.*\.tiff"):
        read_samples(burst, "VV")


def test_measurement_of_another_scene(make: Any, tmp_path: Path) -> None:
    members = make.members([make.recipe()])
    member = next(name for name in members if name.endswith("tiff"))
    members[member] = make.tiff(make.recipe(lines=5).values())
    burst = read_bursts(open_safe(make.zip(tmp_path / "a.zip", members)))[1]
    with pytest.raises(SceneError, match="do not belong together"):
        read_samples(burst, "VV")


def test_images_of_other_types_are_refused(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.tiff"
    with rasterio.open(path, "w", driver="GTiff", width=20, height=24, count=1, dtype="float32") as dataset:
        dataset.write(np.ones((24, 20), np.float32), 1)
    with pytest.raises(SceneError, match="neither complex int16"):
        read_layout(LocalBytes(path), "x.tiff")


def test_amplitudes_are_no_burst(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.tiff"
    with rasterio.open(path, "w", driver="GTiff", width=20, height=24, count=1, dtype="uint16") as dataset:
        dataset.write(np.ones((24, 20), np.uint16), 1)
    layout = read_layout(LocalBytes(path), "x.tiff")
    assert layout.detected and layout.sample_bytes == 2


def test_lines_outside_the_burst(make: Any, tmp_path: Path) -> None:
    burst = read_bursts(open_safe(make.zip(tmp_path / "a.zip", make.members([make.recipe()]))))[0]
    for lines in ((-1, 3), (3, 3), (3, 13)):
        with pytest.raises(BurstNotFoundError, match="not within the burst's 12"):
            read_samples(burst, "VV", lines)


def test_real_compressed_measurement(shared_data: Path) -> None:
    (path,) = (shared_data / "reference" / "nevada").glob("*.zip")
    burst = read_bursts(open_safe(path), burst_ids=["t071_151202_iw2"])[0]
    values = read_samples(burst, "VV", (300, 420))
    with rasterio.open(f"/vsizip/{path}/{path.stem}.SAFE/{burst.channels['VV'].samples.member}") as dataset:
        window = rasterio.windows.Window(0, burst.first_line_of_swath + 300, burst.radar.samples, 120)
        expected = dataset.read(1, window=window)
    assert np.array_equal(values[..., 0], expected.real)
    assert np.array_equal(values[..., 1], expected.imag)
    filled = np.flatnonzero((values != 0).any(axis=(0, 2)))
    assert (filled[0], filled[-1]) == (9000, 14999)


def test_speed_is_that_of_the_file(make: Any, tmp_path: Path) -> None:
    """A burst of real size takes at most three times a raw read of its bytes."""
    values = np.zeros((1500, 20_000, 2), np.int16)
    values[::7] = 3
    path = tmp_path / "S1A.SAFE" / "measurement" / "x.tiff"
    path.parent.mkdir(parents=True)
    path.write_bytes(make.tiff(values))
    stored = Samples(str(tmp_path / "S1A.SAFE"), "measurement/x.tiff", 0, 1500, 20_000)

    def clock(what: Any) -> float:
        best = np.inf
        for _ in range(3):
            start = time.process_time()
            what()
            best = min(best, time.process_time() - start)
        return best

    def raw() -> None:
        np.fromfile(path, np.uint8)

    assert np.array_equal(read_stored(stored), values)
    assert clock(lambda: read_stored(stored)) < 3 * clock(raw) + 0.05
