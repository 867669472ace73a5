"""Scenes behind an address: what a burst costs in bytes, zip64, deflated members, folders."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sarcube.errors import SceneError
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_samples
from sarcube.transfer.http import AbsentError

ADDRESS = "https://example.test/scene.zip"


class VirtualZip:
    """A stored zip of any size whose large members are made up on the way; counts what is read.

    `members` are bytes, or (head, size, pattern): a file of `size` bytes that begins with `head` and goes on
    with 16-bit words telling their own place.
    """

    def __init__(self, members: dict[str, Any]) -> None:
        self.transferred, self.requests = 0, 0
        self._pieces: list[tuple[int, Any]] = []
        at, directory = 0, b""
        for name, content in members.items():
            size = len(content) if isinstance(content, bytes) else content[1]
            raw = name.encode()
            large = size >= 0xFFFFFFFF
            low = 0xFFFFFFFF if large else size
            extra = struct.pack("<2H2Q", 1, 16, size, size) if large else b""
            local = struct.pack("<4s5H3L2H", b"PK\3\4", 45, 0, 0, 0, 0, 0, low, low, len(raw), len(extra)) + raw + extra
            far = at >= 0xFFFFFFFF
            body = (struct.pack("<2Q", size, size) if large else b"") + (struct.pack("<Q", at) if far else b"")
            extra = struct.pack("<2H", 1, len(body)) + body if body else b""
            crc = zlib.crc32(content) if isinstance(content, bytes) else 0
            directory += struct.pack(
                "<4s6H3L5H2L", b"PK\1\2", 45, 45, 0, 0, 0, 0, crc, low, low, len(raw), len(extra), 0, 0, 0, 0,
                0xFFFFFFFF if far else at,
            ) + raw + extra  # fmt: skip
            self._pieces += [(at, local), (at + len(local), content)]
            at += len(local) + size
        end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, len(members), len(members), len(directory), at)
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, at + len(directory), 1)
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        tail = directory + end64 + locator + end
        self._pieces.append((at, tail))
        self.size = at + len(tail)

    def read(self, offset: int, length: int) -> bytes:
        out = b""
        for start, content in self._pieces:
            size = len(content) if isinstance(content, bytes) else content[1]
            low, high = max(offset, start), min(offset + length, start + size)
            if low < high:
                out += self._part(content, low - start, high - start)
        self.requests += 1
        self.transferred += len(out)
        return out

    @staticmethod
    def _part(content: Any, low: int, high: int) -> bytes:
        if isinstance(content, bytes):
            return content[low:high]
        head = content[0][low:high] if low < len(content[0]) else b""
        low = max(low, len(content[0]))
        if high <= low:
            return head
        first, count = low // 2, high // 2 - low // 2 + 2
        words = np.resize(np.arange(first, first + 65536).astype("<u2"), count).tobytes()
        return head + words[low % 2 :][: high - low]


def four_gigabytes(make: Any) -> tuple[VirtualZip, int]:
    """IW1 to IW3, VV and VH, nine bursts of real size each: more than 4 GiB, the last members beyond 32 bits."""
    members: dict[str, Any] = {}
    head_size = 0
    for swath in ("IW1", "IW2", "IW3"):
        for polarization in ("VV", "VH"):
            small = make.recipe(swath=swath, polarization=polarization, lines=1500, samples=24_000, bursts=9)
            head = tiff_head(13_500, 24_000)
            for name, data in make.members([make.recipe(swath=swath, polarization=polarization)]).items():
                if name.endswith("tiff"):
                    members[f"S.SAFE/{name}"] = (head, len(head) + 13_500 * 24_000 * 4, None)
                elif "calibration/" in name:
                    members[f"S.SAFE/{name}"] = data
            members[f"S.SAFE/annotation/{small.stem()}.xml"] = small.annotation()
            head_size = len(head)
    return VirtualZip(members), head_size


def tiff_head(lines: int, samples: int) -> bytes:
    """Everything of ESA's TIFF before the samples: BigTIFF is not needed below 4 GiB."""
    entries = [
        (256, 3, 1, samples), (257, 4, 1, lines), (258, 3, 1, 32), (259, 3, 1, 1), (273, 4, lines, 122),
        (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, lines, 122 + 4 * lines), (339, 3, 1, 5),
    ]  # fmt: skip
    body = b"".join(struct.pack("<2HLL", *entry) for entry in entries)
    out = b"II*\0" + struct.pack("<LH", 8, len(entries)) + body + struct.pack("<L", 0)
    start = 122 + 8 * lines
    return (
        out
        + (start + np.arange(lines) * samples * 4).astype("<u4").tobytes()
        + np.full(lines, samples * 4, "<u4").tobytes()
    )


def test_a_burst_of_a_four_gigabyte_zip_costs_its_own_bytes(make: Any) -> None:
    archive, head = four_gigabytes(make)
    assert archive.size > 1 << 32
    safe = open_safe(ADDRESS, opener=lambda _: archive)
    assert safe.swaths == dict.fromkeys(("IW1", "IW2", "IW3"), ("VV", "VH"))
    burst = read_bursts(safe, swaths=["IW3"], polarizations=["VH"])[8]
    described = archive.transferred
    assert described < 3_000_000
    values = read_samples(burst, "VH")
    assert values.shape == (1500, 24_000, 2)
    assert archive.transferred < values.nbytes + 4_000_000 < 200e6
    # The words of the made-up file tell their own place in it.
    first = (head + 8 * 1500 * 24_000 * 4) // 2
    assert values[0, :3].ravel().view(np.uint16).tolist() == [(first + i) % 65536 for i in range(6)]
    assert archive.requests < 60


def test_a_truncated_transfer_is_no_burst(make: Any, tmp_path: Path) -> None:
    data = make.zip(tmp_path / "a.zip", make.members([make.recipe()])).read_bytes()

    class Torn:
        size = len(data)

        def read(self, offset: int, length: int) -> bytes:
            return data[offset : offset + (953 if length == 960 else length)]

    burst = read_bursts(open_safe(ADDRESS, opener=lambda _: Torn()))[0]
    with pytest.raises(SceneError, match="ends after 953 of 960 bytes"):
        read_samples(burst, "VV")


def test_folder_behind_an_address(make: Any, tmp_path: Path) -> None:
    recipe = make.recipe()
    members = make.members([recipe])
    asked = []

    class Bytes:
        def __init__(self, address: str) -> None:
            asked.append(address)
            self.data = members[address.removeprefix("s3://bucket/S.SAFE/")]
            self.size = len(self.data)

        def read(self, offset: int, length: int) -> bytes:
            return self.data[offset : offset + length]

    safe = open_safe("s3://bucket/S.SAFE/", opener=Bytes)
    burst = read_bursts(safe)[1]
    assert np.array_equal(read_samples(burst, "VV"), recipe.values()[12:])
    assert not any(address.endswith(".tiff") for address in asked[:-1]), "the measurement is opened once, last"


def test_a_folder_whose_name_has_no_ending(make: Any, tmp_path: Path) -> None:
    """As in mirrors of the archive: `S1A_IW_SLC__1SDV_...` with a manifest in it; else it is the name of a zip."""
    members = make.members([make.recipe()])
    base = f"s3://bucket/{make.name}"
    folder = {f"{base}/{name}": data for name, data in members.items()}
    zipped = {base: make.zip(tmp_path / "a.zip", members).read_bytes()}
    for there in (folder, zipped):

        class Bytes:
            files = there

            def __init__(self, address: str) -> None:
                if address not in self.files:
                    raise AbsentError(address)
                self.data = self.files[address]
                self.size = len(self.data)

            def read(self, offset: int, length: int) -> bytes:
                return self.data[offset : offset + length]

        safe = open_safe(base, opener=Bytes)
        assert safe.name == make.name and len(read_bursts(safe)) == 2


def test_deflated_and_compressed_behind_an_address(make: Any, tmp_path: Path) -> None:
    import rasterio

    recipe = make.recipe()
    values = recipe.values()
    members = make.members([recipe])
    path = tmp_path / "x.tiff"
    with rasterio.open(
        path, "w", driver="GTiff", width=20, height=24, count=1, dtype="complex_int16", compress="deflate"
    ) as out:
        out.write(values[..., 0].astype(np.float32) + 1j * values[..., 1].astype(np.float32), 1)
    for content in (members[f"measurement/{recipe.stem()}.tiff"], path.read_bytes()):
        members[f"measurement/{recipe.stem()}.tiff"] = content
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            data = make.zip(tmp_path / "a.zip", members, method).read_bytes()

            class Bytes:
                size = len(data)
                data_ = data

                def read(self, offset: int, length: int) -> bytes:
                    return self.data_[offset : offset + length]

            burst = read_bursts(open_safe(ADDRESS, opener=lambda _, kind=Bytes: kind()))[1]
            assert np.array_equal(read_samples(burst, "VV"), values[12:])


def test_zip64_made_by_zipfile(make: Any, tmp_path: Path) -> None:
    recipe = make.recipe()
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for name, data in make.members([recipe]).items():
            with archive.open(f"S.SAFE/{name}", "w", force_zip64=True) as member:
                member.write(data)
    burst = read_bursts(open_safe(path))[0]
    assert np.array_equal(read_samples(burst, "VV"), recipe.values()[:12])
