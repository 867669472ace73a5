"""HyP3's products of single bursts as they lie in a folder, unzipped: what they are, and their rasters on a map."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sarcube.cube.hyp3.facts import BurstPair, RadarImage, several_passes
from sarcube.cube.hyp3.radar import sampled
from sarcube.errors import ConfigError, CubeError
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.grid import GeoGrid
from sarcube.instants import utc_ns
from sarcube.sensors.sentinel1.burst_id import BurstId
from sarcube.sensors.sentinel1.granules import NamedBurst

_NAME = re.compile(r"S1_\d{6}_IW[1-3]_\d{8}_\d{8}_(?:VV|HH)_INT(\d\d)_[0-9A-F]{4}")
_NEAR = 3.0  # cells of the map within which a look must lie
ON_THE_MAP = ("corr", "dem", "lv_theta", "lv_phi", "water_mask")
BY_RADAR = ("wrapped_phase_rdr", "lat_rdr", "lon_rdr")


@dataclass(frozen=True, eq=False)
class Hyp3Burst:
    """One product.

    Attributes
    ----------
    name : str
    folder : Path
    told : mapping of str to str
        Its parameters.
    pair : BurstPair
    looks : (int, int)
        In range and azimuth, as its parameters say.
    """

    name: str
    folder: Path
    told: Mapping[str, str]
    pair: BurstPair
    looks: tuple[int, int]

    def path(self, end: str) -> Path:
        """Of one of its rasters."""
        return self.folder / f"{self.name}_{end}.tif"


def find_products(folder: str | Path) -> tuple[Hyp3Burst, ...]:
    """Products of single bursts in a folder, in the order of swath and burst.

    Raises
    ------
    CubeError
        There is none, or one lacks a file or a parameter.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CubeError(f"{folder} is no folder; name that in which the products lie unzipped")
    found = [path for path in sorted(folder.iterdir()) if path.is_dir() and _NAME.fullmatch(path.name)]
    if not found:
        raise CubeError(
            f"{folder} holds no unzipped product of a single burst (S1_136231_IW2_20200604_20200616_VV_INT80_8F3C)"
        )
    return tuple(sorted((_read(path) for path in found), key=lambda b: (b.pair.burst.swath, b.pair.burst.number)))


def _read(folder: Path) -> Hyp3Burst:
    name = folder.name
    if missing := [end for end in (*ON_THE_MAP, *BY_RADAR) if not (folder / f"{name}_{end}.tif").is_file()]:
        raise CubeError(f"{folder} has no {', '.join(f'{name}_{end}.tif' for end in missing)}, which merging needs")
    path = folder / f"{name}.txt"
    try:
        rows = [line.partition(":") for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError as error:
        raise CubeError(f"{path} cannot be read: {error.strerror or error}") from error
    told = {key.strip(): value.strip() for key, mark, value in rows if mark}
    try:
        looks = int(told["Range looks"]), int(told["Azimuth looks"])
        return Hyp3Burst(name, folder, told, _pair(name, told, looks), looks)
    except (KeyError, ValueError, ConfigError) as error:
        raise CubeError(
            f"{path} does not tell what merging needs ({error}); it must be HyP3's parameter file"
        ) from error


def _pair(name: str, told: Mapping[str, str], looks: tuple[int, int]) -> BurstPair:
    first, second = (NamedBurst.parse(told[f"{side} Granule"]) for side in ("Reference", "Secondary"))
    match = _NAME.fullmatch(name)
    if first.start is None or second.start is None or match is None:
        raise ValueError("granules without a time")
    interval = float(told["Multilook azimuth time interval"]) / looks[1]
    spacing = float(told["Multilook range pixel size"]) / looks[0]
    near, far = float(told["Slant range near"]), float(told["Slant range far"])
    lines, samples = int(told["Radar n lines"]), round((far - near) / spacing) + 1
    last = utc_ns(told["Radar sensing stop"])
    begin = int(told["Radar first valid line"]), int(told["Radar first valid sample"])
    radar = RadarImage(
        last - np.timedelta64(round((lines - 1) * interval * 1e9), "ns"), interval, near, spacing, lines, samples,
        begin[0], begin[0] + int(told["Radar n valid lines"]) - 1,
        begin[1], begin[1] + int(told["Radar n valid samples"]) - 1,
    )  # fmt: skip
    dem = told.get("DEM source", "")
    return BurstPair(
        BurstId.parse(first.burst_id),
        (first.start, second.start),
        (first.parent, second.parent),
        (int(told["Reference Orbit Number"]), int(told["Secondary Orbit Number"])),
        told["Reference Pass Direction"].lower(),
        float(told["Heading"]),
        float(told["Baseline"]),
        first.polarization,
        "Copernicus GLO-30" if dem == "GLO_30" else dem,
        float(match[1]),
        "as in the products of its bursts",
        radar,
        {},
    )


def check_mergeable(bursts: Sequence[Hyp3Burst]) -> None:
    """HyP3's rules for bursts that become one product: one pair of dates, polarization, track, looks; each once.

    Raises
    ------
    CubeError
        One is broken; the message names the products.
    """
    keys: dict[str, Callable[[Hyp3Burst], Hashable]] = {
        "reference dates": lambda b: f"{b.pair.starts[0]:%Y-%m-%d %H:%M}",
        "secondary dates": lambda b: f"{b.pair.starts[1]:%Y-%m-%d %H:%M}",
        "polarizations": lambda b: b.pair.polarization,
        "tracks": lambda b: b.pair.burst.track,
        "looks": lambda b: f"{b.looks[0]}x{b.looks[1]}",
        "reference orbits": lambda b: b.pair.orbits[0],
        "secondary orbits": lambda b: b.pair.orbits[1],
    }
    several = several_passes([burst.pair for burst in bursts])
    rules = [(several, keys[several])] if several else []
    rules += [(what, keys[what]) for what in ("polarizations", "tracks", "looks")]
    for what, key in rules:
        of: dict[Hashable, list[str]] = {}
        for burst in bursts:
            of.setdefault(key(burst), []).append(burst.name)
        if len(of) > 1:
            named = "; ".join(f"{value}: {', '.join(names[:3])}" for value, names in of.items())
            raise CubeError(f"products of several {what} cannot be merged: {named}")
    names: dict[str, str] = {}
    for burst in bursts:
        if (other := names.setdefault(str(burst.pair.burst), burst.name)) != burst.name:
            raise CubeError(f"{other} and {burst.name} are of the same burst; keep one of them")


def common_grid(bursts: Sequence[Hyp3Burst]) -> GeoGrid:
    """The grid over all of them, in the CRS of most and with the pixels of the first.

    Raises
    ------
    CubeError
        A raster cannot be read, or has no place.
    """
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.warp import transform_bounds

    seen = []
    for burst in bursts:
        try:
            with rasterio.open(burst.path("corr")) as file:
                if file.crs is None or file.crs.to_epsg() is None:
                    raise CubeError(f"{burst.path('corr')} has no CRS")
                seen.append((int(file.crs.to_epsg()), file.bounds, float(file.transform.a)))
        except RasterioError as error:
            raise CubeError(f"{burst.path('corr')} cannot be read: {error}") from error
    codes = [code for code, _, _ in seen]
    epsg = max(sorted(set(codes)), key=codes.count)
    boxes = np.array([transform_bounds(f"EPSG:{code}", f"EPSG:{epsg}", *bounds) for code, bounds, _ in seen])
    left, bottom = (float(v) for v in boxes[:, :2].min(axis=0))
    right, top = (float(v) for v in boxes[:, 2:].max(axis=0))
    return GeoGrid.snapped(epsg, (left, bottom, right, top), seen[0][2])


def on_the_map(burst: Hyp3Burst, end: str, grid: GeoGrid) -> NDArray[np.float32]:
    """One of its rasters on a grid, the nearest pixel; NaN where there is none or no data.

    Raises
    ------
    CubeError
        It cannot be read.
    """
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError
    from rasterio.vrt import WarpedVRT

    try:
        with rasterio.open(burst.path(end)) as file, WarpedVRT(
            file, crs=grid.crs, transform=rasterio.Affine(*grid.transform), width=grid.width, height=grid.height,
            resampling=Resampling.nearest, add_alpha=file.nodata is None,
        ) as view:  # fmt: skip
            values, there = view.read(1).astype(np.float32), view.read_masks(1) > 0
    except RasterioError as error:
        raise CubeError(f"{burst.path(end)} cannot be read: {error}") from error
    return np.where(there, values, np.float32(np.nan))


def interferogram_on_map(burst: Hyp3Burst, grid: GeoGrid) -> tuple[tuple[slice, slice], NDArray[np.complex64]]:
    """The interferogram in radar geometry laid on a grid by the places of its looks, bilinear among them.

    Returns
    -------
    window : (rows, columns)
        Of the grid, around what the burst has.
    values : complex64
        NaN where no look is near.

    Raises
    ------
    CubeError
        A raster cannot be read, is of another size, or lies wholly elsewhere.
    """
    looks, lat, lon = (_by_radar(burst.path(end)) for end in BY_RADAR)
    if not looks.shape == lat.shape == lon.shape:
        raise CubeError(f"{burst.name}: rasters in radar geometry of {looks.shape}, {lat.shape} and {lon.shape}")
    known = ((lat != 0) | (lon != 0)) & np.isfinite(lat) & np.isfinite(lon)
    x, y = transformer(4326, grid.epsg).transform(np.where(known, lon, np.nan), np.where(known, lat, np.nan))
    row, column = (grid.top - y) / grid.step - 0.5, (x - grid.left) / grid.resolution - 0.5
    known &= np.isfinite(row) & np.isfinite(column) & (looks != 0)
    if not known.any():
        raise CubeError(f"{burst.name}: no look of {burst.path(BY_RADAR[0]).name} has a place")
    sides = []
    for place, size in ((row, grid.height), (column, grid.width)):
        low, high = int(np.floor(place[known].min())), int(np.ceil(place[known].max())) + 1
        sides.append(slice(max(low, 0), min(high, size)))
    if any(side.start >= side.stop for side in sides):
        raise CubeError(f"{burst.name} lies beyond the grid of the others")
    window = sides[0], sides[1]
    rows, columns = (np.arange(side.start, side.stop, dtype=np.float64) for side in window)
    target = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    i, j = np.nonzero(known)
    apart, nearest = cKDTree(np.column_stack([row[known], column[known]])).query(
        target.reshape(-1, 2), distance_upper_bound=_NEAR
    )
    found = np.isfinite(apart)
    at = np.where(found, nearest, 0)
    i, j = i[at], j[at]
    # From the nearest look on by the slopes of the looks' places: one step of Newton's method.
    slopes = [np.gradient(np.where(known, place, np.nan)) for place in (row, column)]
    (a, b), (c, d) = ([slope[i, j] for slope in pair] for pair in slopes)
    p, q = target[..., 0].ravel() - row[i, j], target[..., 1].ravel() - column[i, j]
    with np.errstate(invalid="ignore", divide="ignore"):
        size = a * d - b * c
        steps = (d * p - b * q) / size, (a * q - c * p) / size
    di, dj = (np.clip(np.nan_to_num(step), -1.0, 1.0) for step in steps)
    values = sampled(np.where(looks != 0, looks, np.complex64(np.nan)), np.array([i + di, j + dj]))
    out = np.where(found, values, np.nan).astype(np.complex64).reshape(target.shape[:2])
    return window, out


def _by_radar(path: Path) -> NDArray[np.number]:
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as file:
                return np.asarray(file.read(1))
    except RasterioError as error:
        raise CubeError(f"{path} cannot be read: {error}") from error
