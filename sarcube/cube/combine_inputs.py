"""What `combine` reads: bands of stores, Sentinel-2 SAFEs and any raster of GDAL (how: `combine_reading`)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import calculate_default_transform

from sarcube.cube.asked import Bbox
from sarcube.cube.handles import gdal_options
from sarcube.cube.missions import Mission, mission_of
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.transfer.raster import gdal_path, is_remote
from sarcube.transfer.redact import redact

_SPEC = re.compile(
    r"(?:(?P<alias>[A-Za-z_]\w*)=)?(?P<path>.+?)(?:@(?P<dates>\d{4}(?:-\d\d){0,2}(?:,\d{4}(?:-\d\d){0,2})?))?"
)


@dataclass(frozen=True)
class BandFile:
    """One band of one raster: physical value = stored * scale + offset.

    Attributes
    ----------
    path : str
        As GDAL opens it.
    index : int
        From 1.
    grid : GeoGrid
        Its own; of a rotated raster, or one placed by ground control points, the grid that GDAL would warp it to.
    north_up : bool
        Pixels lie on `grid` as they are.
    scale, offset : float
    missing : tuple of float
        Stored numbers that are no value, besides what the file says.
    driver : str, optional
        The only one of GDAL that may open it.
    """

    path: str
    index: int
    grid: GeoGrid
    north_up: bool = True
    scale: float = 1.0
    offset: float = 0.0
    missing: tuple[float, ...] = ()
    driver: str | None = None


@dataclass(frozen=True)
class Band:
    """A band of an input: files in the order in which they count, the first that has a value does.

    Attributes
    ----------
    name : str
    files : tuple of BandFile
    wide : bool
        Values need double precision.
    nearest : bool
        Classes: never averaged.
    """

    name: str
    files: tuple[BandFile, ...]
    wide: bool = False
    nearest: bool = False


@dataclass(frozen=True)
class Input:
    """An input.

    Attributes
    ----------
    alias : str
        What expressions call it: `alias.band`.
    origin : str
        Path or address without secrets.
    bands : mapping of str to Band
        By name, in order: `band_1` is the first.
    common : mapping of str to str
        Common names to names.
    remarks : tuple of str
        What was assumed.
    """

    alias: str
    origin: str
    bands: Mapping[str, Band]
    common: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def find(self, name: str) -> Band | None:
        """A band by index, name or common name, whatever their case and leading zeros."""
        if match := re.fullmatch(r"band_(\d{1,5})", name):
            position = int(match[1]) - 1
            return list(self.bands.values())[position] if 0 <= position < len(self.bands) else None
        if name in self.bands:
            return self.bands[name]
        plain: dict[str, Band] = {}
        for word, own in (*((n, n) for n in self.bands), *self.common.items()):
            plain.setdefault(_plain(word), self.bands[own])
        return plain.get(_plain(name))


def _plain(name: str) -> str:
    return re.sub(r"(?<=[a-z])0+(?=\d)", "", name.casefold())


def open_input(spec: str, position: int, bbox: Bbox | None) -> Input:
    """Look at an input; pixels are not read.

    Parameters
    ----------
    spec : str
        `[alias=]path[@dates]`; dates select of a store.
    position : int
        From 0; the alias of what has none is a, b, c, ...
    bbox : tuple of float, optional
        West, south, east, north in degrees.

    Raises
    ------
    CubeError
        It is not there, no raster, or of a mission that cannot be combined.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise CubeError(f"input {spec!r} is no [name=]path[@date]")
    alias, path, dates = match["alias"], match["path"], match["dates"]
    if (alias or dates) and Path(spec).exists():  # = and @ stand in names, too
        alias, path, dates = None, spec, None
    alias = alias or chr(ord("a") + position)
    name = path.rstrip("/").rsplit("/", 1)[-1]
    mission = mission_of(name)
    folder = Path(path)
    if mission is not None and mission.name == "sentinel-2":
        return _sentinel2(alias, path, mission)
    if mission is not None and mission.files:
        return _of_files(alias, path, mission)
    if not is_remote(path) and not folder.exists():
        raise CubeError(f"input {path} is not there; check the path")
    if is_store(path):
        return _of_store(alias, path, dates, bbox)
    if dates:
        raise CubeError(f"input {spec}: dates (@{dates}) select of a store; {path} is one raster")
    return _raster(alias, path, mission)


def is_store(path: str) -> bool:
    """Whether an input's path is a store, and not one raster or scene."""
    name = path.rstrip("/").rsplit("/", 1)[-1]
    if mission_of(name) is not None:
        return False
    return Path(path).is_dir() or (is_remote(path) and "." not in name) or name == "catalog.json"


def _of_store(alias: str, path: str, dates: str | None, bbox: Bbox | None) -> Input:
    from sarcube.cube.acquisition import from_item, is_static
    from sarcube.cube.found import read_items
    from sarcube.cube.layers import layer_name
    from sarcube.cube.selection import Selection, parse_dates, select

    when = parse_dates(dates.split(",") if dates and "," in dates else dates)
    items = read_items(path, Selection(bbox=bbox, dates=when))
    dated = select([i for i in items if not is_static(i)], Selection(bbox=bbox, dates=when))
    chosen = [*dated, *(i for i in items if is_static(i))]
    found: dict[str, list[tuple[np.datetime64, BandFile]]] = {}
    nearest, common = set[str](), dict[str, str]()
    for item in chosen:
        rasters = {
            layer_name(n): a
            for n, a in item.assets.items()
            if "tiff" in str(a.media_type or "") or a.href.endswith(".tif")
        }
        rasters = {n: a for n, a in rasters.items() if "visual" not in (a.roles or ())}  # pictures have no bands
        acquisition = from_item(item, frozenset(rasters))
        for name, file in acquisition.files.items():
            scale, offset, nodata = file.numbers
            missing = () if nodata is None or math.isnan(nodata) else (nodata,)
            read = BandFile(file.href, 1, file.grid, True, scale, offset, missing, "GTiff")
            found.setdefault(name, []).append((acquisition.start, read))
            asset = rasters.get(name)
            if asset is not None and ("mask" in (asset.roles or ()) or "classification:classes" in asset.extra_fields):
                nearest.add(name)
            for band in [asset.extra_fields] if asset is not None else []:
                if isinstance(word := band.get("eo:common_name"), str):
                    common[word] = name
    if not found:
        raise CubeError(f"store {path} has no rasters for {dates or 'these bounds'}; check path, dates and bbox")
    bands = {}
    for name, files in found.items():
        latest_first = sorted(files, key=lambda pair: pair[0], reverse=True)
        bands[name] = Band(name, tuple(file for _, file in latest_first), nearest=name in nearest)
    days = sorted({str(item.properties.get("start_datetime") or item.datetime)[:10] for item in dated})
    remarks: tuple[str, ...] = ()
    if len(days) > 1:
        told = f"of {len(days)} dates ({days[0]} to {days[-1]}) the latest that has a value counts at each pixel"
        remarks = (f"{alias}: {told}; choose with @DATE behind its path",)
    return Input(alias, redact(path), bands, common, remarks)


def _sentinel2(alias: str, path: str, mission: Mission) -> Input:
    """Reflectance of each band at its native resolution: (DN + offset) / quantification, both as the metadata state."""
    from sarcube.sensors.sentinel2.images import native_resolution
    from sarcube.sensors.sentinel2.scene import open_files, open_scene

    scene = open_scene(path)
    files, numbers = open_files(scene.path), scene.radiometry
    bands, common = {}, {}
    for name in dict.fromkeys(band for band in (*mission.bands, "SCL") if any(b == band for b, _ in scene.images)):
        resolution = native_resolution(scene, name)
        measure = name in mission.bands
        scale = 1.0 / numbers.quantification if measure else 1.0
        offset = scene.offset(name) * scale if measure else 0.0
        missing = (float(numbers.nodata), float(numbers.saturated)) if measure else (0.0,)
        place = files.gdal_path(scene.images[name, resolution])
        file = BandFile(place, 1, scene.grid(resolution), True, scale, offset, missing, mission.driver)
        bands[name] = Band(name, (file,), nearest=not measure)
        common[mission.common_name(name)] = name
    return Input(alias, redact(path), bands, common, tuple(f"{alias}: {text}" for text in scene.warnings))


def _of_files(alias: str, path: str, mission: Mission) -> Input:
    """Bands of a folder with one file each."""
    found: dict[str, Band] = {}
    for place in sorted(Path(path).rglob("*")) if Path(path).is_dir() else ():
        match = re.fullmatch(mission.files, place.name, re.IGNORECASE)
        if match is not None:
            file, wide = _look(str(place), 1, mission.driver)
            found[match["band"].upper()] = Band(match["band"].upper(), (file,), wide)
    if not found:
        raise CubeError(f"input {path} holds no bands of {mission.name}; name its unpacked folder")
    bands = {name: found[name] for name in mission.bands if name in found}
    return Input(
        alias, redact(path), bands, {mission.common_name(b): b for b in bands},
        (f"{alias}: {mission.name} numbers are taken as stored, with the files' own scale and offset",),
    )  # fmt: skip


def _raster(alias: str, path: str, mission: Mission | None) -> Input:
    place, shown = gdal_path(path), redact(path)
    try:
        with rasterio.Env(**gdal_options(is_remote(path))), rasterio.open(place) as source:
            described, count = source.descriptions, source.count
            if count == 0 and source.subdatasets:
                raise CubeError(f"input {shown} is a container; name one of {', '.join(source.subdatasets[:6])}")
            complex_values = any(d.startswith("complex") for d in source.dtypes)
            colours = [str(c.name) for c in source.colorinterp]
    except (RasterioError, CRSError) as error:
        raise CubeError(f"input {shown} cannot be read: {redact(str(error))}; check the path and the file") from None
    names = list(mission.bands) if mission is not None and len(mission.bands) == count else []
    bands, common = {}, {}
    for i in range(count):
        label = names[i] if names else re.sub(r"\W+", "_", described[i] or "").strip("_")
        # band_1, band_2, ... are places in the file whatever it calls its bands.
        usable = label and label not in bands and not re.fullmatch(r"band_\d+", label, re.IGNORECASE)
        name = label if usable else f"band_{i + 1}"
        file, wide = _look(place, i + 1)
        bands[name] = Band(name, (file,), wide, nearest=colours[i] == "palette" or complex_values)
        if colours[i] in ("red", "green", "blue") and colours[i] not in bands:
            common[colours[i]] = name
    remarks = []
    if mission is not None and names:
        remarks.append(f"{alias}: by its name a delivery of {mission.name}, whose bands are {', '.join(names)}")
    if complex_values:
        remarks.append(f"{alias}: complex pixels are taken as their magnitude, the nearest one where grids differ")
    if not next(iter(bands.values())).files[0].north_up:
        remarks.append(f"{alias}: warped from a rotated grid or by ground control points; terrain shifts such pixels")
    return Input(alias, shown, bands, common, tuple(remarks))


def _look(place: str, index: int, driver: str = "") -> tuple[BandFile, bool]:
    try:
        with rasterio.Env(**gdal_options(is_remote(place))), rasterio.open(place, driver=driver or None) as source:
            wide = source.dtypes[index - 1] in ("float64", "int32", "uint32", "int64", "uint64", "complex128")
            grid, north_up = _grid(source, redact(place))
            scale, offset = source.scales[index - 1], source.offsets[index - 1]
    except (RasterioError, CRSError) as error:
        raise CubeError(f"input {redact(place)} cannot be read: {redact(str(error))}; check the file") from None
    return BandFile(place, index, grid, north_up, scale, offset, driver=driver or None), wide


def _grid(source: rasterio.DatasetReader, shown: str) -> tuple[GeoGrid, bool]:
    affine, crs = source.transform, source.crs
    if crs and affine.a > 0 and affine.b == affine.d == 0 and math.isclose(affine.a, -affine.e, rel_tol=1e-9):
        if (epsg := crs.to_epsg()) is not None:
            return GeoGrid(int(epsg), affine.c, affine.f, affine.a, source.width, source.height), True
        raise CubeError(f"the CRS of {shown} has no EPSG code; assign one with gdal_edit.py -a_srs")
    gcps, gcp_crs = source.gcps
    crs = crs or gcp_crs
    if not crs or crs.to_epsg() is None:
        raise CubeError(f"{shown} tells no CRS; assign one with gdal_edit.py -a_srs")
    placed = {"gcps": gcps} if gcps and affine.is_identity else dict(zip(
        ("left", "bottom", "right", "top"), rasterio.transform.array_bounds(source.height, source.width, affine),
        strict=True,
    ))  # fmt: skip
    transform, width, height = calculate_default_transform(crs, crs, source.width, source.height, **placed)
    left, right = sorted((transform.c, transform.c + width * transform.a))
    bottom, top = sorted((transform.f, transform.f + height * transform.e))
    return GeoGrid.snapped(int(crs.to_epsg()), (left, bottom, right, top), abs(transform.a)), False
