"""Where the JSON schemas come from that items and collections are checked against.

STAC's core comes with pystac. Extensions come from a folder that the user names, else from a cache that is filled
once over the network. Without either, sarcube's own rules (`extension_rules`) are asked in their place, and it is said.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import urllib.error
import urllib.request
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from sarcube.errors import CatalogError
from sarcube.jsons import JsonObject
from sarcube.store.local_store import LocalStore

log = logging.getLogger(__name__)
_TIMEOUT = 5.0
_EXTENSIONS = "stac-extensions.github.io"
_KNOWN_HOSTS = {_EXTENSIONS, "proj.org", "geojson.org", "schemas.stacspec.org"}


class Schemas:
    """Schemas by address.

    Parameters
    ----------
    folder : path, optional
        Holds `<extension>/<version>/schema.json`, and `<host>/<path>` for schemas of other hosts. Where it is
        given, the network is not used.
    cache : path, optional
        Where schemas from the network are kept; default SARCUBE_SCHEMA_CACHE, else ~/.cache/sarcube/schemas.
    network : bool
        Whether to fetch what neither folder nor cache has.
    """

    def __init__(
        self, folder: str | Path | None = None, *, cache: str | Path | None = None, network: bool = True
    ) -> None:
        self.folder = Path(folder) if folder is not None else None
        if self.folder is not None and not self.folder.is_dir():
            raise CatalogError(f"schemas: there is no folder {self.folder}; correct `schemas` or leave it out")
        default = os.environ.get("SARCUBE_SCHEMA_CACHE") or Path.home() / ".cache" / "sarcube" / "schemas"
        self.cache = Path(cache or default)
        self.network = network and folder is None
        self._found: dict[str, JsonObject | None] = dict(_core())
        self._lock = threading.Lock()

    def get(self, uri: str) -> JsonObject | None:
        """The schema with that address, None where it cannot be had (remembered, so asked for once)."""
        uri = uri.split("#", maxsplit=1)[0]
        with self._lock:
            if uri not in self._found:
                self._found[uri] = self._look(uri)
            return self._found[uri]

    def _look(self, uri: str) -> JsonObject | None:
        place = _place(uri)
        if place is None:
            return None
        for folder in (self.folder, None if self.folder else self.cache):
            if folder is not None and (folder / place).is_file():
                return _parse((folder / place).read_bytes(), str(folder / place))
        if not self.network:
            return None
        data = self._fetch(uri)
        if data is None:
            return None
        schema = _parse(data, uri)
        try:
            LocalStore(self.cache).write_bytes(place, data)
        except OSError as error:
            log.info("schemas cannot be kept in %s: %s", self.cache, error)
        return schema

    def _fetch(self, uri: str) -> bytes | None:
        try:
            with urllib.request.urlopen(uri, timeout=_TIMEOUT) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            log.info("schema %s: the server answers %s", uri, error.code)
        except (OSError, ValueError) as error:
            # Without a network every further address would cost the same waiting.
            self.network = False
            log.info("schemas cannot be fetched (%s): extensions are checked by sarcube's own rules", error)
        return None


@lru_cache(maxsize=8)
def shared_schemas(folder: str | None) -> Schemas:
    """One `Schemas` per folder and process: its schemas are read once."""
    return Schemas(folder)


def _place(uri: str) -> str | None:
    """Where a schema lies in a folder or cache; None for addresses that no STAC schema has."""
    parts = urlsplit(uri)
    path = parts.path.strip("/")
    if parts.scheme != "https" or parts.hostname not in _KNOWN_HOSTS or ".." in path or not path:
        return None
    return path if parts.hostname == _EXTENSIONS else f"{parts.hostname}/{path}"


def _parse(data: bytes, origin: str) -> JsonObject | None:
    try:
        schema = json.loads(data)
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        log.warning("%s is not a JSON schema; delete it", origin)
        return None
    return schema


def _core() -> dict[str, JsonObject]:
    """STAC's own schemas, as pystac ships them; its function for that imports its validator (1.4 s of CPU time)."""
    import pystac

    folder = Path(pystac.__file__).parent / "validation" / "jsonschemas"
    schemas = [(path.name, json.loads(path.read_bytes())) for path in sorted(folder.rglob("*.json"))]
    return {f"{schema['$id'].rsplit('/', 1)[0]}/{name}": schema for name, schema in schemas}
