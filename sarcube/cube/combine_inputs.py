"""What `combine` reads: bands of stores, Sentinel-2 SAFEs and any raster of GDAL, as lazy blocks on one grid."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import CRSError, RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import calculate_default_transform
from rasterio.windows import Window

from sarcube.cube.asked import Bbox
from sarcube.cube.handles import gdal_options
from sarcube.cube.lazy import da
from sarcube.cube.missions import Mission, mission_of
from sarcube.cube.target_grid import bounds_in
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.transfer.raster import gdal_path, is_remote
from sarcube.transfer.redact import redact

if TYPE_CHECKING:
    from dask.array import Array

_SPEC = re.compile(
    r"(?:(?P<alias>[A-Za-z_]\w*)=)?(?P<path>.+?)(?:@(?P<dates>\d{4}(?:-\d\d){0,2}(?:,\d{4}(?:-\d\d){0,2})?))?"
)
CHUNK = 1024


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
        if match := re.fullmatch(r"band_(\d{1,3})", name):
            position = int(match[1]) - 1
            return list(self.bands.values())[position] if 0 <= position < len(self.bands) else None
        plain = {_plain(own): band for own, band in self.bands.items()}
        plain |= {_plain(word): self.bands[own] for word, own in self.common.items() if _plain(word) not in plain}
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
    alias = match["alias"] or chr(ord("a") + position)
    path, dates = match["path"], match["dates"]
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
    from sarcube.cube.selection import Selection, parse_dates, select

    when = parse_dates(dates.split(",") if dates and "," in dates else dates)
    items = read_items(path, Selection(bbox=bbox, dates=when))
    dated = select([i for i in items if not is_static(i)], Selection(bbox=bbox, dates=when))
    chosen = [*dated, *(i for i in items if is_static(i))]
    found: dict[str, list[tuple[np.datetime64, BandFile]]] = {}
    nearest, common = set[str](), dict[str, str]()
    for item in chosen:
        rasters = {n: a for n, a in item.assets.items() if "tiff" in str(a.media_type or "") or a.href.endswith(".tif")}
        rasters = {n: a for n, a in rasters.items() if "visual" not in (a.roles or ())}  # pictures have no bands
        acquisition = from_item(item, frozenset(rasters))
        for name, file in acquisition.files.items():
            found.setdefault(name, []).append((acquisition.start, BandFile(file.href, 1, file.grid, driver="GTiff")))
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
        remarks = (f"{alias}: {told}; choose with {redact(path)}@DATE",)
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
        offset = numbers.offset(name) * scale if measure else 0.0
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
        name = label if label and label not in bands else f"band_{i + 1}"
        file, wide = _look(place, i + 1)
        bands[name] = Band(name, (file,), wide, nearest=colours[i] == "palette")
        if colours[i] in ("red", "green", "blue") and colours[i] not in bands:
            common[colours[i]] = name
    remarks = []
    if complex_values:
        remarks.append(f"{alias}: complex pixels are taken as their magnitude")
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
    if crs and affine.b == affine.d == 0 and math.isclose(affine.a, -affine.e, rel_tol=1e-9):
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
    left, top, step = transform.c, transform.f, transform.a
    bounds = (left, top + height * transform.e, left + width * step, top)
    return GeoGrid.snapped(int(crs.to_epsg()), bounds, step), False


def lazy_band(band: Band, grid: GeoGrid, resampling: str) -> Array:
    """A band on a grid as a dask array (y, x) of floating point; nothing is read before it is computed."""
    files = tuple(f for f in band.files if _touch(f.grid, grid))
    dtype = np.float64 if band.wide else np.float32
    rule = Resampling.nearest if band.nearest else Resampling[resampling]
    chunks = tuple(tuple(min(CHUNK, size - at) for at in range(0, size, CHUNK)) for size in (grid.height, grid.width))
    read = partial(_read_block, files=files, grid=grid, rule=rule, dtype=dtype)
    name, meta = _token(band, grid, rule), np.empty((0, 0), dtype)
    lazy: Array = da.map_blocks(read, dtype=dtype, chunks=chunks, meta=meta, name=name)
    return lazy


def _token(band: Band, grid: GeoGrid, rule: Resampling) -> str:
    from dask.base import tokenize

    return f"band-{tokenize(band, grid, rule.name)}"


def _touch(a: GeoGrid, b: GeoGrid) -> bool:
    left, bottom, right, top = bounds_in(a, b.epsg)
    return left < b.right and right > b.left and bottom < b.top and top > b.bottom


def _read_block(
    files: Sequence[BandFile],
    grid: GeoGrid,
    rule: Resampling,
    dtype: type[np.floating],
    block_id: tuple[int, int] = (0, 0),
) -> NDArray[np.floating]:
    row, col = block_id[0] * CHUNK, block_id[1] * CHUNK
    height, width = min(CHUNK, grid.height - row), min(CHUNK, grid.width - col)
    part = GeoGrid(
        grid.epsg, grid.left + col * grid.resolution, grid.top - row * grid.resolution, grid.resolution, width, height
    )
    out = np.full((height, width), np.nan, dtype)
    for file in files:
        missing = np.isnan(out)
        if not missing.any():
            break
        if _touch(file.grid, part):
            np.copyto(out, _read_file(file, part, rule, dtype), where=missing)
    return out


def _read_file(file: BandFile, part: GeoGrid, rule: Resampling, dtype: type[np.floating]) -> NDArray[np.floating]:
    try:
        with (
            rasterio.Env(**gdal_options(is_remote(file.path))),
            rasterio.open(gdal_path(file.path), driver=file.driver, sharing=False) as source,
        ):
            if file.north_up and _on_lattice(file.grid, part):
                stored = _window(source, file, part)
            else:
                stored = _warped(source, file, part, rule)
    except (RasterioError, CRSError) as error:
        raise CubeError(f"{redact(file.path)} cannot be read: {redact(str(error))}; check the file") from None
    values = (np.abs(stored.data) if np.iscomplexobj(stored.data) else stored.data).astype(dtype)
    lost = np.ma.getmaskarray(stored)
    for number in file.missing:
        lost = lost | (stored.data == number)
    if (file.scale, file.offset) != (1.0, 0.0):
        values = (values.astype(np.float64) * file.scale + file.offset).astype(dtype)
    values[lost] = np.nan
    read: NDArray[np.floating] = values
    return read


def _on_lattice(own: GeoGrid, part: GeoGrid) -> bool:
    if own.epsg != part.epsg or not math.isclose(own.resolution, part.resolution, rel_tol=1e-9):
        return False
    shifts = ((part.left - own.left) / own.resolution, (own.top - part.top) / own.resolution)
    return all(abs(s - round(s)) < 1e-3 for s in shifts)


_Masked = np.ma.MaskedArray[tuple[int, ...], np.dtype[np.number]]


def _window(source: rasterio.DatasetReader, file: BandFile, part: GeoGrid) -> _Masked:
    own, step = file.grid, part.resolution
    row, col = round((own.top - part.top) / step), round((part.left - own.left) / step)
    r0, c0, r1, c1 = max(row, 0), max(col, 0), min(row + part.height, own.height), min(col + part.width, own.width)
    whole = np.ma.MaskedArray(np.zeros(part.shape, source.dtypes[file.index - 1]), mask=True)
    if r0 < r1 and c0 < c1:
        read = source.read(file.index, window=Window(c0, r0, c1 - c0, r1 - r0), masked=True)
        whole[r0 - row : r1 - row, c0 - col : c1 - col] = read
    return whole


def _warped(source: rasterio.DatasetReader, file: BandFile, part: GeoGrid, rule: Resampling) -> _Masked:
    gcps, gcp_crs = source.gcps
    placed = {"src_crs": gcp_crs} if gcps and source.transform.is_identity else {}
    nodata = file.missing[0] if file.missing else source.nodatavals[file.index - 1]
    with WarpedVRT(
        source, crs=part.crs, transform=rasterio.Affine(*part.transform), width=part.width, height=part.height,
        resampling=rule, src_nodata=nodata, add_alpha=nodata is None and not _has_mask(source), **placed,
    ) as warped:  # fmt: skip
        values: _Masked = warped.read(file.index, masked=True)
        if warped.count > source.count:
            values = np.ma.array(values.data, mask=np.ma.getmaskarray(values) | (warped.read(warped.count) == 0))
        return values


def _has_mask(source: rasterio.DatasetReader) -> bool:
    return any(c.name == "alpha" for c in source.colorinterp)
