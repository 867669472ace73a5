"""Stores made by the real way, from small simulated archives in the places where catalogs go wrong, and a crawler
that takes nothing from the catalog's own code: it follows every link and reads every byte."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sarcube.config import RunConfig
from sarcube.production.plan.plan import plan
from sarcube.production.run.produce import Outcome, produce
from sarcube.simulate.archive import Archive, simulate
from sarcube.simulate.options import SimulationOptions

RTC, STATIC = "s1_rtc_c1", "s1_rtc_static_c1"


@dataclass(frozen=True)
class Place:
    """Where a small archive lies, and how its products are made."""

    name: str
    options: SimulationOptions
    epsg: int
    resolution: float = 20.0


def _options(center: tuple[float, float], *, days: int = 1, **more: Any) -> SimulationOptions:
    dates = tuple(dt.date(2024, 5, 1) + dt.timedelta(days=12 * i) for i in range(days))
    more = {"swaths": ("IW1",), "burst_size": (300, 2000), **more}
    return SimulationOptions(center=center, dates=dates, bursts=1, posting=30.0, **more)


PLACES = (
    # As the demonstration, two dates; 10 m, so that files have overviews.
    Place("region", _options((8.2, 48.0), days=2), 32632, 10.0),
    Place("polar", _options((140.0, -77.5), polarizations=("HH",)), 3031),
    Place("antimeridian", _options((180.0, -16.5)), 32760),
)


def archive(folder: Path, place: Place) -> Archive:
    """The place's archive, made anew."""
    return simulate(folder / place.name, place.options)


def make(found: Archive, place: Place, store: str, schemas: Path, client: Any, **more: Any) -> Outcome:
    """Produce everything that an archive has."""
    raw = {
        "source": {"kind": "local", "path": str(found.directory / "scenes")},
        "orbits": {"path": str(found.orbits)},
        "dem": {"path": str(found.dem), "heights": "ellipsoid"},
        "grid": {"resolution": place.resolution},
        "store": store,
        "schemas": str(schemas),
        **more,
    }
    return produce(plan(RunConfig.from_dict(raw)), client)


class Reader(Protocol):
    """Reads addresses of one kind."""

    def read(self, address: str) -> bytes: ...
    def exists(self, address: str) -> bool: ...


class Files:
    """Addresses that are paths."""

    def read(self, address: str) -> bytes:
        return Path(address).read_bytes()

    def exists(self, address: str) -> bool:
        return Path(address).exists()


class Objects:
    """s3:// addresses, asked for with a plain client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def read(self, address: str) -> bytes:
        bucket, key = _split(address)
        return bytes(self._client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def exists(self, address: str) -> bool:
        from botocore.exceptions import ClientError

        bucket, key = _split(address)
        try:
            self._client.head_object(Bucket=bucket, Key=key)
        except ClientError:
            return False
        return True


def _split(address: str) -> tuple[str, str]:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return bucket, key


def resolve(base: str, href: str) -> str:
    """An href as the file at `base` has it, as an absolute address."""
    if "://" in href or href.startswith("/"):
        return href
    scheme, mark, rest = base.rpartition("://")
    return scheme + mark + posixpath.normpath(posixpath.join(posixpath.dirname(rest), href))


def crawl(root: str, reader: Reader) -> Iterator[tuple[str, dict[str, Any]]]:
    """Catalog, collections and items below `root`, by their links alone, as (address, JSON)."""
    waiting = [f"{root}/catalog.json"]
    while waiting:
        address = waiting.pop()
        stored = json.loads(reader.read(address))
        yield address, stored
        waiting += [resolve(address, link["href"]) for link in stored["links"] if link["rel"] in ("child", "item")]


def faults(root: str, reader: Reader, *, elsewhere: tuple[str, ...] = ()) -> list[str]:
    """Links and assets below `root` that lead nowhere, out of the store or to other bytes than stated."""
    found = []
    for address, stored in crawl(root, reader):
        for link in stored["links"]:
            target = resolve(address, link["href"])
            if target.startswith(("http://", "https://")):
                continue
            if not target.startswith((root + "/", *elsewhere)):
                found.append(f"{address}: link {link['rel']} leaves the store: {target}")
            elif not reader.exists(target):
                found.append(f"{address}: link {link['rel']}: nothing at {target}")
        for name, asset in stored.get("assets", {}).items():
            target = resolve(address, asset["href"])
            if not target.startswith((root + "/", *elsewhere)) or not reader.exists(target):
                found.append(f"{address}: asset {name}: nothing of the store at {target}")
            elif "file:checksum" in asset or stored["type"] == "Feature":
                data = reader.read(target)
                if asset["file:size"] != len(data):
                    found.append(f"{address}: asset {name} has {len(data)} bytes")
                if asset["file:checksum"] != "1220" + hashlib.sha256(data).hexdigest():
                    found.append(f"{address}: asset {name} has another checksum")
    return found


def rasters(root: str, reader: Reader) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every raster that items name, as (address, asset)."""
    for address, stored in crawl(root, reader):
        for asset in stored.get("assets", {}).values():
            if stored["type"] == "Feature" and asset["type"].startswith("image/tiff"):
                yield resolve(address, asset["href"]), asset
