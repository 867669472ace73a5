"""`items.parquet`: all items of a collection in one file that other programs read as stac-geoparquet.

Its columns are those of the stac-geoparquet specification (hrefs relative to the file), with the properties that
one selects by: those that every kind has, and the facts of the collection's own. Two columns of our own hold the items
exactly as stored: `sarcube:item` without its assets, and `sarcube:assets` with one text per asset, so that a query
parses only the rows and assets that it wants. Assets are those that the items have: what another kind has is no matter.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sarcube.catalog.hrefs import moved_href
from sarcube.catalog.passed import DAMAGE, PassedOver
from sarcube.catalog.pending import Pending
from sarcube.catalog.selection import Selection, is_timed, place_of
from sarcube.errors import DamagedIndexError
from sarcube.geometry.longitudes import spans
from sarcube.instants import utc_time
from sarcube.jsons import JsonObject
from sarcube.products.kinds import Fact, FactType
from sarcube.products.names import is_item_file, stem_of
from sarcube.store.protocol import Store

_loads: Callable[[str], JsonObject] = json.loads
with contextlib.suppress(ImportError):
    # Several times as quick, and there with stac-geoparquet; over an index of 100,000 items that is felt.
    from orjson import loads as _loads

FILE = "items.parquet"
MEDIA_TYPE = "application/vnd.apache.parquet"
_BATCH = 2_000
_UTC = pa.timestamp("us", tz="UTC")
_TEXTS = pa.list_(pa.string())
_PROPERTIES: dict[str, pa.DataType] = {
    "datetime": _UTC,
    "start_datetime": _UTC,
    "end_datetime": _UTC,
    "created": _UTC,
    "title": pa.string(),
    "platform": pa.string(),
    "constellation": pa.string(),
    "instruments": _TEXTS,
    "gsd": pa.float64(),
    "proj:code": pa.string(),
    "proj:epsg": pa.int64(),
    "proj:shape": pa.list_(pa.int64()),
    "proj:transform": pa.list_(pa.float64()),
    "product:type": pa.string(),
    "processing:level": pa.string(),
    "processing:version": pa.string(),
    "sarcube:kind": pa.string(),
}
_ASSET = pa.struct([("href", pa.string()), ("title", pa.string()), ("type", pa.string()), ("roles", _TEXTS)])
_LINK = pa.struct([("rel", pa.string()), ("href", pa.string()), ("type", pa.string()), ("title", pa.string())])
_BBOX = pa.struct([(side, pa.float64()) for side in ("xmin", "ymin", "xmax", "ymax")])
_GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {
        "geometry": {
            "encoding": "WKB",
            "geometry_types": ["MultiPolygon", "Polygon"],
            "covering": {"bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}},
        }
    },
}
_FACTS: dict[FactType, pa.DataType] = {
    "text": pa.string(),
    "texts": _TEXTS,
    "integer": pa.int64(),
    "number": pa.float64(),
    "time": _UTC,
}
_METADATA = {b"geo": json.dumps(_GEO).encode(), b"stac-geoparquet": b'{"version": "1.0.0"}'}
_NO_ASSET = "-"  # Parquet has no structure without members: of a collection whose items have no asset
_SELECTORS = ["sarcube:key", "sarcube:place", "sarcube:timed", "datetime", "start_datetime", "end_datetime", "bbox"]


def _schema(assets: Iterable[str], facts: Iterable[Fact]) -> pa.Schema:
    names = sorted(assets) or [_NO_ASSET]
    return pa.schema(
        [
            ("type", pa.string()),
            ("stac_version", pa.string()),
            ("stac_extensions", _TEXTS),
            ("id", pa.string()),
            ("geometry", pa.binary()),
            ("bbox", _BBOX),
            ("links", pa.list_(_LINK)),
            ("assets", pa.struct([(name, _ASSET) for name in names])),
            ("collection", pa.string()),
            *_PROPERTIES.items(),
            *((fact.name, _FACTS[fact.type]) for fact in facts if fact.name not in _PROPERTIES),
            ("sarcube:key", pa.string()),
            ("sarcube:place", pa.string()),
            ("sarcube:timed", pa.bool_()),
            ("sarcube:item", pa.string()),
            ("sarcube:assets", pa.struct([(name, pa.string()) for name in names])),
        ],
        metadata=_METADATA,
    )


class IndexWriter:
    """Collects items and becomes the bytes of an index. Memory does not grow with their number but the file's.

    Parameters
    ----------
    collection : str
    facts : iterable of Fact
        Properties of its kind that become columns.
    """

    def __init__(self, collection: str, facts: Iterable[Fact]) -> None:
        self._prefix = f"{collection}/"
        self._facts = tuple(facts)
        self._assets: set[str] = set()
        # Files of one schema each: a new one begins where an item brings an asset that none had before.
        self._pieces: list[io.BytesIO] = []
        self._writer: pq.ParquetWriter = None  # made with the first schema
        self._rows: list[JsonObject] = []

    def add(self, key: str, stored: JsonObject) -> None:
        """One item, by its key in the store."""
        self._rows.append(_row(self._prefix, key, stored, self._facts))
        if len(self._rows) >= _BATCH:
            self._flush()

    def copy(self, index: Index, without: set[str]) -> None:
        """All rows of an older index but those of some keys."""
        self._flush()
        self._write_with(index.assets)
        gone = pa.array(sorted(without), pa.string())
        for table in index.tables():
            kept = table.filter(pc.invert(pc.is_in(table["sarcube:key"], gone))) if without else table
            self._writer.write_table(_fitted(kept, _schema(self._assets, self._facts)))

    def _write_with(self, assets: Iterable[str]) -> None:
        new = set(assets) - self._assets
        if new or self._writer is None:
            if self._writer is not None:
                self._writer.close()
            self._assets |= new
            self._pieces.append(io.BytesIO())
            schema = _schema(self._assets, self._facts)
            self._writer = pq.ParquetWriter(self._pieces[-1], schema, compression="zstd", compression_level=3)

    def _flush(self) -> None:
        if self._rows:
            self._write_with({name for row in self._rows for name in row["assets"]})
            self._writer.write_table(pa.Table.from_pylist(self._rows, _schema(self._assets, self._facts)))
            self._rows = []

    def finish(self) -> bytes:
        """The file."""
        self._flush()
        self._write_with(())
        self._writer.close()
        if len(self._pieces) == 1:
            return self._pieces[0].getvalue()
        schema, whole = _schema(self._assets, self._facts), io.BytesIO()
        with pq.ParquetWriter(whole, schema, compression="zstd", compression_level=3) as writer:
            while self._pieces:
                for table in Index(self._pieces.pop(0).getvalue()).tables():
                    writer.write_table(_fitted(table, schema))
        return whole.getvalue()


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with the columns of a schema, whose assets include its own."""
    if table.schema.equals(schema):
        return table
    columns = []
    for wanted in schema:
        column = table[wanted.name]
        if pa.types.is_struct(wanted.type) and column.type != wanted.type:
            there = column.combine_chunks()
            own = {f.name: there.field(i) for i, f in enumerate(there.type)}
            members = [own.get(f.name, pa.nulls(table.num_rows, f.type)) for f in wanted.type]
            column = pa.StructArray.from_arrays(members, fields=list(wanted.type))
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DamagedIndexError(
            f"the index is damaged ({str(error)[:100]}); `sarcube clean --yes` makes it anew"
        ) from error


class Index:
    """An index that was read; it is cheap to ask again.

    Raises, from whatever asks, DamagedIndexError where its file is damaged.
    """

    def __init__(self, data: bytes) -> None:
        with _told():
            self._file = pq.ParquetFile(pa.BufferReader(data), memory_map=False)

    @property
    def ours(self) -> bool:
        """Whether it has the columns that items are read from."""
        return {"sarcube:key", "sarcube:item", "sarcube:assets", "id"} <= set(self._file.schema_arrow.names)

    def _group(self, group: int, columns: list[str] | None = None) -> pa.Table:
        with _told():
            return self._file.read_row_group(group, columns=columns)

    def _columns(self, names: list[str]) -> pa.Table:
        with _told():
            return self._file.read(columns=names)

    @property
    def count(self) -> int:
        """Number of items."""
        return int(self._file.metadata.num_rows)

    @property
    def assets(self) -> list[str]:
        """Names of the assets that its items have."""
        names = (field.name for field in self._file.schema_arrow.field("sarcube:assets").type)
        return [name for name in names if name != _NO_ASSET]

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Columns beyond those that every collection has."""
        known = set(_schema((), ()).names)
        # Types are compared, not looked up: a list that was read hashes unlike one that is equal to it.
        return tuple(
            Fact(column.name, kind)
            for column in self._file.schema_arrow
            for kind, of_kind in _FACTS.items()
            if column.name not in known and column.type.equals(of_kind)
        )

    def current(self, facts: Iterable[Fact]) -> bool:
        """Whether its columns are those that are written today."""
        return bool(self._file.schema_arrow.equals(_schema(self.assets, facts)))

    def tables(self) -> Iterator[pa.Table]:
        """Everything, piece by piece."""
        for group in range(self._file.num_row_groups):
            yield self._group(group)

    def outlines(self, without: set[str]) -> Iterator[tuple[str, JsonObject]]:
        """Items but those of some keys as (key, JSON), their assets empty: what a summary needs."""
        for group in range(self._file.num_row_groups):
            table = self._group(group, ["sarcube:key", "sarcube:item", "assets"])
            present = _present(table["assets"])
            keys, items = table["sarcube:key"].to_pylist(), table["sarcube:item"].to_pylist()
            for i, (key, item) in enumerate(zip(keys, items, strict=True)):
                if key not in without:
                    stored = _loads(item)
                    stored["assets"] = {name: {} for name, there in present.items() if there[i]}
                    yield key, stored

    def ids(self, markers: Iterable[Pending]) -> dict[str, str]:
        """Item ids of those keys that markers name."""
        keys = {marker.key for marker in markers}
        if not keys:
            return {}
        table = self._columns(["sarcube:key", "id"])
        rows = pc.indices_nonzero(pc.is_in(table["sarcube:key"], pa.array(sorted(keys))))
        return _ids(table.take(rows))

    def rows(self) -> dict[str, str]:
        """Item ids of all keys."""
        return _ids(self._columns(["sarcube:key", "id"]))

    def select(self, wanted: Selection, assets: Sequence[str] | None = None) -> Iterator[tuple[str, JsonObject]]:
        """Wanted items as (key, JSON); with `assets`, only those assets are in them."""
        names = [name for name in self.assets if assets is None or name in assets]
        passed = PassedOver()
        columns = ["sarcube:key", "sarcube:item", *(f"sarcube:assets.{name}" for name in names)]
        for group in range(self._file.num_row_groups):
            there = [name for name in _SELECTORS if name in self._file.schema_arrow.names]
            rows = _matching(self._group(group, there), wanted)
            if not len(rows):
                continue
            table = self._group(group, columns).take(rows)
            texts = table["sarcube:assets"].combine_chunks().flatten() if names else []
            by_asset = dict(zip(names, (t.to_pylist() for t in texts), strict=True))
            keys, items = table["sarcube:key"].to_pylist(), table["sarcube:item"].to_pylist()
            for i, (key, item) in enumerate(zip(keys, items, strict=True)):
                try:
                    stored = _loads(item)
                    stored["assets"] |= {n: _loads(text[i]) for n, text in by_asset.items() if text[i]}
                    taken = wanted.takes(key, stored)
                except DAMAGE as error:
                    passed.add(key, error)
                    continue
                if taken:
                    yield key, stored
        passed.tell()


def _ids(table: pa.Table) -> dict[str, str]:
    return dict(zip(table["sarcube:key"].to_pylist(), table["id"].to_pylist(), strict=True))


def strays(collection: str, rows: dict[str, str], keys: Iterable[str]) -> set[str]:
    """Items whose row in the index (`rows`: key to item id) does not agree with what lies in the store.

    As far as names tell: items without a row, rows without an item, rows of a version beside which only files of
    another one lie.

    Parameters
    ----------
    collection : str
    rows : dict of str to str
    keys : iterable of str
        All that lies in the collection.
    """
    items: set[str] = set()
    versions: defaultdict[str, set[str]] = defaultdict(set)
    for key in keys:
        folder, _, name = key.rpartition("/")
        if folder.startswith(f"{collection}/_"):
            continue
        if is_item_file(name):
            items.add(key)
        elif stem := stem_of(name):
            versions[_product(folder, stem)].add(stem)
    found = ((key, id_, versions.get(_product(key.rpartition("/")[0], id_))) for key, id_ in rows.items())
    return (items ^ rows.keys()) | {key for key, id_, there in found if there and id_ not in there}


def _product(folder: str, stem: str) -> str:
    """What versions of a product have in common: all of the name before the time of processing."""
    return f"{folder}/{'_'.join(stem.split('_')[:-4])}"


def open_index(data: bytes) -> Index | None:
    """An index that can be read; None where it is damaged, and has to be made anew."""
    try:
        index = Index(data)
    except DamagedIndexError:
        return None
    return index if index.ours else None


def read_index(store: Store, collection: str) -> Index | None:
    """The index of a collection, None where there is none.

    Raises
    ------
    DamagedIndexError
        What is there is none, or damaged.
    """
    key = f"{collection}/{FILE}"
    if not store.exists(key):
        return None
    index = open_index(store.read_bytes(key))
    if index is None:
        raise DamagedIndexError(f"{store.href(key)} is no index, or damaged; `sarcube clean --yes` makes it anew")
    return index


def _present(assets: pa.ChunkedArray) -> dict[str, list[bool]]:
    structs = assets.combine_chunks()
    names = [field.name for field in structs.type]
    return {name: pc.is_valid(pc.struct_field(structs, [name, "href"])).to_pylist() for name in names}


def _matching(table: pa.Table, wanted: Selection) -> pa.Array:
    """Rows of a table that may be wanted (bounding boxes instead of geometries)."""
    keep: pa.Array = pa.array([True] * table.num_rows, pa.bool_())  # typed: a group may be empty
    # An index of version 0.1 has neither column: then the items themselves are asked, one by one.
    if wanted.places is not None and "sarcube:place" in table.column_names:
        keep = pc.and_(keep, pc.is_in(table["sarcube:place"], pa.array(sorted(wanted.places))))
    if (wanted.start is not None or wanted.end is not None) and "sarcube:timed" in table.column_names:
        static = pc.invert(table["sarcube:timed"])
        first = pc.coalesce(table["start_datetime"], table["datetime"])
        last = pc.coalesce(table["end_datetime"], table["datetime"])
        if wanted.start is not None:
            keep = pc.and_(keep, pc.or_(static, pc.greater_equal(last, _scalar(wanted.start))))
        if wanted.end is not None:
            keep = pc.and_(keep, pc.or_(static, pc.less_equal(first, _scalar(wanted.end))))
    if wanted.bbox is not None:
        keep = pc.and_(keep, _overlapping(table["bbox"], wanted.bbox))
    return pc.indices_nonzero(pc.fill_null(keep, False))


def _overlapping(boxes: pa.ChunkedArray, bbox: tuple[float, float, float, float]) -> pa.Array:
    west, south, east, north = (pc.struct_field(boxes, side) for side in ("xmin", "ymin", "xmax", "ymax"))
    rows = pc.and_(pc.less_equal(south, bbox[3]), pc.greater_equal(north, bbox[1]))
    crossing = pc.greater(west, east)
    sides: pa.Array = None
    for start, end in spans(bbox[0], bbox[2]):
        plain = pc.and_(pc.less_equal(west, end), pc.greater_equal(east, start))
        around = pc.or_(pc.less_equal(west, end), pc.greater_equal(east, start))
        hit = pc.if_else(crossing, around, plain)
        sides = hit if sides is None else pc.or_(sides, hit)
    return pc.and_(rows, sides)


def _scalar(time: dt.datetime) -> pa.Scalar:
    return pa.scalar(time, _UTC)


def _row(prefix: str, key: str, stored: JsonObject, facts: Iterable[Fact]) -> JsonObject:
    from shapely import to_wkb
    from shapely.geometry import shape

    folder = key.rsplit("/", 1)[0]

    def moved(href: str) -> str:
        return moved_href(href, folder, prefix)

    properties, assets = stored["properties"], stored["assets"]
    row: JsonObject = {
        "type": "Feature",
        "stac_version": stored["stac_version"],
        "stac_extensions": stored.get("stac_extensions", []),
        "id": stored["id"],
        "geometry": to_wkb(shape(stored["geometry"])),
        "bbox": dict(zip(("xmin", "ymin", "xmax", "ymax"), stored["bbox"], strict=True)),
        "links": [
            {"rel": "self", "href": "./" + key.removeprefix(prefix), "type": "application/geo+json"},
            *(
                {"rel": link["rel"], "href": moved(link["href"]), "type": link.get("type"), "title": link.get("title")}
                for link in stored.get("links", ())
                if link["rel"] != "self"
            ),
        ],
        "assets": {
            name: {**{k: asset.get(k) for k in ("title", "type", "roles")}, "href": moved(asset["href"])}
            for name, asset in assets.items()
        },
        "collection": stored.get("collection"),
        "sarcube:key": key,
        "sarcube:place": place_of(key),
        "sarcube:timed": is_timed(key),
        "sarcube:item": _text({**stored, "assets": {}}),
        "sarcube:assets": {name: _text(asset) for name, asset in assets.items()},
    }
    for name, kind in (*_PROPERTIES.items(), *((f.name, _FACTS[f.type]) for f in facts)):
        value = properties.get(name)
        row[name] = utc_time(value) if kind == _UTC and value else value
        pa.scalar(row[name], kind)  # one item of another type would spoil the whole batch
    pa.scalar(row["assets"], pa.struct([(name, _ASSET) for name in assets]))
    return row


def _text(value: JsonObject) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
