"""Precise orbit files (AUX_POEORB) of the simulated passes, as ESA writes them (PGSI-GSEG-EOPG-FS-05-0001)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sarcube.geometry.orbit import Orbit
from sarcube.sensors.sentinel1.orbit_writer import OrbitFileName, eof_text
from sarcube.simulate.swaths import ORBIT_PERIOD
from sarcube.simulate.timeline import ScenePlan


def write_poeorb(folder: Path, scene: ScenePlan) -> Path:
    """One file: a vector every 10 s from 22:59:42 of the day before to 00:59:42 of the day after.

    The orbit is the pass's own throughout: it serves the pass, and the rest of the day is its smooth continuation.
    """
    day = np.datetime64(scene.date, "s")
    start = day - np.timedelta64(3618, "s")
    stop = day + np.timedelta64(86400 + 3582, "s")
    created = day + np.timedelta64(20 * 86400 + 8 * 3600, "s")
    name = OrbitFileName(scene.platform, "POEORB", created, start, stop)
    offset = float((scene.anx - start.astype("datetime64[ns]")) / np.timedelta64(1, "ns")) * 1e-9
    seconds = np.arange(0, int((stop - start) / np.timedelta64(1, "s")) + 1, 10).astype(np.float64)
    position, velocity = scene.pass_orbit.state(seconds - offset + scene.ahead)
    revolution = scene.absolute_orbit + np.floor((seconds - offset) / ORBIT_PERIOD).astype(np.int64)
    path = folder / f"{name.stem}.EOF"
    path.write_text(eof_text(name, Orbit(start.astype("datetime64[ns]"), seconds, position, velocity), revolution))
    return path
