"""Coherent archives as the engine takes them: bursts with their orbits, DEM, grids and truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.warp import Resampling, reproject
from scipy.special import gammaln, hyp2f1

from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.orbit_file import read_orbit
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.simulate.archive import Archive


def bursts_of(archive: Archive, index: int = 0) -> list[Burst]:
    """The burst at `index` of the first swath, on every date."""
    orbits = [read_orbit(path) for path in archive.orbits.glob("*.EOF")]
    out = []
    for safe in archive.scenes:
        burst = read_bursts(open_safe(safe))[index]
        (orbit,) = (o for o in orbits if o.covers(burst.start_time, burst.end_time))
        out += [read_bursts(open_safe(safe), orbit=orbit)[index]]
    return out


def dem_of(archive: Archive) -> Dem:
    with rasterio.open(archive.dem) as source:
        t = source.transform
        return Dem(source.read(1), source.crs.to_epsg(), t.c, t.f, t.a, -t.e, "simulated")


def grid_of(archive: Archive, resolution: float) -> GeoGrid:
    path = sorted(archive.truth.glob("*_phase.tif"))[0]
    with rasterio.open(path) as source:
        return GeoGrid.snapped(archive.epsg, tuple(source.bounds), resolution)


def truth_of(path: Path, grid: GeoGrid) -> NDArray[np.float32]:
    """Mean of a truth raster over the cells of a grid."""
    out = np.full(grid.shape, np.nan, np.float32)
    with rasterio.open(path) as source:
        reproject(
            source.read(1), out, src_transform=source.transform, src_crs=source.crs, dst_crs=grid.crs,
            dst_transform=rasterio.Affine(*grid.transform), resampling=Resampling.average, dst_nodata=np.nan,
        )  # fmt: skip
    return out


def phase_deviation(coherence: float, looks: float) -> float:
    """Standard deviation of the phase of `looks` independent samples (Lee et al. 1994, IEEE TGRS 32, equation 16).

    It reaches the Cramer-Rao bound where looks and coherence are high.
    """
    phase = np.linspace(-np.pi, np.pi, 4001)
    beta = coherence * np.cos(phase)
    g = 1 - coherence**2
    peak = np.exp(gammaln(looks + 0.5) - gammaln(looks) + looks * np.log(g) - (looks + 0.5) * np.log1p(-(beta**2)))
    density = peak * beta / (2 * np.sqrt(np.pi)) + g**looks / (2 * np.pi) * hyp2f1(looks, 1, 0.5, beta**2)
    density /= np.trapezoid(density, phase)
    return float(np.sqrt(np.trapezoid(density * phase**2, phase)))
