"""What a collection says of its items as a whole, gathered item by item."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sarcube.geometry.longitudes import shortest_span
from sarcube.jsons import JsonObject
from sarcube.products.kinds import Fact

_SUMMARIZED = (
    "platform",
    "constellation",
    "instruments",
    "gsd",
    "product:type",
    "proj:code",
    "processing:level",
    "processing:version",
)


class Summary:
    """Extent, summaries, assets and addresses of a collection's items."""

    def __init__(self, collection: str, facts: Iterable[Fact] = ()) -> None:
        self.count = 0
        self.assets: dict[str, JsonObject] = {}
        self._summarized = (*_SUMMARIZED, *(fact.name for fact in facts if fact.summarized))
        self._extensions: set[str] = set()
        self.hrefs: list[str] = []
        self._prefix = f"{collection}/"
        self._values: dict[str, set[Any]] = {}
        self._spans: set[tuple[float, float]] = set()
        self._south, self._north = 90.0, -90.0
        self._start, self._end = "9999", "0000"

    def add(self, key: str, stored: JsonObject) -> None:
        """One item, by its key in the store."""
        self.count += 1
        for asset_name, asset in stored["assets"].items():
            if not self.assets.get(asset_name):
                self.assets[asset_name] = asset
        self._extensions.update(stored.get("stac_extensions", ()))
        self.hrefs.append("./" + key.removeprefix(self._prefix))
        west, south, east, north = stored["bbox"]
        self._spans.add((west, east))
        self._south, self._north = min(self._south, south), max(self._north, north)
        properties = stored["properties"]
        self._start = min(self._start, properties.get("start_datetime") or properties["datetime"])
        self._end = max(self._end, properties.get("end_datetime") or properties["datetime"])
        for name in self._summarized:
            value = properties.get(name)
            if value is not None:
                self._values.setdefault(name, set()).update(value if isinstance(value, list) else [value])

    def extensions(self) -> list[str]:
        """Schemas of the items' extensions whose fields are summarized."""
        prefixes = {name.partition(":")[0] for name in self._values}
        return sorted(uri for uri in self._extensions if uri.split("/")[-3] in prefixes)

    def values(self) -> dict[str, list[Any]]:
        """STAC summaries: every value that occurs."""
        return {name: sorted(values) for name, values in self._values.items()}

    def extent(self, since: str) -> JsonObject:
        """STAC extent; of no items the whole Earth since that time."""
        if not self.count:
            return {
                "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
                "temporal": {"interval": [[since, None]]},
            }
        west, east = shortest_span(self._spans)
        return {
            "spatial": {"bbox": [[west, self._south, east, self._north]]},
            "temporal": {"interval": [[self._start, self._end]]},
        }
