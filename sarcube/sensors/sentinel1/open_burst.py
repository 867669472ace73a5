"""From a search result to a burst that an engine can work with: the scene opened, the best orbit applied."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import replace

import numpy as np

from sarcube.config import RunConfig
from sarcube.errors import BurstNotFoundError
from sarcube.sensors.sentinel1.burst import read_bursts, refuse_leap_second, with_orbit
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.orbits import OrbitIndex, find_orbit
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.search.ensure_scene import scene_path
from sarcube.sensors.sentinel1.search.scenes import FoundBurst

log = logging.getLogger(__name__)

ANNOTATION_ORBIT = "no orbit file: the annotation's orbit is used"
_SAME_START = 1.0  # s; a burst ID comes back after 12 days, its neighbours along track start 2.8 s away


def open_burst(found: FoundBurst, config: RunConfig, index: OrbitIndex | None = None) -> Burst:
    """Read one burst's annotation and give it the best orbit there is; a geocoded SLC has its own.

    Parameters
    ----------
    found : FoundBurst
        From `find_scenes`.
    config : RunConfig
    index : OrbitIndex, optional
        Of `config.orbits.path`, where the caller has it; else it is built once per process.

    Returns
    -------
    Burst
        `orbit_source` and `orbit_type` say which orbit it got; "annotation" as the last resort, and then
        its warnings say so.

    Raises
    ------
    SceneError, BurstNotFoundError
        The scene cannot be read or does not hold the burst.
    OrbitError
        No orbit covers the burst and the annotation's is not allowed.
    SourceError, CredentialError
        The scene or an orbit could not be fetched.
    """
    if config.source.kind == "cslc":
        from sarcube.sensors.sentinel1.search.cslc import open_cslc

        return open_cslc(found.path).narrowed(found.polarizations).burst
    path = scene_path(found, config)
    if "://" in path:
        from sarcube.transfer.remote import open_remote

        safe = open_safe(path, opener=open_remote)
    else:
        safe = open_safe(path)
    bursts = read_bursts(
        safe,
        swaths=(found.swath,),
        polarizations=found.polarizations or None,
        burst_ids=(found.burst_id,),
    )
    burst = _at(bursts, found)
    orbit = find_orbit(burst.platform, burst.start_time, burst.end_time, config.orbits, index, scene=burst.scene)
    if orbit is None:
        refuse_leap_second(burst, None)
        log.info("%s %s: no orbit file covers it, the annotation's is used", burst.burst_id, found.start_time)
        return replace(burst, warnings=(*burst.warnings, ANNOTATION_ORBIT))
    return with_orbit(burst, orbit)


def _at(bursts: list[Burst], found: FoundBurst) -> Burst:
    def distance(burst: Burst) -> float:
        micro = int(burst.start_time.astype("datetime64[us]").astype(np.int64))
        start = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micro)
        return abs((start - found.start_time).total_seconds())

    nearest = min(bursts, key=distance, default=None)
    if nearest is None or distance(nearest) > _SAME_START:
        raise BurstNotFoundError(
            f"{found.path} has no burst {found.burst_id} that starts at {found.start_time.isoformat()}; "
            "plan the run again: the scene has changed since"
        )
    return nearest
