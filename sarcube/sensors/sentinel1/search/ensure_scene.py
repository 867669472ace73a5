"""A scene that only its source has, brought into a folder: once, however many bursts want it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sarcube.config import RunConfig
from sarcube.errors import SourceError
from sarcube.transfer.cache import cache_folder
from sarcube.transfer.download import Expected, download_once
from sarcube.transfer.redact import redact


class Located(Protocol):
    """What a search tells of a scene's file."""

    @property
    def scene(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def checksum(self) -> str: ...
    @property
    def file_size(self) -> int: ...


def ensure_scene(found: Located, config: RunConfig) -> str:
    """The local path of a remote scene, downloaded into the cache where it is not there yet.

    Raises
    ------
    SourceError, TransferError
        It cannot be fetched, or what came is not what was announced.
    CredentialError
        The provider wants a login.
    """
    return str(fetch_scene(found, cache_folder("scenes", config.source.cache), config.source.kind))


def scene_path(found: Located, config: RunConfig) -> str:
    """Where the scene is read: as found, by range requests, or where it was downloaded to (`source.access`)."""
    source = config.source
    if "://" not in found.path or source.access == "remote":
        return found.path
    if source.access == "auto" and (source.kind == "local" or found.path.startswith("s3://")):
        return found.path
    return ensure_scene(found, config)


def fetch_scene(found: Located, folder: Path, provider: str, came: Callable[[int], None] | None = None) -> Path:
    """The scene's zip in a folder, fetched where it is not there yet; errors are those of `ensure_scene`.

    Parameters
    ----------
    found : FoundBurst or FoundGrd
    folder : Path
    provider : str
        `source.kind`: who is asked for size and checksum where the search did not tell them.
    came : callable, optional
        Told how many bytes came, again and again; a negative number where what had come is of no use.
    """
    target = folder / f"{found.scene}.zip"
    if target.exists():
        return target
    if not found.path.startswith(("https://", "http://")):
        raise SourceError(
            f"{redact(found.path)} cannot be downloaded; set source.access: remote, or copy the scenes and use "
            "source.kind: local"
        )
    expected = Expected(found.file_size, found.checksum)
    if provider == "asf" and not found.checksum:
        from sarcube.sensors.sentinel1.search.asf import announced

        expected = announced(found.scene)
    elif provider == "cdse" and not found.checksum:
        from sarcube.sensors.sentinel1.search.cdse import announced as announced_by_cdse

        expected = announced_by_cdse(found.path)
    return download_once(found.path, target, expected, came)
