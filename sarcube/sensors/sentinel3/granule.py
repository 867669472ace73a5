"""Open an SL_1_RBT granule: a SEN3 folder or a zip of one, of collection 003 and before, or 004."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import ConfigError, SceneError
from sarcube.sensors.sentinel3.names import GranuleName, parse_name

if TYPE_CHECKING:
    import netCDF4

# Flags (Sentinel-3 SLSTR Product Data Format Specification).
EXCEPTION_SATURATED = 16
EXCEPTION_INVALID = 32
COSMETIC, DUPLICATE = 256, 512
COAST, OCEAN, TIDAL, LAND, INLAND_WATER, SNOW = 1, 2, 4, 8, 16, 8192
UNFILLED = 32
# The largest grid of a granule: 500 m, five minutes; files claim more only where they are damaged.
_MOST_ROWS, _MOST_COLUMNS = 6000, 4000
_MAX_FILE = 512 << 20  # bytes of one file of a zip
_LAST_COMMON = "003"  # collection in which F1 has no grid of its own


@dataclass(frozen=True)
class Granule:
    """A granule that has been looked at.

    Attributes
    ----------
    path : str
    name : GranuleName
    files : tuple of str
        Names of its netCDF files.
    shape : (rows, columns)
        Of the 1 km grid of the thermal channels ("in").
    f1_grid : str
        "fn" where F1 has a grid of its own, else "in".
    """

    path: str
    name: GranuleName
    files: tuple[str, ...]
    shape: tuple[int, int]
    f1_grid: str


def open_granule(path: str | Path) -> Granule:
    """Look at a granule; no image is read.

    Raises
    ------
    SceneError
        It is no SL_1_RBT product, damaged, or incomplete.
    ConfigError
        netCDF4 is not installed.
    """
    text = str(path).rstrip("/")
    place, name = Path(text), parse_name(text)
    if not place.exists():
        raise SceneError(f"{text}: there is no such file or folder; check the path of the granule")
    if place.is_dir():
        files = tuple(sorted(p.name for p in place.glob("*.nc")))
    elif zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            listed = archive.namelist()
        folders = {n.rpartition("/")[0] for n in listed if n.rpartition("/")[2] == "geodetic_in.nc"}
        if len(folders) > 1:
            raise SceneError(f"{text}: holds {len(folders)} granules; give one at a time")
        lead = f"{folders.pop()}/" if folders and folders != {""} else ""
        files = tuple(sorted(n.removeprefix(lead) for n in listed if n.startswith(lead) and n.endswith(".nc")))
        name = name or parse_name(lead)
    else:
        raise SceneError(f"{text}: is neither a SEN3 folder nor a zip; fetch it again")
    if name is None:
        raise SceneError(f"{text}: is not called S3x_SL_1_RBT____...SEN3; only level 1B of SLSTR can be read")
    own = "F1_BT_fn.nc" in files or ("F1_BT_in.nc" not in files and name.collection > _LAST_COMMON)
    f1_grid = "fn" if own else "in"
    wanted = ["S7_BT_in.nc", "S8_BT_in.nc", "S9_BT_in.nc", "F2_BT_in.nc", f"F1_BT_{f1_grid}.nc", "geodetic_in.nc",
              "cartesian_in.nc", "cartesian_tx.nc", "flags_in.nc", "geometry_tn.nc"]  # fmt: skip
    wanted += [f"geodetic_{f1_grid}.nc", f"flags_{f1_grid}.nc"] if f1_grid == "fn" else []
    if missing := sorted(set(wanted) - set(files)):
        raise SceneError(f"{text}: lacks {', '.join(missing)}; the granule is incomplete, fetch it again")
    granule = Granule(text, name, files, (0, 0), f1_grid)
    shape = read(granule, "geodetic_in.nc", "latitude_in").shape
    return Granule(text, name, files, shape, f1_grid)


def read(granule: Granule, file: str, variable: str) -> NDArray[Any]:
    """A variable of a file: floating point with NaN where packed values are fill; flags as stored.

    Parameters
    ----------
    granule : Granule
    file, variable : str
        "S7_BT_in.nc", "S7_BT_in".

    Raises
    ------
    SceneError
        The file or the variable is absent, damaged, or larger than a granule can be.
    """
    where = f"{granule.path}: {file}"
    with _opened(granule, file, where) as data:
        if variable not in data.variables:
            raise SceneError(f"{where} has no variable {variable}; the granule is damaged, fetch it again")
        stored = data.variables[variable]
        if any(size > most for size, most in zip(stored.shape, (_MOST_ROWS, _MOST_COLUMNS), strict=False)):
            raise SceneError(f"{where} claims {stored.shape} values; the file is damaged, fetch it again")
        try:
            values = stored[:]
        except (RuntimeError, OSError, ValueError, MemoryError) as error:
            raise SceneError(f"{where} cannot be decoded: {error}; fetch the granule again") from error
    if np.ma.isMaskedArray(values):
        if values.dtype.kind != "f":
            return np.asarray(values.filled(0)) if _is_flag(stored_name=variable) else _floating(values)
        return np.asarray(values.filled(np.nan))
    return np.asarray(values)


def _is_flag(stored_name: str) -> bool:
    return any(word in stored_name for word in ("confidence", "cloud", "exception", "bayes", "pointing"))


def _floating(values: np.ma.MaskedArray[tuple[int, ...], np.dtype[np.number]]) -> NDArray[np.float64]:
    return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))


def has(granule: Granule, file: str) -> bool:
    """Whether the granule has a file."""
    return file in granule.files


@contextlib.contextmanager
def _opened(granule: Granule, file: str, where: str) -> Iterator[netCDF4.Dataset]:
    try:
        import netCDF4
    except ImportError as error:
        raise ConfigError("reading SLSTR needs netCDF4: pip install 'sarcube[netcdf]'") from error
    try:
        if Path(granule.path).is_dir():
            data = netCDF4.Dataset(Path(granule.path, file))
        else:
            with zipfile.ZipFile(granule.path) as archive:
                member = next(n for n in archive.namelist() if n.rpartition("/")[2] == file)
                if archive.getinfo(member).file_size > _MAX_FILE:
                    raise SceneError(f"{where} is larger than any file of a granule; the zip is damaged")
                data = netCDF4.Dataset(file, memory=archive.read(member))
    except (OSError, StopIteration, zipfile.BadZipFile, RuntimeError) as error:
        raise SceneError(f"{where} cannot be opened: {error}; fetch the granule again") from error
    try:
        yield data
    finally:
        data.close()
