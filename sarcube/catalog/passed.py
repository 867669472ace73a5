"""Items that cannot be used: passed over, so that one of them takes down no query, and told."""

from __future__ import annotations

import math
import warnings

from shapely.errors import ShapelyError

from sarcube.errors import CatalogError, PassedOverWarning
from sarcube.jsons import JsonObject

# What reading an item that somebody damaged or wrote otherwise raises.
DAMAGE = (
    CatalogError, KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError,
    ShapelyError,
)  # fmt: skip
_NAMED = 5


class PassedOver:
    """Collects what was passed over, as (address, reason), and tells it once."""

    def __init__(self) -> None:
        self.items: list[tuple[str, str]] = []

    def add(self, address: str, error: Exception) -> None:
        """Something that cannot be used, and why."""
        reason = str(error) if isinstance(error, CatalogError) else f"{type(error).__name__}: {error}"
        self.items.append((address, reason if len(reason) <= 200 else reason[:197] + "..."))

    def tell(self) -> None:
        """Warn of all of them, the first by name."""
        if not self.items:
            return
        named = "; ".join(f"{address} ({reason})" for address, reason in self.items[:_NAMED])
        more = f" and {len(self.items) - _NAMED} more" if len(self.items) > _NAMED else ""
        warnings.warn(
            f"{len(self.items)} damaged item{'s' if len(self.items) > 1 else ''} passed over: {named}{more}; delete "
            "them and run again",
            PassedOverWarning,
            stacklevel=3,
        )


def require_usable(stored: JsonObject, address: str) -> None:
    """Refuse an item that queries and indexes could not read.

    Raises
    ------
    CatalogError
        Naming what is wrong.
    """
    from shapely.geometry import shape

    from sarcube.catalog.query import open_item

    try:
        open_item(stored, address)
        geometry = shape(stored["geometry"])
        bbox = [float(v) for v in stored["bbox"]]
        if len(bbox) != 4 or not all(map(math.isfinite, (*bbox, *geometry.bounds))) or geometry.is_empty:
            raise CatalogError("its bbox or geometry holds no place")
        texts = [stored["id"], stored["stac_version"], *stored.get("stac_extensions", ())]
        texts += [asset["href"] for asset in stored["assets"].values()]
        texts += [link[key] for link in stored.get("links", ()) for key in ("rel", "href")]
        if not all(isinstance(text, str) for text in texts):
            raise CatalogError("an id, href or extension is no text")
    except CatalogError:
        raise
    except DAMAGE as error:
        raise CatalogError(f"it cannot be read: {type(error).__name__}: {error}") from error
