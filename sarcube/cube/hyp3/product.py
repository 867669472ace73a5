"""A pair as one zip, as HyP3-ISCE2 delivers it; read unchanged by MintPy's `prep_hyp3`.

Names, layers, units and signs: hyp3-isce2 (`insar_tops_burst`, `insar_tops_multi_burst`) and its product guide,
https://hyp3-docs.asf.alaska.edu/guides/burst_insar_product_guide/.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.cube.hyp3.facts import BurstPair, Processing, parameter_text, product_name
from sarcube.cube.hyp3.pictures import grey, write_kmz, write_png
from sarcube.cube.hyp3.radar import radar_rasters
from sarcube.cube.hyp3.readme import readme
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.transfer.atomic import scratch_beside, written_whole

NEEDED = (
    "interferogram", "filtered_phase", "coherence", "unwrapped_phase", "connected_components", "water_mask",
    "los_east", "los_north", "los_up", "digital_elevation_model",
)  # fmt: skip
_WATER, _NOT_TOLD = 0, 255  # of our water_mask
_NO_COMPONENT = 65535  # outside of what was seen


@dataclass(frozen=True, eq=False)
class Hyp3Pair:
    """What a product is made of.

    Attributes
    ----------
    layers : mapping of str to (rows, columns) array
        `NEEDED`, of one grid.
    grid : GeoGrid
    bursts : tuple of BurstPair
    processing : Processing
    """

    layers: Mapping[str, NDArray[np.number]]
    grid: GeoGrid
    bursts: tuple[BurstPair, ...]
    processing: Processing

    def __post_init__(self) -> None:
        if missing := [name for name in NEEDED if name not in self.layers]:
            raise CubeError(f"a HyP3 product needs the layers {', '.join(missing)}")
        if self.grid.is_geographic:
            raise CubeError(f"a HyP3 product lies in UTM or another projected CRS, not in {self.grid.crs}")


def rasters(pair: Hyp3Pair) -> dict[str, NDArray[np.number]]:
    """HyP3's layers on the map, by the ends of their files' names; 0 where nothing is known."""
    layer = pair.layers
    seen = layer["interferogram"]
    told = layer["water_mask"]
    # Water that was left out of the filter keeps the phase that it has: HyP3 does not mask the wrapped phase.
    wrapped = np.where(np.isfinite(layer["filtered_phase"]), layer["filtered_phase"], np.angle(seen))
    components = layer["connected_components"]
    theta = np.arcsin(np.clip(layer["los_up"], -1.0, 1.0))
    phi = np.arctan2(layer["los_north"], layer["los_east"])
    phi = np.where(phi < -0.5 * np.pi, phi + 2 * np.pi, phi)  # as HyP3's, which runs from -90 to 270 degrees
    made: dict[str, NDArray[np.number]] = {
        "unw_phase": layer["unwrapped_phase"],
        "wrapped_phase": np.where(np.isfinite(seen), wrapped, np.nan),
        "amp": np.abs(seen),
        "corr": layer["coherence"],
        "conncomp": np.where(components == _NO_COMPONENT, 0, components),
        "dem": layer["digital_elevation_model"],
        "lv_theta": theta,
        "lv_phi": phi,
    }
    made = {name: np.nan_to_num(values).astype(np.float32) for name, values in made.items()}
    if pair.processing.water_masked:
        made["unw_phase"][told == _WATER] = 0.0
    return made | {"water_mask": np.where(told == _WATER, 0, 1).astype(np.uint8)}


def write_product(pair: Hyp3Pair, folder: str | Path) -> Path:
    """Write the product as a zip that appears whole or not at all.

    Parameters
    ----------
    pair : Hyp3Pair
    folder : path or str
        Made where it does not exist.

    Returns
    -------
    Path
        `<name>.zip`, in which lies the folder `<name>`.

    Raises
    ------
    CubeError
        The folder cannot be written.
    OrbitError
        One burst whose item carries no orbit.
    """
    folder, name = Path(folder), product_name(pair.bursts, pair.processing)
    target = folder / f"{name}.zip"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch_beside(target) as scratch:
            files = _write_files(pair, scratch, name)
            with written_whole(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in files:
                    archive.write(scratch / file, f"{name}/{file}")
    except OSError as error:
        raise CubeError(f"{target} cannot be written: {error.strerror or error}; choose another folder") from error
    return target


def _write_files(pair: Hyp3Pair, folder: Path, name: str) -> list[str]:
    made = rasters(pair)
    for end, values in made.items():
        _write(folder / f"{name}_{end}.tif", values, pair.grid)
    if len(pair.bursts) == 1:
        for end, values in radar_rasters(pair.bursts[0], pair.layers, pair.grid).items():
            _write(folder / f"{name}_{end}.tif", values, None)
    unwrapped, wrapped, amplitude = (made[key] for key in ("unw_phase", "wrapped_phase", "amp"))
    write_png(folder / f"{name}_unw_phase.png", grey(unwrapped), pair.grid)
    write_kmz(folder / f"{name}_unw_phase.kmz", grey(unwrapped), pair.grid)
    turns = np.where(wrapped != 0, 1 + np.rint(254 * (wrapped + np.pi) / (2 * np.pi)), 0).astype(np.uint8)
    write_kmz(folder / f"{name}_wrapped_phase.kmz", turns, pair.grid, "jet")
    write_kmz(folder / f"{name}_amp.kmz", grey(amplitude, 5.0, 95.0), pair.grid)
    (folder / f"{name}.txt").write_text(parameter_text(pair.bursts, pair.processing))
    files = sorted(path.name for path in folder.iterdir())
    text = readme(name, pair.bursts, pair.processing, pair.grid.epsg, files)
    (folder / f"{name}_README.md.txt").write_text(text)
    return sorted([*files, f"{name}_README.md.txt"])


def _write(path: Path, values: NDArray[np.number], grid: GeoGrid | None) -> None:
    """A tiled GeoTIFF, 0 for no data; without a place what lies in radar geometry."""
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    bands = values if values.ndim == 3 else values[None]
    place = {} if grid is None else {"crs": grid.crs, "transform": rasterio.Affine(*grid.transform)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", width=bands.shape[2], height=bands.shape[1], count=len(bands),
            dtype=bands.dtype.name, tiled=True, blockxsize=256, blockysize=256, compress="LZW",
            nodata=None if path.stem.endswith("water_mask") else 0, **place,
        ) as file:  # fmt: skip
            file.write(bands)
