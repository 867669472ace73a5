"""What polygons cover of radar cells, against shapely's intersections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely
from numba import njit
from numpy.typing import NDArray

from sarcube.engines.rtc.native.coverage import spread_across, spread_along, spread_edge, spread_straight

LINES, SAMPLES = 14, 40


def _add(spread: Any) -> Callable[..., None]:
    @njit
    def add(field: NDArray[np.float32], corners: NDArray[np.float64], densities: tuple[float, float]) -> None:
        bands = field.shape[2]
        shape = (field.shape[0], field.shape[1], bands)
        for k in range(corners.shape[0]):
            a, b = corners[k], corners[(k + 1) % corners.shape[0]]
            spread(field.reshape(-1), shape, (a[0], a[1], b[0], b[1]), densities)

    return add  # type: ignore[no-any-return]


def _polygons(size: float, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Convex polygons of three to five corners, some with corners on the cells' own, or beyond the first and last line.

    What crosses the first or last sample is clipped line by line, which is less than exact in that cell.
    """
    found = []
    while len(found) < 60:
        middle = rng.uniform((size, -2.0), (SAMPLES - size, LINES + 2.0))
        points = middle + rng.uniform(-size, size, (int(rng.integers(3, 6)), 2))
        if len(found) % 4 == 0:
            points = np.rint(points)
        hull = shapely.MultiPoint(points).convex_hull
        if hull.geom_type == "Polygon":
            found.append(np.array(hull.exterior.coords)[:-1])
    return found


@pytest.mark.parametrize("bands", [1, 2])
@pytest.mark.parametrize("size", [0.3, 1.5, 5.0])
@pytest.mark.parametrize(
    "spread", [spread_edge, spread_across, spread_along, spread_straight], ids=lambda f: f.__name__
)
def test_cells_hold_what_polygons_cover_of_them(spread: Any, size: float, bands: int) -> None:
    add, rng = _add(spread), np.random.default_rng(8)
    rows, columns = np.indices((LINES, SAMPLES))
    cells = shapely.box(columns, rows, columns + 1.0, rows + 1.0)
    for corners in _polygons(size, rng):
        k0, k1 = rng.uniform(0.5, 2.0, 2)
        field = np.zeros((LINES, SAMPLES + 2, bands), np.float32)
        add(field, corners, (k0, k1))
        covered = np.cumsum(field.astype(np.float64), axis=1)[:, :SAMPLES]
        exact = shapely.area(shapely.intersection(cells, shapely.Polygon(corners)))
        sign = np.sign(covered[..., 0].sum()) or 1.0
        np.testing.assert_allclose(sign * covered[..., 0], k0 * exact, atol=2e-6)
        if bands == 2:
            np.testing.assert_allclose(sign * covered[..., 1], k1 * exact, atol=2e-6)
