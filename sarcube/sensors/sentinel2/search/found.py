"""What a search finds, and which of it a run takes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sarcube.config import RunConfig
from sarcube.errors import SourceError
from sarcube.geometry.aoi import Area
from sarcube.geometry.longitudes import unwrap
from sarcube.sensors.sentinel2.names import TILE, parse_name, place_of
from sarcube.transfer.problem import Problem

if TYPE_CHECKING:
    from shapely import Geometry

Level = Literal["auto", "l1c", "l2a"]
_NEW_SHARE = 0.1  # of its footprint; those of two versions of the same differ by less


@dataclass(frozen=True, slots=True)
class FoundTile:
    """One product of a tile, small enough to cross processes.

    Attributes
    ----------
    path : str
        SAFE folder or zip, or the address it is fetched from.
    name : str
        Of the product, without suffix.
    platform, level, baseline, tile : str
    start, sensed : datetime
        UTC: start of the datatake, and when the tile was seen.
    made : str
        Later is newer.
    relative_orbit : int
    orbit_state : str
        Empty where unknown.
    footprint : tuple of (longitude, latitude)
    cloud_cover : float, optional
        Percent.
    size_bytes : int
    checksum : str
        "md5:..." as the provider states it, empty where it does not.
    """

    path: str
    name: str
    platform: str
    level: str
    baseline: str
    tile: str
    start: dt.datetime
    sensed: dt.datetime
    made: str
    relative_orbit: int
    orbit_state: str
    footprint: tuple[tuple[float, float], ...]
    cloud_cover: float | None = None
    size_bytes: int = 0
    checksum: str = ""

    @property
    def place(self) -> str:
        return place_of(self.tile)


def scene_names(config: RunConfig) -> set[str]:
    """Names that the run is narrowed to, without suffixes."""
    return {text.rsplit("/", 1)[-1].removesuffix(".zip").removesuffix(".SAFE") for text in config.source.scenes or ()}


def tiles_asked(config: RunConfig) -> set[str] | None:
    """Tiles that the run is narrowed to; None: all."""
    if config.source.places is None:
        return None
    found = {place.lower().removeprefix("mgrs_").upper()[:5] for place in config.source.places}
    return {tile for tile in found if TILE.fullmatch(tile)}


def selected(found: Iterable[FoundTile], config: RunConfig, area: Area | None) -> list[FoundTile]:
    """Those within the run's dates, area and filters."""
    names, tiles, source = scene_names(config), tiles_asked(config), config.source
    kept = []
    for one in found:
        day = one.start.date()
        if names and one.name not in names:
            continue
        if config.dates and not config.dates[0] <= day <= config.dates[1]:
            continue
        if tiles is not None and one.tile not in tiles:
            continue
        if source.relative_orbits and one.relative_orbit not in source.relative_orbits:
            continue
        if source.orbit_direction and one.orbit_state and one.orbit_state != source.orbit_direction:
            continue
        if area is not None and not area.intersects(one.footprint):
            continue
        kept.append(one)
    return kept


def one_per_datatake(found: Sequence[FoundTile], level: Level) -> tuple[list[FoundTile], list[Problem]]:
    """One product of each tile and datatake: L2A before L1C unless a level is asked for, then the newest.

    A datatake that was sent to two stations comes in two products of a tile, each with what the other has not: both
    are taken, the newest first.

    Returns
    -------
    tiles : list of FoundTile
        In order of tile and time.
    remarks : list of Problem
        What was passed over although it was there.
    """
    wanted = [one for one in found if level == "auto" or one.level.lower() == level]
    groups: dict[tuple[str, dt.datetime, str], list[FoundTile]] = {}
    for one in wanted:
        groups.setdefault((one.tile, one.start, one.platform), []).append(one)
    kept, remarks = [], []
    for _, versions in sorted(groups.items()):
        newest = sorted(versions, key=_newness, reverse=True)
        best = newest[0]
        taken, older = [best], list[FoundTile]()
        for one in newest[1:]:
            if one.level == best.level and one.name != best.name:
                (taken if _sees_more(one, taken) else older).append(one)
        kept.extend(taken)
        if older:
            names = ", ".join(v.name for v in older)
            remarks.append(Problem(best.name, f"taken as the newest of its datatake; passed over: {names}"))
    return kept, remarks


def _sees_more(one: FoundTile, others: Sequence[FoundTile]) -> bool:
    """Whether a good part of what a product saw is in none of the others."""
    import shapely

    start = one.footprint[0][0] if one.footprint else 0.0

    def ground(tile: FoundTile) -> Geometry:
        if len(tile.footprint) < 4:
            return shapely.Polygon()
        longitudes = unwrap([start, *(lon for lon, _ in tile.footprint)])[1:]
        return shapely.make_valid(shapely.polygons(np.column_stack([longitudes, [lat for _, lat in tile.footprint]])))

    own = ground(one)
    rest = own.difference(shapely.union_all([ground(other) for other in others]))
    return bool(own.area > 0 and rest.area > _NEW_SHARE * own.area)


def _newness(one: FoundTile) -> tuple[bool, bool, str, str]:
    # Local processors write 99.99 (sen2cor): no measure of age, so that ESA's own comes first.
    return one.level == "L2A", not one.baseline.startswith("99"), one.baseline, one.made


def explain(found: Sequence[FoundTile], config: RunConfig, where: str) -> str:
    """Why nothing is left of what was found, in words."""
    if not found:
        return f"there is no Sentinel-2 product in {where}"
    first, last = min(f.start for f in found).date(), max(f.start for f in found).date()
    tiles = sorted({f.tile for f in found})
    shown = ", ".join(tiles[:6]) + (" ..." if len(tiles) > 6 else "")
    asked = scene_names(config)
    if asked and not asked & {f.name for f in found}:
        raise SourceError(f"none of the scenes that are asked for is in {where}; it has {len(found)} products")
    levels = "/".join(sorted({f.level for f in found}))
    return f"{where} has {len(found)} products ({levels}) of {shown}, {first} to {last}; none is within what is asked"


def by_name(path: str, footprint: tuple[tuple[float, float], ...], size: int, **more: object) -> FoundTile | None:
    """What the name of a product alone tells; None where it is none."""
    name = parse_name(path)
    if name is None:
        return None
    stem = path.rstrip("/").rsplit("/", 1)[-1].removesuffix(".zip").removesuffix(".SAFE")
    return FoundTile(
        str(more.get("path", path)), stem, name.platform, name.level, name.baseline, name.tile, name.start,
        name.start, name.made, name.relative_orbit, str(more.get("orbit_state", "")), footprint, size_bytes=size,
    )  # fmt: skip
