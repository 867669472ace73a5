"""Grids from a burst database as OPERA makes it: sqlite with one EPSG code and bounding box for each burst ID."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sarcube.errors import GridError
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.search.scenes import normal_burst_id

_QUERY = "SELECT epsg, xmin, ymin, xmax, ymax FROM burst_id_map WHERE burst_id_jpl = ?"


def grid_from_database(path: str | Path, burst_id: str, resolution: float) -> GeoGrid:
    """The grid of a burst ID: the database's box, grown to multiples of the resolution.

    Parameters
    ----------
    path : str or Path
        sqlite with the table `burst_id_map` (`burst_id_jpl`, `epsg`, `xmin`, `ymin`, `xmax`, `ymax`).
    burst_id : str
        `t070_149815_iw3`.
    resolution : float
        Pixel size in units of the database's CRS.

    Raises
    ------
    GridError
        The file cannot be read, is no such database, or does not have the burst ID.
    """
    path = Path(path)
    if not path.is_file():
        raise GridError(f"grid.burst_database {path} does not exist; name OPERA's burst database (sqlite)")
    name = normal_burst_id(burst_id)
    try:
        # Read-only and immutable: many workers read it at once, perhaps from a file system without locks.
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            rows = connection.execute(_QUERY, (name,)).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise GridError(
            f"grid.burst_database {path} is not a burst database with the table burst_id_map: {error}"
        ) from error
    if not rows:
        raise GridError(
            f"grid.burst_database {path} has no {name}; use a database that covers it, or leave the key out"
        )
    try:
        epsg, *box = rows[0]
        left, bottom, right, top = (float(v) for v in box)
        if len(set(rows)) > 1 or not (left < right and bottom < top):
            raise ValueError("its boxes contradict each other or are empty")
        return GeoGrid.snapped(int(epsg), (left, bottom, right, top), resolution)
    except (TypeError, ValueError, OverflowError) as error:
        raise GridError(f"grid.burst_database {path}: the entry of {name} cannot be used: {error}") from error
