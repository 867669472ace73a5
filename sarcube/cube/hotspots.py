"""Points that products carry beside their layers, of many products as one table through time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pystac
from numpy.typing import NDArray

from sarcube.cube.acquisition import ELSEWHERE
from sarcube.cube.asked import Bbox
from sarcube.cube.found import Store, read_items
from sarcube.cube.selection import Selection, When, parse_dates, select
from sarcube.errors import CubeError, PassedOverWarning, SarcubeError

ASSET = "hotspots_parquet"
_SPAN = ("start_datetime", "end_datetime")
# Of one measurement that came in several versions the best made is taken.
_TIMELINESS = ("NR", "ST", "NT")


def hotspots(
    store: Store,
    *,
    bbox: Bbox | None = None,
    dates: When | Sequence[When] | slice | None = None,
    places: Sequence[str] | None = None,
    collection: str | None = None,
) -> pd.DataFrame:
    """Hotspots of all products, in order of time, none twice.

    Where products were made of granules that saw the same seconds from the same satellite (near real time, and later
    not time critical), the better made one counts where it looked. A granule's hotspot that products of several places
    hold is taken once.

    Parameters
    ----------
    store : str, Path or items
        As of `open_cube`.
    bbox : (west, south, east, north), optional
        Degrees.
    dates : str, date, pair or slice, optional
        As of `open_cube`: "2024", "2024-05", (first, last).
    places : sequence of str, optional
    collection : str, optional

    Returns
    -------
    DataFrame
        One row a hotspot: time (UTC), longitude, latitude, FRP (MW), ...; `place` and `item` say of which product.

    Raises
    ------
    CubeError
        No product has hotspots: the store is of something else, or nothing is within what is asked.

    Examples
    --------
    >>> table = hotspots("store", dates="2024-08")  # doctest: +SKIP
    >>> table.groupby(table.time.dt.date).FRP.sum()  # doctest: +SKIP
    """
    wanted = Selection(bbox=bbox, dates=parse_dates(dates), places=None if places is None else tuple(places))
    having = [item for item in read_items(store, wanted, collection) if ASSET in item.assets]
    if not having:
        raise CubeError(
            f"{store} has no product with hotspots for this place and time; make some with `workflow: active_fire`"
        )
    having = select(having, wanted)
    tables = {item.id: table for item in having if (table := _read(item)) is not None and len(table)}
    if not tables:
        return pd.DataFrame(columns=["time", "longitude", "latitude", "FRP", "place", "item"])
    for better, worse in _pairs(having):
        if worse.id in tables:
            tables[worse.id] = tables[worse.id][~_seen_by(better, tables[worse.id], _place(better) == _place(worse))]
    table = pd.concat(tables.values(), ignore_index=True).drop_duplicates(["granule", "row", "column"])
    if bbox is not None:
        table = table[_within(table, bbox)]
    return table.sort_values(["time", "longitude"], kind="stable", ignore_index=True)


def _read(item: pystac.Item) -> pd.DataFrame | None:
    import pyarrow.parquet as pq

    from sarcube.store.protocol import open_store

    asset = item.assets[ASSET]
    try:
        if ELSEWHERE in asset.extra_fields:
            raise CubeError("the file lies outside of the store")
        folder, _, name = asset.href.rpartition("/")
        data = open_store(folder).read_bytes(name)
        table: pd.DataFrame = pq.read_table(io.BytesIO(data)).drop_columns(["geometry"]).to_pandas()
        if not {"time", "longitude", "latitude", "granule", "row", "column"} <= set(table.columns):
            raise CubeError("the file lacks columns of hotspots")
    except (SarcubeError, OSError, ValueError, KeyError) as error:
        warnings.warn(f"hotspots of {item.id} are passed over: {error}", PassedOverWarning, stacklevel=3)
        return None
    return table.assign(place=_place(item), item=item.id)


def _place(item: pystac.Item) -> str:
    return str(item.properties.get("sarcube:place", ""))


def _seen_by(better: pystac.Item, table: pd.DataFrame, same_place: bool) -> pd.Series:
    """Which hotspots of another product a better made one would have: of its seconds, and of its place."""
    import shapely

    first, last = (pd.Timestamp(str(better.properties[name])) for name in _SPAN)
    seen = table["time"].between(first, last)
    if not same_place and better.geometry is not None:
        seen &= shapely.contains_xy(shapely.geometry.shape(better.geometry), table["longitude"], table["latitude"])
    return seen


def _pairs(items: Sequence[pystac.Item]) -> Iterator[tuple[pystac.Item, pystac.Item]]:
    """Items of one satellite that saw the same seconds, the better made one first."""
    series: dict[str, list[pystac.Item]] = {}
    for item in items:
        if all(name in item.properties for name in _SPAN):
            series.setdefault(str(item.properties.get("platform")), []).append(item)
    for group in series.values():
        group.sort(key=lambda item: str(item.properties[_SPAN[0]]))
        for i, item in enumerate(group):
            for other in group[i + 1 :]:
                if str(other.properties[_SPAN[0]]) >= str(item.properties[_SPAN[1]]):
                    break
                better, worse = sorted((item, other), key=_rank, reverse=True)
                if _place(item) == _place(other) or _rank(item)[:2] != _rank(other)[:2]:
                    yield better, worse


def _rank(item: pystac.Item) -> tuple[int, str, str]:
    made = str(item.properties.get("sarcube:timeliness", "NR"))
    order = _TIMELINESS.index(made) if made in _TIMELINESS else 0
    return order, str(item.properties.get("sarcube:granule_created", "")), item.id


def _within(table: pd.DataFrame, bbox: Bbox) -> NDArray[np.bool_]:
    west, south, east, north = bbox
    east += 360.0 if east < west else 0.0
    longitude = table["longitude"].to_numpy()
    turned = west + (longitude - west) % 360.0
    return (turned <= east) & table["latitude"].between(south, north).to_numpy()


def daily(table: pd.DataFrame) -> list[dict[str, object]]:
    """For each day (UTC) how many hotspots, and the sum of their power in MW; a fire seen twice a day counts twice."""
    if table.empty:
        return []
    groups = table.groupby(table["time"].dt.strftime("%Y-%m-%d"))
    return [
        {"day": str(day), "hotspots": len(part), "frp_mw": round(float(part["FRP"].sum()), 1)} for day, part in groups
    ]


def _as_csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def write_hotspots(table: pd.DataFrame, path: str | Path) -> Path:
    """Write a table of hotspots as GeoJSON (.geojson), GeoParquet (.parquet) or text (.csv).

    Raises
    ------
    CubeError
        The ending is none of these, or the file cannot be written.
    """
    from sarcube.products.points import as_geojson, as_geoparquet

    path = Path(path)
    writers = {".geojson": as_geojson, ".parquet": as_geoparquet, ".csv": _as_csv}
    if path.suffix.lower() not in writers:
        raise CubeError(f"{path} is to end in .geojson, .parquet or .csv")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(writers[path.suffix.lower()](table))
    except OSError as error:
        raise CubeError(f"{path} cannot be written: {error.strerror or error}; choose another place") from error
    return path
