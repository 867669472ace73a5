"""The files of a SAFE, wherever they lie: a local folder, a zip, or a zip or folder behind an address."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sarcube.errors import SceneError
from sarcube.sensors.sentinel1.bytes_source import ByteOpener, ByteSource, LocalBytes, is_remote, open_bytes
from sarcube.sensors.sentinel1.zip_directory import ZipMember, open_member, read_directory
from sarcube.transfer.folder import walk

MAX_WHOLE = 16 << 20  # a metadata file is at most some megabytes; measurement is never read whole
MAX_FILES = 20_000


def is_sidecar(name: str) -> bool:
    """Whether a path is what macOS and file servers leave beside files (`._x`, `__MACOSX/`, `.DS_Store`): no data."""
    parts = name.split("/")
    return "__MACOSX" in parts or any(part.startswith("._") or part == ".DS_Store" for part in parts)


class SafeFiles(Protocol):
    """Names and bytes of the files of one SAFE; names are relative to its root, with forward slashes."""

    path: str
    root: str

    def names(self) -> tuple[str, ...]: ...

    def size(self, name: str) -> int: ...

    def open(self, name: str) -> ByteSource: ...

    def read(self, name: str) -> bytes: ...

    def gdal_path(self, name: str) -> str: ...


class _Files:
    """What folder and zip share: reading a whole small file, with a bound."""

    path: str

    def open(self, name: str) -> ByteSource:
        raise LookupError(name)

    def read(self, name: str) -> bytes:
        """Read a whole metadata file.

        Raises
        ------
        SceneError
            Missing, truncated, or larger than any metadata file is.
        """
        source = self.open(name)
        if source.size > MAX_WHOLE:
            raise SceneError(f"{self.path}: {name} claims {source.size} bytes; no metadata file is that large")
        data = source.read(0, source.size)
        if len(data) != source.size:
            raise SceneError(f"{self.path}: {name} ends after {len(data)} of {source.size} bytes; fetch it again")
        return data


class FolderFiles(_Files):
    """A local SAFE folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self.root = ""
        base = Path(self.path)
        found = []
        for folder, _, files in walk(base):
            relative = folder.relative_to(base).as_posix()
            names = [f"{relative}/{name}" if relative != "." else name for name in files]
            found += [name for name in names if not is_sidecar(name)]
            if len(found) > MAX_FILES:
                raise SceneError(f"{path}: more than {MAX_FILES} files; name one SAFE, not a folder of scenes")
        self._names = tuple(found)

    def names(self) -> tuple[str, ...]:
        return self._names

    def size(self, name: str) -> int:
        return self.open(name).size

    def open(self, name: str) -> ByteSource:
        if name not in self._names:
            raise SceneError(f"{self.path}: has no {name}; the scene is incomplete, fetch it again")
        return LocalBytes(Path(self.path) / name)

    def gdal_path(self, name: str) -> str:
        return str(Path(self.path) / name)


class ZipFiles(_Files):
    """A SAFE in a zip, local or behind an address, read in place."""

    def __init__(self, path: str | Path, opener: ByteOpener | None = None) -> None:
        self.path = str(path)
        self.root = ""
        self._source = open_bytes(self.path, opener)
        members = read_directory(self._source, self.path)
        self._members: dict[str, ZipMember] = {n: m for n, m in members.items() if not is_sidecar(n)}

    def names(self) -> tuple[str, ...]:
        return tuple(self._members)

    def size(self, name: str) -> int:
        return self._member(name).size

    def open(self, name: str) -> ByteSource:
        return open_member(self._source, self._member(name), self.path)

    def read(self, name: str) -> bytes:
        data = super().read(name)
        # The whole member is at hand, so its checksum costs nothing and finds damage that XML would swallow.
        if zlib.crc32(data) != self._member(name).crc32:
            raise SceneError(f"{self.path}: {name} does not match its checksum; the zip is damaged, fetch it again")
        return data

    def gdal_path(self, name: str) -> str:
        self._member(name)
        if not is_remote(self.path):
            return f"/vsizip/{{{Path(self.path).absolute()}}}/{name}"
        return f"/vsizip/{{{_gdal_address(self.path)}}}/{name}"

    def _member(self, name: str) -> ZipMember:
        try:
            return self._members[name]
        except KeyError:
            raise SceneError(f"{self.path}: has no {name}; the scene is incomplete, fetch it again") from None


class RemoteFolderFiles(_Files):
    """A SAFE folder behind an address. Not every server lists folders, so the manifest names the files."""

    def __init__(self, path: str, names: Sequence[str], opener: ByteOpener) -> None:
        self.path = path.rstrip("/")
        self.root = ""
        self._names = tuple(name for name in names if not is_sidecar(name))
        self._opener = opener

    def names(self) -> tuple[str, ...]:
        return self._names

    def size(self, name: str) -> int:
        return self.open(name).size

    def open(self, name: str) -> ByteSource:
        return self._opener(f"{self.path}/{name}")

    def gdal_path(self, name: str) -> str:
        return _gdal_address(f"{self.path}/{name}")


def _gdal_address(path: str) -> str:
    return f"/vsis3/{path[5:]}" if path.startswith("s3://") else f"/vsicurl/{path}"
