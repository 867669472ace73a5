"""A found product on this machine: where it lies, or downloaded once."""

from __future__ import annotations

from sarcube.config import RunConfig
from sarcube.sensors.sentinel2.search.found import FoundTile
from sarcube.sensors.sentinel2.stac_item import PREFIX


def ensure_product(found: FoundTile, config: RunConfig) -> str:
    """The path of a product; one behind an address is downloaded whole, once, and checked; of one whose
    bands lie behind addresses of their own, that of its item.

    Raises
    ------
    SourceError, TransferError
        It cannot be fetched, or what came is not what was announced.
    CredentialError
        The provider wants a login.
    """
    if "://" not in found.path or found.path.startswith(PREFIX):
        return found.path  # here, or read over the network window by window
    from sarcube.transfer.cache import cache_folder
    from sarcube.transfer.download import Expected, download_once

    target = cache_folder("scenes", config.source.cache) / f"{found.name}.zip"
    return str(download_once(found.path, target, Expected(found.size_bytes, found.checksum)))
