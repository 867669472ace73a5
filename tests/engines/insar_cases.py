"""Simulated pairs with their truth, made by another simulator, and the measures taken against them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr

from sarcube.engines.insar import InsarOptions
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.orbit_file import read_orbit
from sarcube.sensors.sentinel1.safe import open_safe

EPSG = 32629
# The samples stand at their exact times and ranges: no delay to correct.
EXACT = InsarOptions(bistatic_delay=False, static_troposphere=False, fm_rate_mismatch=False, threads=2)


@dataclass(frozen=True, eq=False)
class PairCase:
    """One case on disk."""

    folder: Path

    def pair(self, index: int = 0) -> tuple[Burst, Burst]:
        """The burst at `index` of its swath on both dates."""
        safes, orbits = sorted(self.folder.glob("*.zip")), sorted(self.folder.glob("*.EOF"))
        first, second = (
            read_bursts(open_safe(safe), swaths=["IW1"], polarizations=["VV"], orbit=read_orbit(orbit))[index]
            for safe, orbit in zip(safes, orbits, strict=True)
        )
        return first, second

    def dem(self) -> Dem:
        with rasterio.open(self.folder.parent / "dem_ellipsoidal.tif") as source:
            t = source.transform
            return Dem(source.read(1).astype(np.float32), source.crs.to_epsg(), t.c, t.f, t.a, -t.e, "reference")

    def grid(self, resolution: float = 80.0) -> GeoGrid:
        with rasterio.open(self.folder / "truth.tif") as source:
            return GeoGrid.snapped(EPSG, tuple(source.bounds), resolution)

    def truth(self, band: int, grid: GeoGrid) -> np.ndarray:
        """A band of the truth at the centres of a grid's cells (nearest)."""
        with rasterio.open(self.folder / "truth.tif") as source:
            x, y = np.meshgrid(grid.x(), grid.y())
            rows, columns = (np.array(v) for v in rasterio.transform.rowcol(source.transform, x.ravel(), y.ravel()))
            values = source.read(band)
            return values[rows.clip(0, source.height - 1), columns.clip(0, source.width - 1)].reshape(x.shape)

    def measure(self, product: xr.Dataset, grid: GeoGrid, folder: Path) -> dict[str, Any]:
        """What `measure_pair.py` says of a product."""
        for name in ("interferogram", "coherence"):
            values = product[name].values
            with rasterio.open(
                folder / f"{name}.tif", "w", driver="GTiff", width=grid.width, height=grid.height, count=1,
                dtype=values.dtype.name, crs=grid.crs, transform=rasterio.Affine(*grid.transform),
            ) as file:  # fmt: skip
                file.write(values, 1)
        command = [
            sys.executable, str(self.folder.parent / "measure_pair.py"), str(self.folder / "truth.tif"), "--json",
            "--complex", str(folder / "interferogram.tif"), "--coherence", str(folder / "coherence.tif"),
        ]  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        return dict(json.loads(result.stdout))
