"""One granule onto one grid: hotspots and rasters. Knows no store: the run and the command use it alike."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.fire.detect import cloud_mask, find_fires
from sarcube.engines.fire.options import ContextualOptions, GepOptions
from sarcube.engines.fire.scene import FireScene, unit_vectors
from sarcube.errors import SceneError
from sarcube.geometry.aoi import Area
from sarcube.geometry.ellipsoid import SEMI_MAJOR
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.longitudes import narrowest
from sarcube.products.cog import encode_rgba
from sarcube.products.points import as_geojson, as_geoparquet
from sarcube.workflows.active_fire.inputs import fire_scene
from sarcube.workflows.active_fire.kinds import BRIGHT, GEOJSON, MEASURED, NOT_SEEN, PARQUET, RGB
from sarcube.workflows.active_fire.land_cover import NO_DATA, NO_GROUND, covers_at, covers_on, name_of
from sarcube.workflows.active_fire.section import ActiveFireSection

if TYPE_CHECKING:
    import pandas as pd

    from sarcube.sensors.sentinel3.granule import Granule

METHODS: dict[str, ContextualOptions | GepOptions] = {"contextual": ContextualOptions(), "gep": GepOptions()}
MOST_PIXELS = 50_000_000
COARSER = "give a smaller area or a coarser active_fire.resolution"
CLEAR = 0  # of the cloud mask
_REACH_M = 1500.0  # how far the centre of a pixel of the grid may lie from a measurement


@dataclass(frozen=True)
class Fires:
    """What a granule shows of an area.

    Attributes
    ----------
    hotspots : DataFrame
    grid : GeoGrid
    layers : dict of str to array
        By name: "cloud_mask", by day "reflectance_S6" and so on, "land_cover" where one was given.
    files : dict of str to bytes
        "hotspots" (GeoJSON), "hotspots_parquet", by day "rgb".
    remarks : tuple of str
        What was assumed and left out.
    """

    hotspots: pd.DataFrame
    grid: GeoGrid
    layers: dict[str, NDArray[np.number]]
    files: dict[str, bytes]
    remarks: tuple[str, ...]


def find_in(granule: Granule, area: Area | None, grid: GeoGrid | None, section: ActiveFireSection) -> Fires:
    """Fires of a granule within an area, and its rasters on a grid.

    Parameters
    ----------
    granule : Granule
    area : Area, optional
        None: the whole granule.
    grid : GeoGrid, optional
        None: what the area, or else the granule, covers, on multiples of the section's resolution in degrees.
    section : ActiveFireSection

    Raises
    ------
    SceneError
        The granule cannot be read, or sees nothing of the area.
    ConfigError
        The land cover cannot be read, or does not reach the area.
    GridError
        The grid would have too many pixels.
    """
    scene, options = fire_scene(granule), METHODS[section.method]
    inside = _inside(scene, area, granule)
    grid = grid or _around(scene, area, inside, section.resolution)
    found = find_fires(scene, options)
    found = found[inside[found["row"], found["column"]]].reset_index(drop=True)
    table, remarks = _covered(found, section)
    remarks += _without(scene, options, inside)
    if not (inside & (cloud_mask(scene, options) == CLEAR)).any():
        remarks += ("no pixel of the area is clear: clouds hide all of it, or nothing was measured",)
    span = (granule.name.stop - granule.name.start) / granule.shape[0]
    times = [granule.name.start + span * (float(row) + 0.5) for row in table["row"]]
    table = table.assign(
        time=_utc(times), platform=granule.name.platform, method=section.method, timeliness=granule.name.timeliness,
        granule=granule.name.text,
    )  # fmt: skip
    layers = _rasters(scene, options, inside, grid)
    files = {GEOJSON.name: as_geojson(table), PARQUET.name: as_geoparquet(table)}
    names = [f"reflectance_{name}" for name in section.rgb]
    if all(name in layers for name in names):
        files[RGB.name] = encode_rgba(
            _picture([layers[name] for name in names]), grid, {"BANDS": " ".join(section.rgb)}
        )
    if section.cover_path is not None:
        layers["land_cover"] = covers_on(section.cover_path, grid)
    return Fires(table, grid, layers, files, remarks)


def _utc(times: list[dt.datetime]) -> pd.Series:
    import pandas as pd

    return pd.to_datetime(pd.Series(times, dtype=object), utc=True).astype("datetime64[ms, UTC]")


def _covered(table: pd.DataFrame, section: ActiveFireSection) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Hotspots with their land cover, without those on water and ice, and what was done in words."""
    flags = "water and ice are those of the granule's own flags"
    path = section.cover_path
    if path is None:
        return table, (flags, "no land cover was given: hotspots have none")
    codes = covers_at(path, table["longitude"].to_numpy(), table["latitude"].to_numpy())
    table = table.assign(land_cover=codes.astype(int), land_cover_name=[name_of(int(c)) for c in codes])
    gone = np.isin(codes, NO_GROUND)
    said = f"{int(gone.sum())} hotspots on water, ice or no data of {path.name} are left out"
    if unknown := int((codes == NO_DATA).sum()):
        said += f", {unknown} of them where it has no class or does not reach"
    return table[~gone].reset_index(drop=True), (flags, said)


def _without(scene: FireScene, options: ContextualOptions | GepOptions, inside: NDArray[np.bool_]) -> tuple[str, ...]:
    """What daylight would have told and the granule does not hold, in words."""
    if not isinstance(options, ContextualOptions):
        return ()
    day = inside & (scene.sun_zenith < options.day_zenith)
    gone = [name for name in ("S2", "S3", "S6") if day.any() and not np.isfinite(scene.reflectance[name][day]).any()]
    if not gone:
        return ()
    return (
        f"by day there is no {', '.join(gone)} in the granule: bright clouds, glint and deserts are told from fires by "
        "temperature alone",
    )


def _inside(scene: FireScene, area: Area | None, granule: Granule) -> NDArray[np.bool_]:
    import shapely

    placed = np.isfinite(scene.latitude)
    if area is not None:
        west, south, east, north = area.shape.bounds
        near = placed & (scene.latitude >= south) & (scene.latitude <= north)
        lon, lat = scene.longitude[near], scene.latitude[near]
        within = np.zeros(lon.shape, bool)
        for turn in (-360.0, 0.0, 360.0):
            if lon.size and lon.min() + turn <= east and lon.max() + turn >= west:
                within |= shapely.contains_xy(area.shape, lon + turn, lat)
        placed = np.zeros_like(placed)
        placed[near] = within
    if not placed.any():
        raise SceneError(f"{granule.path}: sees nothing of the area; check the area")
    return placed


def _around(scene: FireScene, area: Area | None, inside: NDArray[np.bool_], resolution: float) -> GeoGrid:
    lon, lat = narrowest(scene.longitude[inside]), scene.latitude[inside]
    bounds = area.bounds if area is not None else (lon.min(), lat.min(), lon.max(), lat.max())
    return GeoGrid.snapped(4326, bounds, resolution).bounded(MOST_PIXELS, COARSER)


def _rasters(
    scene: FireScene, options: ContextualOptions | GepOptions, inside: NDArray[np.bool_], grid: GeoGrid
) -> dict[str, NDArray[np.number]]:
    """Each pixel of the grid from the nearest measurement."""
    lon, lat = _centres(grid)
    pick, seen = _nearest(scene, lon, lat)

    def shown(values: NDArray[np.number], missing: float) -> NDArray[np.number]:
        flat = np.full(seen.size, missing, values.dtype)
        flat[seen] = values.ravel()[pick]
        return flat.reshape(grid.shape)

    layers = {"cloud_mask": shown(cloud_mask(scene, options), NOT_SEEN)}
    for name in MEASURED:
        if np.isfinite(scene.reflectance[name][inside]).any():  # none at night
            layers[f"reflectance_{name}"] = shown(scene.reflectance[name].astype(np.float32), np.nan)
    return layers


def _centres(grid: GeoGrid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude of all pixels, degrees."""
    x, y = np.meshgrid(grid.x(), grid.y())
    if grid.is_geographic:
        return x, y
    from pyproj import Transformer

    lon, lat = Transformer.from_crs(grid.epsg, 4326, always_xy=True).transform(x, y)
    return lon, lat


def _nearest(
    scene: FireScene, lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For the pixels that a measurement is near: its index; and which pixels these are."""
    from scipy.spatial import cKDTree

    margin = 0.05
    near = np.isfinite(scene.latitude) & (scene.latitude > lat.min() - margin) & (scene.latitude < lat.max() + margin)
    places = np.flatnonzero(near)
    if places.size == 0:
        return np.empty(0, np.int64), np.zeros(lon.size, bool)
    tree = cKDTree(unit_vectors(scene.longitude[near], scene.latitude[near]), balanced_tree=False, compact_nodes=False)
    distance, index = tree.query(unit_vectors(lon, lat), distance_upper_bound=_REACH_M / SEMI_MAJOR)
    seen = np.isfinite(distance)
    return places[index[seen]], seen


def _picture(channels: list[NDArray[np.number]]) -> NDArray[np.uint8]:
    """Red, green, blue, alpha: reflectance 0 to 0.5, of equal ranges on all dates."""
    stacked = np.stack(channels, axis=-1)
    seen: NDArray[np.bool_] = np.all(np.isfinite(stacked), axis=-1)
    colours = np.clip(np.nan_to_num(stacked) / BRIGHT, 0.0, 1.0) ** 0.8
    out = np.zeros((*seen.shape, 4), np.uint8)
    out[..., :3] = np.where(seen[..., None], np.round(255.0 * colours), 0)
    out[..., 3] = np.where(seen, 255, 0)
    return out
