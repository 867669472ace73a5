"""A raster of water for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio


def lake(folder: Path, **more: object) -> Path:
    """A raster of water of its own grid: columns 100 to 119 of one of 80 m that begins where it does."""
    path = folder / "lake.tif"
    values = np.zeros((80, 100), np.uint8)
    values[:, 50:60] = 2
    profile = {"driver": "GTiff", "width": 100, "height": 80, "count": 1, "dtype": "uint8", "crs": "EPSG:32632"}
    profile |= {"transform": rasterio.Affine(160, 0, 500_000, 0, -160, 5_300_000), **more}
    with rasterio.open(path, "w", **profile) as file:
        file.write(values, 1)
    return path
