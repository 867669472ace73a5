"""Products and pairs without a store: what `sarcube s2` and `sarcube burned-area` do."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from sarcube.config import DemConfig, Section
from sarcube.errors import ConfigError, ProductError
from sarcube.geometry.aoi import area_of_text
from sarcube.geometry.grid import GeoGrid
from sarcube.transfer.atomic import scratch_beside
from sarcube.workflows.sentinel2.section import Sentinel2Section

if TYPE_CHECKING:
    from shapely import Geometry

    from sarcube.sensors.sentinel2.model import Scene

SectionT = TypeVar("SectionT", bound=Section)
# How S2-preprocess calls what GDAL calls otherwise.
_DRIVERS = {"geotiff": "GTiff", "gtiff": "GTiff", "cog": "COG", "envi": "ENVI", "netcdf4": "netCDF", "netcdf": "netCDF"}
# What drivers are told, so that every number comes back.
_LOSSLESS: dict[str, dict[str, object]] = {
    "COG": {"COMPRESS": "ZSTD", "LEVEL": 1, "PREDICTOR": "STANDARD"},
    "GTiff": {"COMPRESS": "DEFLATE", "TILED": "YES", "PREDICTOR": 2, "BIGTIFF": "IF_SAFER"},
    "JP2OpenJPEG": {"QUALITY": 100, "REVERSIBLE": "YES", "YCBCR420": "NO"},
    "netCDF": {"FORMAT": "NC4", "COMPRESS": "DEFLATE"},
}
_SUFFIXES = {"GTiff": ".tif", "COG": ".tif", "ENVI": ".img", "netCDF": ".nc", "HFA": ".img", "JP2OpenJPEG": ".jp2"}


def section_of(model: type[SectionT], **given: object) -> SectionT:
    """A section from a command's options; ConfigError says which of them is wrong."""
    from pydantic import ValidationError

    try:
        return model.model_validate(given)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}".lstrip(": ") for e in error.errors())
        raise ConfigError(told) from error


def preprocess(
    path: str | Path,
    outdir: str | Path,
    section: Sentinel2Section,
    *,
    aoi: str = "",
    projection: str = "auto",
    output_format: str = "COG",
    dem: DemConfig | None = None,
) -> tuple[Path, list[str]]:
    """One product to one raster of all its bands, the mask of clouds and the classes last.

    Parameters
    ----------
    path : path
        SAFE folder or zip.
    outdir : path
    section : Sentinel2Section
    aoi : str
        WKT in degrees, or the path of a file of shapes (GeoJSON, GeoPackage, ...); empty: the whole tile.
    projection : str
        "auto" (the tile's UTM zone) or an EPSG code.
    output_format : str
        "COG", "GeoTIFF", or any driver of GDAL that writes.
    dem : DemConfig, optional
        For `section.land_sea`.

    Returns
    -------
    file : Path
    notes : list of str

    Raises
    ------
    ConfigError, SceneError, GridError, ProductError
    """
    from sarcube.sensors.sentinel2.scene import open_scene
    from sarcube.workflows.sentinel2.process import process
    from sarcube.workflows.sentinel2.run import TOA
    from sarcube.workflows.sentinel2.water import water_of

    driver = _DRIVERS.get(output_format.lower(), output_format)
    water = water_of(section.water, dem, section.sea_pixels)[0] if section.land_sea != "none" else None
    scene = open_scene(path)
    notes = list(scene.warnings)
    if scene.level == "L1C" and section.sen2cor is not None:
        from sarcube.sensors.sentinel2.sen2cor import run_sen2cor

        scene = run_sen2cor(scene, section.sen2cor)
    elif scene.level == "L1C":
        notes.append(TOA)
    grid = grid_of(scene, section.resolution, aoi, projection)
    done = process(scene, grid, section, water)
    order = [*section.bands, *(name for name in ("cloud_mask", "scl") if name in done.layers)]
    target = Path(outdir) / f"{scene.name}_S2_ARD{_SUFFIXES.get(driver, '.' + driver.lower())}"
    write_bands(target, {name: done.layers[name] for name in order}, grid, driver)
    return target, [*notes, *done.notes]


def grid_of(scene: Scene, resolution: float, aoi: str, projection: str) -> GeoGrid:
    """The tile's grid, or the area's part of it; GridError where they do not meet."""
    from sarcube.workflows.sentinel2.grids import window_of

    tile = scene.grid(10)
    fits = (tile.width * 10) % resolution == 0 and tile.left % resolution == 0 and tile.top % resolution == 0
    size = round(tile.width * 10 / resolution)
    own = (
        GeoGrid(tile.epsg, tile.left, tile.top, float(resolution), size, size)
        if fits
        else GeoGrid.snapped(tile.epsg, tile.bounds, float(resolution))
    )
    text = projection.upper().removeprefix("EPSG:")
    if text not in ("AUTO", "UTM", "UTM (AUTO)") and not text.isdecimal():
        raise ConfigError(f"projection {projection!r}: auto, or an EPSG code like 3857")
    shape = _shape(aoi)
    if text.isdecimal() and int(text) != tile.epsg:
        return window_of(tile, None, int(text), resolution, shape, f"the tile {scene.tile}")
    return window_of(tile, own, "auto", resolution, shape, f"the tile {scene.tile}")


def _shape(aoi: str) -> Geometry | None:
    area = area_of_text(aoi)
    return None if area is None else area.shape


def write_bands(
    path: Path, layers: Mapping[str, NDArray[np.unsignedinteger | np.floating]], grid: GeoGrid, driver: str
) -> None:
    """Write all layers as bands of one uint16 raster with GDAL's driver of that name; it appears whole or not at all.

    Raises
    ------
    ProductError
        The driver cannot write it, or the folder cannot be written to.
    """
    import rasterio
    import rasterio.shutil
    from affine import Affine
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    make_folder(path.parent)
    # netCDF is written by a copy alone: GDAL's own bindings of rasterio refuse more.
    first = "GTiff" if driver == "netCDF" else driver
    try:
        with scratch_beside(path) as scratch:
            made = scratch / path.name
            with rasterio.open(
                scratch / "first.tif" if first != driver else made, "w", driver=first, width=grid.width,
                height=grid.height, count=len(layers), dtype="uint16", crs=grid.crs, nodata=0,
                transform=Affine(*grid.transform), **_LOSSLESS.get(first, {}),
            ) as data:  # fmt: skip
                for i, (name, values) in enumerate(layers.items(), 1):
                    data.write(values.astype(np.uint16, copy=False), i)
                    data.set_band_description(i, name)
                data.scales = tuple(1e-4 if name.startswith("B") else 1.0 for name in layers)
                data.update_tags(OFFSET_REMOVED="yes", REFLECTANCE="number * 0.0001")
            if first != driver:
                rasterio.shutil.copy(scratch / "first.tif", made, driver=driver, **_LOSSLESS[driver])
                (scratch / "first.tif").unlink()
            if not made.exists():
                raise ProductError(f"{path}: GDAL's driver {driver} writes no file; try COG")
            for part in sorted(scratch.iterdir()):  # some drivers write several files, or a folder
                target = path.parent / part.name
                if target.is_dir():
                    shutil.rmtree(target)
                part.replace(target)
    except (RasterioError, CPLE_BaseError, ValueError, AttributeError, OSError) as error:
        if isinstance(error, ProductError):
            raise
        raise ProductError(f"{path}: GDAL's driver {driver} cannot write it: {error}; try COG") from error


def make_folder(folder: Path) -> None:
    """Make a folder for results; ProductError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProductError(f"{folder} cannot be a folder: {error.strerror or error}; choose another") from error


def write_burned_area(
    before: str | Path, after: str | Path, out: str | Path, *, aoi: str = "", resolution: float = 20.0
) -> tuple[dict[str, float], list[str]]:
    """Burned area of two products: layers as COGs, `hectares.csv` and `perimeters.geojson` in the folder `out`.

    Returns
    -------
    hectares : dict of str to float
        By severity class.
    notes : list of str

    Raises
    ------
    ConfigError
        The products are of different tiles, or the first is not the earlier.
    SceneError, GridError, ProductError
    """
    from sarcube.products.cog import write_cog
    from sarcube.sensors.sentinel2.scene import open_scene
    from sarcube.workflows.burned_area.kinds import BURNED_AREA
    from sarcube.workflows.burned_area.process import burned_area
    from sarcube.workflows.burned_area.run import perimeters_in_degrees
    from sarcube.workflows.burned_area.section import BurnedAreaSection

    section = section_of(BurnedAreaSection, resolution=resolution)
    first, second = open_scene(before), open_scene(after)
    if first.tile != second.tile:
        raise ConfigError(f"{first.name} and {second.name} are of two tiles; give two of one")
    if first.sensed >= second.sensed:
        raise ConfigError(f"{first.name} is not earlier than {second.name}; give the date before the fire first")
    grid = grid_of(first, resolution, aoi, "auto")
    done = burned_area([first], [second], grid, section)
    folder = Path(out)
    make_folder(folder)
    for name, values in done.layers.items():
        write_cog(folder / f"{name}.tif", values, grid, BURNED_AREA.layer(name))
    with (folder / "hectares.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("class", "hectares"))
        table.writerows((name, f"{area:.4f}") for name, area in done.hectares.items())
    found = perimeters_in_degrees(done.perimeters, grid)
    (folder / "perimeters.geojson").write_text(json.dumps(found))
    return done.hectares, [*first.warnings, *second.warnings, *done.notes]
