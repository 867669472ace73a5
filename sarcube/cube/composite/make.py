"""Makes composites: opens what their preset needs, writes layers, pictures, legends and record."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube import __version__
from sarcube.cube.composite.legend import write_legend
from sarcube.cube.composite.picture import Picture, Preset, Stretch
from sarcube.cube.composite.presets import get_preset
from sarcube.cube.found import Store
from sarcube.cube.grid_of import grid_of
from sarcube.cube.map_grid import map_grid
from sarcube.cube.open_cube import open_cube
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.cog import write_cog
from sarcube.products.kinds import Layer
from sarcube.text_file import writing

WEB_MERCATOR = 3857
_MOST_PIXELS = 400_000_000  # of the picture: three bytes each, and eight for each layer on the way


@dataclass(frozen=True)
class PictureFiles:
    """The files of one picture.

    Attributes
    ----------
    rgb : Path
        COG in EPSG:3857, red, green, blue and alpha.
    png, legend : Path
        The same as PNG, and its legend.
    """

    rgb: Path
    png: Path
    legend: Path


@dataclass(frozen=True)
class Composite:
    """The files of a composite.

    Attributes
    ----------
    layers : tuple of Path
        COGs, float32, on the grid of the products.
    pictures : tuple of PictureFiles
        The composite first, then what its preset makes beside it.
    record : Path
        What was combined, as JSON.
    """

    layers: tuple[Path, ...]
    pictures: tuple[PictureFiles, ...]
    record: Path

    @property
    def rgb(self) -> Path:
        return self.pictures[0].rgb

    @property
    def png(self) -> Path:
        return self.pictures[0].png

    @property
    def legend(self) -> Path:
        return self.pictures[0].legend

    @property
    def files(self) -> tuple[Path, ...]:
        return (*self.layers, *(path for p in self.pictures for path in (p.rgb, p.png, p.legend)), self.record)


@dataclass(frozen=True)
class CompositeOptions:
    """How a composite is made.

    Attributes
    ----------
    preset : str
        A name of `sarcube.cube.composite.presets.PRESETS`.
    layer : str, optional
        A polarization, in place of the preset's own; of pairs those of this one alone.
    stretch : str, optional
        "percentile", of each picture's own values, or "fixed", so that pictures compare; default: the preset's.
    by : str
        Of pairs: "pass", the products of an overflight merged by their looks, or "product", each alone.
    pair : (first, second), optional
        Days of the one pair to show.
    """

    preset: str = "snac"
    layer: str | None = None
    stretch: Stretch | None = None
    by: Literal["pass", "product"] = "pass"
    pair: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.by not in ("pass", "product"):
            raise CubeError(f"by is pass or product, not {self.by!r}")


def composite(store: Store, out: str | Path, preset: str = "snac", **options: Any) -> Composite:
    """Make the one composite of a selection; see `composites`.

    Raises
    ------
    CubeError
        As there, or the selection holds several pairs.
    """
    chosen, cube, how = _asked(store, preset, options)
    steps = list(_steps(cube, chosen))
    if len(steps) > 1:
        names = ", ".join(str(step["pair"].values[0]) for step in steps[:5])
        raise CubeError(f"the selection holds {len(steps)} pairs ({names}, ...); choose one with pair=")
    return _made(steps[0], Path(out), chosen, how)


def composites(store: Store, out: str | Path, preset: str = "snac", **options: Any) -> Iterator[Composite]:
    """Make the composites of a selection, one after the other: one of dates, or one of each pair.

    Parameters
    ----------
    store : str, path or items
        As for `open_cube`.
    out : path
        Folder for the files; made where it is missing.
    preset : str
        "snac": two dates of backscatter, the first and the last of the selection. Of pairs: "coin",
        "coherence-amplitude", "change", "fringes", "browse-50", "browse-100".
    **options
        Of `CompositeOptions`; and keywords of `open_cube`: bbox, dates, resolution, crs, collection, orbit_direction,
        relative_orbits, ...

    Raises
    ------
    CubeError
        No such preset, it has not the stretch asked for, or the store has not what it needs.
    """
    chosen, cube, how = _asked(store, preset, options)
    for step in _steps(cube, chosen):
        yield _made(step, Path(out), chosen, how)


def _asked(store: Store, preset: str, options: dict[str, Any]) -> tuple[Preset, xr.Dataset, CompositeOptions]:
    own = {f.name for f in fields(CompositeOptions)}
    how = CompositeOptions(preset, **{name: options.pop(name) for name in tuple(options) if name in own})
    chosen = get_preset(preset)
    if how.stretch is not None and how.stretch not in chosen.stretches:
        raise CubeError(f"preset {preset} has the stretch {' and '.join(chosen.stretches)}, not {how.stretch}")
    if how.pair is not None and not chosen.pairs:
        raise CubeError(f"preset {preset} takes dates and no pairs; select dates=")
    opened = _opened_pairs if chosen.pairs else _opened
    return chosen, opened(store, chosen, how, options), how


def _steps(cube: xr.Dataset, preset: Preset) -> Iterator[xr.Dataset]:
    """What each composite is made of."""
    if preset.dates:
        yield cube
        return
    for step in range(cube.sizes["time"]):
        yield cube.isel(time=[step])


def _made(cube: xr.Dataset, out: Path, preset: Preset, how: CompositeOptions) -> Composite:
    grid = grid_of(cube)
    if grid.width * grid.height > _MOST_PIXELS:
        raise CubeError(
            f"the picture has {grid.width} x {grid.height} pixels, too many for one file; choose a smaller bbox or a "
            "coarser resolution"
        )
    pictures = preset.make(cube.load(), how.stretch or preset.stretches[0])
    if not next(iter(pictures.values())).rgb.any():
        raise CubeError(f"preset {preset.name}: the dates have no pixel in common here; choose others, or another bbox")
    with writing(out / _stem(preset, cube)):
        return _write(out, preset, pictures, grid, cube)


def _opened(store: Store, preset: Preset, how: CompositeOptions, selection: Mapping[str, Any]) -> xr.Dataset:
    layer = how.layer
    if layer is not None and layer.upper() not in preset.layers:
        raise CubeError(f"preset {preset.name} takes {', '.join(preset.layers)}, not {layer}")
    if preset.one_of:
        wanted = preset.layers if layer is None else (layer.upper(),)
        cube = open_cube(store, **selection)
        name = next((name for name in wanted if name in cube), None)
        if name is None:
            raise CubeError(f"the products have no {' or '.join(wanted)}; they have {', '.join(map(str, cube))}")
        cube = cube[[name]]
    else:
        cube = open_cube(store, layers=preset.layers, **selection)
    steps = cube.sizes.get("time", 0)
    if steps < preset.dates:
        days = ", ".join(str(time)[:10] for time in np.atleast_1d(cube["time"].values))
        raise CubeError(f"preset {preset.name} compares {preset.dates} dates, selected is {days or 'none'}")
    return cube.isel(time=[0, -1] if preset.dates == 2 else [0])


def _opened_pairs(store: Store, preset: Preset, how: CompositeOptions, selection: Mapping[str, Any]) -> xr.Dataset:
    """A cube of the pairs to show, with the static layers where the store has them."""
    from sarcube.cube.unwrap import only

    keywords = {"merge": "looks", "group": "pass" if how.by == "pass" else "acquisition", **selection}
    if keywords.get("resolution") is None:
        keywords["resolution"] = preset.resolution
    try:
        cube = open_cube(store, layers=preset.layers, static=preset.static, **keywords)
    except CubeError:  # where there are none, or another reason, which is then told here
        cube = open_cube(store, layers=preset.layers, **keywords)
    if "secondary" not in cube.coords:
        raise CubeError(f"preset {preset.name} shows pairs of dates; open a store of interferograms")
    if how.layer is not None:
        channels = cube["channel"].values
        steps = np.flatnonzero(channels == how.layer.upper())
        if not len(steps):
            raise CubeError(f"there are no pairs of {how.layer}; there are {', '.join(sorted(set(channels)))}")
        cube = cube.isel(time=steps)
    return cube if how.pair is None else only(cube, how.pair)


def _stem(preset: Preset, cube: xr.Dataset) -> str:
    if not preset.pairs:
        days = (str(time)[:10].replace("-", "") for time in np.atleast_1d(cube["time"].values))
        return "_".join([preset.stem, *days])
    place = str(cube["place"].values[0]) if "place" in cube.coords else ""
    return "_".join([preset.stem, *([place] if place else []), str(cube["pair"].values[0])])


def _write(out: Path, preset: Preset, pictures: Mapping[str, Picture], grid: GeoGrid, cube: xr.Dataset) -> Composite:
    stem = _stem(preset, cube)
    shared = {
        "preset": preset.name,
        "title": preset.title,
        "products": [str(v) for v in np.atleast_1d(cube["products"].values)] if "products" in cube.coords else [],
        "crs": grid.crs,
        "resolution": grid.resolution,
        "software": f"sarcube {__version__}",
    }
    if preset.pairs:
        for name in ("temporal_baseline", "perpendicular_baseline"):
            shared[name] = round(float(cube[name].values[0]), 3)
    layers: list[Path] = []
    drawn: list[PictureFiles] = []
    told: dict[str, object] = {}
    for name, picture in pictures.items():
        facts = {"channels": list(picture.names), **picture.facts}
        tags = {k.upper(): v if isinstance(v, str) else json.dumps(v) for k, v in {**shared, **facts}.items()}
        for layer, values in picture.layers.items():
            path = out / f"{stem}_{layer}.tif"
            write_cog(path, values, grid, Layer(layer, layer.replace("_", " "), unit=picture.units[layer]), tags)
            layers.append(path)
        rgba, target = to_web_mercator(picture.rgb, grid)
        drawn.append(
            PictureFiles(
                write_picture(out / f"{stem}_{name}.tif", rgba, target, tags),
                _write_png(out / f"{stem}_{name}.png", rgba),
                write_legend(
                    out / f"{stem}_{'' if name == 'rgb' else name + '_'}legend.png",
                    f"{preset.title} ({' / '.join(picture.names)})",
                    picture.legend,
                ),
            )
        )
        told |= facts if len(pictures) == 1 else {name: facts}
    made = Composite(tuple(layers), tuple(drawn), out / f"{stem}.json")
    files = [path.name for path in made.files[:-1]]
    made.record.write_text(json.dumps({**shared, **told, "files": files}, indent=1) + "\n")
    return made


def to_web_mercator(rgb: NDArray[np.uint8], grid: GeoGrid) -> tuple[NDArray[np.uint8], GeoGrid]:
    """A picture (3, rows, columns) as red, green, blue, alpha in EPSG:3857, the nearest pixel each; and its grid."""
    from rasterio import Affine
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    target = map_grid(grid, WEB_MERCATOR)
    seen = np.where(rgb.any(axis=0), 255, 0).astype(np.uint8)
    out = np.zeros((4, target.height, target.width), np.uint8)
    reproject(
        np.concatenate([rgb, seen[None]]), out, src_transform=Affine(*grid.transform), src_crs=grid.crs,
        dst_transform=Affine(*target.transform), dst_crs=target.crs, resampling=Resampling.nearest,
    )  # fmt: skip
    return out, target


def write_picture(path: Path, rgba: NDArray[np.uint8], grid: GeoGrid, tags: Mapping[str, str]) -> Path:
    """A picture of four bands as a COG."""
    import rasterio
    from rasterio.enums import ColorInterp
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    profile = {
        "driver": "GTiff", "count": 4, "dtype": "uint8", "width": grid.width, "height": grid.height, "crs": grid.crs,
        "transform": rasterio.Affine(*grid.transform),
    }  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(**profile) as plain:
            plain.write(rgba)
            plain.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
            plain.update_tags(**tags)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with memory.open() as plain:
                copy(plain, path, driver="COG", compress="DEFLATE", overview_resampling="average", blocksize=512)
    return path


def _write_png(path: Path, rgba: NDArray[np.uint8]) -> Path:
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(np.moveaxis(rgba, 0, -1)), "RGBA").save(path)
    return path
