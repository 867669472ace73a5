"""Ask a source what it has of an area and dates, before there is a run file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sarcube.config import Aoi, RunConfig, Source
from sarcube.errors import ConfigError
from sarcube.geometry.aoi import FILES_OF_SHAPES, area_of_geojson
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.inventory.model import Inventory, Product
from sarcube.sensors.sentinel1.polarizations import POLARIZATIONS
from sarcube.terrain.geoid import EGM2008

Days = str | dt.date | Sequence[str | dt.date] | slice | None


class HasGeometry(Protocol):
    """A geometry of whichever library: a shapely polygon, a GeoDataFrame."""

    @property
    def __geo_interface__(self) -> JsonObject: ...


Place = str | Path | Aoi | Sequence[float] | Mapping[str, object] | HasGeometry
_CATALOGUES = ("asf", "cdse")
WORKFLOWS: Mapping[Product, str] = {"SLC": "rtc", "GRD": "grd"}


def search(
    aoi: Place | None,
    dates: Days = None,
    *,
    source: str | Path | Source | Mapping[str, object] = "asf",
    product: Product = "SLC",
    polarizations: Sequence[str] | None = None,
    **narrowed: object,
) -> Inventory:
    """Find the scenes and bursts of an area: all versions, complete or not; `Inventory.refine` sorts them out.

    Parameters
    ----------
    aoi : (west, south, east, north), path of a file of shapes, WKT, geometry, or None
        Degrees. A geometry is anything with `__geo_interface__`, such as a shapely polygon or a GeoDataFrame.
    dates : str, date or (first, last), optional
        "2024", "2024-05", or two days, both included; None: all.
    source : str, path, Source or mapping
        "asf", "cdse", the folder or address of SAFEs, or a run file's `source`.
    product : "SLC" or "GRD"
        GRD scenes have no bursts.
    polarizations : sequence of str, optional
        Only these, as "VV".
    **narrowed
        Further keys of a run file's `source`: `orbit_direction`, `relative_orbits`, `burst_ids`, `scenes`.

    Raises
    ------
    ConfigError
        The area, the dates or a key is wrong.
    SourceError
        The source cannot be reached or read.
    CredentialError
        It refuses the login.
    """
    if product not in WORKFLOWS:
        raise ConfigError(f"product is SLC or GRD, not {product!r}")
    raw: dict[str, object] = {
        "workflow": WORKFLOWS[product],
        "source": {**_source_of(source), **{key: value for key, value in narrowed.items() if value}},
        # What a run needs beside: the defaults of `sarcube init`, until `to_run_file` is told others.
        "dem": {"kind": "cop_glo30", "geoid": EGM2008},
    }
    if (area := _aoi_of(aoi)) is not None:
        raw["aoi"] = area
    if dates is not None:
        raw["dates"] = dates
        if isinstance(dates, Iterable) and not isinstance(dates, str | Mapping):
            raw["dates"] = list(dates)
    if polarizations is not None:
        raw[WORKFLOWS[product]] = {"polarizations": list(polarizations)}
    config = RunConfig.from_dict(raw, base=Path.cwd(), origin="search")
    return find(config, product, None if polarizations is None else _channels(polarizations))


def find(config: RunConfig, product: Product, polarizations: Sequence[str] | None = None) -> Inventory:
    """The same of what a run configuration asks for."""
    if product == "GRD":
        from sarcube.sensors.sentinel1.search.grd import find_grd

        images = find_grd(config, polarizations, doubles=True)
        problems = (*images.problems, *images.warnings)
        return Inventory(config, product, images.scenes, problems=problems, explanation=images.explanation)
    from sarcube.sensors.sentinel1.search.scenes import find_scenes

    slcs = find_scenes(config, polarizations, doubles=True)
    found = tuple(sorted(slcs.bursts, key=lambda b: (b.burst_id, b.start_time, b.scene)))
    problems = (*slcs.problems, *slcs.warnings)
    return Inventory(config, product, found, problems=problems, explanation=slcs.explanation)


def _source_of(source: str | Path | Source | Mapping[str, object]) -> dict[str, object]:
    if isinstance(source, Source):
        return source.model_dump(exclude_none=True)
    if isinstance(source, Mapping):
        return dict(source)
    return {"kind": str(source)} if str(source) in _CATALOGUES else {"kind": "local", "path": str(source)}


def _aoi_of(aoi: Place | None) -> dict[str, object] | None:
    if aoi is None:
        return None
    if isinstance(aoi, str | Path):
        return _aoi_of_text(aoi) if isinstance(aoi, str) else _aoi_of_file(str(aoi))
    if isinstance(aoi, Aoi) or (isinstance(aoi, Mapping) and set(aoi) <= set(Aoi.model_fields)):
        return Aoi.model_validate(aoi).model_dump(exclude_none=True)
    if isinstance(aoi, Mapping) and "type" in aoi:
        return {"wkt": _wkt(aoi)}
    if getattr(aoi, "crs", None) is not None:
        aoi = aoi.to_crs(4326)  # type: ignore[union-attr]  # a GeoDataFrame, which knows what its numbers are
    if hasattr(aoi, "__geo_interface__"):
        return {"wkt": _wkt(aoi.__geo_interface__)}
    return {"bbox": tuple(aoi) if hasattr(aoi, "__iter__") else aoi}


def _aoi_of_text(text: str) -> dict[str, object]:
    """A box as numbers, a file by its ending, else WKT."""
    parts = text.replace(",", " ").split()
    try:
        return {"bbox": [float(part) for part in parts]}
    except ValueError:
        pass
    if text.lower().endswith(FILES_OF_SHAPES):
        return _aoi_of_file(text)
    if "(" not in text:
        raise ConfigError(
            f"{text!r} is no area: give west,south,east,north in degrees, a file of shapes "
            f"({', '.join(FILES_OF_SHAPES)}) or WKT"
        )
    return {"wkt": text}


def _aoi_of_file(path: str) -> dict[str, object]:
    return {"geojson" if path.lower().endswith((".geojson", ".json")) else "file": path}


def _wkt(geometry: Mapping[str, object]) -> str:
    return str(area_of_geojson(geometry, "aoi").shape.wkt)


def _channels(names: Sequence[str]) -> tuple[str, ...]:
    channels = tuple(name.upper() for name in names)
    if wrong := [name for name in channels if name not in POLARIZATIONS]:
        raise ConfigError(f"{wrong[0]!r} is no polarization; write of {', '.join(POLARIZATIONS)}")
    return channels
