"""How far the cube of the demonstration is from the known truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.ndimage import uniform_filter

from sarcube.cube.grid_of import grid_of
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.simulate.archive import Archive

if TYPE_CHECKING:
    from pathlib import Path

_PURE = 5  # pixels: a cover counts where it fills a window of this size
_SMOOTH = 7  # pixels of the window in which a change is looked for
_DROP_DB = -1.5  # a clear-cut loses about 3 dB; half of it separates it from speckle


@dataclass(frozen=True)
class CoverError:
    """Mean gamma0 of one cover on one date against the truth."""

    date: str
    polarization: str
    cover: str
    pixels: int
    truth_db: float
    measured_db: float

    @property
    def error_db(self) -> float:
        return self.measured_db - self.truth_db


@dataclass(frozen=True)
class Change:
    """Where backscatter dropped between two dates, against where the truth says it did.

    `found` is the share of the true change that was found, `false` the share of the unchanged ground reported.
    """

    before: str
    after: str
    true_pixels: int
    found: float
    false: float


@dataclass(frozen=True)
class Measured:
    """All that the demonstration measures.

    Attributes
    ----------
    errors : tuple of CoverError
    changes : tuple of Change
        Between each date and the next.
    seam_db : float
        Largest difference of the means that two neighbouring bursts give the ground they share.
    gaps : int
        Pixels inside the AOI that no burst filled, over all dates, shadow apart.
    """

    errors: tuple[CoverError, ...]
    changes: tuple[Change, ...]
    seam_db: float
    gaps: int

    @property
    def worst_db(self) -> float:
        return max(abs(e.error_db) for e in self.errors)

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        errors = [asdict(e) | {"error_db": round(e.error_db, 4)} for e in self.errors]
        return {
            "errors": errors,
            "changes": [asdict(c) for c in self.changes],
            "worst_error_db": round(self.worst_db, 4),
            "seam_db": round(self.seam_db, 4),
            "gaps": self.gaps,
        }


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth on the cube's grid: covers per date (255 where mixed), gamma0 per date and polarization."""

    covers: dict[str, NDArray[np.uint8]]
    gamma0: dict[tuple[str, str], NDArray[np.float32]]


def read_truth(archive: Archive, cube: xr.Dataset) -> Truth:
    """Read the truth where the cube lies.

    Raises
    ------
    CubeError
        The cube is not on the truth's grid.
    """
    grid = grid_of(cube)
    covers, gamma0 = {}, {}
    for date in archive.dates:
        covers[date] = _pure(_window(archive.truth / f"{date}_landcover.tif", grid))
        for polarization in archive.polarizations:
            path = archive.truth / f"{date}_gamma0_{polarization}.tif"
            gamma0[date, polarization] = _window(path, grid).astype(np.float32)
    return Truth(covers, gamma0)


def _window(path: Path, grid: GeoGrid) -> NDArray[np.number]:
    """Values over the grid's extent, at the file's own posting; outside the file 255 or NaN."""
    with rasterio.open(path) as source:
        if source.crs.to_epsg() != grid.epsg or grid.resolution % source.transform.a:
            raise CubeError(f"{path} is not on the cube's grid ({grid.crs}, {grid.resolution} m)")
        window = source.window(*grid.bounds).round_offsets().round_lengths()
        fill = 255 if source.dtypes[0] == "uint8" else np.nan
        return np.asarray(source.read(1, window=window, boundless=True, fill_value=fill))


def _pure(classes: NDArray[np.number]) -> NDArray[np.uint8]:
    """Classes at half the resolution, 255 where not one class fills the window around the pixel."""
    blocks = classes.reshape(classes.shape[0] // 2, 2, classes.shape[1] // 2, 2)
    low, high = blocks.min(axis=(1, 3)), blocks.max(axis=(1, 3))
    from scipy.ndimage import maximum_filter, minimum_filter

    same = minimum_filter(low, _PURE) == maximum_filter(high, _PURE)
    return np.where(same, low, np.uint8(255))


def measure(archive: Archive, cube: xr.Dataset, bursts: xr.Dataset) -> Measured:
    """Measure the cube against the truth.

    Parameters
    ----------
    archive : Archive
    cube : Dataset
        One step per date, in memory.
    bursts : Dataset
        The same products with a step per acquisition, in memory.
    """
    truth = read_truth(archive, cube)
    errors = []
    for step, date in enumerate(archive.dates):
        mask = cube["mask"].values[step]
        for polarization in archive.polarizations:
            values = cube[polarization].values[step]
            for number, cover in enumerate(archive.covers):
                where = (truth.covers[date] == number) & (mask == 0) & np.isfinite(values)
                if where.sum() >= 100:
                    known = float(truth.gamma0[date, polarization][where].mean(dtype=np.float64))
                    seen = float(values[where].mean(dtype=np.float64))
                    errors.append(
                        CoverError(date, polarization, cover, int(where.sum()), float(_db(known)), float(_db(seen)))
                    )
    gaps = sum(
        int((~np.isfinite(cube[p].values) & (cube["mask"].values % 2 == 0)).sum()) for p in archive.polarizations
    )
    outside = int(((cube["mask"].values == 255) & _inside(archive.bbox, grid_of(cube))).sum())
    return Measured(tuple(errors), _changes(archive, cube, truth), _seam(bursts, archive), gaps + outside)


def _inside(bbox: tuple[float, float, float, float], grid: GeoGrid) -> NDArray[np.bool_]:
    """Pixels whose centre lies in the bbox: a rectangle of degrees is a little askew in the cube's, and smaller."""
    to_degrees = Transformer.from_crs(grid.epsg, 4326, always_xy=True)
    x, y = np.meshgrid(grid.x(), grid.y())
    lon, lat = to_degrees.transform(x, y)
    west, south, east, north = bbox
    inside: NDArray[np.bool_] = ((lon - west) % 360 <= east - west) & (lat >= south) & (lat <= north)
    return inside


def _changes(archive: Archive, cube: xr.Dataset, truth: Truth) -> tuple[Change, ...]:
    polarization = archive.polarizations[0]
    found = []
    for step, (before, after) in enumerate(zip(archive.dates, archive.dates[1:], strict=False)):
        drop = drop_db(cube[polarization].values[step], cube[polarization].values[step + 1]) < _DROP_DB
        known = (truth.covers[before] != 255) & (truth.covers[after] != 255)
        changed = known & (truth.covers[before] != truth.covers[after])
        still = known & ~changed & (cube["mask"].values[step] == 0)
        share = float(drop[changed].mean()) if changed.any() else 0.0
        found.append(Change(before, after, int(changed.sum()), share, float(drop[still].mean())))
    return tuple(found)


def drop_db(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log-ratio of the local means of two pictures, dB."""
    first, second = (uniform_filter(np.nan_to_num(values), _SMOOTH) for values in (before, after))
    with np.errstate(invalid="ignore"):  # outside of the bursts: -inf less -inf
        return np.asarray(_db(second) - _db(first))


def _seam(bursts: xr.Dataset, archive: Archive) -> float:
    days = bursts["time"].values.astype("datetime64[D]")
    worst = 0.0
    for first, second in combinations(range(days.size), 2):
        if days[first] != days[second]:
            continue
        for polarization in archive.polarizations:
            a, b = (bursts[polarization].values[i] for i in (first, second))
            both = np.isfinite(a) & np.isfinite(b)
            if both.sum() >= 5000:  # fewer say more of speckle than of the seam
                ratio = a[both].mean(dtype=np.float64) / b[both].mean(dtype=np.float64)
                worst = max(worst, abs(float(_db(ratio))))
    return worst


def _db(power: float | NDArray[np.floating]) -> NDArray[np.floating]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(10 * np.log10(power))
