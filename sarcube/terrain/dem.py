"""The DEM of a burst: heights above the WGS 84 ellipsoid, whatever the source's heights refer to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sarcube.config import DemConfig
from sarcube.errors import DemError
from sarcube.geometry.dem import Dem
from sarcube.geometry.longitudes import wrap_longitude
from sarcube.terrain.files import dem_paths
from sarcube.terrain.geoid import Geoid, load_geoid
from sarcube.terrain.lattice import Bounds, Lattice, PointHeights, Ring, lattice_crs
from sarcube.terrain.mosaic import read_mosaic
from sarcube.terrain.raster_info import rasters_by_heights, rasters_by_units
from sarcube.terrain.voids import Voids
from sarcube.transfer.redact import public_address

_MESH = 16  # pixels between exactly projected points; between them longitude and latitude run straight


def load_dem(
    config: DemConfig,
    bounds: Bounds,
    resolution_m: float | None = None,
    *,
    footprint: Ring | None = None,
    known: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None = None,
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
    known : (longitude, latitude, height), optional
        Heights that are known at some points (degrees, metres; those of an annotation's geolocation grid), by which
        land that GLO-30 has no tile of is told from sea.

    Returns
    -------
    Dem
        Its `warnings` say what was taken for void, and where file and run file disagree.

    Raises
    ------
    DemError
        DEM or geoid cannot be read or does not cover the area; the message says which part is missing.
    """
    west, south, east, north = bounds
    if not (west < east <= west + 360.0 and -90.0 <= south < north <= 90.0):
        raise DemError(f"the DEM's bounds {bounds} are not west, south, east, north in degrees")
    voids = Voids()
    warnings: tuple[str, ...] = ()
    if config.kind == "cop_glo30":
        from sarcube.terrain.copernicus import read_glo30

        points = _with_geoid(config, bounds, known)
        heights, lattice, description, warnings = read_glo30(
            config.mirror, bounds, known=points, footprint=footprint, voids=voids
        )
    else:
        paths = dem_paths(config.path or ())
        heights, lattice = read_mosaic(paths, bounds, resolution_m=resolution_m, footprint=footprint, voids=voids)
        description = public_address(paths[0]) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
        warnings = height_remarks(config, paths)
    if config.reference != "ellipsoid":
        heights, geoid = _add(heights, config.geoid, config.reference, lattice)
        description = f"{description} + {config.reference} {public_address(geoid.path)}"
        if count := int(np.isnan(geoid.undulation).sum()):
            warnings += (
                f"geoid grid {public_address(geoid.path)}: {count} of {geoid.undulation.size} nodes over the area "
                "have no undulation; heights there are void",
            )
    return Dem(
        heights,
        lattice.epsg,
        lattice.left,
        lattice.top,
        lattice.dx,
        lattice.dy,
        description=description,
        warnings=(*warnings, *voids.remarks()),
    )


def height_remarks(config: DemConfig, paths: Sequence[str]) -> tuple[str, ...]:
    """What rasters say of their heights: another vertical CRS than the run file has (`heights`), another unit."""
    remarks = []
    for (metre, unit), members in rasters_by_units(paths).items():
        which = public_address(members[0]) + (f" and {len(members) - 1} more" if len(members) > 1 else "")
        if unit:
            remarks.append(f"DEM {which}: its heights are in {unit!r}, which is not known here; taken for metres")
        elif metre != 1.0:
            remarks.append(f"DEM {which}: its heights are in units of {metre:.7g} m by its own word; made metres")
    for vertical, members in rasters_by_heights(paths).items():
        if vertical not in ("", config.reference):
            more = f" and {len(members) - 1} more" if len(members) > 1 else ""
            remarks.append(
                f"DEM {public_address(members[0])}{more}: its own CRS says that heights refer to {vertical}, the run "
                f"file says {config.reference} (dem.heights); {config.reference} is what was used"
            )
    return tuple(remarks)


def _with_geoid(
    config: DemConfig,
    bounds: Bounds,
    known: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None,
) -> PointHeights | None:
    """The points within a degree of the bounds (the tiles that meet them), with the geoid where it reaches."""
    if known is None:
        return None
    lon, lat, height = (np.asarray(v, np.float64).ravel() for v in known)
    west, south, east, north = bounds
    lon = wrap_longitude(lon, 0.5 * (west + east))
    near = (lon >= west - 1.0) & (lon <= east + 1.0) & (lat >= south - 1.0) & (lat <= north + 1.0) & np.isfinite(height)
    lon, lat, height = lon[near], lat[near], height[near]
    geoid = np.full(lon.shape, np.nan)
    if lon.size and config.reference != "ellipsoid":
        try:
            reach = (float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max()))
            geoid = load_geoid(config.geoid, reach, config.reference).at_points(lon, lat)
        except DemError:  # a crop that just holds the burst: its middle stands for all
            middle = (0.5 * (west + east), 0.5 * (south + north))
            nearest = load_geoid(config.geoid, (*middle, *middle), config.reference)
            geoid[:] = nearest.at_points(np.array([middle[0]]), np.array([middle[1]]))
    return PointHeights(lon, lat, height, geoid)


def _add(
    heights: NDArray[np.float32], geoid_path: str | None, model: str, lattice: Lattice
) -> tuple[NDArray[np.float32], Geoid]:
    """Heights plus the undulation at every pixel centre, and the geoid that was used."""
    x: NDArray[np.float64] = lattice.left + (np.arange(lattice.width, dtype=np.float64) + 0.5) * lattice.dx
    y: NDArray[np.float64] = lattice.top - (np.arange(lattice.height, dtype=np.float64) + 0.5) * lattice.dy
    if lattice.geographic:
        geoid = load_geoid(geoid_path, (x[0], max(y[-1], -90.0), x[-1], min(y[0], 90.0)), model)
        total = np.empty_like(heights)
        for rows in _blocks(lattice.height):
            total[rows] = heights[rows] + geoid.at_axes(x, np.clip(y[rows], -90.0, 90.0))
        return total, geoid
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
            points = (wrap_longitude(lons), lats)
        else:
            at = np.arange(rows.start, rows.stop)
            points = (_between(lon, rows_at, columns, at, len(x)), _between(lat, rows_at, columns, at, len(x)))
        total[rows] = heights[rows] + geoid.at_points(*points)
    return total, geoid


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
    return wrap_longitude(lons, float(lons.flat[lons.size // 2])), np.asarray(lat).reshape(x.shape)


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
