"""What a collection says of its items as a whole, gathered item by item."""

from __future__ import annotations

from typing import Any

from sarcube.catalog.items import utc_text
from sarcube.geometry.longitudes import shortest_span
from sarcube.products.names import STATIC_VALIDITY

_SUMMARIZED = (
    "platform",
    "constellation",
    "instruments",
    "gsd",
    "product:type",
    "sar:polarizations",
    "sar:instrument_mode",
    "sar:frequency_band",
    "sat:orbit_state",
    "sat:relative_orbit",
    "proj:code",
    "processing:level",
    "processing:version",
)


class Summary:
    """Extent, summaries, assets and addresses of a collection's items."""

    def __init__(self, collection: str) -> None:
        self.count = 0
        self.assets: set[str] = set()
        self._extensions: set[str] = set()
        self.hrefs: list[str] = []
        self._prefix = f"{collection}/"
        self._values: dict[str, set[Any]] = {}
        self._spans: set[tuple[float, float]] = set()
        self._south, self._north = 90.0, -90.0
        self._start, self._end = "9999", "0000"

    def add(self, key: str, stored: dict[str, Any]) -> None:
        """One item, by its key in the store."""
        self.count += 1
        self.assets.update(stored["assets"])
        self._extensions.update(stored["stac_extensions"])
        self.hrefs.append("./" + key.removeprefix(self._prefix))
        west, south, east, north = stored["bbox"]
        self._spans.add((west, east))
        self._south, self._north = min(self._south, south), max(self._north, north)
        properties = stored["properties"]
        self._start = min(self._start, properties.get("start_datetime") or properties["datetime"])
        self._end = max(self._end, properties.get("end_datetime") or properties["datetime"])
        for name in _SUMMARIZED:
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

    def extent(self) -> dict[str, Any]:
        """STAC extent; of no items the whole Earth since the first acquisition."""
        if not self.count:
            return {
                "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
                "temporal": {"interval": [[utc_text(STATIC_VALIDITY), None]]},
            }
        west, east = shortest_span(self._spans)
        return {
            "spatial": {"bbox": [[west, self._south, east, self._north]]},
            "temporal": {"interval": [[self._start, self._end]]},
        }
