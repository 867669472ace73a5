"""Band combinations: three expressions over bands of any inputs become red, green and blue."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pystac
import xarray as xr
from numpy.typing import NDArray

from sarcube.catalog.extensions import PROCESSING, PROJECTION, RENDER
from sarcube.catalog.footprint import footprint
from sarcube.cube.asked import parse_bbox
from sarcube.cube.cog_export import write_raster
from sarcube.cube.combine_inputs import Band, Input, open_input
from sarcube.cube.combine_presets import PRESETS, preset_expressions
from sarcube.cube.combine_reading import lazy_band
from sarcube.cube.expression import Expression, evaluate, parse_expression
from sarcube.cube.lazy import da
from sarcube.cube.order_statistics import percentiles
from sarcube.cube.rgba import write_legend, write_rgba
from sarcube.cube.s_expression import is_s_expression, translated
from sarcube.cube.target_grid import bounds_in, epsg_of, target_grid
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.lattice import pixel_metres
from sarcube.text_file import writing
from sarcube.transfer.redact import public_address

if TYPE_CHECKING:
    from dask.array import Array

    from sarcube.cube.asked import Bbox, BboxLike

CHANNELS = ("red", "green", "blue")
Profile = Literal["percentile", "minmax", "reflectance", "sar", "unit"]
Extent = Literal["intersection", "union"]
_FIXED: dict[str, tuple[float, float]] = {"reflectance": (0.0, 0.3), "unit": (0.0, 1.0)}
# Fixed ranges in decibel of the Geohazards platform's COMBI service.
_CO_POL, _CROSS_POL = (-15.0, 5.0), (-25.0, 5.0)
_MOST_PIXELS = 4e11


@dataclass(frozen=True)
class CombineOptions:
    """What is made of the inputs.

    Attributes
    ----------
    red, green, blue : str
        Expressions; what is empty is that of the preset.
    preset : str, optional
        One of `PRESETS`.
    profile : str, optional
        From values to colour: "percentile" (2 to 98 of valid pixels), "minmax", "reflectance" (0 to 0.3), "sar"
        (decibel, -15 to 5, cross-polarized -25 to 5), "unit" (0 to 1). None: that of the preset, else percentile.
    extent : str
        "intersection" or "union" of the bands in use.
    resolution : float or str
        "highest", "lowest", "average", or a number in units of the CRS.
    crs : int or str, optional
        By default that of most bands.
    bbox : optional
        West, south, east, north in degrees, or a shape.
    formula : str
        Colour formula like "Gamma RGB 1.2 Saturation 1.1 Sigmoidal RGB 6 0.35".
    resampling : str
        "nearest", "bilinear" or "cubic", where pixels are not read as they are.
    """

    red: str = ""
    green: str = ""
    blue: str = ""
    preset: str | None = None
    profile: Profile | None = None
    extent: Extent = "intersection"
    resolution: float | str = "highest"
    crs: int | str | None = None
    bbox: BboxLike | None = None
    formula: str = ""
    resampling: str = "bilinear"


@dataclass(frozen=True)
class Combination:
    """A combination that can be written; nothing but percentiles is computed before.

    Attributes
    ----------
    values : Dataset
        Variables red, green, blue (y, x), float32, lazy: what the expressions are, before any stretch.
    grid : GeoGrid
    expressions : mapping of str to Expression
        By channel.
    options : CombineOptions
    inputs : tuple of Input
    remarks : tuple of str
        What was assumed.
    """

    values: xr.Dataset
    grid: GeoGrid
    expressions: Mapping[str, Expression]
    options: CombineOptions
    inputs: tuple[Input, ...]
    remarks: tuple[str, ...] = ()

    def ranges(self) -> tuple[tuple[float, float], ...]:
        """What is black and what is full colour, of each channel; percentiles read the inputs twice."""
        profile = self.options.profile or "percentile"
        if profile in _FIXED:
            return (_FIXED[profile],) * 3
        if profile == "sar":
            return tuple(
                _CROSS_POL if re.search(r"VH|HV|band_2\b", self.expressions[c].text, re.IGNORECASE) else _CO_POL
                for c in CHANNELS
            )
        wanted = (2.0, 98.0) if profile == "percentile" else (0.0, 100.0)
        distinct = {self.expressions[c].tree: self.values[c].data for c in CHANNELS}
        found = dict(zip(distinct, percentiles(list(distinct.values()), wanted), strict=True))
        if empty := [c for c in CHANNELS if not np.isfinite(found[self.expressions[c].tree]).all()]:
            raise CubeError(
                f"{', '.join(empty)}: no pixel of the common area has a value; check the expressions, "
                "or take --extent union"
            )
        return tuple((low, high) for low, high in (found[self.expressions[c].tree] for c in CHANNELS))

    def colours(self, ranges: Sequence[tuple[float, float]]) -> Array:
        """Dask array (y, x, 4) of uint8; transparent where any channel has no value."""
        arrays = [self.values[c].data for c in CHANNELS]
        colour = partial(_colour, ranges=tuple(ranges), formula=self.options.formula)
        picture: Array = da.map_blocks(
            colour, *arrays, dtype=np.uint8, new_axis=2, chunks=(*arrays[0].chunks, (4,)),
            meta=np.empty((0, 0, 0), np.uint8),
        )  # fmt: skip
        return picture


@dataclass(frozen=True)
class Written:
    """Files of a combination."""

    picture: Path
    legend: Path
    item: Path
    ranges: tuple[tuple[float, float], ...]
    values: tuple[Path, ...] = field(default=())


def combine(inputs: Sequence[str], options: CombineOptions | None = None, grid: GeoGrid | None = None) -> Combination:
    """Three expressions over bands of inputs, on one grid.

    Parameters
    ----------
    inputs : sequence of str
        `[name=]path[@date]`: stores, Sentinel-2 SAFEs (folder or zip), or rasters that GDAL reads.
    options : CombineOptions, optional
    grid : GeoGrid, optional
        Where the picture lies for ever; None: as the options say of extent, resolution and CRS.

    Raises
    ------
    CubeError
        An input cannot be read, an expression is refused or names no band, or inputs do not meet.
    """
    options = options or CombineOptions()
    if not 1 <= len(inputs) <= 26:
        raise CubeError(f"give 1 to 26 inputs, not {len(inputs)}")
    _check(options)
    box = parse_bbox(options.bbox)
    opened = tuple(open_input(spec, i, box) for i, spec in enumerate(inputs))
    names = [one.alias for one in opened]
    if twice := [n for n, count in Counter(names).items() if count > 1]:
        raise CubeError(f"two inputs are called {twice[0]}; give them names of their own: {twice[0]}2=path")
    options = _with_preset(options, opened)
    expressions = {c: _parsed(getattr(options, c), c) for c in CHANNELS}
    bands = {name: _band(name, opened) for e in expressions.values() for name in e.bands}
    if not bands:
        raise CubeError("the expressions name no band; a picture of constants shows nothing")
    grid = grid or _grid(list(bands.values()), options, box)
    if grid.width * grid.height > _MOST_PIXELS:
        raise CubeError(f"{grid.width} x {grid.height} pixels are too many; give a coarser --resolution or a --bbox")
    arrays = {name: lazy_band(band, grid, options.resampling) for name, band in bands.items()}
    channels = {e: _evaluated(e, arrays, grid) for e in dict.fromkeys(expressions.values())}
    coords = {"y": grid.y(), "x": grid.x()}
    values = xr.Dataset({c: (("y", "x"), channels[e]) for c, e in expressions.items()}, coords=coords)
    remarks = tuple(r for one in opened for r in one.remarks)
    return Combination(values, grid, expressions, options, opened, remarks)


def write_combination(made: Combination, path: str | Path, *, values: bool = False, overwrite: bool = False) -> Written:
    """Write picture, legend and STAC item, with `values` also the three channels as float32.

    Raises
    ------
    CubeError
        A file is there already, or cannot be written.
    """
    picture = Path(path)
    if picture.suffix.lower() not in (".tif", ".tiff"):
        raise CubeError(f"--out {picture} is to end in .tif")
    if picture.exists() and not overwrite:
        raise CubeError(f"{picture} is there already; choose another name, or --overwrite")
    ranges = made.ranges()
    tags = {f"EXPRESSION_{c.upper()}": made.expressions[c].text for c in CHANNELS}
    write_rgba(made.colours(ranges), picture, made.grid, tags)
    written = []
    for c in CHANNELS if values else ():
        written.append(picture.with_name(f"{picture.stem}_{c}.tif"))
        with writing(written[-1]):
            write_raster(made.values[c], written[-1], made.grid, {"EXPRESSION": made.expressions[c].text})
    legend, record = picture.with_name(f"{picture.stem}_legend.png"), picture.with_suffix(".json")
    told = [(c, made.expressions[c].text, r) for c, r in zip(CHANNELS, ranges, strict=True)]
    with writing(legend):
        write_legend(legend, picture.stem, told)
    done = Written(picture, legend, record, ranges, tuple(written))
    with writing(record):
        record.write_text(json.dumps(_item(made, done).to_dict(transform_hrefs=False), indent=2))
    return done


def _check(options: CombineOptions) -> None:
    if options.resampling not in ("nearest", "bilinear", "cubic"):
        raise CubeError(f"resampling is nearest, bilinear or cubic, not {options.resampling!r}")
    if options.extent not in ("intersection", "union"):
        raise CubeError(f"extent is intersection or union, not {options.extent!r}")
    if options.profile not in (None, "percentile", "minmax", "sar", *_FIXED):
        raise CubeError(f"profile is percentile, minmax, reflectance, sar or unit, not {options.profile!r}")
    if options.preset is not None and options.preset not in PRESETS:
        raise CubeError(f"there is no preset {options.preset!r}; presets are {', '.join(PRESETS)}")
    if options.formula:
        _corrected(np.zeros((3, 1, 1)), options.formula)


def _with_preset(options: CombineOptions, inputs: Sequence[Input]) -> CombineOptions:
    if options.preset is None:
        if missing := [c for c in CHANNELS if not getattr(options, c)]:
            raise CubeError(f"no expression for {', '.join(missing)}; give --{missing[0]}, or a --preset")
        return options
    preset = PRESETS[options.preset]
    told = dict(zip(CHANNELS, preset_expressions(options.preset, inputs), strict=True))
    own = {c: str(getattr(options, c) or told[c]) for c in CHANNELS}
    return replace(
        options, red=own["red"], green=own["green"], blue=own["blue"], profile=options.profile or preset.profile
    )


def _parsed(text: str, channel: str) -> Expression:
    try:
        return parse_expression(translated(text) if is_s_expression(text) else text)
    except CubeError as error:
        raise CubeError(f"{channel}: {error}") from error


def _band(name: str, inputs: Sequence[Input]) -> Band:
    alias, point, own = name.rpartition(".")
    among = [one for one in inputs if not point or one.alias == alias]
    if not among:
        raise CubeError(f"{name}: there is no input {alias!r}; inputs are {', '.join(i.alias for i in inputs)}")
    found = [(one, band) for one in among if (band := one.find(own)) is not None]
    if not point and len(inputs) > 1 and not found:  # COMBI-Plus: v1, v2, v3 are the first bands of its inputs
        match = re.fullmatch(r"v(\d)", name)
        if match and 1 <= int(match[1]) <= len(inputs):
            return next(iter(inputs[int(match[1]) - 1].bands.values()))
    if not found:
        has = "; ".join(f"{one.alias}: {', '.join(list(one.bands)[:20])}" for one in among)
        raise CubeError(f"no input has a band {name!r}. They have {has} (or band_1, band_2, ... in this order)")
    if len(found) > 1:
        raise CubeError(
            f"{own} is in {len(found)} inputs; write {' or '.join(f'{one.alias}.{own}' for one, _ in found)}"
        )
    return found[0][1]


def _grid(bands: Sequence[Band], options: CombineOptions, box: Bbox | None) -> GeoGrid:
    extents = [list(dict.fromkeys(f.grid for f in band.files)) for band in bands]
    grids = [grid for one in extents for grid in one]
    epsg = epsg_of(options.crs) or Counter(g.epsg for g in grids).most_common(1)[0][0]
    step = _resolution(grids, options.resolution, epsg)
    whole = target_grid(grids, box, step, epsg)
    if options.extent == "union":
        return whole
    left, bottom, right, top = whole.bounds
    for one in extents:
        edges = np.array([bounds_in(grid, epsg) for grid in one])
        left, bottom = max(left, edges[:, 0].min()), max(bottom, edges[:, 1].min())
        right, top = min(right, edges[:, 2].max()), min(top, edges[:, 3].max())
    if not (left < right and bottom < top):
        raise CubeError("the inputs share no area; take --extent union, or check what they show")
    first, last = (left - whole.left) / step, (right - whole.left) / step
    upper, lower = (whole.top - top) / step, (whole.top - bottom) / step
    col0, row0 = int(np.floor(first + 1e-6)), int(np.floor(upper + 1e-6))
    col1, row1 = int(np.ceil(last - 1e-6)), int(np.ceil(lower - 1e-6))
    return GeoGrid(epsg, whole.left + col0 * step, whole.top - row0 * step, step, col1 - col0, row1 - row0)


def _resolution(grids: Sequence[GeoGrid], wanted: float | str, epsg: int) -> float:
    steps = [_step_in(grid, epsg) for grid in dict.fromkeys(grids)]
    try:
        return {"highest": min(steps), "lowest": max(steps), "average": sum(steps) / len(steps)}[str(wanted)]
    except KeyError:
        pass
    try:
        step = float(wanted)
    except ValueError:
        step = 0.0
    if not 0 < step < 1e7:
        raise CubeError(f"resolution is highest, lowest, average or a positive number, not {wanted!r}")
    return step


def _step_in(grid: GeoGrid, epsg: int) -> float:
    """Pixel size of a grid in another CRS: alike in number of pixels along its sides."""
    if grid.epsg == epsg:
        return grid.resolution
    left, bottom, right, top = bounds_in(grid, epsg)
    return float(np.hypot(right - left, top - bottom) / np.hypot(grid.width, grid.height))


def _evaluated(expression: Expression, arrays: Mapping[str, Array], grid: GeoGrid) -> Array:
    names = expression.bands
    if not names:
        like = next(iter(arrays.values()))
        value = float(evaluate(expression, {}))
        flat: Array = da.full(grid.shape, value, dtype=np.float32, chunks=like.chunks)
        return flat
    block = partial(_block, expression=expression)
    meta = np.empty((0, 0), np.float32)
    computed: Array = da.map_blocks(block, *(arrays[n] for n in names), dtype=np.float32, meta=meta)
    return computed


def _block(*blocks: NDArray[np.floating], expression: Expression) -> NDArray[np.float32]:
    return evaluate(expression, dict(zip(expression.bands, blocks, strict=True)))


def _colour(*blocks: NDArray[np.float32], ranges: tuple[tuple[float, float], ...], formula: str) -> NDArray[np.uint8]:
    seen = np.isfinite(blocks[0]) & np.isfinite(blocks[1]) & np.isfinite(blocks[2])
    scaled = np.zeros((3, *seen.shape))
    for i, (values, (low, high)) in enumerate(zip(blocks, ranges, strict=True)):
        scaled[i] = np.where(seen, np.clip((values.astype(np.float64) - low) / max(high - low, 1e-30), 0.0, 1.0), 0.0)
    if formula:
        scaled = _corrected(scaled, formula)
    out = np.zeros((*seen.shape, 4), np.uint8)
    out[..., :3] = np.moveaxis(np.rint(255.0 * scaled), 0, -1) * seen[..., None]
    out[..., 3] = np.where(seen, 255, 0)
    return out


def _corrected(scaled: NDArray[np.float64], formula: str) -> NDArray[np.float64]:
    from color_operations import parse_operations

    if len(formula) > 200:
        raise CubeError("the colour formula has more than 200 characters")
    try:
        for operation in parse_operations(formula):
            scaled = operation(scaled)
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise CubeError(
            f"colour formula {formula!r}: {error}; write one like 'Gamma RGB 1.2 Saturation 1.1 Sigmoidal RGB 6 0.35'"
        ) from error
    return np.clip(np.asarray(scaled, np.float64), 0.0, 1.0)


def _item(made: Combination, done: Written) -> pystac.Item:
    grid, now = made.grid, dt.datetime.now(dt.UTC).replace(microsecond=0)
    place = footprint((), grid)
    texts = {c: made.expressions[c].text for c in CHANNELS}
    assets = [
        ("rgb", done.picture, pystac.MediaType.COG, ["visual"]),
        ("legend", done.legend, "image/png", ["metadata"]),
    ]
    assets += [(c, file, pystac.MediaType.COG, ["data"]) for c, file in zip(CHANNELS, done.values, strict=False)]
    render: dict[str, object] = {"assets": ["rgb"], "title": made.options.preset or "combination"}
    render |= {"assets": list(CHANNELS), "rescale": [list(r) for r in done.ranges]} if done.values else {}
    render |= {"color_formula": made.options.formula} if made.options.formula else {}
    item = pystac.Item(
        id=done.picture.stem, geometry=place.geometry, bbox=list(place.bbox), datetime=now,
        properties={
            "created": now.isoformat().replace("+00:00", "Z"),
            "proj:epsg": grid.epsg, "proj:code": grid.crs, "proj:shape": list(grid.shape),
            "proj:transform": list(grid.transform), "proj:bbox": list(grid.bounds), "gsd": pixel_metres(grid),
            "processing:expression": {"format": "sarcube", "expression": texts},
            "sarcube:ranges": {c: list(r) for c, r in zip(CHANNELS, done.ranges, strict=True)},
            "sarcube:inputs": {one.alias: public_address(one.origin) for one in made.inputs},
            "renders": {"combination": render},
            **({"sarcube:remarks": list(made.remarks)} if made.remarks else {}),
        },
        stac_extensions=[PROJECTION, PROCESSING, RENDER],
    )  # fmt: skip
    for name, file, media_type, roles in assets:
        item.add_asset(name, pystac.Asset(f"./{file.name}", media_type=str(media_type), roles=roles))
    return item
