"""The directory of a zip archive, read from its end through byte ranges (PKWARE APPNOTE 6.3.10, zip64 included)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sarcube.errors import SceneError
from sarcube.sensors.sentinel1.bytes_source import ByteSource, InflatingSource, SubSource

STORED, DEFLATED = 0, 8
_END = struct.Struct("<4s4H2LH")  # end of central directory record
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")  # central directory file header
_LOCAL = struct.Struct("<4s5H3L2H")  # local file header
_TAIL = _END.size + 0xFFFF + _END64_LOCATOR.size  # the longest comment a zip may have
MAX_DIRECTORY = 32 << 20  # a SAFE's directory is some kilobytes
MAX_ENTRIES = 100_000


@dataclass(frozen=True)
class ZipMember:
    """One file of the archive: where its local header starts, how it is packed and how large it is."""

    name: str
    method: int
    crc32: int
    packed_size: int
    size: int
    header_offset: int
    encrypted: bool


def read_directory(source: ByteSource, where: str) -> dict[str, ZipMember]:
    """Members of the archive by name; folders are left out.

    Raises
    ------
    SceneError
        Not a zip, truncated, or a directory that points outside the file.
    """
    size = source.size
    tail_start = max(0, size - _TAIL)
    tail = source.read(tail_start, size - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise SceneError(
            f"{where}: no zip directory at the end of its {size} bytes; the file is truncated or not a zip, "
            "fetch it again"
        )
    _, disk, _, _, count, length, start, _ = _END.unpack_from(tail, at)
    if 0xFFFF in (disk, count) or 0xFFFFFFFF in (length, start):
        count, length, start = _zip64_end(source, tail, at, where)
    if length > MAX_DIRECTORY or count > MAX_ENTRIES or start + length > size:
        raise SceneError(
            f"{where}: its zip directory claims {count} members in {length} bytes at {start}, which the file of "
            f"{size} bytes cannot hold; fetch it again"
        )
    directory = tail[start - tail_start :] if start >= tail_start else source.read(start, length)
    return _entries(directory[:length], count, size, where)


def _zip64_end(source: ByteSource, tail: bytes, at: int, where: str) -> tuple[int, int, int]:
    locator = at - _END64_LOCATOR.size
    if locator < 0 or tail[locator : locator + 4] != b"PK\x06\x07":
        raise SceneError(f"{where}: its zip64 directory is missing; the file is damaged, fetch it again")
    offset = _END64_LOCATOR.unpack_from(tail, locator)[2]
    record = source.read(offset, _END64.size) if offset < source.size else b""
    if len(record) < _END64.size or record[:4] != b"PK\x06\x06":
        raise SceneError(f"{where}: its zip64 directory is not where it should be; fetch the file again")
    fields = _END64.unpack(record)
    return fields[7], fields[8], fields[9]


def _entries(data: bytes, count: int, archive_size: int, where: str) -> dict[str, ZipMember]:
    members: dict[str, ZipMember] = {}
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(data) or data[at : at + 4] != b"PK\x01\x02":
            raise SceneError(f"{where}: its zip directory breaks off after {len(members)} of {count} members")
        fields = _ENTRY.unpack_from(data, at)
        flags, method, crc, packed, size = fields[3], fields[4], fields[7], fields[8], fields[9]
        name_length, extra_length, comment_length, header = fields[10], fields[11], fields[12], fields[16]
        at += _ENTRY.size
        raw = data[at : at + name_length]
        extra = data[at + name_length : at + name_length + extra_length]
        at += name_length + extra_length + comment_length
        name = raw.decode("utf-8" if flags & 0x800 else "cp437").replace("\\", "/") if _decodes(raw, flags) else ""
        size, packed, header = _zip64_extra(extra, size, packed, header)
        if not name or name.endswith("/"):
            continue
        if _unsafe(name):
            raise SceneError(f"{where}: holds the path {name!r}, which leads out of the scene; do not use this file")
        if header + packed > archive_size:
            raise SceneError(f"{where}: member {name} ends beyond the file; it is truncated, fetch it again")
        members[name] = ZipMember(name, method, crc, packed, size, header, bool(flags & 1))
    return members


def _decodes(raw: bytes, flags: int) -> bool:
    if flags & 0x800:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            return False
    return True


def _unsafe(name: str) -> bool:
    parts = name.split("/")
    return name.startswith("/") or ".." in parts or ":" in parts[0] or "\0" in name


def _zip64_extra(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        body = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if kind != 1:
            continue
        values = [int.from_bytes(body[i : i + 8], "little") for i in range(0, len(body) - 7, 8)]
        if size == 0xFFFFFFFF and values:
            size = values.pop(0)
        if packed == 0xFFFFFFFF and values:
            packed = values.pop(0)
        if header == 0xFFFFFFFF and values:
            header = values.pop(0)
    return size, packed, header


def open_member(source: ByteSource, member: ZipMember, where: str) -> ByteSource:
    """The bytes of a member: in place where it is stored, inflated on the way where it is deflated."""
    label = f"{where}: member {member.name}"
    if member.encrypted:
        raise SceneError(f"{label} is encrypted; unpack the scene first")
    if member.size == 0:
        return SubSource(source, 0, 0)
    local = source.read(member.header_offset, _LOCAL.size)
    if len(local) < _LOCAL.size or local[:4] != b"PK\x03\x04":
        raise SceneError(f"{label} does not start where the zip directory says; fetch the file again")
    fields = _LOCAL.unpack(local)
    start = member.header_offset + _LOCAL.size + fields[9] + fields[10]
    if start + member.packed_size > source.size:
        raise SceneError(f"{label} ends beyond the file; it is truncated, fetch it again")
    packed = SubSource(source, start, member.packed_size)
    if member.method == STORED:
        if member.packed_size != member.size:
            raise SceneError(f"{label} is stored with two different sizes; the zip is damaged, fetch it again")
        return packed
    if member.method == DEFLATED:
        return InflatingSource(packed, member.size, label)
    raise SceneError(f"{label} is packed with method {member.method}; only stored and deflated members can be read")
