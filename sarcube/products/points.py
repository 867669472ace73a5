"""Tables of points as GeoJSON and as GeoParquet."""

from __future__ import annotations

import io
import json

import pandas as pd


def as_geojson(table: pd.DataFrame) -> bytes:
    """A FeatureCollection (RFC 7946) of points, each with its row as properties."""
    rows = json.loads(table.to_json(orient="records", date_format="iso", double_precision=6))
    features: list[dict[str, object]] = [
        {"type": "Feature", "properties": row,
         "geometry": {"type": "Point", "coordinates": [row["longitude"], row["latitude"]]}}
        for row in rows
    ]  # fmt: skip
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def as_geoparquet(table: pd.DataFrame) -> bytes:
    """GeoParquet 1.1, points as WKB in the column `geometry`."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import shapely

    points = shapely.to_wkb(shapely.points(table["longitude"].to_numpy(float), table["latitude"].to_numpy(float)))
    data = pa.Table.from_pandas(table, preserve_index=False).append_column(
        "geometry", pa.array(list(points), pa.binary())
    )
    geo = {"version": "1.1.0", "primary_column": "geometry",
           "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point"] if len(table) else []}}}  # fmt: skip
    buffer = io.BytesIO()
    pq.write_table(
        data.replace_schema_metadata({**(data.schema.metadata or {}), b"geo": json.dumps(geo).encode()}), buffer
    )
    return buffer.getvalue()
