"""The azimuth timing of a pair of passes, found from its overlaps once per process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from sarcube.config import RunConfig
from sarcube.errors import BurstNotFoundError, DemError, EngineError, GridError, OrbitError, SceneError
from sarcube.workflows.insar.checks import NO_NEIGHBOUR
from sarcube.workflows.insar.find import Overlaps, polarization_of
from sarcube.workflows.insar.passes import Seen
from sarcube.workflows.insar.section import InsarSection

if TYPE_CHECKING:
    from sarcube.engines.insar.options import InsarOptions
    from sarcube.engines.insar.timing import Overlap, Timing
    from sarcube.sensors.sentinel1.model import Burst

_MARGIN_M = 1000.0
_PRECISE = "POEORB"
_DOUBTFUL_LINES = 0.001  # standard deviation beyond which the jump between bursts may be seen, 0.06 rad
_ORBITS_KNOW = "azimuth timing is not corrected: precise orbits know it better than the overlaps"
_FAR = 0.8  # share of half the ambiguity beyond which the next whole turn may be meant


@dataclass(frozen=True)
class Found:
    """What became of the azimuth timing.

    Attributes
    ----------
    timing : Timing, optional
        None where none was looked for or found.
    warnings : tuple of str
    """

    timing: Timing | None = None
    warnings: tuple[str, ...] = ()


def wanted(section: InsarSection, first: Burst, second: Burst) -> bool:
    """Whether timing is to be found: as asked for, or by itself where it may be off by what is seen.

    Precise orbits of one platform leave 1 to 2 thousandths of a line (Yague-Martinez et al. 2016, IEEE TGRS 54), which
    is seen where bursts are merged; restituted ones and two platforms leave more.
    """
    if section.timing != "auto":
        return section.timing == "esd"
    return section.merge or _needed(first, second)


def _needed(first: Burst, second: Burst) -> bool:
    return first.platform != second.platform or any(b.orbit_type != _PRECISE for b in (first, second))


def timing_of(
    pair: tuple[Burst, Burst], overlaps: Overlaps, config: RunConfig, options: InsarOptions
) -> Found:  # fmt: skip
    """The timing of a pair, as far as it is wanted and better known than without looking."""
    section = config.section(InsarSection)
    if not wanted(section, *pair):
        return Found()
    only_for_seams = section.timing == "auto" and not _needed(*pair)
    if only_for_seams and not overlaps.pairs:
        return Found()
    found = find_timing(overlaps, config, options)
    interval = pair[0].radar.line_interval
    if only_for_seams and found.timing is not None and found.timing.deviation > _DOUBTFUL_LINES * interval:
        return Found(None, (*found.warnings, _ORBITS_KNOW))
    return found


def find_timing(overlaps: Overlaps, config: RunConfig, options: InsarOptions) -> Found:
    """The timing of the second date against the first over the overlaps of a pair of passes."""
    # Pairs follow each other in time, and tasks go place by place: a few pairs at a time.
    key = config.model_copy(update={"aoi": None}).to_yaml()
    return _find(overlaps, key, options)


@lru_cache(maxsize=64)
def _find(overlaps: Overlaps, config_text: str, options: InsarOptions) -> Found:
    from sarcube.engines.insar.timing import solve_timing
    from sarcube.yaml_text import load_yaml

    config = RunConfig.from_dict(load_yaml(config_text))
    said: list[str] = []
    observed: list[Overlap] = []
    interval = 0.0
    for a, b in overlaps.pairs:
        name = f"{a[0].burst_id}"
        try:
            overlap, interval = _observe(a, b, config, options)
        except (SceneError, BurstNotFoundError, OrbitError, DemError, GridError, EngineError) as error:
            said.append(f"azimuth timing: the overlap of {name} is left out: {error}")
            continue
        if overlap is not None:
            observed.append(overlap)
    if not observed:
        return Found(None, (*said, NO_NEIGHBOUR))
    try:
        timing = solve_timing(observed, interval)
    except EngineError as error:
        return Found(None, (*said, f"azimuth timing was not found and is not corrected: {error}"))
    if timing.deviation > _DOUBTFUL_LINES * interval:
        said.append(
            f"azimuth timing is uncertain: {timing.lines:.4f} lines with a deviation of "
            f"{timing.deviation / interval:.4f}; the overlaps have little coherence"
        )
    if abs(timing.shift) > _FAR * 0.5 * timing.ambiguity:
        said.append(
            f"azimuth timing of {timing.lines:.4f} lines is known but for multiples of "
            f"{timing.ambiguity / interval:.4f}, and lies near to half of that: the other side may be meant"
        )
    return Found(timing, tuple(said))


def _observe(a: Seen, b: Seen, config: RunConfig, options: InsarOptions) -> tuple[Overlap | None, float]:
    from sarcube.engines.insar.timing import observe_overlap, overlap_grid
    from sarcube.geometry.burst_grid import grid_lonlat_bounds
    from sarcube.terrain.dem import load_dem
    from sarcube.workflows.making import dem_of
    from sarcube.workflows.sentinel1 import burst_grid, open_acquisition

    section = config.section(InsarSection)
    name = polarization_of(section, *a)
    if config.source.kind == "cslc":
        from sarcube.workflows.insar.cslcs import observe_geocoded

        return observe_geocoded(a, b, name, config, options)
    (a1, a2), (b1, b2) = (
        tuple(open_acquisition(replace(found, polarizations=(name,)), config) for found in pair) for pair in (a, b)
    )
    # The CRS of the first burst: the same whichever burst of the pass asks.
    epsg = burst_grid(config, a[0].burst_id, a[0].footprint).epsg
    grid = overlap_grid(a1, b1, epsg, section.posting)
    interval = a1.radar.line_interval
    if grid is None:
        return None, interval
    dem = load_dem(dem_of(config), grid_lonlat_bounds(grid, _MARGIN_M), 10.0, footprint=None)
    return observe_overlap((a1, a2), (b1, b2), epsg, section.posting, dem, options), interval
