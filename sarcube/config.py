"""The run file: one model, unknown keys refused with the nearest valid name."""

from __future__ import annotations

import datetime as dt
import difflib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sarcube.crs import is_geographic
from sarcube.days import parse_days, span
from sarcube.errors import ConfigError, GridError
from sarcube.yaml_text import read_yaml

_POLARIZATIONS = ("VV", "VH", "HH", "HV")
# Pixels beyond these are units taken for others: metres in a CRS of degrees, degrees in one of metres.
_MOST_DEGREES, _FEWEST_METRES = 0.1, 0.1


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Aoi(_Model):
    """Area of interest: a bounding box, a GeoJSON file or a WKT text, longitude and latitude in degrees."""

    bbox: tuple[float, float, float, float] | None = Field(None, description="west, south, east, north")
    geojson: Path | None = None
    wkt: str | None = None

    @field_validator("bbox", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [_degrees(v) for v in value]
        return value

    @model_validator(mode="after")
    def _one(self) -> Aoi:
        if sum(v is not None for v in (self.bbox, self.geojson, self.wkt)) != 1:
            raise ValueError("give exactly one of bbox, geojson, wkt")
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
    width = east - west if east >= west else east - west + 360.0
    if width > 180.0:
        raise ConfigError(
            f"from {west:g} in the west to {east:g} in the east are {width:g} degrees; if they are swapped, write "
            "the western one first (across the antimeridian that is the larger: [179, s, -179, n]); an area wider than "
            "180 degrees has to be drawn in parts (geojson), and without an area everything is taken"
        )


class Source(_Model):
    """Where scenes come from."""

    kind: Literal["local", "asf", "cdse", "stac"] = "local"
    path: str | None = Field(None, description="local: folder, or s3:// / https:// address of SAFEs")
    url: str | None = Field(None, description="stac: address of the API")
    collection: str | None = Field(None, description="stac: collection to search")
    orbit_direction: Literal["ascending", "descending"] | None = None
    relative_orbits: tuple[int, ...] | None = None
    burst_ids: tuple[str, ...] | None = None
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
    def _epsg(cls, value: Any) -> Any:
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
            raise ValueError(
                f"the resolution is in metres in {crs}, not {self.resolution:g}; degrees need a geographic one, like "
                "crs: 4326"
            )
        return self


class Corrections(_Model):
    """Switches of the corrections, each on as in OPERA RTC-S1."""

    thermal_noise: bool = True
    bistatic_delay: bool = True
    static_troposphere: bool = True
    shadow_masking: bool = True


class Collections(_Model):
    """Names of the STAC collections."""

    rtc: str = "s1_rtc_c1"
    static: str = "s1_rtc_static_c1"


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
    properties: dict[str, Any] = Field(
        default_factory=dict, description="further properties of every item, such as an accuracy that was measured"
    )


class RunConfig(_Model):
    """Everything that decides what a run does. Written beside the products as the record of the run."""

    aoi: Aoi | None = None
    dates: tuple[dt.date, dt.date] | None = Field(None, description="first and last day, both included")
    source: Source
    orbits: Orbits = Orbits()
    dem: DemConfig
    grid: Grid = Grid()
    engine: Literal["native", "isce3"] = "native"
    backscatter: Literal["gamma0", "sigma0", "beta0"] = "gamma0"
    corrections: Corrections = Corrections()
    geometry: Literal["reuse", "exact"] = "reuse"
    engine_options: dict[str, Any] = Field(default_factory=dict)
    store: str = "./store"
    static_store: str | None = Field(None, description="where static products live, if elsewhere")
    collections: Collections = Collections()
    polarizations: Literal["auto"] | tuple[str, ...] = "auto"
    cluster: str = "local"
    product: Literal["RTC_S1", "RTC_S1_STATIC"] = Field("RTC_S1", description="RTC_S1_STATIC: static only")
    link_static_layers: bool = Field(False, description="refuse bursts that lack static layers")
    compression: Compression = Compression()
    metadata: Metadata = Metadata()
    schemas: Path | None = Field(None, description="folder of STAC schemas to validate against")

    @field_validator("dates", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:
        if isinstance(value, str | int | dt.date):
            return parse_days(str(value))
        if isinstance(value, list | tuple) and len(value) == 2:
            first, last = (span(v) if isinstance(v, str) else span(str(v)) if type(v) is int else v for v in value)
            return (
                first[0] if isinstance(first, tuple) else first,
                last[1] if isinstance(last, tuple) else last,
            )
        return value

    @field_validator("polarizations", mode="before")
    @classmethod
    def _channels(cls, value: Any) -> Any:
        if value == "auto" or not isinstance(value, str | list | tuple):
            return value
        names = value.replace(",", " ").replace("+", " ").split() if isinstance(value, str) else value
        names = [name.upper() if isinstance(name, str) else name for name in names]
        for name in names:
            if name not in _POLARIZATIONS:
                raise ValueError(f"{name!r} is no polarization; write auto, or of {', '.join(_POLARIZATIONS)}")
        if not names:
            raise ValueError("no polarization is named; write auto for all")
        return tuple(dict.fromkeys(names))

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
        except OSError as error:
            raise ConfigError(f"run file {path} cannot be read: {error.strerror or error}") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"run file {path} is not valid YAML: {error}") from error
        if not isinstance(raw, dict):
            raise ConfigError(f"run file {path} must hold keys and values, like `store: ./store`")
        return cls.from_dict(raw, base=path.resolve().parent, origin=str(path))

    @classmethod
    def from_dict(
        cls, raw: dict[str, Any], *, base: Path | None = None, origin: str = "the configuration"
    ) -> RunConfig:
        """Validate a mapping; with `base`, relative local paths are made absolute against it."""
        try:
            config = cls.model_validate(raw)
        except ValidationError as error:
            raise ConfigError(_explain(error, raw, cls, origin)) from error
        return config._anchored(base) if base else config

    def _anchored(self, base: Path) -> RunConfig:
        def at(value: Any) -> Any:
            if value is None or (isinstance(value, str) and "://" in value):
                return value
            if isinstance(value, tuple):
                return tuple(at(v) for v in value)
            return type(value)(base / Path(value).expanduser())

        def within(model: _Model, *names: str) -> Any:
            return model.model_copy(update={n: at(getattr(model, n)) for n in names})

        return self.model_copy(
            update={
                "aoi": within(self.aoi, "geojson") if self.aoi else None,
                "source": within(self.source, "path", "cache"),
                "orbits": within(self.orbits, "path", "cache"),
                "dem": within(self.dem, "path", "geoid", "mirror"),
                "grid": within(self.grid, "burst_database"),
                "store": at(self.store),
                "static_store": at(self.static_store),
                "schemas": at(self.schemas),
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


def _degrees(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value[:40]
    if isinstance(value, int | float) and not abs(value) <= 540.0:
        text = f"{value:g}" if isinstance(value, float) else str(value) if abs(value) < 10**15 else "a number too large"
        raise ValueError(f"{text} is no longitude or latitude in degrees")
    return value


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_in_words(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _explain(error: ValidationError, raw: dict[str, Any], model: type[BaseModel], origin: str) -> str:
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "(top level)"
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(item["loc"][-1]), _names(model, item["loc"][:-1]), 1, 0.5)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            lines.append(f"unknown key `{key}`{hint}")
        else:
            lines.append(f"`{key}`: {item['msg'].removeprefix('Value error, ')}")
    return f"{origin}: " + "; ".join(lines)


def _names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        field = model.model_fields.get(str(part))
        annotation = field.annotation if field else None
        options = [annotation, *getattr(annotation, "__args__", ())]
        nested = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
        if not nested:
            return []
        model = nested[0]
    return list(model.model_fields)
