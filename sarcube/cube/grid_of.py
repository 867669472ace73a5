"""The grid that a dataset or array lies on, read back from its coordinates."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid


def grid_of(cube: xr.Dataset | xr.DataArray) -> GeoGrid:
    """Grid of a cube.

    Raises
    ------
    CubeError
        There are no evenly spaced x and y, or no CRS.
    """
    import rioxarray  # noqa: F401 - registers .rio

    if "x" not in cube.coords or "y" not in cube.coords:
        raise CubeError("the data have no x and y coordinates; open them with sarcube.open_cube")
    if cube.rio.crs is None or cube.rio.crs.to_epsg() is None:
        raise CubeError("the data have no CRS; set one with .rio.write_crs(epsg)")
    x, y = np.asarray(cube["x"], np.float64), np.asarray(cube["y"], np.float64)
    step = _step(x, "x") if len(x) > 1 else None
    down = -_step(y, "y") if len(y) > 1 else None
    resolution = step or down or abs(cube.rio.transform(recalc=False).a)
    if (step and down and abs(step - down) > 1e-6 * step) or resolution <= 0:
        raise CubeError(f"pixels must be square and north up; x advances by {step}, y by {down and -down}")
    return GeoGrid(
        int(cube.rio.crs.to_epsg()),
        float(x[0] - resolution / 2),
        float(y[0] + resolution / 2),
        float(resolution),
        len(x),
        len(y),
    )


def _step(values: np.ndarray, name: str) -> float:
    step = (values[-1] - values[0]) / (len(values) - 1)
    if np.abs(np.diff(values) - step).max() > 1e-6 * abs(step):
        raise CubeError(f"{name} is not evenly spaced; select pixels with slices, or reproject")
    return float(step)
