"""What can be known of an acquisition's orbit and DEM before it is opened."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sarcube.config import DemConfig, RunConfig
from sarcube.errors import DemError, OrbitError, SourceError
from sarcube.jsons import JsonObject
from sarcube.transfer.raster import is_remote
from sarcube.workflows.making import dem_of
from sarcube.workflows.task import Unit

if TYPE_CHECKING:
    from shapely import Polygon

    from sarcube.sensors.sentinel1.search.grd import FoundGrd
    from sarcube.sensors.sentinel1.search.scenes import FoundBurst

_MOST_RASTERS = 500  # more are not looked at one by one just for a plan
_MARGIN = 0.06  # degrees of latitude that a DEM reaches beyond a burst
_TOLERANCE = 1e-3  # degrees: half a pixel of a coarse DEM is no gap


def defects(config: RunConfig, units: Sequence[Unit]) -> dict[int, str]:
    """Index of each acquisition of a burst ID that cannot be processed, and why."""
    found: dict[int, str] = {}
    footprint = units[0].footprint
    dem = dem_of(config)
    missing = dem_gap(dem, footprint) or geoid_gap(dem, footprint)
    if missing:
        return dict.fromkeys(range(len(units)), missing)
    for i, unit in enumerate(units):
        acquisition = unit.inputs[0]
        if acquisition.absent and unit.start is not None:
            found[i] = _no_samples(acquisition)
        elif not (config.orbits.allow_annotation or own_orbits(config)) and (message := no_orbit(config, acquisition)):
            found[i] = message
    return found


def remarks(config: RunConfig, units: Sequence[Unit]) -> dict[int, tuple[str, ...]]:
    """Index of each acquisition that can be processed, but not as well as it might be, and what its item will say."""
    from sarcube.sensors.sentinel1.open_burst import ANNOTATION_ORBIT

    if not config.orbits.allow_annotation or own_orbits(config):
        return {}
    strict = config.model_copy(update={"orbits": config.orbits.model_copy(update={"allow_annotation": False})})
    return {i: (ANNOTATION_ORBIT,) for i, unit in enumerate(units) if no_orbit(strict, unit.inputs[0])}


def own_orbits(config: RunConfig) -> bool:
    """Whether what the source has brings the orbits to use it with: geocoded SLCs were flattened with them."""
    return config.source.kind == "cslc"


def outdated(unit: Unit, stored: JsonObject) -> str:
    """Which older version of its scene a product was made from, where the source has a later one; else empty."""
    from sarcube.sensors.sentinel1.search.scenes import made_from_older

    facts = stored["properties"]
    scene = str(facts.get("sarcube:source_scene") or "")
    made = str(facts.get("sarcube:source_processing_datetime") or "")
    software = facts.get("processing:software")
    ipf = str(software.get("Sentinel-1 IPF") or "") if isinstance(software, Mapping) else ""
    if not made_from_older(unit.inputs[0], scene, made, ipf):
        return ""
    return f"made from {scene}, of which the source has a later version, {unit.label}"


def dem_remarks(config: DemConfig, bursts: Iterable[FoundBurst | FoundGrd]) -> tuple[str, ...]:
    """What a plan should say of the DEM as a whole: tiles that are not there, heights that the file's CRS contradicts.

    Raises
    ------
    DemError
        The mirror of GLO-30 holds no tile.
    """
    from sarcube.terrain.copernicus import mirror_address, tiles_found
    from sarcube.terrain.dem import height_remarks
    from sarcube.terrain.files import dem_paths

    if config.kind == "cop_glo30":
        footprints = {burst.burst_id: burst.footprint for burst in bursts}
        try:
            found, there = tiles_found(config.mirror, (_reach(ring) for ring in footprints.values()))
        except SourceError as error:
            return (f"the tiles of GLO-30 could not be counted: {error}",)
        if found == there:
            return ()
        where = mirror_address(config.mirror)
        return (
            f"{found} of {there} GLO-30 tiles found in {where}; without a tile is sea at the geoid's height, or void "
            "where a scene's annotation has land",
        )
    try:
        paths = dem_paths(config.path or ())
        if len(paths) > _MOST_RASTERS or any(is_remote(p) for p in paths):
            return ()  # looked at by the task
        return height_remarks(config, paths)
    except DemError:
        return ()  # a defect of every burst, told there


def _reach(footprint: Sequence[tuple[float, float]]) -> tuple[float, float, float, float]:
    """West, south, east, north of what a burst needs of a DEM, about."""
    from sarcube.geometry.longitudes import unwrap_ring

    ring = unwrap_ring(footprint)
    (west, south), (east, north) = ring.min(axis=0), ring.max(axis=0)
    beside = _MARGIN / max(math.cos(math.radians(min(max(abs(south), abs(north)), 89.0))), 0.02)
    return float(west - beside), max(float(south) - _MARGIN, -90.0), float(east + beside), min(north + _MARGIN, 90.0)


def _no_samples(found: FoundBurst) -> str:
    absent = found.absent
    there = [name for name in found.polarizations if name not in absent]
    advice = f", or ask for polarizations: [{', '.join(there)}]" if there else ""
    return f"the scene has no measurement file of {', '.join(absent)} for {found.swath}; fetch it again{advice}"


def dem_gap(config: DemConfig, footprint: Sequence[tuple[float, float]]) -> str:
    """Why local DEM rasters do not cover a footprint, judged by their outlines; empty where they do."""
    import shapely
    from shapely.geometry import Polygon

    from sarcube.geometry.longitudes import TURNS, unwrap_ring
    from sarcube.terrain.files import dem_paths

    try:
        paths = dem_paths(config.path) if config.path else []
        if not paths or len(paths) > _MOST_RASTERS or any(is_remote(p) for p in paths):
            return ""  # looked at by the task
        outlines = [_outline(path) for path in paths]
    except DemError as error:
        return str(error)
    ring = unwrap_ring(footprint)
    whole = shapely.union_all([shapely.affinity.translate(o, t) for o in outlines for t in TURNS])
    burst = Polygon(ring)
    gap = burst.difference(whole.buffer(_TOLERANCE))
    if gap.is_empty:
        return ""
    west, south, east, north = gap.bounds
    share = 100.0 * gap.area / burst.area
    named = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    return (
        f"the DEM {named} does not cover {share:.0f} % of the burst: {west:.3f} to {east:.3f} E, {south:.3f} to "
        f"{north:.3f} N is missing; give a DEM of that area (dem.path)"
    )


def geoid_gap(config: DemConfig, footprint: Sequence[tuple[float, float]]) -> str:
    """Why heights above a geoid cannot be brought to the ellipsoid; empty where they can."""
    from sarcube.geometry.longitudes import unwrap_ring
    from sarcube.terrain.geoid import load_geoid

    if config.reference == "ellipsoid" or (config.geoid and is_remote(config.geoid)):
        return ""  # nothing is added, or the task looks
    ring = unwrap_ring(footprint)
    (west, south), (east, north) = ring.min(axis=0), ring.max(axis=0)
    try:
        load_geoid(config.geoid, (float(west), float(south), float(east), float(north)), config.reference)
    except DemError as error:
        return str(error)
    return ""


def _outline(path: str) -> Polygon:
    from pyproj import Transformer
    from shapely.geometry import Polygon, box

    from sarcube.geometry.longitudes import unwrap
    from sarcube.terrain.raster_info import describe

    info = describe(path)
    if info.outline:
        return Polygon(info.outline).buffer(0)
    if info.geographic:
        return box(info.left, info.bottom, info.right, info.top)
    edge = np.linspace(0.0, 1.0, 33)
    x = np.concatenate([info.left + edge * (info.right - info.left), np.full(33, info.right)])
    y = np.concatenate([np.full(33, info.top), info.top + edge * (info.bottom - info.top)])
    x = np.concatenate([x, x[:33][::-1], np.full(33, info.left)])
    y = np.concatenate([y, np.full(33, info.bottom), y[33:66][::-1]])
    lon, lat = Transformer.from_crs(info.epsg, 4326, always_xy=True).transform(x, y)
    ring = unwrap(lon)
    if round((ring[-1] - ring[0]) / 360.0):  # it winds about a pole, and holds all within
        pole = 90.0 if lat.mean() > 0 else -90.0
        ring = np.concatenate([ring, [ring[-1], ring[0]]])
        lat = np.concatenate([lat, [pole, pole]])
    return Polygon(np.column_stack([ring - 360.0 * round(float(np.median(ring)) / 360.0), lat])).buffer(0)


def no_orbit(config: RunConfig, found: FoundBurst | FoundGrd) -> str:
    """Why no orbit file covers an acquisition; empty where one does or where a provider will be asked."""
    from sarcube.sensors.sentinel1.orbits import find_orbit

    if config.orbits.kind is not None:
        return ""  # a provider is asked when the task runs
    try:
        find_orbit(found.platform, _time(found.start_time), _time(found.end_time), config.orbits, scene=found.scene)
    except OrbitError as error:
        return str(error)
    return ""


def _time(time: dt.datetime) -> np.datetime64:
    return np.datetime64(time.replace(tzinfo=None), "ns")
