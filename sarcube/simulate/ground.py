"""The ground under all bursts of an archive: terrain, covers, and their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from sarcube.errors import ConfigError
from sarcube.geometry.burst_grid import auto_epsg
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.longitudes import wrap, wrap_longitude
from sarcube.simulate.change import pair_coherence, plan_change, slant_change
from sarcube.simulate.coherent import Change
from sarcube.simulate.echo import Scatterers
from sarcube.simulate.looks import Look, aoi_window, look_ring
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.scenes import Scene, build_scene
from sarcube.simulate.terrain import Terrain, dem_height_range, fractal_terrain, terrain_from_dem

_MOST_CELLS = 120_000_000
_MARGIN = 4000.0  # m around the bursts


@dataclass(frozen=True, eq=False)
class Ground:
    """Terrain and scene, the heights that occur, and what changes where the scatterers are the same on all dates."""

    terrain: Terrain
    scene: Scene
    height_range: tuple[float, float]
    change: Change | None = None

    def scatterers(self, date: int, polarizations: tuple[str, ...]) -> Scatterers:
        values = self.scene.gamma0[date]
        return Scatterers(self.scene.classes[date], np.array([values[p] for p in polarizations], np.float32))


def lay_ground(options: SimulationOptions, looks: list[Look], dates: tuple[str, ...]) -> Ground:
    """Terrain and covers under the looks (all `dates`, ISO), in the UTM zone or polar grid of their middle.

    Raises
    ------
    ConfigError
        The AOI meets no burst.
    DemError
        A given DEM cannot be read or lies elsewhere.
    """
    heights = (options.base_height - 4 * options.relief, options.base_height + 4 * options.relief)
    if options.dem is not None:
        heights = dem_height_range(options.dem, np.concatenate([look_ring(look) for look in looks]))
    if all(aoi_window(look, options.aoi, heights) is None for look in looks):
        raise ConfigError(f"the aoi {options.aoi} meets none of the simulated bursts; move it or the center")
    # The DEM must cover whole bursts for whoever processes them, the echo only the AOI.
    points = np.concatenate([look_ring(look, look.valid, sum(heights) / 2) for look in looks])
    middle = points[0, 0] + np.mean(wrap_longitude(points[:, 0] - points[0, 0]))
    epsg = auto_epsg(wrap(float(middle)), float(points[:, 1].mean()))
    transformer = Transformer.from_crs(4326, epsg, always_xy=True)
    x, y = transformer.transform(points[:, 0], points[:, 1])
    posting = options.posting
    while (np.ptp(x) + 2 * _MARGIN) * (np.ptp(y) + 2 * _MARGIN) / posting**2 > _MOST_CELLS:
        posting *= 2
    # Multiples of six postings: both the DEM (three) and the truth (two) then start on the same corner.
    outer = GeoGrid.snapped(epsg, (min(x) - _MARGIN, min(y) - _MARGIN, max(x) + _MARGIN, max(y) + _MARGIN), 6 * posting)
    grid = GeoGrid(epsg, outer.left, outer.top, posting, outer.width * 6, outer.height * 6)
    center = options.center
    if options.aoi is not None:
        west, south, east, north = options.aoi
        center = ((west + east) / 2, (south + north) / 2)
    elif options.template is not None:
        center = (float(middle), float(points[:, 1].mean()))
    if options.dem is None:
        fractal = fractal_terrain(grid, options.relief, options.base_height, options.seed)
        source = f"fractal terrain, seed {options.seed}, relief {options.relief:g} m"
    else:
        fractal, continued = terrain_from_dem(options.dem, grid)
        source = f"{options.dem.name}, cubic interpolation to {posting:g} m"
        if continued > 0:
            source += f"; {100 * continued:.0f} % of the ground lies outside of it and continues from its edge"
    middle_xy = transformer.transform(*center)
    scene = build_scene(options, grid, fractal, middle_xy, len(dates))
    terrain = Terrain(grid, scene.heights, source)
    change = plan_change(options, terrain, scene, dates, middle_xy) if options.coherent else None
    return Ground(terrain, scene, (float(scene.heights.min()), float(scene.heights.max())), change)


def write_raster(
    path: Path, values: NDArray[np.generic], grid: GeoGrid, nodata: float | None, tags: dict[str, str]
) -> None:
    """A compressed tiled GeoTIFF."""
    import rasterio

    predictor = {"predictor": 3} if values.dtype.kind == "f" else {}
    with rasterio.open(
        path, "w", driver="GTiff", width=grid.width, height=grid.height, count=1, dtype=values.dtype.name,
        crs=grid.crs, transform=rasterio.Affine(*grid.transform), nodata=nodata, tiled=True, blockxsize=512,
        blockysize=512, compress="deflate", zlevel=1, num_threads=2, **predictor,
    ) as file:  # fmt: skip
        file.write(values, 1)
        file.update_tags(**tags)


def write_dem(path: Path, terrain: Terrain) -> Path:
    """The DEM that a processor gets: the mean of 3 x 3 cells of the terrain that scatters."""
    grid, heights = terrain.coarse(3)
    write_raster(path, heights, grid, None, {"DESCRIPTION": terrain.description, "HEIGHTS": "ellipsoid"})
    return path


def write_truth(
    folder: Path,
    ground: Ground,
    dates: tuple[str, ...],
    looks: list[Look],
    aoi: tuple[float, float, float, float] | None,
) -> None:
    """`<date>_gamma0_<pol>.tif` (mean over 2 x 2 cells, linear) and `<date>_landcover.tif` (class per cell).

    Of a coherent archive also `<date>_<date>_phase.tif` and `_coherence.tif` of every two dates that follow each other
    (phase for the first look), and with two polarizations `<date>_covariance_<pol><pol>.tif`, complex.
    """
    polarizations = looks[0].polarizations
    grid = ground.terrain.grid
    rows, cols = slice(0, grid.height), slice(0, grid.width)
    if aoi is not None:
        rows, cols = _part(grid, aoi)
    left = grid.left + cols.start * grid.resolution
    top = grid.top - rows.start * grid.resolution
    height, width = rows.stop - rows.start, cols.stop - cols.start
    fine = GeoGrid(grid.epsg, left, top, grid.resolution, width, height)
    coarse = GeoGrid(grid.epsg, left, top, 2 * grid.resolution, width // 2, height // 2)
    for i, date in enumerate(dates):
        classes = ground.scene.classes[i][rows, cols]
        names = {f"CLASS_{k}": name for k, name in enumerate(ground.scene.names)}
        write_raster(folder / f"{date}_landcover.tif", classes, fine, None, names)
        for polarization in polarizations:
            table = np.array(ground.scene.gamma0[i][polarization], dtype=np.float32)
            quarters = np.stack([table[classes[a::2, b::2]] for a in (0, 1) for b in (0, 1)])
            mean = quarters.mean(axis=0, dtype=np.float32)
            tags = {"POLARIZATION": polarization, "QUANTITY": "gamma0, linear power"}
            write_raster(folder / f"{date}_gamma0_{polarization}.tif", mean, coarse, float("nan"), tags)
        if ground.change is not None and len(polarizations) == 2:
            both = [np.array(ground.scene.gamma0[i][p], np.float32)[classes] for p in polarizations]
            covariance = np.sqrt(both[0] * both[1]) * np.complex64(ground.change.correlation)
            tags = {"QUANTITY": f"mean of {polarizations[0]} times the conjugate of {polarizations[1]}, gamma0"}
            path = folder / f"{date}_covariance_{''.join(polarizations)}.tif"
            write_raster(path, np.asarray(covariance, np.complex64), fine, None, tags)
    if ground.change is not None:
        _write_pairs(folder, ground, ground.change, dates, looks[0], (rows, cols), fine)


def _write_pairs(
    folder: Path,
    ground: Ground,
    change: Change,
    dates: tuple[str, ...],
    look: Look,
    part: tuple[slice, slice],
    window: GeoGrid,
) -> None:
    """Phase and coherence of every two dates that follow each other."""
    for k in range(1, len(dates)):
        stem = f"{dates[k - 1]}_{dates[k]}"
        farther = slant_change(change, ground.terrain, look, k - 1, k)
        phase = np.zeros(window.shape, np.float32)
        if farther is not None:
            phase = np.asarray(4 * np.pi / look.radar.wavelength * farther[part], np.float32)
        tags = {"QUANTITY": "phase of the first date times the conjugate of the second, radians, not wrapped"}
        write_raster(folder / f"{stem}_phase.tif", phase, window, float("nan"), tags)
        tags = {"QUANTITY": "coherence of the scatterers; noise and baseline take theirs from it"}
        write_raster(
            folder / f"{stem}_coherence.tif", pair_coherence(change, k - 1, k)[part], window, float("nan"), tags
        )


def _part(grid: GeoGrid, aoi: tuple[float, float, float, float]) -> tuple[slice, slice]:
    west, south, east, north = aoi
    lon, lat = np.meshgrid(np.linspace(west, east, 9), np.linspace(south, north, 9))
    x, y = Transformer.from_crs(4326, grid.epsg, always_xy=True).transform(lon.ravel(), lat.ravel())
    block = 6 * grid.resolution
    c0 = max(int((min(x) - grid.left) // block) * 6, 0)
    c1 = min(int(-((grid.left - max(x)) // block)) * 6, grid.width)
    r0 = max(int((grid.top - max(y)) // block) * 6, 0)
    r1 = min(int(-((min(y) - grid.top) // block)) * 6, grid.height)
    return slice(r0, r1), slice(c0, c1)
