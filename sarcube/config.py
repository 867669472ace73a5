"""The run file: what every workflow shares, and one section for what one workflow needs.

One model, unknown keys refused with the nearest valid name, sections as strictly as the top. A section's model belongs
to its workflow, which is found by name (`sarcube.plugins`) when a file is read.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import ClassVar, Literal, TypeGuard, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from sarcube import plugins
from sarcube.crs import is_geographic, metres_per_unit
from sarcube.days import parse_days, span
from sarcube.errors import ConfigError, GridError
from sarcube.jsons import JsonObject
from sarcube.yaml_text import read_yaml

DEFAULT_WORKFLOW = "rtc"
# Pixels beyond these are units taken for others: metres in a CRS of degrees, degrees in one of metres.
_MOST_DEGREES, _FEWEST_METRES = 0.1, 0.1


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Section(_Model):
    """Base of a workflow's section of the run file; paths in it count from the file's folder as all others do.

    Attributes
    ----------
    requires : tuple of str
        Shared keys that the workflow cannot do without.
    at_the_top : bool
        Its keys may stand at the top of the file too, as they did in version 0.1.
    formerly : str
        What records of version 0.1 call the workflow.
    """

    requires: ClassVar[tuple[str, ...]] = ()
    at_the_top: ClassVar[bool] = False
    formerly: ClassVar[str] = ""

    @property
    def variant(self) -> str:
        """What makes runs of the workflow cost differently: estimates learn from runs of the same variant only."""
        return ""

    @property
    def pixel_size(self) -> float | None:
        """Pixel size of the workflow's products where its section says it; else `grid.resolution` does."""
        return None

    def anchored(self, base: Path) -> Section:
        """The same with relative paths made absolute."""
        paths = {n: v for n in type(self).model_fields if isinstance(v := getattr(self, n), Path)}
        return self.model_copy(update={n: base / v.expanduser() for n, v in paths.items()}) if paths else self


_SectionT = TypeVar("_SectionT", bound=Section)


class Aoi(_Model):
    """Area of interest: a bounding box, a GeoJSON file or a WKT text in degrees, or a file of shapes in any CRS."""

    bbox: tuple[float, float, float, float] | None = Field(None, description="west, south, east, north")
    geojson: Path | None = None
    file: Path | None = Field(None, description="GeoPackage, shapefile, ... (extra `shapes`), or GeoJSON")
    wkt: str | None = None

    @field_validator("bbox", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            if len(value) != 4:
                raise ValueError(f"a bbox has four numbers, west, south, east, north, and not {len(value)}")
            return [_degrees(v) for v in value]
        return value

    @model_validator(mode="after")
    def _one(self) -> Aoi:
        if sum(v is not None for v in (self.bbox, self.geojson, self.file, self.wkt)) != 1:
            raise ValueError("give exactly one of bbox, geojson, file, wkt")
        if self.bbox and not (self.bbox[1] < self.bbox[3] and self.bbox[1] >= -90 and self.bbox[3] <= 90):
            raise ValueError("bbox is [west, south, east, north] with south below north")
        if self.bbox:
            check_width(self.bbox[0], self.bbox[2])
        return self


def check_width(west: float, east: float) -> None:
    """Refuse an area wider than half the globe: west and east are swapped more often than that is meant.

    Parameters
    ----------
    west, east : float
        Degrees; west beyond east, or east beyond 180, crosses the antimeridian.

    Raises
    ------
    ConfigError
        The width is more than 180 degrees.
    """
    width = east - west if east >= west else (east - west) % 360.0
    if width > 180.0:
        raise ConfigError(
            f"from {west:g} in the west to {east:g} in the east are {width:g} degrees; if they are swapped, write "
            "the western one first (across the antimeridian that is the larger: [179, s, -179, n]); an area wider than "
            "180 degrees has to be drawn in parts (geojson), and without an area everything is taken"
        )


class Source(_Model):
    """Where scenes come from."""

    kind: Literal["local", "asf", "cdse", "stac", "cslc"] = Field(
        "local", description="cslc: OPERA's geocoded SLCs (workflow insar)"
    )
    path: str | None = Field(
        None, description="local: folder, or s3:// / https:// address of SAFEs; cslc: the same of CSLC-S1 files"
    )
    url: str | None = Field(None, description="stac: address of the API")
    collection: str | None = Field(None, description="stac: collection to search")
    orbit_direction: Literal["ascending", "descending"] | None = None
    relative_orbits: tuple[int, ...] | None = None
    places: tuple[str, ...] | None = Field(None, description="only these places: burst IDs, tiles, tracks")
    burst_ids: tuple[str, ...] | None = Field(None, description="only these bursts")
    scenes: tuple[str, ...] | None = Field(None, description="only these scene names")
    cache: Path | None = Field(None, description="folder for downloads; default: ~/.cache/sarcube/scenes")
    access: Literal["auto", "download", "remote"] = Field(
        "auto",
        description="remote: only a burst's bytes, by range requests; download: whole scenes, once. "
        "auto: remote on S3, download from elsewhere",
    )

    @model_validator(mode="after")
    def _complete(self) -> Source:
        if self.kind == "local" and not self.path:
            raise ValueError("source.kind local needs source.path, the folder of the SAFEs")
        if self.kind == "cslc" and not self.path:
            raise ValueError("source.kind cslc needs source.path, the folder or s3:// address of the CSLC-S1 files")
        if self.kind == "stac" and not (self.url and self.collection):
            raise ValueError("source.kind stac needs source.url and source.collection")
        return self


class Orbits(_Model):
    """Where orbit files come from: a local folder first, then a provider; annotation as the last resort."""

    path: Path | None = None
    kind: Literal["asf", "aws", "cdse"] | None = None
    cache: Path | None = None
    allow_annotation: bool = Field(True, description="use the annotation's orbit where nothing else covers")


class DemConfig(_Model):
    """The DEM: raster(s) that GDAL reads, or Copernicus GLO-30 by tile name."""

    path: str | tuple[str, ...] | None = None
    kind: Literal["cop_glo30"] | None = None
    heights: Literal["ellipsoid", "egm2008", "egm96"] | None = Field(
        None, description="what the heights of path refer to; cop_glo30 is egm2008"
    )
    geoid: str | None = Field(None, description="geoid undulation grid, needed unless heights: ellipsoid")
    mirror: str | None = Field(None, description="cop_glo30: folder, s3:// or https:// address of the tiles")

    @model_validator(mode="after")
    def _complete(self) -> DemConfig:
        if (self.path is None) == (self.kind is None):
            raise ValueError("give either dem.path or dem.kind")
        if self.path is not None and self.heights is None:
            raise ValueError("dem.path needs dem.heights: ellipsoid, egm2008 or egm96")
        return self

    @property
    def reference(self) -> str:
        """What the heights refer to: ellipsoid, egm2008 or egm96."""
        return self.heights or "egm2008"  # of cop_glo30; a path says it


class Grid(_Model):
    """The output grid: one per burst ID, for ever."""

    resolution: float = Field(20.0, gt=0, allow_inf_nan=False)
    crs: int | Literal["auto"] = "auto"
    burst_database: Path | None = Field(None, description="sqlite with OPERA's burst_id_map table")

    @field_validator("crs", mode="before")
    @classmethod
    def _epsg(cls, value: object) -> object:
        if isinstance(value, str) and value.upper().startswith("EPSG:"):
            value = value[5:]
        if isinstance(value, str) and value.strip().isdecimal():
            return int(value)
        return value

    @model_validator(mode="after")
    def _sensible(self) -> Grid:
        try:
            degrees = self.crs != "auto" and is_geographic(self.crs)
        except GridError as error:
            raise ValueError(str(error)) from error
        if degrees and self.resolution > _MOST_DEGREES:
            raise ValueError(
                f"the resolution is in degrees in EPSG:{self.crs}, and {self.resolution:g} degrees are "
                f"{self.resolution * 111.32:,.0f} km; write degrees (20 m are about 0.00018), or a projected crs"
            )
        if not degrees and self.resolution < _FEWEST_METRES:
            crs = "a projected CRS" if self.crs == "auto" else f"EPSG:{self.crs}"
            unit = "metres" if self.crs == "auto" or metres_per_unit(self.crs) == 1.0 else "units"
            raise ValueError(
                f"the resolution is in {unit} in {crs}, not {self.resolution:g}; degrees need a geographic one, like "
                "crs: 4326"
            )
        return self


class Compression(_Model):
    """How the layers' files are compressed; the default loses nothing. What is lost is stated in file and item."""

    codec: Literal["zstd", "deflate", "lerc", "none"] = Field(
        "zstd", description="deflate: for readers built without ZSTD; lerc: with max_error"
    )
    level: int = Field(1, ge=1, le=9, description="of zstd or deflate")
    mantissa_bits: int | None = Field(
        None, ge=1, le=23, description="backscatter keeps so many bits; 8 halve the bytes, relative error at most 0.2 %"
    )
    max_error: float | None = Field(None, gt=0, description="lerc: largest absolute error, in units of the layer")

    @model_validator(mode="after")
    def _complete(self) -> Compression:
        if (self.codec == "lerc") != (self.max_error is not None):
            raise ValueError("codec lerc and max_error go together: give both or neither")
        return self


class Metadata(_Model):
    """What only the operator knows, for the items of the run."""

    facility: str | None = Field(None, description="who processes")
    properties: dict[str, object] = Field(
        default_factory=dict, description="further properties of every item, such as an accuracy that was measured"
    )


class RunConfig(_Model):
    """Everything that decides what a run does. Written beside the products as the record of the run."""

    workflow: str = Field(DEFAULT_WORKFLOW, description="what is made of the inputs: a workflow that is installed")
    aoi: Aoi | None = None
    dates: tuple[dt.date, dt.date] | None = Field(None, description="first and last day, both included")
    source: Source
    orbits: Orbits = Orbits()
    dem: DemConfig | None = Field(None, description="required by workflows that need the ground's height")
    grid: Grid = Grid()
    store: str = "./store"
    static_store: str | None = Field(None, description="where products without a time live, if elsewhere")
    public: str | None = Field(
        None, description="https:// address at which others read the store; items then say their address there"
    )
    collections: dict[str, str] = Field(default_factory=dict, description="collection of a kind, by the kind's name")
    cluster: str = "local"
    compression: Compression = Compression()
    metadata: Metadata = Metadata()
    schemas: Path | None = Field(None, description="folder of STAC schemas to validate against")
    sections: dict[str, SerializeAsAny[Section]] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _lifted(cls, raw: object) -> object:
        """Sections out of what a file or a program says, each checked by its workflow's model."""
        if not isinstance(raw, Mapping) or _are_read(raw.get("sections")):
            return raw
        shared, sections, problems = _split(raw, cls, "")
        if problems:
            raise ValueError("; ".join(problems))
        return {**shared, "sections": sections}

    @model_serializer(mode="wrap")
    def _flat(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """As a file has it: sections at the top, by their names."""
        data: JsonObject = handler(self)
        sections = data.pop("sections", {})
        return {**data, **sections}

    @property
    def variant(self) -> str:
        """The workflow, and what of its section decides on its cost."""
        own = plugins.load(self.workflow)
        return ":".join(filter(None, (own.name, self.section(own.section).variant)))

    @property
    def resolution(self) -> float:
        """Pixel size of the run's products, units of the CRS: what the workflow's section says, else the grid."""
        said = self.section(plugins.load(self.workflow).section).pixel_size
        return self.grid.resolution if said is None else said

    @property
    def formerly(self) -> str:
        """What records of version 0.1 call the workflow; empty where there was none."""
        return str(plugins.load(self.workflow).section.formerly)

    def section(self, model: type[_SectionT]) -> _SectionT:
        """The section that a model describes; its defaults where the run has none."""
        return next((s for s in self.sections.values() if isinstance(s, model)), None) or model()

    def with_section(self, name: str, **changes: object) -> RunConfig:
        """The same run with other choices in the section of that workflow, checked as a file's are."""
        old = self.sections[name].model_dump() if name in self.sections else {}
        return RunConfig.from_dict({**self.model_dump(exclude_none=True), name: {**old, **changes}})

    @field_validator("public")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value is None:
            return None
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or "@" in value:
            raise ValueError(
                "the public address of a store is like https://my-bucket.s3.eu-central-1.amazonaws.com/nrb, without a "
                "login and a query"
            )
        return value.rstrip("/")

    @field_validator("dates", mode="before")
    @classmethod
    def _days(cls, value: object) -> object:
        if isinstance(value, slice):
            value = [value.start, value.stop]
        value = [_day(v) for v in value] if isinstance(value, list | tuple) else _day(value)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, str | int | dt.date):
            return parse_days(str(value))
        if value is not None and not (isinstance(value, list) and len(value) == 2):
            raise ValueError("dates are a year, month or day (2024, 2024-05, 2024-05-01), or the first and the last")
        if isinstance(value, list):
            first, last = (span(v) if isinstance(v, str) else span(str(v)) if type(v) is int else v for v in value)
            return (
                first[0] if isinstance(first, tuple) else first,
                last[1] if isinstance(last, tuple) else last,
            )
        return value

    @field_validator("dates")
    @classmethod
    def _ordered(cls, value: tuple[dt.date, dt.date] | None) -> tuple[dt.date, dt.date] | None:
        if value and value[0] > value[1]:
            raise ValueError("the first date is after the last")
        return value

    @classmethod
    def from_file(cls, path: str | Path) -> RunConfig:
        """Read a run file; relative paths in it count from the file's folder.

        Raises
        ------
        ConfigError
            The file is absent, not YAML, or a key or value is wrong (the message names it).
        """
        path = Path(path)
        try:
            raw = read_yaml(path)
        except FileNotFoundError as error:
            raise ConfigError(f"run file {path} is not there; {_another_run_file(path)}") from error
        except OSError as error:
            raise ConfigError(f"run file {path} cannot be read: {error.strerror or error}") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"run file {path} is not valid YAML: {error}") from error
        return cls.from_dict(raw, base=path.resolve().parent, origin=str(path))

    @classmethod
    def from_dict(cls, raw: object, *, base: Path | None = None, origin: str = "the configuration") -> RunConfig:
        """Validate a mapping; with `base`, relative local paths are made absolute against it.

        Raises
        ------
        ConfigError
            It is no mapping, or a key or value is wrong (the message names it).
        """
        if not isinstance(raw, Mapping):
            raise ConfigError(f"{origin} must hold keys and values, like `store: ./store`")
        shared, sections, problems = _split(raw, cls, origin)
        try:
            config = cls.model_validate({**shared, "sections": sections})
        except ValidationError as error:
            problems = [*_explain(error, cls), *problems]
            raise ConfigError(f"{origin}: " + "; ".join(problems)) from error
        if problems:
            raise ConfigError(f"{origin}: " + "; ".join(problems))
        return config._anchored(base) if base else config

    def _anchored(self, base: Path) -> RunConfig:
        def at(value: object) -> object:
            if isinstance(value, tuple):
                return tuple(at(v) for v in value)
            if not isinstance(value, str | Path) or "://" in str(value):
                return value
            return type(value)(base / Path(value).expanduser())

        def within(model: _Model, *names: str) -> _Model:
            return model.model_copy(update={n: at(getattr(model, n)) for n in names})

        return self.model_copy(
            update={
                "aoi": within(self.aoi, "geojson", "file") if self.aoi else None,
                "source": within(self.source, "path", "cache"),
                "orbits": within(self.orbits, "path", "cache"),
                "dem": within(self.dem, "path", "geoid", "mirror") if self.dem else None,
                "grid": within(self.grid, "burst_database"),
                "store": at(self.store),
                "static_store": at(self.static_store),
                "schemas": at(self.schemas),
                "sections": {name: section.anchored(base) for name, section in self.sections.items()},
            }
        )

    def to_yaml(self) -> str:
        """The configuration as YAML that `from_file` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json", exclude_none=True), sort_keys=False)

    def _repr_html_(self) -> str:
        from sarcube.html import card

        # What was chosen, and not the defaults.
        chosen = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return card("Run", ((key, _in_words(value)) for key, value in chosen.items()))


def _day(value: object) -> object:
    """A day of numpy's, or an instant that begins one, as a date; anything else as it is."""
    if type(value).__name__ == "datetime64" and hasattr(value, "astype"):
        value = value.astype("datetime64[us]").item()
    return _whole_day(value) if isinstance(value, dt.datetime) else value


def _whole_day(moment: dt.datetime) -> dt.date:
    """The day of an instant that begins one, in UTC as all dates of scenes are."""
    utc = moment.astimezone(dt.UTC) if moment.tzinfo is not None else moment
    if utc.time() != dt.time():
        raise ValueError(f"{moment.isoformat()} is no whole day in UTC; write 2024-05-01")
    return utc.date()


def _another_run_file(path: Path) -> str:
    """What to do where a run file is not there: one of a like name, or a new one."""
    there = sorted(p.name for p in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, there, 1)
    return f"did you mean {path.parent / near[0]}?" if near else f"`sarcube init {path}` writes one"


def _degrees(value: object) -> object:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return str(value)[:40]
    if isinstance(value, int | float) and not abs(value) <= 540.0:
        text = f"{value:g}" if isinstance(value, float) else str(value) if abs(value) < 10**15 else "a number too large"
        raise ValueError(f"{text} is no longitude or latitude in degrees")
    return value


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_in_words(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _split(
    raw: Mapping[str, object], model: type[RunConfig], origin: str
) -> tuple[dict[str, object], dict[str, Section], list[str]]:
    """What is shared, the sections, and what is wrong with these."""
    shared, problems = dict(raw), list[str]()
    given: dict[str, object] = {}
    if _are_read(read := shared.get("sections")):
        given |= read
        del shared["sections"]
    try:
        work = plugins.load(str(shared.get("workflow", DEFAULT_WORKFLOW)))
    except ConfigError as error:
        if not origin:
            raise
        raise ConfigError(f"{origin}: `workflow`: {error}") from error
    models: dict[str, type[Section]] = {work.name: work.section}
    for key in [k for k in shared if k not in model.model_fields]:
        if key != work.name and key in plugins.workflow_addresses():
            models[key] = plugins.load(key).section
        if key in models:
            given[key] = shared.pop(key)
    own, lifted = models[work.name], dict[str, object]()
    if own.at_the_top:
        lifted = {k: shared.pop(k) for k in list(shared) if k in own.model_fields and k not in model.model_fields}
        inside = given.get(work.name) or {}
        if lifted and isinstance(inside, Mapping):
            if twice := sorted(lifted.keys() & inside.keys()):
                problems.append(f"`{twice[0]}` stands at the top and in `{work.name}`; keep the one in `{work.name}`")
            given[work.name] = {**lifted, **inside}
    given.setdefault(work.name, {})
    sections: dict[str, Section] = {}
    for name, value in given.items():
        try:
            sections[name] = value if isinstance(value, Section) else models[name].model_validate(value or {})
        except ValidationError as error:
            problems.extend(_explain(error, models[name], name, lifted if name == work.name else ()))
    problems.extend(f"`{key}`: Field required, by the workflow {work.name}" for key in own.requires if not raw.get(key))
    return shared, sections, problems


def _are_read(sections: object) -> TypeGuard[Mapping[str, Section]]:
    return isinstance(sections, Mapping) and all(isinstance(section, Section) for section in sections.values())


def _explain(
    error: ValidationError, model: type[BaseModel], section: str = "", at_the_top: Collection[str] = ()
) -> list[str]:
    lines = []
    for item in error.errors():
        parts = [str(part) for part in item["loc"]]
        if section and (not parts or parts[0] not in at_the_top):
            parts.insert(0, section)
        key = ".".join(parts) or "(top level)"
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(item["loc"][-1]), _names(model, item["loc"][:-1]), 1, 0.5)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            lines.append(f"unknown key `{key}`{hint}")
        else:
            lines.append(f"`{key}`: {item['msg'].removeprefix('Value error, ')}")
    return lines


def _names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        field = model.model_fields.get(str(part))
        annotation = field.annotation if field else None
        options = [annotation, *getattr(annotation, "__args__", ())]
        nested = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
        if not nested:
            return []
        model = nested[0]
    if model is not RunConfig:
        return list(model.model_fields)
    own = plugins.load(DEFAULT_WORKFLOW).section
    lifted = own.model_fields if own.at_the_top else ()
    return [*(n for n in model.model_fields if n != "sections"), *lifted, *plugins.workflow_addresses()]
