"""Products in folders: SAFE folders and zips, at any depth."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from sarcube.config import RunConfig
from sarcube.errors import SarcubeError
from sarcube.sensors.product_search import products_in, source_folder
from sarcube.sensors.sentinel2.names import parse_name
from sarcube.sensors.sentinel2.scene import open_scene
from sarcube.sensors.sentinel2.search.found import FoundTile, scene_names, tiles_asked
from sarcube.transfer.problem import Problem

log = logging.getLogger(__name__)


def search_local(config: RunConfig) -> tuple[list[FoundTile], list[Problem]]:
    """Every product under `source.path`, which may be one itself.

    Names tell dates and tiles, so that metadata are read only of products that the run may want.

    Raises
    ------
    SourceError
        The path does not exist.
    """
    root = source_folder(config.source.path)
    names, tiles = scene_names(config), tiles_asked(config)
    found, problems = [], []
    for path in products_in(root, _product_of):
        name = parse_name(path.name)
        if name is None:
            continue
        stem = path.name.removesuffix(".zip").removesuffix(".SAFE")
        unwanted = (names and stem not in names) or (tiles is not None and name.tile not in tiles)
        if unwanted or (config.dates and not config.dates[0] <= name.start.date() <= config.dates[1]):
            found.append(_unread(path))
            continue
        try:
            found.append(found_of(str(path)))
        except SarcubeError as error:
            log.warning("%s is left out: %s", path, error)
            problems.append(Problem(str(path), str(error), type(error).__name__))
    return found, problems


def _product_of(name: str) -> str | None:
    return name.removesuffix(".zip").removesuffix(".SAFE") if parse_name(name) else None


def found_of(path: str) -> FoundTile:
    """What a product says of itself, as a search result; SceneError where it cannot be read."""
    local = Path(path)
    files = [local] if local.is_file() else [f for f in local.rglob("*") if f.is_file()]
    stamps = [f.stat() for f in files]
    return _read(path, max((s.st_mtime_ns for s in stamps), default=0), sum(s.st_size for s in stamps))


@lru_cache(maxsize=10_000)
def _read(path: str, newest: int, size: int) -> FoundTile:
    scene = open_scene(path)
    name = parse_name(scene.name)
    return FoundTile(
        path=path,
        name=scene.name,
        platform=scene.platform,
        level=scene.level,
        baseline=scene.baseline,
        tile=scene.tile,
        start=scene.start,
        sensed=scene.sensed,
        made=name.made if name else "",
        relative_orbit=scene.relative_orbit,
        orbit_state=scene.orbit_state,
        footprint=tuple((round(lon, 6), round(lat, 6)) for lon, lat in scene.footprint),
        cloud_cover=scene.cloud_cover,
        size_bytes=size,
    )


def _unread(path: Path) -> FoundTile:
    from sarcube.sensors.sentinel2.search.found import by_name

    one = by_name(str(path), ((0.0, 0.0),) * 4, 0)
    assert one is not None  # its name was parsed
    return one
