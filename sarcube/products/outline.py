"""The outline of a raster's data, as polygons in the grid's CRS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.grid import GeoGrid

Ring = tuple[tuple[float, float], ...]
Outline = tuple[Ring, ...]


def outline(coarse: NDArray[np.uint8], grid: GeoGrid, block: int) -> Outline:
    """Outer rings around the blocks that hold data.

    Holes (shadow, water without return) are not cut out: the outline says where the sensor looked. Steps of
    the blocks are smoothed by at most 1.5 blocks; parts smaller than a thousandth of the whole are left out.

    Parameters
    ----------
    coarse : (rows, columns) uint8
        1 where a block of `block` x `block` pixels holds a valid one.
    grid : GeoGrid
        The full grid.
    block : int

    Returns
    -------
    tuple of rings
        Closed, (x, y) in CRS units, clipped to the grid, largest first; empty without data.
    """
    from rasterio.features import shapes
    from rasterio.transform import Affine
    from shapely.geometry import Polygon, box, shape
    from shapely.ops import unary_union

    if not coarse.any():
        return ()
    step = grid.resolution * block
    affine = Affine(step, 0, grid.left, 0, -grid.step * block, grid.top)
    parts = [shape(geometry) for geometry, _ in shapes(coarse, mask=coarse.astype(bool), transform=affine)]
    filled = unary_union([Polygon(part.exterior) for part in parts])
    smooth = filled.simplify(1.5 * step).intersection(box(*grid.bounds))
    pieces: list[Polygon] = [p for p in getattr(smooth, "geoms", [smooth]) if p.geom_type == "Polygon"]
    least = max(p.area for p in pieces) / 1000.0 if pieces else 0.0
    kept = sorted((p for p in pieces if p.area >= least), key=lambda p: -p.area)
    return tuple(tuple((float(x), float(y)) for x, y in p.exterior.coords) for p in kept)
