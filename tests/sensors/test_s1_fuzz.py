"""Damaged input: truncation, flipped bits, missing elements, huge sizes, bombs. A typed error, quickly, in bounds.

Each reader takes 2,000 cases. What comes out of a case is either an answer or an error of this package.
"""

from __future__ import annotations

import io
import random
import re
import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sarcube.errors import SarcubeError
from sarcube.sensors.sentinel1.annotation import parse_annotation
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.calibration import parse_calibration
from sarcube.sensors.sentinel1.files import ZipFiles
from sarcube.sensors.sentinel1.manifest import parse_manifest
from sarcube.sensors.sentinel1.model import Samples
from sarcube.sensors.sentinel1.noise import parse_noise
from sarcube.sensors.sentinel1.orbit_file import parse_orbit
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_stored
from tests.bounded import within

CASES = 2000
LIMIT_SECONDS = 2.0
LIMIT_MEMORY = 400 << 20  # growth of the whole process, bytes
EPOCH = np.datetime64("2021-03-01T00:00:00", "ns")
FUZZ = settings(
    max_examples=CASES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
seeds = st.integers(0, 2**32 - 1)


def survives(what: Callable[[], object]) -> None:
    def once() -> None:
        try:
            what()
        except SarcubeError as error:
            assert str(error), "an error says what is wrong"

    within(LIMIT_SECONDS, once)


@pytest.fixture(scope="module", autouse=True)
def memory_stays_in_bounds() -> Any:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < LIMIT_MEMORY


def damage_bytes(data: bytes, draw: random.Random) -> bytes:
    """Truncated, with flipped bits, with a stretch cut out, doubled or overwritten."""
    out = bytearray(data)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(out) or 1)
        stretch = draw.randint(1, 64)
        kind = draw.randrange(6)
        if kind == 0:
            del out[at:]
        elif kind == 1:
            for _ in range(draw.randint(1, 8)):
                if out:
                    out[draw.randrange(len(out))] ^= 1 << draw.randrange(8)
        elif kind == 2:
            del out[at : at + stretch]
        elif kind == 3:
            out[at:at] = out[at : at + stretch]
        elif kind == 4:
            out[at : at + stretch] = draw.choice([b"\0", b"\xff", b"9"]) * len(out[at : at + stretch])
        else:
            out[at : at + 4] = struct.pack("<L", draw.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 20]))[
                : len(out[at : at + 4])
            ]
    return bytes(out)


NUMBERS = [
    "",
    "-1",
    "0",
    "1",
    "nan",
    "inf",
    "-1e308",
    "1e400",
    "999999999999999999999",
    "2147483648",
    "x",
    "1 2",
    "9" * 5000,
]
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
OUTSIDE = b'<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/passwd">]>'


def damage_xml(data: bytes, draw: random.Random) -> bytes:  # noqa: PLR0911
    """What bytes can suffer, and what an XML file can: elements missing or doubled, absurd values, entities."""
    kind = draw.randrange(7)
    if kind == 0:
        return damage_bytes(data, draw)
    leaves = list(re.finditer(rb"<([A-Za-z0-9_:]+)[^<>]*>([^<>]*)(?:</\1>|(?<=/>))", data))
    leaf = draw.choice(leaves)
    if kind == 1:
        return data[: leaf.start()] + data[leaf.end() :]
    if kind == 2:
        return data[: leaf.start(2)] + draw.choice(NUMBERS).encode() + data[leaf.end(2) :]
    if kind == 3:
        return data[: leaf.end()] + leaf.group(0) * draw.randint(1, 300) + data[leaf.end() :]
    if kind == 4:
        tag = draw.choice(re.findall(rb"<([A-Za-z0-9_]+)[ >]", data))
        return re.sub(rb"<(/?)%s([ >])" % tag, rb"<\1gone\2", data)
    if kind == 5:
        return with_entities(data, leaf.start(2), draw)
    return re.sub(rb'count="\d+"', b'count="%d"' % draw.choice([0, 1, 10**6, 10**18]), data, count=draw.randint(0, 5))


def with_entities(data: bytes, at: int, draw: random.Random) -> bytes:
    declaration = data.find(b"?>") + 2 if data.startswith(b"<?xml") else 0
    return data[:declaration] + draw.choice([BOMB, OUTSIDE, b""]) + data[declaration:at] + b"&c;" + data[at:]


@pytest.fixture(scope="module")
def documents(make: Any) -> list[tuple[bytes, Callable[[bytes], object]]]:
    recipe = make.recipe(burst_ids=[500, 501])
    return [
        (recipe.annotation(), lambda data: parse_annotation(data, "annotation.xml")),
        (recipe.calibration(), lambda data: parse_calibration(data, "calibration.xml", EPOCH)),
        (recipe.noise(), lambda data: parse_noise(data, "noise.xml", EPOCH)),
        (recipe.noise(old=True), lambda data: parse_noise(data, "noise.xml", EPOCH)),
        (make.members([recipe])["manifest.safe"], lambda data: parse_manifest(data, "manifest.safe")),
    ]


@given(seed=seeds)
@FUZZ
def test_xml(documents: list[tuple[bytes, Callable[[bytes], object]]], seed: int) -> None:
    draw = random.Random(seed)
    data, parse = documents[0] if draw.random() < 0.5 else draw.choice(documents)
    damaged = damage_xml(data, draw)
    survives(lambda: parse(damaged))


@given(seed=seeds)
@settings(FUZZ, max_examples=400)
def test_scenes_with_a_damaged_annotation(make: Any, tmp_path_factory: Any, seed: int) -> None:
    """The whole way to bursts: values that parse but make no sense."""
    draw = random.Random(seed)
    recipe = make.recipe()
    members = make.members([recipe])
    name = f"annotation/{recipe.stem()}.xml"
    members[name] = damage_xml(members[name], draw)
    path = tmp_path_factory.getbasetemp() / "annotation.zip"
    make.zip(path, members)
    survives(lambda: read_bursts(open_safe(path)))


@pytest.fixture(scope="module")
def archives(make: Any) -> list[bytes]:
    members = {name: data[:600] for name, data in make.members([make.recipe()]).items()}
    made = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, data in members.items():
                with archive.open(f"S.SAFE/{name}", "w", force_zip64=method == zipfile.ZIP_STORED) as member:
                    member.write(data)
        made.append(buffer.getvalue())
    return made


def damage_zip(data: bytes, draw: random.Random) -> bytes:
    kind = draw.randrange(4)
    if kind == 0:
        return damage_bytes(data, draw)
    if kind == 1:  # names that lead elsewhere, of the same length
        evil = draw.choice([b"../../", b"/S.SAF", b"C:/saf", b"S\0SAFE"])
        return data.replace(b"S.SAFE", evil, draw.randint(1, 12))
    # Fields of the directory and of its end: sizes, offsets, counts, methods.
    record = draw.choice([m.start() for m in re.finditer(rb"PK\x01\x02|PK\x05\x06|PK\x03\x04", data)])
    out = bytearray(data)
    at = record + draw.randrange(4, 46)
    size = draw.choice([2, 4])
    value = draw.choice([0, 1, 7, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, len(data), draw.randrange(2**32)]) % 256**size
    out[at : at + size] = value.to_bytes(size, "little")[: len(out) - at]
    return bytes(out) if kind == 2 else damage_bytes(bytes(out), draw)


@given(seed=seeds)
@FUZZ
def test_zip(archives: list[bytes], tmp_path_factory: Any, seed: int) -> None:
    draw = random.Random(seed)
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(damage_zip(draw.choice(archives), draw))

    def read_all() -> None:
        files = ZipFiles(path)
        for name in files.names():
            files.open(name).read(10, 100)
            files.read(name)

    survives(read_all)


@given(seed=seeds)
@FUZZ
def test_eof(orbit_text: bytes, seed: int) -> None:
    draw = random.Random(seed)
    damaged = damage_xml(orbit_text, draw)
    if draw.random() < 0.1:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.EOF", orbit_text)
        damaged = damage_zip(buffer.getvalue(), draw)
    survives(lambda: parse_orbit(damaged, "orbit.EOF"))


@pytest.fixture(scope="module")
def orbit_text(make: Any) -> bytes:
    vectors = ""
    for second in range(0, 120, 10):
        position, velocity = make.state(1000.0 + second)
        keys = zip(("X", "Y", "Z", "VX", "VY", "VZ"), (*position, *velocity), strict=True)
        vectors += f"<OSV><UTC>UTC=2021-03-01T00:{second // 60:02d}:{second % 60:02d}.000000</UTC>"
        vectors += "".join(f"<{key}>{value:.6f}</{key}>" for key, value in keys) + "</OSV>"
    return (
        '<?xml version="1.0"?><Earth_Explorer_File><Earth_Explorer_Header><Fixed_Header>'
        "<Mission>Sentinel-1A</Mission><File_Type>AUX_POEORB</File_Type></Fixed_Header><Variable_Header>"
        "<Ref_Frame>EARTH_FIXED</Ref_Frame><Time_Reference>UTC</Time_Reference></Variable_Header>"
        f'</Earth_Explorer_Header><Data_Block type="xml"><List_of_OSVs count="12">{vectors}</List_of_OSVs>'
        "</Data_Block></Earth_Explorer_File>"
    ).encode()


@pytest.fixture(scope="module")
def images(make: Any, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    import rasterio

    values = make.recipe().values()
    made = [
        make.tiff(values, order=order, big=big, rows=rows) for order, big, rows in (("<", False, 1), (">", True, 5))
    ]
    for options in ({"compress": "deflate"}, {"compress": "lzw", "tiled": True, "blockxsize": 16, "blockysize": 16}):
        path = tmp_path_factory.mktemp("tiff") / "x.tiff"
        with rasterio.open(
            path, "w", driver="GTiff", width=20, height=24, count=1, dtype="complex_int16", **options
        ) as out:
            out.write(values[..., 0].astype(np.float32) + 1j * values[..., 1].astype(np.float32), 1)
        made.append(path.read_bytes())
    return made


def damage_tiff(data: bytes, draw: random.Random) -> bytes:
    if draw.random() < 0.4:
        return damage_bytes(data, draw)
    # Entries of the directory: tags, types, counts, values and offsets.
    out = bytearray(data)
    order = "little" if data[:2] == b"II" else "big"
    big = data[2:4] in (b"\x2b\0", b"\0\x2b")
    start = int.from_bytes(data[8:16] if big else data[4:8], order)  # type: ignore[arg-type]
    for _ in range(draw.randint(1, 3)):
        at = start + draw.randrange(0, 20 * 9 if big else 12 * 11)
        size = draw.choice([1, 2, 4, 8])
        value = draw.choice([0, 1, 2, 5, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63, len(data), draw.randrange(2**64)])
        out[at : at + size] = (value % 256**size).to_bytes(size, order)[: max(0, len(out) - at)]  # type: ignore[arg-type]
    return bytes(out)


@given(seed=seeds)
@FUZZ
def test_tiff(images: list[bytes], tmp_path_factory: Any, seed: int) -> None:
    draw = random.Random(seed)
    folder = tmp_path_factory.getbasetemp() / "damaged.SAFE"
    folder.mkdir(exist_ok=True)
    (folder / "x.tiff").write_bytes(damage_tiff(draw.choice(images), draw))
    survives(lambda: read_stored(Samples(str(folder), "x.tiff", 12, 12, 20)))


@pytest.mark.parametrize("claimed", [10**7, 2**31, 2**40])
def test_huge_declared_sizes_take_no_memory(make: Any, tmp_path: Path, claimed: int) -> None:
    """A TIFF that claims more lines and samples than any file, in a file of 2 kB."""
    data = make.tiff(make.recipe().values(), big=True)
    for tag in (256, 257, 278):
        at = data.index(struct.pack("<2H", tag, 3 if tag == 256 else 4))
        data = data[:at] + struct.pack("<2HQQ", tag, 16, 1, claimed) + data[at + 20 :]
    (tmp_path / "x.tiff").write_bytes(data)
    survives(lambda: read_stored(Samples(str(tmp_path), "x.tiff", 0, 9000, 50_000)))
    with pytest.raises(SarcubeError):
        read_stored(Samples(str(tmp_path), "x.tiff", 0, 9000, 50_000))


def test_a_deflate_bomb_is_stopped(make: Any, tmp_path: Path) -> None:
    """A metadata member of a gigabyte of blanks in a zip of 1 MB."""
    path = tmp_path / "bomb.zip"
    name = f"S.SAFE/annotation/{make.recipe().stem()}.xml"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as member:
        for _ in range(64):
            member.write(b" " * (1 << 22))
    safe = open_safe(path)
    with pytest.raises(SarcubeError, match="no metadata file is that large"):
        read_bursts(safe)


@pytest.mark.parametrize("unit", [b"<a/>", b"<a b='1'/>", b"<a>", b"1 ", b"&lt;"])
def test_masses_of_markup(unit: bytes) -> None:
    data = b"<product>" + unit * ((15 << 20) // len(unit)) + b"</product>"
    survives(lambda: parse_annotation(data, "x.xml"))


def test_the_undamaged_inputs_are_read(
    documents: Any, archives: Any, orbit_text: bytes, images: Any, tmp_path: Path
) -> None:
    """The fuzz means something only if the originals pass."""
    for data, parse in documents:
        parse(data)
    assert len(parse_orbit(orbit_text, "x").orbit.time) == 12
    read = []
    for image in images:
        (tmp_path / "x.tiff").write_bytes(image)
        read.append(read_stored(Samples(str(tmp_path), "x.tiff", 12, 12, 20)))
    assert all(np.array_equal(read[0], other) for other in read)
    for archive in archives:
        (tmp_path / "x.zip").write_bytes(archive)
        files = ZipFiles(tmp_path / "x.zip")
        assert all(len(files.read(name)) == files.size(name) for name in files.names())
