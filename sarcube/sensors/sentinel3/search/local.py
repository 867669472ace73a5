"""Granules in folders: SEN3 folders and zips, at any depth."""

from __future__ import annotations

import logging
import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from sarcube.config import RunConfig
from sarcube.errors import SarcubeError, SourceError
from sarcube.geometry.longitudes import unwrap
from sarcube.sensors.product_search import products_in, source_folder
from sarcube.sensors.sentinel3.granule import open_granule, read
from sarcube.sensors.sentinel3.names import GranuleName, parse_name
from sarcube.sensors.sentinel3.search.found import FoundGranule, is_asked
from sarcube.transfer.problem import Problem

log = logging.getLogger(__name__)
_SIDE = 12  # points of a footprint along each side


def search_local(config: RunConfig) -> tuple[list[FoundGranule], list[Problem]]:
    """Every granule under `source.path`, which may be one itself.

    Names tell dates, so that positions are read only of granules that the run may want.

    Raises
    ------
    SourceError
        The path does not exist.
    """
    root = source_folder(config.source.path)
    found, problems = [], []
    for path in products_in(root, _product_of):
        name = parse_name(path.name)
        if name is None:
            continue
        if not is_asked(name.text, name.start, name.relative_orbit, config):
            found.append(_of(path, name, (), 0))
            continue
        try:
            ring, size = _looked_at(str(path), _newest(path))
            found.append(_of(path, name, ring, size))
        except SarcubeError as error:
            log.warning("%s is left out: %s", path, error)
            problems.append(Problem(str(path), str(error), type(error).__name__))
    return found, problems


def _product_of(name: str) -> str | None:
    parsed = parse_name(name)
    return parsed.text if parsed else None


def _of(path: Path, name: GranuleName, ring: tuple[tuple[float, float], ...], size: int) -> FoundGranule:
    return FoundGranule(
        str(path), name.text, name.platform, name.start, name.stop, name.created, name.relative_orbit,
        name.timeliness, name.collection, ring, size,
    )  # fmt: skip


def _newest(path: Path) -> int:
    return max((p.stat().st_mtime_ns for p in (path, *(path.glob("*.nc") if path.is_dir() else ()))), default=0)


def _round_a_pole(ring: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points along the pole that close a ring which goes round it; none where it does not."""
    longitudes = unwrap([point[0] for point in (*ring, ring[0])])
    if abs(longitudes[-1] - longitudes[0]) < 180.0:
        return []
    pole = math.copysign(90.0, sum(latitude for _, latitude in ring))
    first = (float(longitudes[-1]), ring[0][1])
    return [first, *((float(lon), pole) for lon in np.linspace(longitudes[-1], longitudes[0], _SIDE))]


@lru_cache(maxsize=10_000)
def _looked_at(path: str, newest: int) -> tuple[tuple[tuple[float, float], ...], int]:
    """Footprint and bytes of a granule; `newest` makes a changed one be looked at again."""
    granule = open_granule(path)
    longitude, latitude = (read(granule, "geodetic_in.nc", f"{n}_in") for n in ("longitude", "latitude"))
    placed = np.isfinite(longitude) & np.isfinite(latitude)
    # Rows at the ends and columns at the sides may have no position: the outermost that have one.
    rows = np.flatnonzero(placed.any(axis=1))
    if rows.size < 2:
        raise SourceError(f"{path}: no pixel has a position; fetch the granule again")
    chosen = rows[np.linspace(0, rows.size - 1, _SIDE).astype(int)]
    sides = [np.flatnonzero(placed[row])[[0, -1]] for row in chosen]
    first, last = rows[0], rows[-1]
    along = [np.flatnonzero(placed[row]) for row in (first, last)]
    top, bottom = (c[np.linspace(0, c.size - 1, _SIDE).astype(int)] for c in along)
    points = [(first, c) for c in top] + [(r, s[1]) for r, s in zip(chosen[1:-1], sides[1:-1], strict=True)]
    points += [(last, c) for c in bottom[::-1]] + [
        (r, s[0]) for r, s in zip(chosen[-2:0:-1], sides[-2:0:-1], strict=True)
    ]
    ring = [(round(float(longitude[p]), 5), round(float(latitude[p]), 5)) for p in points]
    ring += _round_a_pole(ring)
    local = Path(path)
    size = local.stat().st_size if local.is_file() else sum(f.stat().st_size for f in local.glob("*"))
    return (*ring, ring[0]), size
