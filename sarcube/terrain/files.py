"""Which files below `dem.path` hold heights: deliveries bring masks, errors and pictures beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sarcube.errors import DemError
from sarcube.transfer.folder import files_below
from sarcube.transfer.redact import redact

_SUFFIXES = (".tif", ".tiff", ".vrt", ".img", ".dt2", ".dt1", ".dt0", ".hgt", ".bil", ".nc")
# Families of files by their names, and how the one with the heights ends (without suffix). Copernicus DEM Product
# Handbook (EDM, FLM, HEM, WBM; *_QL in PREVIEW); TanDEM-X DEM Products Specification, TD-GS-PS-0021 (AMP, AM2, COM,
# COV, HEM, LSM, WAM; EDEM with EDM, HEM, LCM); ASTER GDEM (num), AW3D30 (MSK, STK), ArcticDEM and REMA (mad, count).
_FAMILIES = tuple(
    (re.compile(name), re.compile(heights))
    for name, heights in (
        (r"Copernicus_DSM_", r"_DEM$"),
        (r"TDM1_EDEM_", r"_EDEM(_W84|_EGM)?$"),
        (r"TDM1_", r"_(DEM|DCM)$"),
        (r"ASTGTM", r"_dem$"),
        (r"ALPSMLC30_", r"_DSM$"),
        (r"(?i:arcticdem|rema|setsm)_", r"_dem$"),
    )
)
_ASIDE = {"auxfiles", "edem_auxfiles", "preview", "info"}  # folders beside the one with the heights
_MACOS = "__MACOSX"


def dem_paths(path: str | Sequence[str]) -> list[str]:
    """The rasters that `dem.path` means: a file, a folder of rasters, a pattern, or a list of these.

    Of a folder or a pattern, only the heights of deliveries of known layout; what is named itself is taken.

    Raises
    ------
    DemError
        Nothing is there, or nothing of it holds heights.
    """
    found: list[str] = []
    for entry in [path] if isinstance(path, str) else path:
        local = Path(entry)
        if "://" in entry or entry.startswith("/vsi") or local.is_file():
            found.append(entry)
        elif local.is_dir():
            inside = _rasters(local, (p for p in files_below(local) if p.suffix.lower() in _SUFFIXES))
            if not inside:
                raise DemError(
                    f"dem.path {redact(entry)} is a folder without rasters of heights ({', '.join(_SUFFIXES)})"
                )
            found.extend(inside)
        else:
            base = Path(local.anchor) if local.is_absolute() else Path()
            pattern = str(local.relative_to(base)) if set(entry) & set("*?[") else ""
            matches = _rasters(base, base.glob(pattern)) if pattern else []
            if not matches:
                raise DemError(f"dem.path {redact(entry)} does not exist; give a raster, a folder or a pattern")
            found.extend(matches)
    return found


def is_sidecar(path: Path) -> bool:
    """Whether a file is what macOS leaves beside others, no part of what was delivered."""
    return path.name.startswith("._") or path.name == ".DS_Store" or _MACOS in path.parts


def _rasters(base: Path, paths: Iterable[Path]) -> list[str]:
    return sorted(str(p) for p in paths if not is_sidecar(p) and _holds_heights(p.relative_to(base)) and p.is_file())


def _holds_heights(path: Path) -> bool:
    if any(part.lower() in _ASIDE for part in path.parts[:-1]):
        return False
    for name, heights in _FAMILIES:
        if name.match(path.name):
            return heights.search(path.stem) is not None
    return True
