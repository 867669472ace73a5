"""The granules for a run: searched, narrowed, each measurement in one of them; and brought to this machine."""

from __future__ import annotations

from sarcube.config import RunConfig
from sarcube.errors import ConfigError
from sarcube.geometry.aoi import load_aoi
from sarcube.sensors.product_search import ProductSearch
from sarcube.sensors.sentinel3.search.found import FoundGranule, best_made, selected


def find_granules(config: RunConfig) -> ProductSearch[FoundGranule]:
    """Granules of the run's source.

    Raises
    ------
    ConfigError
        The source is of another sensor.
    SourceError
        It cannot be reached.
    """
    area = load_aoi(config.aoi)
    source = config.source
    if source.kind == "local":
        from sarcube.sensors.sentinel3.search.local import search_local

        found, problems = search_local(config)
        where = str(source.path)
    elif source.kind == "cdse":
        from sarcube.sensors.sentinel3.search.cdse import search_cdse

        found, problems, where = search_cdse(config, area), [], "CDSE"
    else:
        raise ConfigError(f"source.kind {source.kind} has no SLSTR granules; choose local or cdse")
    kept, remarks = best_made(selected(found, config, area))
    why = "" if kept else _explain(found, where)
    return ProductSearch(tuple(kept), tuple(problems), tuple(remarks), why)


def _explain(found: list[FoundGranule], where: str) -> str:
    if not found:
        return f"there is no SL_1_RBT granule of Sentinel-3 in {where}"
    first, last = min(f.start for f in found).date(), max(f.start for f in found).date()
    return f"{where} has {len(found)} granules, {first} to {last}; none is within what is asked"


def ensure_granule(found: FoundGranule, config: RunConfig) -> str:
    """The path of a granule; one behind an address is downloaded whole, once, and checked.

    Raises
    ------
    SourceError, TransferError
        It cannot be fetched, or what came is not what was announced.
    CredentialError
        The provider wants a login.
    """
    if "://" not in found.path:
        return found.path
    from sarcube.transfer.cache import cache_folder
    from sarcube.transfer.download import Expected, download_once

    target = cache_folder("scenes", config.source.cache) / f"{found.name}.SEN3.zip"
    return str(download_once(found.path, target, Expected(found.size_bytes, found.checksum)))
