"""A scene that only its source has, brought into the cache: once, however many bursts want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sarcube.config import RunConfig
from sarcube.errors import SourceError
from sarcube.transfer.cache import cache_folder
from sarcube.transfer.download import Expected, download, download_slot
from sarcube.transfer.redact import redact

if TYPE_CHECKING:
    from sarcube.sensors.sentinel1.search.scenes import FoundBurst


def ensure_scene(found: FoundBurst, config: RunConfig) -> str:
    """The local path of a remote scene, downloaded into the cache where it is not there yet.

    Raises
    ------
    SourceError, TransferError
        It cannot be fetched, or what came is not what was announced.
    CredentialError
        The provider wants a login.
    """
    folder = cache_folder("scenes", config.source.cache)
    target = folder / f"{found.scene}.zip"
    if target.exists():
        return str(target)
    if not found.path.startswith(("https://", "http://")):
        raise SourceError(
            f"{redact(found.path)} cannot be downloaded; set source.access: remote, or copy the scenes and use "
            "source.kind: local"
        )
    expected = Expected(found.file_size, found.checksum)
    if config.source.kind == "asf" and not found.checksum:
        from sarcube.sensors.sentinel1.search.asf import announced

        expected = announced(found.scene)
    elif config.source.kind == "cdse" and not found.checksum:
        from sarcube.sensors.sentinel1.search.cdse import announced as announced_by_cdse

        expected = announced_by_cdse(found.path)
    with download_slot(folder):
        download(found.path, target, expected)
    return str(target)
