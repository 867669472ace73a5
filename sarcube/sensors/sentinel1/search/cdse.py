"""Bursts from the Copernicus Data Space (CDSE): its OData catalogue lists bursts, and scenes where it does not.

Protocol: OData v4 as documented at https://documentation.dataspace.copernicus.eu/APIs/OData.html, entities
`Bursts` and `Products`. The address can be set in the environment: `SARCUBE_CDSE_ODATA_URL`,
`SARCUBE_CDSE_DOWNLOAD_URL`.
"""

from __future__ import annotations

import logging
import os
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sarcube.config import RunConfig
from sarcube.errors import SourceError
from sarcube.geometry.aoi import Area
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.burst_id import BurstId, track_of
from sarcube.sensors.sentinel1.search.provider_json import (
    direction_of,
    grouped,
    in_words,
    json_of,
    period,
    polarization_of,
    query_area,
    require_limits,
    ring_of,
    scene_in,
    time_of,
    time_or_none,
)
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, is_another, normal_burst_id, scene_name
from sarcube.transfer.download import Expected
from sarcube.transfer.http import request
from sarcube.transfer.problem import Problem

log = logging.getLogger(__name__)

_PAGE = 1000
_NAMES = 20  # scenes asked for at once
_MOST = 200_000  # entries; beyond it the question is a mistake


def catalogue_address() -> str:
    """CDSE's OData catalogue."""
    default = "https://catalogue.dataspace.copernicus.eu/odata/v1"
    return os.environ.get("SARCUBE_CDSE_ODATA_URL", default).rstrip("/")


def download_address(product: str) -> str:
    """Where CDSE has a product's zip, by the product's identifier."""
    default = "https://download.dataspace.copernicus.eu/odata/v1"
    base = os.environ.get("SARCUBE_CDSE_DOWNLOAD_URL", default).rstrip("/")
    return f"{base}/Products({product})/$value"


def search_cdse(
    config: RunConfig, area: Area | None, polarizations: Sequence[str] | None = None
) -> tuple[list[FoundBurst], list[Problem]]:
    """Bursts that CDSE has for a run.

    Scenes that its burst catalogue does not have (it does not reach back to the beginning) are looked up as
    products, and their bursts are read from their annotation.

    Raises
    ------
    ConfigError
        Nothing limits the search.
    SourceError
        The catalogue does not answer, or not in the form of its API.
    """
    require_limits(config, area, "CDSE")
    channels: list[FoundBurst] = []
    problems: dict[str, Problem] = {}
    for text in _filters(config, area, polarizations):
        for entry in entries("Bursts", text):
            try:
                channels.append(_channel(entry))
            except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                name = str(entry.get("Name", "?"))
                problems.setdefault(name, Problem(name, f"CDSE describes {name} in an unknown form: {in_words(error)}"))
    found = _dated(grouped(channels))
    rest, more = _scenes_without_bursts(config, area, {burst.scene for burst in found})
    return found + rest, [*problems.values(), *more]


def _dated(found: list[FoundBurst]) -> list[FoundBurst]:
    """Bursts with the date at which their scene was published, which the burst catalogue does not tell.

    Only where an acquisition is there in more than one scene does it matter, and is asked for.
    """
    scenes: dict[tuple[str, int], set[str]] = {}
    for burst in found:
        scenes.setdefault((burst.burst_id, round(burst.start_time.timestamp() / 60)), set()).add(burst.scene)
        scenes.setdefault((burst.burst_id, round(burst.start_time.timestamp() / 60 + 0.5)), set()).add(burst.scene)
    names = sorted({name for several in scenes.values() if len(several) > 1 for name in several})
    dates = {}
    for begin in range(0, len(names), _NAMES):
        text = any_of(f"Name eq '{literal(name)}.SAFE'" for name in names[begin : begin + _NAMES])
        for entry in entries("Products", f"Collection/Name eq 'SENTINEL-1' and {text}"):
            dates[scene_name(str(entry.get("Name", "")))] = time_or_none(entry.get("PublicationDate"))
    return [replace(burst, published=dates.get(burst.scene)) for burst in found] if dates else found


def announced(address: str) -> Expected:
    """Size and checksum that CDSE announces for a product."""
    match = re.search(r"Products\(([0-9a-zA-Z-]+)\)", address)
    if not match:
        return Expected()
    with request("GET", f"{catalogue_address()}/Products({match[1]})") as answer:
        raw = json_of(answer, "CDSE")
    return expected_of(raw)


def expected_of(product: JsonObject) -> Expected:
    """Size and checksum that an entry of the catalogue states."""
    sums = product.get("Checksum")
    known = {str(c.get("Algorithm", "")).lower(): str(c.get("Value", "")) for c in sums or () if isinstance(c, dict)}
    digest = f"md5:{known['md5']}" if known.get("md5") else ""
    return Expected(int(product.get("ContentLength") or 0), digest)


def _scenes_without_bursts(
    config: RunConfig, area: Area | None, known: set[str]
) -> tuple[list[FoundBurst], list[Problem]]:
    if area is None and not config.source.scenes:
        return [], []  # burst IDs alone: products cannot be asked for them
    products: dict[str, JsonObject] = {}
    for text in product_filters(config, area, "_SLC__1S"):
        for entry in entries("Products", text):
            name = scene_name(str(entry.get("Name", "")))
            if name in known or name in products or is_another(name, "SLC"):  # stripmap and waves have no bursts
                continue
            if entry.get("Id") and not _has_bursts(name):
                products[name] = entry
    if not products:
        return [], []
    from sarcube.sensors.sentinel1.search.remote_scenes import RemoteScene, bursts_of_scenes

    log.info("CDSE lists no bursts for %d scenes; their annotation is read", len(products))
    scenes = []
    for name, entry in sorted(products.items()):
        expected = expected_of(entry)
        published = time_or_none(entry.get("PublicationDate"))
        address = download_address(str(entry["Id"]))
        scenes.append(RemoteScene(name, address, expected.checksum, expected.size, published))
    return bursts_of_scenes(scenes, config)


def _has_bursts(scene: str) -> bool:
    """Whether the burst catalogue has a scene at all: then those of its bursts that are wanted were found."""
    query = {"$filter": f"ParentProductName eq '{literal(scene)}.SAFE'", "$top": "1"}
    with request("GET", f"{catalogue_address()}/Bursts?{urllib.parse.urlencode(query)}") as answer:
        return bool(json_of(answer, "CDSE").get("value"))


def _filters(config: RunConfig, area: Area | None, polarizations: Sequence[str] | None) -> Iterator[str]:
    """OData filters for bursts, one for each part of the area."""
    source = config.source
    terms = dates_of(config)
    if source.orbit_direction:
        terms.append(f"OrbitDirection eq '{source.orbit_direction.upper()}'")
    if source.relative_orbits:
        terms.append(any_of(f"RelativeOrbitNumber eq {n}" for n in source.relative_orbits))
    if polarizations is not None:
        terms.append(any_of(f"PolarisationChannels eq '{p.upper()}'" for p in polarizations))
    if source.burst_ids:
        ids = [normal_burst_id(text).split("_") for text in source.burst_ids]
        terms.append(any_of(f"(BurstId eq {int(n)} and SwathIdentifier eq '{s.upper()}')" for _, n, s in ids))
    if source.scenes:
        terms.append(any_of(f"ParentProductName eq '{literal(scene_name(s))}.SAFE'" for s in source.scenes))
    yield from with_area(terms, area)


def product_filters(config: RunConfig, area: Area | None, part_of_name: str) -> Iterator[str]:
    """OData filters for products whose names hold a text, one for each part of the area."""
    source = config.source
    terms = ["Collection/Name eq 'SENTINEL-1'", f"contains(Name,'{part_of_name}')", *dates_of(config)]
    if source.scenes:
        terms.append(any_of(f"Name eq '{literal(scene_name(s))}.SAFE'" for s in source.scenes))
    attribute = "Attributes/OData.CSC.{0}Attribute/any(a:a/Name eq '{1}' and a/OData.CSC.{0}Attribute/Value eq {2})"
    if source.orbit_direction:
        terms.append(attribute.format("String", "orbitDirection", f"'{source.orbit_direction.upper()}'"))
    if source.relative_orbits:
        terms.append(any_of(attribute.format("Integer", "relativeOrbitNumber", n) for n in source.relative_orbits))
    yield from with_area(terms, area)


def dates_of(config: RunConfig) -> list[str]:
    """Terms of a filter by the run's dates."""
    span = period(config)
    if not span:
        return []
    first, last = (t.strftime("%Y-%m-%dT%H:%M:%S.000Z") for t in span)
    return [f"ContentDate/Start ge {first}", f"ContentDate/Start lt {last}"]


def with_area(terms: list[str], area: Area | None) -> Iterator[str]:
    """Filters of all terms and the area, one for each of its parts."""
    if area is None:
        yield " and ".join(terms)
        return
    for wkt in query_area(area):
        yield " and ".join([*terms, f"OData.CSC.Intersects(area=geography'SRID=4326;{wkt}')"])


def any_of(terms: Iterable[str]) -> str:
    """Any of several terms."""
    return "(" + " or ".join(terms) + ")"


def literal(text: str) -> str:
    """Text within the quotes of a filter."""
    return text.replace("'", "''")


def entries(entity: str, text: str, **more: str) -> Iterator[JsonObject]:
    """All pages of an answer; `more` are further options of the query, like expand="Attributes"."""
    query = {"$filter": text, "$orderby": "ContentDate/Start asc", "$top": str(_PAGE)}
    query |= {f"${name}": value for name, value in more.items()}
    address = f"{catalogue_address()}/{entity}?{urllib.parse.urlencode(query)}"
    count, home, asked = 0, urllib.parse.urlsplit(address).netloc, set[str]()
    while address:
        asked.add(address)
        with request("GET", address) as answer:
            raw = json_of(answer, "CDSE")
        page = raw.get("value")
        if not isinstance(page, list):
            raise SourceError(f"CDSE answered without values: {str(raw.get('detail', raw))[:200]}")
        yield from (entry for entry in page if isinstance(entry, dict))
        count += len(page)
        if count > _MOST:
            raise SourceError(f"CDSE has more than {_MOST} bursts for this; ask for a smaller area or fewer dates")
        following = str(raw.get("@odata.nextLink") or "") if page else ""
        address = urllib.parse.urljoin(address, following) if following else ""
        if address and urllib.parse.urlsplit(address).netloc != home:
            raise SourceError("CDSE's next page is on another host; that is not followed")
        if address in asked:
            raise SourceError("CDSE's next page is one that came before; try again later")


def _channel(entry: JsonObject) -> FoundBurst:
    """One entry: one burst in one polarization."""
    scene = scene_in(entry["ParentProductName"])
    swath, number = str(entry["SwathIdentifier"]).upper(), int(entry["BurstId"])
    content = entry.get("ContentDate") or {}
    return FoundBurst(
        burst_id=str(BurstId(track_of(number), number, swath)),
        scene=scene,
        path=download_address(str(entry["ParentProductId"])),
        swath=swath,
        index=-1,
        start_time=time_of(entry.get("AzimuthTime") or entry.get("BeginningDateTime") or content["Start"]),
        end_time=time_of(entry.get("EndingDateTime") or content["End"]),
        platform=scene[:3],
        orbit_direction=direction_of(entry["OrbitDirection"]),
        relative_orbit=int(entry["RelativeOrbitNumber"]),
        polarizations=(polarization_of(entry["PolarisationChannels"]),),
        footprint=ring_of(entry["GeoFootprint"]),
        size_bytes=int(entry.get("Lines") or 0) * int(entry.get("SamplesPerBurst") or 0) * 4,
    )
