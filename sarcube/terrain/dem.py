"""The DEM of a burst: heights above the WGS 84 ellipsoid, whatever the source's heights refer to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.config import DemConfig
from sarcube.errors import DemError
from sarcube.geometry.dem import Dem
from sarcube.terrain.geoid import load_geoid
from sarcube.terrain.lattice import Bounds, Lattice, Ring, lattice_crs
from sarcube.terrain.mosaic import read_mosaic

_SUFFIXES = (".tif", ".tiff", ".vrt", ".img", ".dt2", ".dt1", ".dt0", ".hgt", ".bil", ".nc")
_MESH = 16  # pixels between exactly projected points; between them longitude and latitude run straight


def load_dem(
    config: DemConfig,
    bounds: Bounds,
    resolution_m: float | None = None,
    *,
    footprint: Ring | None = None,
) -> Dem:
    """Read the DEM over an area, a few pixels more on each side, with ellipsoidal heights.

    Parameters
    ----------
    config : DemConfig
        The run file's `dem`.
    bounds : (west, south, east, north)
        Degrees; east may exceed 180 for an area across the antimeridian.
    resolution_m : float, optional
        Posting of the output; a DEM more than four times finer is averaged while it is read.
    footprint : ring of (longitude, latitude), optional
        What the DEM must cover; without it, the whole rectangle of `bounds`.

    Raises
    ------
    DemError
        DEM or geoid cannot be read or does not cover the area; the message says which part is missing.
    """
    west, south, east, north = bounds
    if not (west < east <= west + 360.0 and -90.0 <= south < north <= 90.0):
        raise DemError(f"the DEM's bounds {bounds} are not west, south, east, north in degrees")
    if config.kind == "cop_glo30":
        from sarcube.terrain.copernicus import read_glo30

        heights, lattice, description = read_glo30(config.mirror, bounds)
    else:
        paths = dem_paths(config.path or ())
        heights, lattice = read_mosaic(paths, bounds, resolution_m=resolution_m, footprint=footprint)
        description = paths[0].split("?", 1)[0] + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
    if config.reference != "ellipsoid":
        heights, geoid = _add(heights, config.geoid, config.reference, lattice)
        description = f"{description} + {config.reference} {geoid.split('?', 1)[0]}"
    return Dem(heights, lattice.epsg, lattice.left, lattice.top, lattice.dx, lattice.dy, description=description)


def dem_paths(path: str | Sequence[str]) -> list[str]:
    """The rasters that `dem.path` means: a file, a folder of rasters, a pattern, or a list of these."""
    found: list[str] = []
    for entry in [path] if isinstance(path, str) else path:
        local = Path(entry)
        if "://" in entry or entry.startswith("/vsi") or local.is_file():
            found.append(entry)
        elif local.is_dir():
            inside = sorted(str(p) for p in local.rglob("*") if p.suffix.lower() in _SUFFIXES)
            if not inside:
                raise DemError(f"dem.path {entry} is a folder without rasters ({', '.join(_SUFFIXES)})")
            found.extend(inside)
        else:
            base = Path(local.anchor) if local.is_absolute() else Path()
            pattern = str(local.relative_to(base)) if set(entry) & set("*?[") else ""
            matches = sorted(str(p) for p in base.glob(pattern)) if pattern else []
            if not matches:
                raise DemError(f"dem.path {entry} does not exist; give a raster, a folder or a pattern")
            found.extend(matches)
    return found


def _add(
    heights: NDArray[np.float32], geoid_path: str | None, model: str, lattice: Lattice
) -> tuple[NDArray[np.float32], str]:
    """Heights plus the undulation at every pixel centre, and the geoid file that was used."""
    x: NDArray[np.float64] = lattice.left + (np.arange(lattice.width, dtype=np.float64) + 0.5) * lattice.dx
    y: NDArray[np.float64] = lattice.top - (np.arange(lattice.height, dtype=np.float64) + 0.5) * lattice.dy
    if lattice.geographic:
        geoid = load_geoid(geoid_path, (x[0], max(y[-1], -90.0), x[-1], min(y[0], 90.0)), model)
        total = np.empty_like(heights)
        for rows in _blocks(lattice.height):
            total[rows] = heights[rows] + geoid.at_axes(x, np.clip(y[rows], -90.0, 90.0))
        return total, geoid.path
    columns, rows_at = _nodes(lattice.width), _nodes(lattice.height)
    lon, lat = _lonlat(lattice, *np.meshgrid(x[columns], y[rows_at]))
    polar = np.abs(lat).max() > 85.0 or np.ptp(lon) > 180.0
    if polar:
        # Longitudes turn quickly here, or jump: each pixel is projected for itself.
        reach = (-180.0, max(lat.min() - 0.5, -90.0), 180.0, min(lat.max() + 0.5, 90.0))
    else:
        reach = (lon.min() - 0.01, lat.min() - 0.01, lon.max() + 0.01, lat.max() + 0.01)
    if polar and lat.max() > 80.0 and _holds_origin(lattice):
        reach = (-180.0, reach[1], 180.0, 90.0)
    if polar and lat.min() < -80.0 and _holds_origin(lattice):
        reach = (-180.0, -90.0, 180.0, reach[3])
    geoid = load_geoid(geoid_path, reach, model)
    total = np.empty_like(heights)
    for rows in _blocks(lattice.height):
        if polar:
            lons, lats = _lonlat(lattice, *np.meshgrid(x, y[rows]))
            points = ((lons + 180.0) % 360.0 - 180.0, lats)
        else:
            at = np.arange(rows.start, rows.stop)
            points = (_between(lon, rows_at, columns, at, len(x)), _between(lat, rows_at, columns, at, len(x)))
        total[rows] = heights[rows] + geoid.at_points(*points)
    return total, geoid.path


def _blocks(height: int, size: int = 512) -> list[slice]:
    return [slice(row, min(row + size, height)) for row in range(0, height, size)]


def _holds_origin(lattice: Lattice) -> bool:
    return lattice.left < 0.0 < lattice.right and lattice.bottom < 0.0 < lattice.top


def _nodes(size: int) -> NDArray[np.intp]:
    return np.unique(np.append(np.arange(0, size, _MESH), size - 1))


def _lonlat(
    lattice: Lattice, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from rasterio.warp import transform

    lon, lat = transform(lattice_crs(lattice), "EPSG:4326", x.ravel().tolist(), y.ravel().tolist())
    lons = np.asarray(lon).reshape(x.shape)
    # One branch of longitude for the whole block, also across the antimeridian.
    middle = lons.flat[lons.size // 2]
    return middle + (lons - middle + 180.0) % 360.0 - 180.0, np.asarray(lat).reshape(x.shape)


def _between(
    mesh: NDArray[np.float64],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    at: NDArray[np.intp],
    width: int,
) -> NDArray[np.float64]:
    """Mesh values at every pixel of the rows `at`; the mesh's 480 m bend by millimetres only."""
    j = np.clip(np.searchsorted(rows, at, side="right") - 1, 0, max(len(rows) - 2, 0))
    if len(rows) == 1 or len(columns) == 1:
        raise DemError("the DEM is one pixel wide over the area; give a finer one")
    fy = ((at - rows[j]) / (rows[j + 1] - rows[j]))[:, None]
    across = mesh[j] * (1 - fy) + mesh[j + 1] * fy
    i = np.clip(np.searchsorted(columns, np.arange(width), side="right") - 1, 0, len(columns) - 2)
    fx = (np.arange(width) - columns[i]) / (columns[i + 1] - columns[i])
    return np.asarray(across[:, i] * (1 - fx) + across[:, i + 1] * fx)
