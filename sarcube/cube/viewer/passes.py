"""What the page is told of a store: its passes, places and layers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pystac
from rasterio.warp import transform_bounds

from sarcube.cube.acquisition import ELSEWHERE, Acquisition, is_static
from sarcube.cube.found import read_acquisitions, read_items
from sarcube.cube.grouping import Step, steps_of
from sarcube.cube.hotspots import ASSET, hotspots
from sarcube.cube.layers import layers_of
from sarcube.cube.selection import Selection
from sarcube.cube.viewer.colours import COMPOSITE, fixed_ranges, legend, scale_of
from sarcube.errors import CubeError, PassedOverWarning
from sarcube.geometry.longitudes import shortest_span, turns
from sarcube.products.kinds import Layer

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Content:
    """A store as the viewer sees it.

    Attributes
    ----------
    title : str
        The store's address.
    steps : tuple of Step
        One per pass, in time order.
    items : mapping of str to Item
        By item id.
    layers : tuple of str
        That can be shown, best first; "colour" is the composite of two measures in decibel.
    table : mapping of str to Layer
    bounds : mapping of str to (west, south, east, north)
        Of grids, by item id, degrees.
    percentiles : dict
        Of layers that were asked for (`tiles.percentiles`).
    basemap : mapping of str to str
        Address and attribution of map tiles beneath; empty where there are none.
    """

    title: str
    steps: tuple[Step, ...]
    items: Mapping[str, pystac.Item]
    layers: tuple[str, ...]
    table: Mapping[str, Layer]
    bounds: Mapping[str, Bounds]
    percentiles: dict[str, dict[str, float]] = field(default_factory=dict, compare=False)
    basemap: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def pair(self) -> tuple[str, str] | None:
        """The two measures of the composite, None where there are not two in decibel."""
        return composite_of(self.table)

    def describe(self) -> dict[str, object]:
        """What the page asks for first."""
        return {
            "title": self.title,
            "basemap": dict(self.basemap),
            "layers": [self._about(name) for name in self.layers],
            "bounds": self._data_bounds(),
            "passes": [
                {
                    "time": str(step.start)[:19],
                    "platform": step.platform,
                    "direction": step.orbit_direction,
                    "track": step.relative_orbit,
                    "items": [a.id for a in step.acquisitions],
                    **_pair(step),
                }
                for step in self.steps
            ],
            "places": [
                {"id": place, "ring": ring, "dates": dates} for place, (ring, dates) in sorted(self._footprints.items())
            ],
        }

    def points(self) -> list[dict[str, object]]:
        """Hotspots of all passes, each with the number of its pass; none where the store has no such products."""
        having = [item for item in self.items.values() if ASSET in item.assets]
        if not having:
            return []
        number = {a.id: i for i, step in enumerate(self.steps) for a in step.acquisitions}
        table = hotspots(having)
        rows = zip(table["longitude"], table["latitude"], table["FRP"], table["item"], strict=True)
        return [
            {"lon": round(lon, 5), "lat": round(lat, 5), "frp": None if math.isnan(frp) else round(frp, 1),
             "pass": number[item]}
            for lon, lat, frp, item in rows if item in number
        ]  # fmt: skip

    def _data_bounds(self) -> list[float]:
        """West, south, east, north of all footprints, and not of the grids; east may be above 180."""
        rings = [_ring(self.items[i], self.bounds[i]) for i in self.bounds]
        spans = [(min(p[0] for p in ring), max(p[0] for p in ring)) for ring in rings]
        west, east = shortest_span(spans)
        latitudes = [p[1] for ring in rings for p in ring]
        return [west, min(latitudes), east + 360 if east < west else east, max(latitudes)]

    def _about(self, name: str) -> dict[str, object]:
        layer = self.table.get(name)
        return {
            "name": name,
            "title": layer.title if layer else "Composite",
            "unit": "" if layer is None or layer.unit == "1" else layer.unit,
            "scale": scale_of(layer),
            "cyclic": bool(layer and layer.shown.cyclic),
            "ranges": fixed_ranges(layer),
            "legend": legend(layer, self.pair),
        }

    @cached_property
    def _footprints(self) -> dict[str, tuple[list[list[float]], int]]:
        found: dict[str, tuple[list[list[float]], int]] = {}
        for step in self.steps:
            for a in step.acquisitions:
                ring, dates = found.get(a.place, (None, 0))
                found[a.place] = (ring or _ring(self.items[a.id], self.bounds[a.id]), dates + 1)
        return found


def read_content(store: str) -> Content:
    """Look into a store, or a folder of OPERA RTC-S1 files.

    Raises
    ------
    CubeError
        There is no product to show.
    """
    items = [item for item in read_items(store, Selection()) if not is_static(item)]
    if not items:
        raise CubeError(f"{store} holds no product with a date to show; make some with `sarcube run`")
    _leave_out_foreign(items)
    table = layers_of(items)
    order = ("measure", "mask", "auxiliary")
    names = [layer.name for role in order for layer in table.values() if layer.role == role]
    acquisitions = [a for a in read_acquisitions(items, frozenset(names)) if a.files]
    composite = [COMPOSITE] if composite_of(table) else []
    measures = [name for name in names if table[name].role == "measure"]
    steps = steps_of(acquisitions, "pass")
    return Content(
        title=store,
        steps=tuple(steps),
        items={item.id: item for item in items},
        layers=(*measures, *composite, *names[len(measures) :]),
        table=table,
        bounds={a.id: lonlat_bounds(a) for step in steps for a in step.acquisitions},
    )


def composite_of(table: Mapping[str, Layer]) -> tuple[str, str] | None:
    """The first two measures that are shown in decibel: of backscatter the co- and the cross-polarization."""
    names = [layer.name for layer in table.values() if layer.role == "measure" and layer.shown.scale == "db"]
    return (names[0], names[1]) if len(names) > 1 else None


def _pair(step: Step) -> dict[str, object]:
    """What tells a pair of dates apart from others of its first date; nothing of a pass that is none."""
    if np.isnat(step.second):
        return {}
    across = step.perpendicular_baseline
    return {
        "second": str(step.second)[:19],
        "days": round(float((step.second - step.start) / np.timedelta64(1, "D")), 1),
        "across": round(across) if math.isfinite(across) else None,
        "channel": step.channel,
    }


def _leave_out_foreign(items: Sequence[pystac.Item]) -> None:
    """Files outside of the store are not shown: a store of somebody else's could name any."""
    foreign: list[str] = []
    for item in items:
        names = [name for name, asset in item.assets.items() if ELSEWHERE in asset.extra_fields]
        foreign += [item.id] if names else []
        for name in names:
            del item.assets[name]
    if foreign:
        warnings.warn(
            f"files of {len(foreign)} items are not shown, since they lie outside of the store: "
            f"{', '.join(foreign[:5])}{' ...' if len(foreign) > 5 else ''}",
            PassedOverWarning,
            stacklevel=3,
        )


def lonlat_bounds(acquisition: Acquisition) -> Bounds:
    """West, south, east, north of a grid in degrees; east above 180 where it crosses the antimeridian."""
    grid = acquisition.grid
    west, south, east, north = transform_bounds(f"EPSG:{grid.epsg}", "EPSG:4326", *grid.bounds)
    return west, south, east + 360 if east < west else east, north


def at_place(steps: Sequence[Step], bounds: Mapping[str, Bounds], lon: float, lat: float) -> list[list[Acquisition]]:
    """For every pass the acquisitions whose grid may hold a place."""

    def inside(a: Acquisition) -> bool:
        west, south, east, north = bounds[a.id]
        return south <= lat <= north and (west <= lon <= east or west <= lon + 360 <= east)

    return [[a for a in step.acquisitions if inside(a)] for step in steps]


def in_box(steps: Sequence[Step], bounds: Mapping[str, Bounds], box: Bounds) -> list[list[Acquisition]]:
    """For every pass the acquisitions whose grid may reach into a box of degrees."""

    def touches(a: Acquisition) -> bool:
        west, south, east, north = bounds[a.id]
        across = any(True for _ in turns(box[0], box[2], west, east))
        return across and south <= box[3] and box[1] <= north

    return [[a for a in step.acquisitions if touches(a)] for step in steps]


def _ring(item: pystac.Item, bounds: Bounds) -> list[list[float]]:
    geometry = item.geometry or {}
    if geometry.get("type") == "Polygon":
        return list(geometry["coordinates"][0])
    if geometry.get("type") == "MultiPolygon":  # across the antimeridian: join the parts on one side
        points = [list(p) for part in geometry["coordinates"] for p in part[0]]
        from shapely.geometry import MultiPoint

        hull = MultiPoint([(x + 360 if x < 0 else x, y) for x, y, *_ in points]).convex_hull
        return [list(p) for p in hull.exterior.coords]
    west, south, east, north = bounds
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]
