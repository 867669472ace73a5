"""The products for a run: searched, narrowed, one of each tile and datatake."""

from __future__ import annotations

from sarcube.config import RunConfig
from sarcube.errors import ConfigError
from sarcube.geometry.aoi import load_aoi
from sarcube.sensors.product_search import ProductSearch
from sarcube.sensors.sentinel2.search.found import FoundTile, Level, explain, one_per_datatake, selected


def find_tiles(config: RunConfig, level: Level) -> ProductSearch[FoundTile]:
    """Products of the run's source.

    Raises
    ------
    ConfigError
        The source is of another sensor.
    SourceError
        It cannot be reached, or has none of the scenes that are named.
    """
    area = load_aoi(config.aoi)
    source = config.source
    if source.kind == "local":
        from sarcube.sensors.sentinel2.search.local import search_local

        found, problems = search_local(config)
        where = str(source.path)
    elif source.kind == "cdse":
        from sarcube.sensors.sentinel2.search.cdse import search_cdse

        found, problems, where = search_cdse(config, area), [], "CDSE"
    elif source.kind == "stac":
        from sarcube.sensors.sentinel2.search.stac import search_stac

        (found, problems), where = search_stac(config, area), str(source.url)
    else:
        raise ConfigError(f"source.kind {source.kind} has no Sentinel-2; choose local, cdse or stac")
    chosen = selected(found, config, area)
    tiles, remarks = one_per_datatake(chosen, level)
    why = "" if tiles else explain(found, config, where)
    if chosen and not tiles:
        why = f"{where} has {chosen[0].level} only; the run asks for level: {level}"
    return ProductSearch(tuple(tiles), tuple(problems), tuple(remarks), why)
