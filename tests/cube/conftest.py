"""Bursts made in the test: rasters of a known truth on their own grids, with items as the catalogue writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.warp import transform_bounds

from sarcube.geometry.grid import GeoGrid
from sarcube.products.cog import write_cog
from sarcube.workflows.rtc.kinds import LAYERS

Truth = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[Any]]


@dataclass
class Bursts:
    """Writes bursts of a truth that is a function of x and y in one CRS, and keeps their items."""

    folder: Path
    truth: Truth
    epsg: int = 32629

    def at_centres(self, grid: GeoGrid) -> NDArray[np.float64]:
        x, y = np.meshgrid(grid.x(), grid.y())
        if grid.epsg != self.epsg:
            x, y = Transformer.from_crs(grid.epsg, self.epsg, always_xy=True).transform(x, y)
        return self.truth(x, y)

    def burst(
        self,
        grid: GeoGrid,
        burst_id: str,
        time: str = "2022-01-03T05:00:00",
        layers: dict[str, NDArray[Any]] | None = None,
        slant: float = 0.15,
        **properties: Any,
    ) -> pystac.Item:
        """One product; VV is the truth within a slanted outline, unless layers are given."""
        if layers is None:
            layers = {"VV": np.where(self.outline(grid, slant), self.at_centres(grid), np.nan)}
        token = burst_id.upper().replace("_", "-")
        stamp = time.replace("-", "").replace(":", "")
        stem = f"SARCUBE_L2_RTC-S1_{token}_{stamp}Z_20230101T000000Z_S1A_{grid.resolution:g}_v0.1"
        west, south, east, north = transform_bounds(grid.epsg, 4326, *grid.bounds)
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        item = pystac.Item(
            id=stem,
            geometry={"type": "Polygon", "coordinates": [ring]},
            bbox=[west, south, east, north],
            datetime=np.datetime64(time).astype("datetime64[us]").item(),
            properties={
                "platform": "sentinel-1a",
                "sat:orbit_state": "descending",
                "sat:relative_orbit": int(burst_id[1:4]),
                "sarcube:burst_id": burst_id,
                "product:type": "RTC_S1",
                "proj:epsg": grid.epsg,
                "proj:code": grid.crs,
                "proj:shape": list(grid.shape),
                "proj:transform": list(grid.transform),
                **properties,
            },
            stac_extensions=[
                "https://stac-extensions.github.io/projection/v1.2.0/schema.json",
                "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
            ],
        )
        for name, values in layers.items():
            path = self.folder / f"{stem}_{name}.tif"
            write_cog(path, values.astype(LAYERS[name].dtype), grid, LAYERS[name])
            nodata = 255 if name == "mask" else "nan"
            bands = [{"data_type": LAYERS[name].dtype, "nodata": nodata}]
            item.add_asset(
                name,
                pystac.Asset(
                    str(path), media_type=pystac.MediaType.COG, roles=["data"], extra_fields={"raster:bands": bands}
                ),
            )
        return item

    @staticmethod
    def outline(grid: GeoGrid, slant: float = 0.15) -> NDArray[np.bool_]:
        """Inside of a parallelogram, as a burst lies in its grid."""
        rows, cols = np.indices(grid.shape) / np.array(grid.shape).reshape(2, 1, 1)
        low = slant * (1 - cols)
        return (rows >= low) & (rows <= 1 - slant + low)


@pytest.fixture
def bursts(tmp_path: Path) -> Bursts:
    """A checkerboard of 400 m and two levels, in EPSG:32629."""
    return Bursts(tmp_path, checkerboard)


def checkerboard(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    even = (np.floor(x / 400) + np.floor(y / 400)) % 2 == 0
    return np.where(even, np.float32(0.2), np.float32(0.05)).astype(np.float64)
