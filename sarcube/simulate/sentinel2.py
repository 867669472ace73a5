"""Sentinel-2 SAFEs with chosen baseline and known reflectance: for tests, trials and teaching.

Images are JPEG 2000 without loss, tiled as ESA's are, so that what is read is what was written. Metadata have the
structure of the chosen baseline: where offsets are stated, and how L1C tells clouds.
"""

from __future__ import annotations

import datetime as dt
import math
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import ConfigError
from sarcube.geometry.mgrs import tile_corner
from sarcube.sensors.sentinel2.bands import BANDS, band_name
from sarcube.simulate.sentinel2_xml import cloud_gml, product_xml, tile_xml

Cloud = Literal["opaque", "cirrus"]
_BLOCKS = {10: 1024, 20: 640, 60: 192}
OFFSET = -1000.0
_LEAST = 1_920  # JPEG 2000 tiles of GDAL have 32 pixels at least
_FIRST_WITH_OFFSET = 4.0
_FIRST_WITH_RASTER_MASKS = 4.0


@dataclass(frozen=True)
class Sentinel2Options:
    """One simulated product.

    Attributes
    ----------
    start : datetime
        UTC, start of the datatake. Its date decides nothing else: the baseline does.
    level : str
        "L1C" or "L2A".
    baseline : str
        "02.14", "04.00", "05.11"; Collection-1 is "05.00" of an old date.
    platform : str
    tile : str
        "30TUL".
    epsg, left, top : int, float, float, optional
        The zone and upper left corner in metres; the tile's own unless given.
    size : int
        Metres of one side, a multiple of 60; a real tile has 109,800.
    relative_orbit, absolute_orbit : int
    offset : float, optional
        None: -1000 since baseline 04.00, none before.
    quantification : int
    made : datetime, optional
        UTC of processing; two hours after the start else.
    """

    start: dt.datetime = dt.datetime(2022, 7, 12, 11, 6, 21, tzinfo=dt.UTC)
    level: Literal["L1C", "L2A"] = "L2A"
    baseline: str = "04.00"
    platform: str = "S2A"
    tile: str = "30TUL"
    epsg: int = 0
    left: float = math.nan
    top: float = math.nan
    size: int = 6_000
    relative_orbit: int = 137
    absolute_orbit: int = 36_842
    offset: float | None = None
    quantification: int = 10_000
    made: dt.datetime | None = None
    bands: tuple[str, ...] = field(default=("B02", "B03", "B04", "B08", "B8A", "B11", "B12"))

    def __post_init__(self) -> None:
        if self.size % 60 or self.size < _LEAST:
            raise ConfigError(f"size is {self.size} m; a tile is a multiple of 60 m wide, {_LEAST} m at least")
        if self.level not in ("L1C", "L2A"):
            raise ConfigError(f"level is {self.level!r}, neither L1C nor L2A")
        epsg, left, top = tile_corner(self.tile)
        own = {"epsg": self.epsg or epsg, "left": left, "top": top}
        for name, value in own.items():
            if name == "epsg" or math.isnan(getattr(self, name)):
                object.__setattr__(self, name, value)

    @property
    def number(self) -> float:
        return float(self.baseline)

    @property
    def stated_offset(self) -> float | None:
        """The offset that the metadata state; None where they state none."""
        if self.offset is not None:
            return self.offset
        return OFFSET if self.number >= _FIRST_WITH_OFFSET else None

    @property
    def name(self) -> str:
        made = self.made or self.start + dt.timedelta(hours=2)
        return (
            f"{self.platform}_MSI{self.level}_{self.start:%Y%m%dT%H%M%S}_N{self.baseline.replace('.', '')}"
            f"_R{self.relative_orbit:03d}_T{self.tile}_{made:%Y%m%dT%H%M%S}"
        )

    def pixels(self, resolution: int) -> int:
        """Rows and columns at a pixel size."""
        return self.size // resolution


def write_sentinel2(
    folder: str | Path,
    options: Sentinel2Options,
    reflectance: Mapping[str, NDArray[np.generic] | float],
    scl: NDArray[np.uint8] | None = None,
    clouds: Mapping[Cloud, NDArray[np.bool_]] | None = None,
    probability: NDArray[np.uint8] | None = None,
    *,
    as_zip: bool = False,
) -> Path:
    """Write a product.

    Parameters
    ----------
    folder : path
    options : Sentinel2Options
    reflectance : mapping of str to array or float
        Of each band at its native pixel size, NaN where nothing was seen; a number holds everywhere. Bands of
        `options.bands` that are not in it have 0.1.
    scl : (rows, columns) uint8 array, optional
        Classes at 20 m (L2A); vegetation else, and none where nothing was seen.
    clouds : mapping of str to bool array, optional
        At 60 m, "opaque" and "cirrus": the mask of L1C processing.
    probability : uint8 array, optional
        Percent, at 20 m (L2A).
    as_zip : bool
        One file instead of a folder.

    Returns
    -------
    Path of the SAFE folder or the zip.

    Raises
    ------
    ConfigError
        An array is not of the tile's size, or a band is unknown.
    """
    values = {band_name(name): value for name, value in reflectance.items()}
    wanted = tuple(dict.fromkeys((*map(band_name, options.bands), *values)))
    root = Path(folder) / f"{options.name}.SAFE"
    granule = f"GRANULE/{options.level}_T{options.tile}_A{options.absolute_orbit:06d}_{options.start:%Y%m%dT%H%M%S}"
    images, masks = root / granule / "IMG_DATA", root / granule / "QI_DATA"
    images.mkdir(parents=True, exist_ok=True)
    masks.mkdir(exist_ok=True)
    stem = f"T{options.tile}_{options.start:%Y%m%dT%H%M%S}"
    seen20 = np.ones((options.pixels(20),) * 2, np.bool_)
    for name in wanted:
        if name == "B10" and options.level == "L2A":
            continue
        resolution = BANDS[name].resolution
        array = _on_tile(values.get(name, 0.1), options, resolution, name)
        if resolution == 20:
            seen20 = np.isfinite(array)
        write_jp2(
            _image_path(images, stem, name, resolution, options.level), to_numbers(array, options), options, resolution
        )
    if options.level == "L2A":
        classes = np.where(seen20, 4, 0).astype(np.uint8) if scl is None else scl
        for name, layer in (("SCL", classes), ("CLDPRB", probability)):
            if layer is None:
                continue
            if layer.shape != (options.pixels(20),) * 2:
                raise ConfigError(f"{name} has shape {layer.shape}, not {(options.pixels(20),) * 2}")
            path = images / "R20m" / f"{stem}_SCL_20m.jp2" if name == "SCL" else masks / "MSK_CLDPRB_20m.jp2"
            path.parent.mkdir(exist_ok=True)
            write_jp2(path, layer.astype(np.uint8), options, 20)
    _write_clouds(masks, options, clouds or {})
    (root / f"MTD_MSI{options.level}.xml").write_text(product_xml(options), encoding="utf-8")
    (root / granule / "MTD_TL.xml").write_text(tile_xml(options), encoding="utf-8")
    return _zipped(root) if as_zip else root


def to_numbers(reflectance: NDArray[np.generic], options: Sentinel2Options) -> NDArray[np.uint16]:
    """Reflectance as a product has it: rounded, with its offset; 0 where there is none."""
    numbers = np.rint(reflectance * options.quantification) - (options.stated_offset or 0.0)
    return np.where(np.isfinite(reflectance), np.clip(numbers, 1, 65534), 0).astype(np.uint16)


def write_jp2(path: Path, values: NDArray[np.generic], options: Sentinel2Options, resolution: int) -> None:
    """Write a raster of the tile, (rows, columns) or (layers, rows, columns), without loss."""
    import rasterio
    from affine import Affine

    layers = values if values.ndim == 3 else values[None]
    block = min(_BLOCKS[resolution], layers.shape[1])
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG",
        width=layers.shape[2],
        height=layers.shape[1],
        count=layers.shape[0],
        dtype=layers.dtype,
        crs=f"EPSG:{options.epsg}",
        transform=Affine(resolution, 0, options.left, 0, -resolution, options.top),
        QUALITY=100,
        REVERSIBLE="YES",
        BLOCKXSIZE=block,
        BLOCKYSIZE=block,
        YCBCR420="NO",
    ) as data:
        data.write(layers)


def _image_path(images: Path, stem: str, name: str, resolution: int, level: str) -> Path:
    if level == "L1C":
        return images / f"{stem}_{name}.jp2"
    folder = images / f"R{resolution}m"
    folder.mkdir(exist_ok=True)
    return folder / f"{stem}_{name}_{resolution}m.jp2"


def _on_tile(
    value: NDArray[np.generic] | float, options: Sentinel2Options, resolution: int, name: str
) -> NDArray[np.generic]:
    shape = (options.pixels(resolution),) * 2
    array = np.full(shape, value, np.float64) if np.ndim(value) == 0 else np.asarray(value)
    if array.shape != shape:
        raise ConfigError(f"{name} has shape {array.shape}; at {resolution} m a tile of {options.size} m has {shape}")
    return array


def _write_clouds(masks: Path, options: Sentinel2Options, clouds: Mapping[Cloud, NDArray[np.bool_]]) -> None:
    shape = (options.pixels(60),) * 2
    layers = {name: np.asarray(clouds.get(name, np.zeros(shape, np.bool_))) for name in ("opaque", "cirrus")}
    for name, layer in layers.items():
        if layer.shape != shape:
            raise ConfigError(f"clouds.{name} has shape {layer.shape}; at 60 m the tile has {shape}")
    if options.number >= _FIRST_WITH_RASTER_MASKS:
        stacked = np.stack([layers["opaque"], layers["cirrus"], np.zeros(shape, np.bool_)]).astype(np.uint8)
        write_jp2(masks / "MSK_CLASSI_B00.jp2", stacked, options, 60)
    else:
        (masks / "MSK_CLOUDS_B00.gml").write_text(cloud_gml(layers, options), encoding="utf-8")


def _zipped(root: Path) -> Path:
    """Images are compressed already, so members are stored, as in ESA's zips."""
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(root.parent).as_posix())
    shutil.rmtree(root)
    return path
