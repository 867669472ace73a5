"""Small measurement files that ask for much are refused in bounded time and memory; sparse ones are zeros."""

from __future__ import annotations

import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from sarcube.errors import SceneError
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.bytes_source import LocalBytes
from sarcube.sensors.sentinel1.model import Samples
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_samples, read_stored
from sarcube.sensors.sentinel1.tiff import read_layout

LINES, SAMPLES = 1500, 21_000


def tiff(path: Path, width: int, lines: int, offsets: np.ndarray, rows: int = 1, data: int = 0) -> Path:
    """An uncompressed complex int16 TIFF whose strips lie where they are said to."""
    sizes = np.full(offsets.size, rows * width * 4, np.uint32)
    tables = 8 + 2 + 11 * 12 + 4
    entries = [
        (256, 4, 1, width), (257, 4, 1, lines), (258, 3, 1, 32), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, offsets.size, tables), (277, 3, 1, 1), (278, 4, 1, rows),
        (279, 4, offsets.size, tables + 4 * offsets.size), (284, 3, 1, 1), (339, 3, 1, 5),
    ]  # fmt: skip
    head = b"II*\0" + struct.pack("<LH", 8, len(entries))
    for tag, kind, count, value in entries:
        head += struct.pack(
            "<2HLHH" if kind == 3 else "<2HLL", tag, kind, count, *((value, 0) if kind == 3 else (value,))
        )
    head += b"\0\0\0\0" + offsets.astype("<u4").tobytes() + sizes.tobytes()
    with path.open("wb") as file:
        file.write(head)
        file.truncate(max(len(head), data))
    return path


def stored(path: Path, samples: int = SAMPLES, member: str = "m.tiff", lines: int = LINES) -> Samples:
    return Samples(str(path), member, 0, lines, samples)


def safe(tmp_path: Path) -> Path:
    folder = tmp_path / "S1.SAFE"
    (folder / "annotation").mkdir(parents=True)
    (folder / "annotation" / "x.xml").touch()
    return folder


@pytest.mark.parametrize(("width", "says"), [(1_000_000, "overlap"), (SAMPLES, "overlap")])
def test_overlapping_strips_are_refused(tmp_path: Path, width: int, says: str) -> None:
    folder = safe(tmp_path)
    tiff(folder / "m.tiff", width, LINES, np.full(LINES, 20_000, np.int64), data=4 << 20)
    with pytest.raises(SceneError, match=says):
        read_stored(stored(folder))


def test_a_sparse_tiled_file_of_any_claimed_size(tmp_path: Path) -> None:
    folder = safe(tmp_path)
    options = {"tiled": True, "blockxsize": 4096, "blockysize": 4096, "SPARSE_OK": "TRUE", "compress": "deflate"}
    with rasterio.open(
        folder / "m.tiff", "w", driver="GTiff", width=400_000, height=100_000, count=1, dtype="complex_int16", **options
    ):
        pass
    with pytest.raises(SceneError, match="400000 samples a line"):
        read_stored(stored(folder))


_MEASURED = """
import resource, sys, time
from tests.sensors.test_s1_hostile_tiff import stored, read_stored
from sarcube.errors import SceneError
import rasterio
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begun = time.process_time()
try:
    values = read_stored(stored(sys.argv[1], int(sys.argv[2])))
    print("read", int(values.any()))
except SceneError as error:
    print("refused")
print(time.process_time() - begun, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("case", ["backwards", "sparse", "wide"])
def test_time_and_memory_are_bounded(tmp_path: Path, case: str) -> None:
    """In CPU seconds and MB of a process of its own; 0.1 took 9 minutes, 77 s and 50 s."""
    folder = safe(tmp_path)
    path, width = folder / "m.tiff", SAMPLES
    if case == "backwards":
        offsets = 20_000 + np.arange(LINES)[::-1].astype(np.int64) * SAMPLES * 4
        tiff(path, SAMPLES, LINES, offsets, data=20_000 + LINES * SAMPLES * 4)
        with zipfile.ZipFile(tmp_path / "S1.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(path, "S1.SAFE/m.tiff")
            archive.writestr("S1.SAFE/annotation/x.xml", "")
        folder = tmp_path / "S1.zip"
        assert folder.stat().st_size < 1 << 20
    elif case == "sparse":
        options = {"tiled": True, "blockxsize": 512, "blockysize": 512, "SPARSE_OK": "TRUE", "compress": "deflate"}
        with rasterio.open(
            path, "w", driver="GTiff", width=SAMPLES, height=LINES, count=1, dtype="complex_int16", **options
        ):
            pass
    else:
        tiff(path, 1_000_000, LINES, np.full(LINES, 20_000, np.int64), data=4 << 20)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(folder), str(width)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    said, numbers = done.stdout.splitlines()
    seconds, megabytes = map(float, numbers.split())
    assert said == ("refused" if case == "wide" else "read 0")
    assert megabytes < 500
    assert seconds < 10  # measured: under 1; quadratic work takes minutes


def test_backwards_strips_of_a_zip_are_read_right_in_one_pass(make: Any, tmp_path: Path) -> None:
    values = np.arange(24 * 20 * 2, dtype="<i2").reshape(24, 20, 2)
    offsets = 4096 + np.arange(24)[::-1].astype(np.int64) * 80
    path = tiff(tmp_path / "x.tiff", 20, 24, offsets, data=4096 + 24 * 80)
    data = bytearray(path.read_bytes())
    for line, offset in enumerate(offsets):
        data[offset : offset + 80] = values[line].tobytes()
    recipe = make.recipe()
    members = make.members([recipe])
    members[f"measurement/{recipe.stem()}.tiff"] = bytes(data)
    bursts = read_bursts(open_safe(make.zip(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED)))
    assert np.array_equal(read_samples(bursts[1], "VV"), values[12:])


@pytest.mark.parametrize("options", [{}, {"compress": "deflate"}, {"tiled": True, "blockxsize": 16, "blockysize": 16}])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_sparse_strips_are_zeros(make: Any, tmp_path: Path, options: dict[str, Any], method: int) -> None:
    """GDAL leaves strips of zeros out: offset and byte count 0."""
    recipe = make.recipe()
    values = recipe.values()
    values[:6] = values[14:20] = 0
    path = tmp_path / "x.tiff"
    form = {"driver": "GTiff", "width": 20, "height": 24, "count": 1, "dtype": "complex_int16", "SPARSE_OK": "TRUE"}
    with rasterio.open(path, "w", **form, **({} if "tiled" in options else {"blockysize": 2}), **options) as dataset:
        for first, stop in ((6, 14), (20, 24)):  # the rest is never written
            part = values[first:stop, :, 0].astype(np.float32) + 1j * values[first:stop, :, 1].astype(np.float32)
            dataset.write(part, 1, window=Window(0, first, 20, stop - first))

    if "tiled" not in options:
        assert (read_layout(LocalBytes(path), "x").strip_offsets == 0).sum() == 6
    members = make.members([recipe])
    members[f"measurement/{recipe.stem()}.tiff"] = path.read_bytes()
    bursts = read_bursts(open_safe(make.zip(tmp_path / "a.zip", members, method)))
    for burst, part in zip(bursts, np.split(values, 2), strict=True):
        assert np.array_equal(read_samples(burst, "VV"), part)
        assert np.array_equal(read_samples(burst, "VV", (1, 7)), part[1:7])
