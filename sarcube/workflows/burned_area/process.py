"""Two dates, each of one or more products, to burned area on one grid. Knows no store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.optical import burned, masks
from sarcube.engines.optical.reflectance import SCALE
from sarcube.geometry.areas import pixel_areas
from sarcube.geometry.grid import GeoGrid
from sarcube.workflows.burned_area.kinds import INVALID, RGB, VALID
from sarcube.workflows.burned_area.section import BurnedAreaSection
from sarcube.workflows.sentinel2.process import process
from sarcube.workflows.sentinel2.section import Sentinel2Section

if TYPE_CHECKING:
    from shapely import Geometry

    from sarcube.sensors.sentinel2.model import Scene

# From best to worst for a date of several products; what is not here is never taken.
_BEST = (masks.VEGETATION, masks.BARE, masks.WATER, masks.UNCLASSIFIED, masks.DARK, masks.SHADOW)
_CLEAR_PRE = (masks.VEGETATION, masks.BARE, masks.UNCLASSIFIED)
_QUIET = 0.1  # of dNBR, nearer to 0 than which ground looks unburned
_FRESH_SCARS = (masks.DARK, masks.SHADOW, masks.WATER)  # what sen2cor takes burned ground for


@dataclass
class BurnedArea:
    """Layers by name, hectares by class, perimeters (geometry in the grid's CRS, hectares), and remarks."""

    layers: dict[str, NDArray[np.generic]]
    hectares: dict[str, float]
    perimeters: list[tuple[Geometry, float]]
    offset: float
    notes: list[str]


@dataclass
class _Date:
    bands: dict[str, NDArray[np.float32]]
    scl: NDArray[np.uint8]
    classified: bool = True


def burned_area(
    before: Sequence[Scene], after: Sequence[Scene], grid: GeoGrid, section: BurnedAreaSection
) -> BurnedArea:
    """What burned between two dates.

    Parameters
    ----------
    before, after : sequences of Scene
        Of one date each, or of a span: then pixels are of the best class, the first of equal ones.
    grid : GeoGrid
    section : BurnedAreaSection

    Raises
    ------
    SceneError
        A band or the classes are not there or damaged.
    GridError
        The grid and a tile do not meet.
    """
    notes: list[str] = []
    if len({scene.level for scene in (*before, *after)}) > 1:
        notes.append("L1C and L2A are mixed: reflectance at the top of the atmosphere differs from that of the ground")
    pre, post = _date(before, grid, section, notes), _date(after, grid, section, notes)
    valid = _valid(pre, post, section, notes)
    nbr_pre = burned.nbr(pre.bands[section.nir], pre.bands["B12"])
    nbr_post = burned.nbr(post.bands[section.nir], post.bands["B12"])
    valid &= np.isfinite(nbr_pre) & np.isfinite(nbr_post)
    dnbr = np.where(valid, nbr_pre - nbr_post, np.float32(np.nan))
    offset = section.unburned_offset
    if not valid.any():
        notes.append("nothing was seen on both dates: clouds, shadow, snow or water hide all of it, or no data do")
    if offset == "auto":
        quiet = dnbr[np.abs(dnbr) < _QUIET]
        offset = float(np.median(quiet)) if quiet.size else 0.0
        notes.append(
            f"unburned ground has a dNBR of {offset:.4f}, which is taken off"
            if quiet.size
            else f"no ground looks unburned (dNBR nearer to 0 than {_QUIET:g}): no offset is taken off"
        )
    dnbr -= np.float32(offset)
    classes = burned.severity(dnbr)
    areas = pixel_areas(grid)
    outlines = burned.perimeters(classes, grid.transform, areas, section.least_hectares)
    layers: dict[str, NDArray[np.generic]] = {
        "dnbr": dnbr,
        "rbr": burned.rbr(dnbr, nbr_pre),
        "rdnbr": burned.rdnbr(dnbr, nbr_pre),
        "nbr_pre": nbr_pre,
        "nbr_post": nbr_post,
        "severity": classes,
        "valid": np.where(valid, VALID, INVALID).astype(np.uint8),
    }
    for name, date in (("pre", pre), ("post", post)):
        for band in RGB:
            numbers = np.rint(date.bands[band] / np.float32(SCALE))
            layers[f"{band}_{name}"] = np.where(np.isfinite(numbers), np.clip(numbers, 1, 65535), 0).astype(np.uint16)
    return BurnedArea(layers, burned.hectares(classes, areas), outlines, float(offset), notes)


def _date(scenes: Sequence[Scene], grid: GeoGrid, section: BurnedAreaSection, notes: list[str]) -> _Date:
    """Reflectance of one date; of several products the best pixels."""
    bands = tuple(dict.fromkeys((section.nir, *RGB)))
    chosen = Sentinel2Section(bands=bands, resolution=section.resolution, downsampling="mean")
    kept: _Date | None = None
    classified = False
    rank = np.full(grid.shape, 255, np.uint8)
    for scene in scenes:
        done = process(scene, grid, chosen, floating=True)
        notes.extend(f"{scene.name}: {note}" for note in done.notes)
        if scene.level == "L1C":
            notes.append(f"{scene.name} is L1C: no classes, so clouds, smoke and haze count as what they look like")
        values = {name: done.layers[name].astype(np.float32, copy=False) for name in bands}
        scl = done.layers.get("scl")
        classified |= scl is not None
        # Of a product without classes nothing is known but where it saw.
        seen = np.isfinite(values["B12"])
        classes: NDArray[np.uint8] = np.where(seen, masks.UNCLASSIFIED, masks.NO_DATA).astype(np.uint8)
        if scl is not None:
            classes = scl.astype(np.uint8)
        worth = _worth(classes)
        better = worth < rank
        if kept is None:
            kept = _Date(values, classes)
        else:
            for name in bands:
                np.copyto(kept.bands[name], values[name], where=better)
            np.copyto(kept.scl, classes, where=better)
        rank = np.minimum(rank, worth)
    assert kept is not None  # there is a product
    kept.classified = classified
    return kept


def _worth(scl: NDArray[np.uint8]) -> NDArray[np.uint8]:
    table = np.full(256, 200, np.uint8)
    table[0] = 255
    for i, value in enumerate(_BEST):
        table[value] = i
    worth: NDArray[np.uint8] = table[scl]
    return worth


def _valid(pre: _Date, post: _Date, section: BurnedAreaSection, notes: list[str]) -> NDArray[np.bool_]:
    """Seen on both dates: clear ground before, and after it no cloud and no snow; water is told by the first date."""
    valid = np.isfinite(pre.bands["B12"]) & np.isfinite(post.bands["B12"])
    if not pre.classified:
        notes.append("water is not masked: the first date has no classes")
    allowed = (*_CLEAR_PRE, *(_FRESH_SCARS if section.dark else ()))
    seen: NDArray[np.bool_] = valid & np.isin(pre.scl, _CLEAR_PRE) & np.isin(post.scl, allowed)
    return seen
