"""The workflow `combine`: pictures and values of band combinations of one area, date by date, as products of a store.

It makes products of finished ones, for which it needs cubes: so it stands in this room, and not beside the workflows
that make them. What a picture is, is `sarcube.cube.combine`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from sarcube.config import RunConfig, Section
from sarcube.errors import ConfigError, CubeError
from sarcube.geometry.aoi import Area, load_aoi
from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import Attached, Layer, ProductKind, Rate
from sarcube.transfer.redact import public_address
from sarcube.workflows.making import Result, Stages, ensure_collections, make, update_catalogs
from sarcube.workflows.task import Ring, Task, Unit
from sarcube.workflows.workflow import Context, Found, Made

if TYPE_CHECKING:
    from sarcube.catalog.items import ItemFacts
    from sarcube.cube.combine import Combination, CombineOptions
    from sarcube.products.product import Product

CHANNELS = ("red", "green", "blue")
_MOST_PIXELS = 150_000_000  # a product is in memory; the command writes larger ones block by block
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
COMBINATION = ProductKind(
    "COMBINATION",
    "combination",
    tuple(Layer(name, f"What is shown in {name}") for name in CHANNELS),
    "Band combinations",
    "Three expressions over bands of any inputs, as values and as a picture in red, green and blue.",
    "combination",
    Rate(1.5, 12.0, 60.0, 700_000_000, 0),
    keywords=("band combination", "RGB"),
    attached=(
        Attached("rgb", "Picture", "rgb.tif", _COG, ("visual",)),
        Attached("legend", "Legend", "legend.png", "image/png", ("metadata",)),
    ),
    level="L3",
)


class CombineSection(Section):
    """What is combined: `source.path`, called `a`, and further inputs, called `b`, `c`, ... or as they are named."""

    requires = ("aoi",)

    inputs: tuple[str, ...] = Field((), description="besides source.path: [name=]path[@date], as of the command")
    red: str = Field("", description="expression over bands; empty: that of the preset")
    green: str = ""
    blue: str = ""
    preset: str | None = Field(None, description="true-color, swir, sar-ratio, change or coherence")
    profile: Literal["percentile", "minmax", "reflectance", "sar", "unit"] | None = Field(
        None, description="from values to colour; default: that of the preset, else percentile"
    )
    resolution: float = Field(10.0, gt=0, le=10_000, description="units of the CRS; `grid.crs: auto` is the UTM zone")
    days: int = Field(0, ge=0, le=400, description="of stores, products up to so many days before each date count, too")
    formula: str = Field("", max_length=200, description='of colours: "Gamma RGB 1.2 Saturation 1.1"')
    resampling: Literal["nearest", "bilinear", "cubic"] = "bilinear"

    @model_validator(mode="after")
    def _complete(self) -> CombineSection:
        from sarcube.cube.combine_presets import PRESETS

        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"preset is one of {', '.join(PRESETS)}, not {self.preset!r}")
        if self.preset is None and not (self.red and self.green and self.blue):
            raise ValueError("give red, green and blue, or a preset")
        return self

    @property
    def pixel_size(self) -> float:
        """Not that of `grid.resolution`, whose default is of bursts."""
        return self.resolution

    def anchored(self, base: Path) -> CombineSection:
        """The same with relative paths of inputs made absolute."""
        return self.model_copy(update={"inputs": tuple(_anchored(text, base) for text in self.inputs)})

    def options(self, config: RunConfig) -> CombineOptions:
        """As `combine` takes them."""
        from sarcube.cube.combine import CombineOptions

        return CombineOptions(
            self.red, self.green, self.blue, self.preset, self.profile, "union", self.resolution,
            None if config.grid.crs == "auto" else config.grid.crs, _area(config).bounds, self.formula,
            self.resampling,
        )  # fmt: skip


class CombineWorkflow:
    """What is heavy is imported where it is used."""

    name = "combine"
    section = CombineSection
    kinds = (COMBINATION,)

    def find(self, config: RunConfig) -> Found:
        """One unit of each date that the source has of the area; of a source without dates one."""
        from sarcube.cube.combine_inputs import is_store

        section, path = config.section(CombineSection), str(config.source.path or "")
        if config.source.kind != "local":
            raise ConfigError(f"source.kind {config.source.kind} cannot be combined; make products of it first")
        place, ring = place_of(config), _ring(config)
        if not is_store(path):
            if config.dates is None:
                raise ConfigError(f"{path} tells no date: give `dates`, whose first day the product is of")
            start = dt.datetime.combine(config.dates[0], dt.time(), dt.UTC)
            specs = (path, *section.inputs)
            return Found([Unit(COMBINATION.name, place, start, None, specs, ring, label=Path(path).name)])
        units = [
            Unit(COMBINATION.name, place, first, last if last > first else None, _specs(path, section, day), ring,
                 label=f"{Path(path).name} {day}")
            for day, (first, last) in sorted(_days(config, path).items())
        ]  # fmt: skip
        return Found(units, explanation=f"{path} has no product of the area and dates")

    def grid(self, config: RunConfig, place: str, footprint: Ring) -> GeoGrid:
        """Of the run's area, on multiples of the resolution."""
        from sarcube.geometry.burst_grid import footprint_grid

        epsg = None if config.grid.crs == "auto" else config.grid.crs
        grid = footprint_grid(_ring(config), epsg, config.section(CombineSection).resolution)
        cure = "give a smaller area or a coarser combine.resolution, or write one picture with `sarcube combine`"
        return grid.bounded(_MOST_PIXELS, cure)

    def defects(self, config: RunConfig, units: Sequence[Unit], grid: GeoGrid) -> Mapping[int, str]:
        """Expressions that are refused, and bands that the inputs of a date have not."""
        from sarcube.cube.combine import combine

        found = {}
        for i, unit in enumerate(units):
            try:
                combine(unit.inputs, config.section(CombineSection).options(config), grid)
            except CubeError as error:
                found[i] = str(error)
        return found

    def remarks(self, config: RunConfig, units: Sequence[Unit]) -> Mapping[int, Sequence[str]]:
        """None that is known before inputs are opened."""
        return {}

    def rates(self, config: RunConfig) -> Mapping[str, Rate]:
        """As the kind says."""
        return {}

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Make the collections that the run writes to."""
        ensure_collections(config, kinds)

    def run(self, task: Task, context: Context) -> Made:
        """Make one product."""
        return make(task, context.config, lambda stages: _compute(task, context, stages))

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        """Bring collections and index up to date with what the run made."""
        update_catalogs(config, kinds)


def place_of(config: RunConfig) -> str:
    """The place of a run's products: its area and what it shows there, `area_a3f09c12`."""
    section = config.section(CombineSection)
    shown = section.model_dump_json(exclude={"inputs"}).encode()
    return f"area_{hashlib.sha256(_area(config).shape.normalize().wkb + shown).hexdigest()[:8]}"


def _area(config: RunConfig) -> Area:
    found = load_aoi(config.aoi)
    if found is None:
        raise ConfigError("`aoi`: Field required, by the workflow combine")
    return found


def _ring(config: RunConfig) -> Ring:
    west, south, east, north = _area(config).bounds
    return ((west, south), (east, south), (east, north), (west, north), (west, south))


def _anchored(text: str, base: Path) -> str:
    alias, equals, path = text.rpartition("=") if "=" in text.partition("/")[0] else ("", "", text)
    return text if "://" in path else f"{alias}{equals}{base / Path(path).expanduser()}"


def _days(config: RunConfig, path: str) -> dict[str, tuple[dt.datetime, dt.datetime]]:
    """Days of a store's products, and when the first and the last of each began."""
    from sarcube.cube.acquisition import is_static
    from sarcube.cube.found import read_items
    from sarcube.cube.selection import Selection, parse_dates
    from sarcube.instants import utc_time

    wanted = Selection(bbox=_area(config).bounds, dates=parse_dates(config.dates))
    found: dict[str, tuple[dt.datetime, dt.datetime]] = {}
    for item in read_items(path, wanted):
        if is_static(item) or item.properties.get("sarcube:kind") == COMBINATION.name:
            continue
        moment = item.datetime or utc_time(item.properties["start_datetime"])
        first, last = found.get(f"{moment:%Y-%m-%d}", (moment, moment))
        found[f"{moment:%Y-%m-%d}"] = min(first, moment), max(last, moment)
    return found


def _specs(path: str, section: CombineSection, day: str) -> tuple[str, ...]:
    """Inputs of one date: of stores those of the date, or of some days before, too."""
    from sarcube.cube.combine_inputs import is_store

    first = (dt.date.fromisoformat(day) - dt.timedelta(days=section.days)).isoformat()
    span = day if first == day else f"{first},{day}"

    def dated(text: str) -> str:
        return text if "@" in text or not is_store(text.rpartition("=")[2]) else f"{text}@{span}"

    return tuple(dated(text) for text in (path, *section.inputs))


def _compute(task: Task, context: Context, stages: Stages) -> Result:
    import dask
    import xarray as xr

    from sarcube.cube.combine import combine
    from sarcube.cube.lazy import compute
    from sarcube.cube.rgba import write_legend
    from sarcube.products.cog import encode_rgba
    from sarcube.products.product import ATTACHED

    config, grid = context.config, task.grid
    with stages("open"):
        made = combine(task.inputs, config.section(CombineSection).options(config), grid)
    # Within a task of a cluster: its blocks are computed here, by the threads that the task has.
    with stages("compute"), dask.config.set(scheduler="threads", num_workers=context.threads):
        ranges = made.ranges()
        colours, values = compute(made.colours(ranges), made.values)
    with tempfile.TemporaryDirectory() as scratch:
        legend = Path(scratch, "legend.png")
        told = [(c, made.expressions[c].text, r) for c, r in zip(CHANNELS, ranges, strict=True)]
        write_legend(legend, made.options.preset or "combination", told)
        files = {"rgb": encode_rgba(colours, grid), "legend": legend.read_bytes()}
    dataset = xr.Dataset({c: (("y", "x"), values[c].data) for c in CHANNELS}, attrs={ATTACHED: files})
    tags = {f"EXPRESSION_{c}": made.expressions[c].text for c in CHANNELS}
    return Result(
        dataset, grid, "MULTI", lambda product: _facts(product, task, made, ranges, config), tags, made.remarks
    )


def _facts(
    product: Product, task: Task, made: Combination, ranges: Sequence[tuple[float, float]], config: RunConfig
) -> ItemFacts:
    import sarcube
    from sarcube.catalog.extensions import PROCESSING, PRODUCT, RENDER
    from sarcube.catalog.items import ItemFacts, utc_text

    name = product.name
    render: dict[str, object] = {"assets": list(CHANNELS), "title": made.options.preset or "combination"}
    render["rescale"] = [list(r) for r in ranges]
    if made.options.formula:
        render["color_formula"] = made.options.formula
    properties: dict[str, object] = {
        "title": f"{name.kind} {name.place} {name.start:%Y-%m-%d}",
        "product:type": name.kind,
        "processing:level": name.level,
        "processing:datetime": utc_text(name.processed),
        "processing:software": {"sarcube": sarcube.__version__},
        "processing:expression": {
            "format": "sarcube",
            "expression": {c: made.expressions[c].text for c in CHANNELS},
        },
        "sarcube:ranges": {c: list(r) for c, r in zip(CHANNELS, ranges, strict=True)},
        "sarcube:inputs": {one.alias: public_address(one.origin) for one in made.inputs},
        "renders": {"combination": render},
    }
    if made.remarks:
        properties["sarcube:warnings"] = list(made.remarks)
    properties |= dict(config.metadata.properties)
    assert task.start is not None  # the kind has a time
    return ItemFacts(task.start, task.unit.end, properties, (PROCESSING, PRODUCT, RENDER))


WORKFLOW = CombineWorkflow()
