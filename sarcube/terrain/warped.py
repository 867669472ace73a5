"""One band of a raster on the pixels of a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import DemError
from sarcube.geometry.grid import GeoGrid


def warp_band(path: str, grid: GeoGrid, how: str, what: str) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Values of the first band on a grid, and where there are any.

    Parameters
    ----------
    path : str
        Path or address.
    grid : GeoGrid
    how : str
        "nearest", or "mode" for the most frequent value.
    what : str
        What it is, for messages.

    Raises
    ------
    DemError
        It cannot be read, or has no CRS.
    """
    from affine import Affine
    from rasterio.vrt import WarpedVRT
    from rasterio.warp import Resampling

    from sarcube.transfer.raster import gdal_path, open_raster
    from sarcube.transfer.redact import redact

    with open_raster(gdal_path(path), what=what) as source:
        if source.crs is None:
            raise DemError(f"{what} {redact(path)} has no CRS; give it one (gdal_edit -a_srs)")
        alpha = source.nodata is None
        with WarpedVRT(
            source, crs=grid.crs, transform=Affine(*grid.transform), width=grid.width, height=grid.height,
            resampling=Resampling[how], add_alpha=alpha,
        ) as view:  # fmt: skip
            # The band itself: of whole numbers with a sign rasterio does not know it for a mask.
            seen = view.read(view.count) > 0 if alpha else view.read_masks(1) > 0
            return view.read(1), np.asarray(seen)
