"""A granule without a store: what `sarcube fire` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sarcube.errors import ConfigError, ProductError
from sarcube.geometry.aoi import Area
from sarcube.products.cog import write_cog
from sarcube.sensors.sentinel3.granule import open_granule
from sarcube.workflows.active_fire.kinds import ACTIVE_FIRE
from sarcube.workflows.active_fire.process import METHODS, find_in
from sarcube.workflows.active_fire.section import ActiveFireSection, LandCoverConfig

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FireFiles:
    """What was written for a granule.

    Attributes
    ----------
    hotspots : DataFrame
    files : mapping of str to Path
        "hotspots", "hotspots_parquet", "rgb", "cloud_mask", "reflectance_S3", ...
    remarks : tuple of str
        What was assumed.
    """

    hotspots: pd.DataFrame
    files: dict[str, Path]
    remarks: tuple[str, ...]


def make_fires(
    path: str | Path,
    out: str | Path,
    area: Area | None,
    method: str = "contextual",
    land_cover: str | Path | None = None,
) -> FireFiles:
    """Find the fires of a granule within an area and write them.

    Parameters
    ----------
    path : str or Path
        SEN3 folder or zip.
    out : str or Path
        Folder, made where it is missing.
    area : Area, optional
        None: the whole granule.
    method : str
        "contextual" or "gep".
    land_cover : str or Path, optional
        Raster with the classes of CCI or C3S; water and ice are left out by it, and hotspots get its names.

    Raises
    ------
    SceneError
        The granule cannot be read, or has nothing in the area.
    ConfigError
        There is no such method, or the land cover cannot be read.
    GridError
        The area has too many pixels.
    ProductError
        The folder cannot be made.
    """
    if method not in METHODS:
        raise ConfigError(f"method is contextual or gep, not {method!r}")
    cover = LandCoverConfig(path=Path(land_cover)) if land_cover is not None else None
    granule = open_granule(path)
    fires = find_in(granule, area, None, ActiveFireSection(method=method, land_cover=cover))
    folder, stem = Path(out), f"{granule.name.platform}_{granule.name.start:%Y%m%dT%H%M%SZ}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProductError(f"{folder} cannot be a folder: {error.strerror or error}; choose another") from error
    files = {}
    for beside in ACTIVE_FIRE.attached:
        if beside.name in fires.files:
            files[beside.name] = folder / f"{stem}_{beside.suffix}"
            files[beside.name].write_bytes(fires.files[beside.name])
    for name, values in fires.layers.items():
        files[name] = folder / f"{stem}_{name}.tif"
        write_cog(files[name], values, fires.grid, ACTIVE_FIRE.layer(name))
    return FireFiles(fires.hotspots, files, fires.remarks)
