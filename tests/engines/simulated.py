"""A small simulated burst with known truth, and layers of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.rtc.engine import RtcOptions
from sarcube.geometry.burst_grid import footprint_grid
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.rdr2geo import rdr2geo
from sarcube.sensors.sentinel1.burst import read_bursts, with_orbit
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.orbit_file import read_orbit
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.simulate.archive import simulate
from sarcube.simulate.options import SimulationOptions

ONE = RtcOptions(threads=2)


@dataclass(frozen=True, eq=False)
class Scene:
    """One burst ready for an engine."""

    burst: Burst
    grid: GeoGrid
    dem: Dem


def make(folder: Path, **changes: object) -> Scene:
    """Simulate one date of one small burst of constant gamma0 (VV 0.1, VH a fifth)."""
    import rasterio

    options = SimulationOptions(
        dates=(dt.date(2024, 5, 1),), swaths=("IW2",), bursts=1, burst_size=(260, 2400), truth="constant", relief=60.0
    )
    archive = simulate(folder / "archive", replace(options, **changes))
    (burst,) = read_bursts(open_safe(archive.scenes[0]))
    (orbit,) = sorted(archive.orbits.iterdir())
    burst = with_orbit(burst, read_orbit(orbit))
    with rasterio.open(archive.dem) as source:
        t = source.transform
        dem = Dem(source.read(1).astype(np.float32), source.crs.to_epsg(), t.c, t.f, t.a, -t.e, "simulated")
    return Scene(burst, burst_grid(burst, dem.epsg), dem)


def burst_grid(burst: Burst, epsg: int, resolution: float = 20.0) -> GeoGrid:
    """The grid of what the burst's samples cover (small bursts reach less far than their footprint says)."""
    radar = burst.radar
    time = np.array([radar.first_line_time, radar.last_line_time])[[0, 0, 1, 1]]
    ranges = np.array([radar.first_sample_range, radar.last_sample_range])[[0, 1, 1, 0]]
    lon, lat, _ = rdr2geo(burst.orbit, time, ranges, 400.0)
    return footprint_grid(list(zip(lon.tolist(), lat.tolist(), strict=True)), epsg, resolution)


def inner(values: NDArray[np.floating], pixels: int = 4) -> NDArray[np.bool_]:
    """Valid pixels away from missing ones."""
    from scipy.ndimage import binary_erosion

    return np.asarray(binary_erosion(np.isfinite(values), iterations=pixels))
