"""Providers of orbit files behind one protocol: the AWS open data bucket, ASF and CDSE.

Addresses can be set in the environment (`SARCUBE_ORBITS_AWS_URL`, `SARCUBE_ORBITS_ASF_URL`,
`SARCUBE_CDSE_ODATA_URL`, `SARCUBE_CDSE_DOWNLOAD_URL`), for a mirror or a proxy.
"""

from __future__ import annotations

import functools
import logging
import os
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sarcube.config import Orbits
from sarcube.errors import OrbitError, SourceError, TransferError
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.orbit_file import OrbitFile, parse_orbit
from sarcube.sensors.sentinel1.orbits import MARGIN, OrbitIndex, entry_of
from sarcube.transfer.cache import cache_folder, write_atomically
from sarcube.transfer.http import AbsentError, read_small, request

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

_LARGEST = 64 << 20  # bytes; a day of state vectors is 5 MB
_MARGIN = np.timedelta64(round(MARGIN * 1e9), "ns")


@dataclass(frozen=True)
class OrbitNeed:
    """What an orbit is wanted for: UTC times as numpy.datetime64; `scene` may be empty."""

    platform: str
    start: np.datetime64
    end: np.datetime64
    scene: str = ""


@dataclass(frozen=True)
class RemoteOrbit:
    """An orbit file that a provider has."""

    name: str
    address: str


class OrbitProvider(Protocol):
    """Where orbit files can be had. Implementations are small, stateless and thread-safe."""

    name: str

    def candidates(self, need: OrbitNeed, kind: str) -> list[RemoteOrbit]:
        """Files of one kind ("POEORB", "RESORB") that may cover the need, the best first.

        Raises SourceError or TransferError where the provider does not answer.
        """
        ...

    def fetch(self, orbit: RemoteOrbit) -> bytes:
        """The bytes of a file that `candidates` named."""
        ...


def fetch_orbit(need: OrbitNeed, orbits: Orbits, said: list[str], *, precise_only: bool = False) -> OrbitFile | None:
    """Find an orbit in the cache or at the configured provider, and keep what was fetched.

    Parameters
    ----------
    need : OrbitNeed
    orbits : Orbits
        Its `kind` names the provider.
    said : list of str
        Gets one sentence from each source that had nothing.
    precise_only : bool
        A restituted orbit is at hand already.

    Raises
    ------
    TransferError
        No source had it, and at least one could not be reached.
    CredentialError
        The provider wants a login: for the user to act on, not a reason for a worse orbit.
    """
    folder = cache_folder("orbits", orbits.cache)
    unreachable: list[str] = []
    for kind in ("POEORB",) if precise_only else ("POEORB", "RESORB"):
        found = _in_cache(folder, need, kind)
        if found is not None:
            return found
        provider = PROVIDERS[str(orbits.kind)]()
        try:
            found = _from_provider(provider, need, kind, folder)
        except TransferError as error:
            unreachable.append(f"{provider.name}: {error}")
        except (SourceError, OrbitError) as error:
            said.append(f"{provider.name}: {error}")
        else:
            if found is not None:
                return found
            said.append(f"{provider.name}: no {kind} covers it")
    if unreachable and not precise_only:
        raise TransferError(
            f"no orbit for {need.platform} at {need.start}: {'; '.join([*said, *unreachable])}; try again, or "
            "put the file into orbits.path"
        )
    said.extend(unreachable)
    return None


def _in_cache(folder: Path, need: OrbitNeed, kind: str) -> OrbitFile | None:
    entries = OrbitIndex.of_folders([folder]).entries
    try:
        return OrbitIndex(tuple(e for e in entries if e.type == kind)).find(need.platform, need.start, need.end)
    except OrbitError as error:
        log.warning("a cached orbit file is damaged and will be fetched again: %s", error)
        return None


def _from_provider(provider: OrbitProvider, need: OrbitNeed, kind: str, folder: Path) -> OrbitFile | None:
    """Fetch candidates until they cover the need, alone or together."""
    fetched: list[Path] = []
    for orbit in provider.candidates(need, kind)[:6]:
        path = folder / Path(orbit.name).name
        data = provider.fetch(orbit)
        parse_orbit(data, path.name, orbit.name)  # nothing damaged gets into the cache
        write_atomically(path, data)
        fetched.append(path)
        entries = tuple(entry for entry in map(entry_of, fetched) if entry)
        found = OrbitIndex(entries).find(need.platform, need.start, need.end)
        if found is not None:
            log.info("%s: fetched %s", provider.name, path.name)
            return found
    return None


def _usable(names: Iterable[str], need: OrbitNeed, kind: str) -> list[str]:
    """Names that overlap the need, whole cover first and of that the newest."""
    first, last = _compact(need.start - _MARGIN), _compact(need.end + _MARGIN)
    kept = []
    for name in names:
        entry = entry_of(Path(name.rsplit("/", 1)[-1]))
        if entry is None or (entry.platform, entry.type) != (need.platform, kind):
            continue
        if entry.start <= last and entry.stop >= first:
            kept.append(((entry.start <= first and entry.stop >= last, entry.created), name))
    return [name for _, name in sorted(kept, reverse=True)]


class AwsOrbits:
    """The public bucket `s1-orbits` (AWS open data), listed and read over HTTPS without credentials."""

    name = "AWS s1-orbits"

    def __init__(self, address: str | None = None) -> None:
        default = os.environ.get("SARCUBE_ORBITS_AWS_URL", "https://s1-orbits.s3.us-west-2.amazonaws.com")
        self.address = (address or default).rstrip("/")

    def candidates(self, need: OrbitNeed, kind: str) -> list[RemoteOrbit]:
        keys = self._keys(need, kind)
        return [RemoteOrbit(key.rsplit("/", 1)[-1], f"{self.address}/{key}") for key in _usable(keys, need, kind)]

    def fetch(self, orbit: RemoteOrbit) -> bytes:
        return read_small(orbit.address, _LARGEST)

    def _keys(self, need: OrbitNeed, kind: str) -> list[str]:
        # Keys begin with the time of creation: never before the orbit was flown. Restituted files come
        # within hours; precise ones after three weeks, reprocessed ones years later, so their list is read on.
        prefix = f"AUX_{kind}/{need.platform}_OPER_AUX_{kind}_OPOD_"
        if kind == "POEORB":
            # From the year on, so that all dates of a year share one listing.
            return list(_listing(self.address, prefix, f"{prefix}{_compact(need.start)[:4]}", ""))
        after = f"{prefix}{_compact(need.start)[:8]}"
        until = f"{prefix}{_compact(need.end + np.timedelta64(48, 'h'))[:8]}"
        return list(_listing(self.address, prefix, after, until))


@functools.lru_cache(maxsize=256)
def _listing(address: str, prefix: str, after: str, until: str) -> tuple[str, ...]:
    """Keys of a bucket in their order, from `after` to before `until` (ListObjectsV2)."""
    from sarcube.sensors.sentinel1.xml_tree import parse_xml

    keys: list[str] = []
    query = {"list-type": "2", "prefix": prefix, "start-after": after}
    while True:
        data = read_small(f"{address}/?{urllib.parse.urlencode(query)}", _LARGEST)
        root = parse_xml(data, f"{address} listing", "ListBucketResult", SourceError)
        page = [node.text("{*}Key") for node in root.find_all("{*}Contents")]
        keys.extend(key for key in page if not until or key < until)
        if root.text_or("{*}IsTruncated", "false") != "true" or (until and page and page[-1] >= until):
            return tuple(keys)
        query = {"list-type": "2", "prefix": prefix, "continuation-token": root.text("{*}NextContinuationToken")}


class AsfOrbits:
    """ASF's service that answers a scene's name with its best orbit file."""

    name = "ASF"

    def __init__(self, address: str | None = None) -> None:
        default = os.environ.get("SARCUBE_ORBITS_ASF_URL", "https://s1-orbits.asf.alaska.edu/scene")
        self.address = (address or default).rstrip("/")

    def candidates(self, need: OrbitNeed, kind: str) -> list[RemoteOrbit]:
        # The service goes by platform and times; where the scene is not known, a name is made of these.
        scene = need.scene or (
            f"{need.platform}_IW_SLC__1SDV_{_compact(need.start)}_{_compact(need.end)}_000000_000000_0000"
        )
        try:
            with request("GET", f"{self.address}/{scene}", stream=True, allow_redirects=False) as answer:
                target = answer.headers.get("Location") or answer.url
        except AbsentError:
            return []
        name = urllib.parse.urlsplit(target).path.rsplit("/", 1)[-1]
        if not _usable([name], need, kind):
            return []
        return [RemoteOrbit(name, urllib.parse.urljoin(f"{self.address}/{scene}", target))]

    def fetch(self, orbit: RemoteOrbit) -> bytes:
        return read_small(orbit.address, _LARGEST)


class CdseOrbits:
    """The Copernicus Data Space: OData to search, a token to download."""

    name = "CDSE"

    def __init__(self, address: str | None = None) -> None:
        default = os.environ.get("SARCUBE_CDSE_ODATA_URL", "https://catalogue.dataspace.copernicus.eu/odata/v1")
        self.address = (address or default).rstrip("/")
        self.downloads = os.environ.get(
            "SARCUBE_CDSE_DOWNLOAD_URL", "https://download.dataspace.copernicus.eu/odata/v1"
        ).rstrip("/")

    def candidates(self, need: OrbitNeed, kind: str) -> list[RemoteOrbit]:
        start, end = (str(t.astype("datetime64[ms]")) + "Z" for t in (need.start - _MARGIN, need.end + _MARGIN))
        query = {
            "$filter": f"Collection/Name eq 'SENTINEL-1' and startswith(Name,'{need.platform}') and "
            f"contains(Name,'AUX_{kind}') and ContentDate/Start lt {end} and ContentDate/End gt {start}",
            "$orderby": "ContentDate/Start desc",
            "$top": "20",
        }
        with request("GET", f"{self.address}/Products?{urllib.parse.urlencode(query)}") as answer:
            products = _products(answer)
        by_name = {str(p.get("Name", "")): str(p.get("Id", "")) for p in products}
        return [
            RemoteOrbit(name, f"{self.downloads}/Products({by_name[name]})/$value")
            for name in _usable(list(by_name), need, kind)
        ]

    def fetch(self, orbit: RemoteOrbit) -> bytes:
        from sarcube.transfer.sessions import provider_session

        return read_small(orbit.address, _LARGEST, session=provider_session("cdse"))


PROVIDERS: dict[str, Callable[[], OrbitProvider]] = {"aws": AwsOrbits, "asf": AsfOrbits, "cdse": CdseOrbits}


def _products(answer: requests.Response) -> list[JsonObject]:
    try:
        found = answer.json()["value"]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError("CDSE answered something that is no OData list; try again later") from error
    return [p for p in found if isinstance(p, dict)] if isinstance(found, list) else []


def _compact(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]")).replace("-", "").replace(":", "")
