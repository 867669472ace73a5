"""Where a mirror of Copernicus GLO-30 has a tile: by the public buckets' names or the official ones, also deeper."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path

from sarcube.errors import CredentialError, DemError
from sarcube.terrain.files import is_sidecar
from sarcube.transfer.folder import Remembered, files_below
from sarcube.transfer.http import AbsentError
from sarcube.transfer.raster import is_remote
from sarcube.transfer.redact import redact
from sarcube.transfer.remote import open_remote, read_all

_TILE_LIST = "tileList.txt"
# The public buckets' names have COG, those of the delivery have not: Copernicus_DSM_10_N48_00_E008_00_DEM.
_TILE = re.compile(r"Copernicus_DSM_(?:COG_)?10_([NS]\d\d_00_[EW]\d{3}_00)_DEM")


def tile_path(address: str, name: str) -> str | None:
    """Where the tile is; None where the mirror has none.

    Parameters
    ----------
    address : str
        Folder, s3:// or https:// address, without a slash at its end.
    name : str
        As in the public buckets: `Copernicus_DSM_COG_10_N38_00_W028_00_DEM`.

    Raises
    ------
    DemError
        The mirror's own list has the tile, the mirror has not.
    """
    if is_remote(address):
        listed = _listed(address, 0)
        if listed:
            named = next((n for n in (name, _official(name)) if n in listed), None)
            return f"{address}/{named}/{named}.tif" if named else None
        return next((path for path in _candidates(address, name) if _remote_has(path)), None)
    base = Path(address)
    for path in _candidates(str(base), name):
        if Path(path).is_file():
            return path
    deeper = _files(address).get(_place(name))
    if deeper is not None and Path(deeper).is_file():
        return deeper
    if {name, _official(name)} & _listed(address, _list_stamp(address)):
        raise DemError(f"{base / _TILE_LIST} lists {name}, but the tile is not there; fetch it")
    return None


def water_body_path(heights: str) -> str | None:
    """Where the water body mask of a tile is, of which the heights lie at that path; None where there is none.

    The public buckets have it in a folder AUXFILES below the tile's, deliveries beside the folder DEM.
    """
    folder, _, file = heights.rpartition("/")
    mask = file.replace("_DEM.tif", "_WBM.tif")
    places = [f"{folder}/AUXFILES/{mask}", f"{folder.rpartition('/')[0]}/AUXFILES/{mask}", f"{folder}/{mask}"]
    if is_remote(heights):
        return next((path for path in places if _remote_has(path)), None)
    return next((path for path in places if Path(path).is_file()), None)


def check_mirror(address: str) -> None:
    """Raise DemError where a local mirror is no folder, or holds no tile at all: not everything is sea."""
    if is_remote(address):
        return
    if not Path(address).is_dir():
        raise DemError(f"dem.mirror {redact(address)} is not a folder; name the folder of the GLO-30 tiles")
    if not _listed(address, _list_stamp(address)) and not _files(address):
        raise DemError(
            f"dem.mirror {redact(address)} holds no GLO-30 tile (Copernicus_DSM_COG_10_..._DEM.tif or "
            "Copernicus_DSM_10_..._DEM.tif, in folders of any depth); name the folder of the tiles"
        )


def has_list(address: str) -> bool:
    """Whether the mirror says by a `tileList.txt` what it has."""
    return bool(_listed(address, _list_stamp(address)))


def _official(name: str) -> str:
    return name.replace("_COG_", "_")


def _place(name: str) -> str:
    found = _TILE.fullmatch(name)
    return found.group(1) if found else name


def _candidates(address: str, name: str) -> Iterable[str]:
    for n in (name, _official(name)):
        yield from (f"{address}/{n}/{n}.tif", f"{address}/{n}.tif", f"{address}/{n}/DEM/{n}.tif")


def _files(address: str) -> dict[str, str]:
    """The tiles of a local mirror by their place, wherever they lie in it."""
    return _TILES.get(Path(address))


def _look(root: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(p for p in files_below(root) if p.suffix == ".tif"):
        place = _TILE.fullmatch(path.stem)
        if place and not is_sidecar(path):
            found.setdefault(place.group(1), str(path))
    return found


_TILES = Remembered(_look)


def _list_stamp(address: str) -> int:
    path = Path(address) / _TILE_LIST
    return path.stat().st_mtime_ns if not is_remote(address) and path.is_file() else 0


@functools.lru_cache(maxsize=8)
def _listed(address: str, stamp: int) -> frozenset[str]:
    """Names in the mirror's `tileList.txt`, which the public buckets have; empty where there is none."""
    try:
        if is_remote(address):
            text = read_all(f"{address}/{_TILE_LIST}", limit=16 << 20).decode("ascii", "replace")
        elif stamp:
            text = (Path(address) / _TILE_LIST).read_text("ascii", "replace")
        else:
            return frozenset()
    except (AbsentError, CredentialError):
        return frozenset()  # a mirror of one's own need not have the list
    return frozenset(line.strip().strip("/") for line in text.splitlines() if line.strip())


@functools.lru_cache(maxsize=4096)
def _remote_has(path: str) -> bool:
    try:
        return open_remote(path).size > 0
    except AbsentError:
        return False
