"""The ground that scatters: heights on a fine projected raster, fractal or from a DEM."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import DemError
from sarcube.geometry.grid import GeoGrid

Heights = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Terrain:
    """Heights at the pixel centres of a grid; between them the surface is bilinear.

    Attributes
    ----------
    grid : GeoGrid
    heights : (rows, columns) float32
        Metres above the ellipsoid.
    description : str
    """

    grid: GeoGrid
    heights: Heights
    description: str

    def coarse(self, factor: int = 3) -> tuple[GeoGrid, Heights]:
        """Mean over factor x factor: what a DEM of the place shows."""
        g = self.grid
        rows, cols = g.height // factor, g.width // factor
        mean = self.heights[: rows * factor, : cols * factor].reshape(rows, factor, cols, factor)
        return (
            GeoGrid(g.epsg, g.left, g.top, g.resolution * factor, cols, rows),
            mean.mean(axis=(1, 3), dtype=np.float64).astype(np.float32),
        )


def fractal_terrain(grid: GeoGrid, relief: float, base: float, seed: int) -> Heights:
    """Hilly relief: random phases under a power law (Voss 1988), the longest waves damped below 9 km.

    The field is made at three times the posting and refined by a cubic spline, so that the DEM written beside
    carries its shape.
    """
    if relief == 0:
        return np.full(grid.shape, base, dtype=np.float32)
    from scipy.fft import irfft2, next_fast_len, rfftfreq
    from scipy.ndimage import zoom

    step = 3
    rows = next_fast_len(-(-grid.height // step) + 4, real=True)
    cols = next_fast_len(-(-grid.width // step) + 4, real=True)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 7001]))
    spacing = step * grid.resolution
    ky = np.fft.fftfreq(rows, spacing)[:, None]
    kx = rfftfreq(cols, spacing)[None, :]
    k = np.hypot(kx, ky)
    longest, shortest = 1 / 9000.0, 1 / 240.0
    amplitude = (k**2 + longest**2) ** -1.0 * np.exp(-((k / shortest) ** 2))
    amplitude *= 1 - np.exp(-((k / (0.6 * longest)) ** 2))
    phase = rng.uniform(0, 2 * math.pi, k.shape)
    field = irfft2(amplitude * np.exp(1j * phase), s=(rows, cols), workers=1)
    field *= relief / field.std()
    fine = zoom(field.astype(np.float32), step, order=3, mode="grid-wrap", grid_mode=True)
    return np.ascontiguousarray(fine[: grid.height, : grid.width] + np.float32(base))


def terrain_from_dem(path: Path, grid: GeoGrid) -> tuple[Heights, float]:
    """A DEM refined onto the grid by cubic interpolation; beyond its edge and in voids the nearest height goes on.

    Parameters
    ----------
    path : Path
    grid : GeoGrid

    Returns
    -------
    heights : (grid.height, grid.width) float32
    continued : float
        Share of the grid that the DEM does not hold.

    Raises
    ------
    DemError
        It cannot be read, or does not touch the grid.
    """
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.warp import Resampling, reproject

    out = np.full(grid.shape, np.nan, dtype=np.float32)
    transform = rasterio.Affine(*grid.transform)
    try:
        with rasterio.open(path) as source:
            if source.crs is None:
                raise DemError(f"DEM {path} has no coordinate reference system; write one into it")
            band = source.read(1, masked=True).astype(np.float32).filled(np.nan)
            reproject(
                band, out, src_transform=source.transform, src_crs=source.crs, src_nodata=np.nan,
                dst_transform=transform, dst_crs=grid.crs, dst_nodata=np.nan, resampling=Resampling.cubic,
            )  # fmt: skip
    except RasterioError as error:
        raise DemError(f"DEM {path} cannot be read: {error}") from error
    void = ~np.isfinite(out)
    if void.all():
        raise DemError(f"DEM {path} does not touch the simulated bursts; give one of that place, or none")
    return (_extend(out, void) if void.any() else out), float(void.mean())


def dem_height_range(path: Path, points: NDArray[np.float64]) -> tuple[float, float]:
    """Lowest and highest height of a DEM around points (n, 2) in degrees, from a thinned reading.

    Raises
    ------
    DemError
        It cannot be read, or holds no height there.
    """
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.warp import transform
    from rasterio.windows import Window, from_bounds

    try:
        with rasterio.open(path) as source:
            if source.crs is None:
                raise DemError(f"DEM {path} has no coordinate reference system; write one into it")
            x, y = transform("EPSG:4326", source.crs, points[:, 0], points[:, 1])
            window = from_bounds(min(x), min(y), max(x), max(y), source.transform)
            whole = Window(0, 0, source.width, source.height)
            part = window.intersection(whole) if rasterio.windows.intersect(window, whole) else None
            if part is None or min(part.width, part.height) < 1:
                raise DemError(f"DEM {path} does not touch the simulated bursts; give one of that place, or none")
            shape = (min(512, math.ceil(part.height)), min(512, math.ceil(part.width)))
            values = source.read(1, window=part, out_shape=shape, masked=True).astype(np.float64).compressed()
    except RasterioError as error:
        raise DemError(f"DEM {path} cannot be read: {error}") from error
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise DemError(f"DEM {path} holds no height under the simulated bursts; give one of that place, or none")
    return float(values.min()), float(values.max())


def _extend(heights: Heights, void: NDArray[np.bool_]) -> Heights:
    """Fill void cells with the nearest height."""
    from scipy.ndimage import distance_transform_edt

    rows, cols = distance_transform_edt(void, return_distances=False, return_indices=True)
    return np.ascontiguousarray(heights[rows, cols])
