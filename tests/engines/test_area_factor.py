"""Area factors against sums over small pieces of ground, each placed by the exact equations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion

from sarcube.engines.rtc.native.area_factor import area_factors
from sarcube.engines.rtc.native.blocks import Window
from sarcube.engines.rtc.native.densities import even_densities
from sarcube.engines.rtc.native.mapping import radar_map
from sarcube.engines.rtc.native.mesh import Mesh, make_mesh
from sarcube.geometry.burst_grid import transformer
from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.geo2rdr import geo2rdr
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.orbit import state
from sarcube.sensors.sentinel1.model import Burst
from tests.engines.simulated import Scene, make

PIECES = 5  # of ground along each side of a facet
BLOCK = (16, 64)  # lines and samples whose mean is compared


@pytest.fixture(scope="module", params=["ascending", "descending"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make(tmp_path_factory.mktemp("factor"), direction=request.param)


@dataclass(frozen=True, eq=False)
class Ground:
    """Sums over the pieces that fall into each cell of a window: areas in m2."""

    gamma: NDArray[np.float64]
    sigma: NDArray[np.float64]
    slant: NDArray[np.float64]


def add_up(burst: Burst, mesh: Mesh, window: Window) -> Ground:
    rows, columns = mesh.heights.shape
    x, y = np.meshgrid(mesh.x0 + np.arange(columns) * mesh.spacing, mesh.y0 - np.arange(rows) * mesh.spacing)
    lon, lat = transformer(mesh.epsg, 4326).transform(x, y)
    ground = geodetic_to_ecef(lon, lat, mesh.heights.astype(np.float64))
    area = 0.5 * np.cross(ground[:-1, 1:] - ground[1:, :-1], ground[:-1, :-1] - ground[1:, 1:])
    middle = 0.25 * (ground[:-1, :-1] + ground[1:, :-1] + ground[:-1, 1:] + ground[1:, 1:])
    time, distance = geo2rdr(burst.orbit, middle)
    position, velocity = state(burst.orbit, time)
    look = (position - middle) / distance[..., None]
    across = np.cross(velocity, look)
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    gamma = np.maximum(np.einsum("...i,...i", area, look), 0.0)
    sigma = np.where(gamma > 0.0, np.linalg.norm(area, axis=-1), 0.0)
    slant = np.abs(np.einsum("...i,...i", area, across))
    radar = burst.radar
    line = (time - radar.first_line_time) / radar.line_interval + 0.5 - window.first_line
    sample = (distance - radar.first_sample_range) / radar.sample_spacing + 0.5 - window.first_sample
    edges = (np.arange(window.lines + 1), np.arange(window.samples + 1))
    sums = [
        np.histogram2d(line.ravel(), sample.ravel(), bins=edges, weights=weights.ravel())[0]
        for weights in (gamma, sigma, slant)
    ]
    return Ground(*sums)


def blocks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    lines, samples = (n // b * b for n, b in zip(values.shape, BLOCK, strict=True))
    cut = values[:lines, :samples].astype(np.float64)
    return cut.reshape(lines // BLOCK[0], BLOCK[0], samples // BLOCK[1], BLOCK[1]).sum((1, 3))


@pytest.mark.parametrize(
    ("height", "direction", "bound"),
    [
        pytest.param(0.0, "both", 0.001, id="as it is"),
        pytest.param(4.0, "both", 0.002, id="rougher"),
        # Slopes along the track change the ground's area and hardly what the sensor sees of it. Facets of 10 m
        # lack a little of ground that is as bent as this.
        pytest.param(15.0, "along", 0.006, id="rougher along the track"),
    ],
)
def test_each_cell_has_the_ground_that_falls_into_it(scene: Scene, height: float, direction: str, bound: float) -> None:
    burst, grid, dem = scene.burst, scene.grid, scene.dem
    rows, columns = dem.heights.shape
    noise = np.random.default_rng(3).uniform(-height, height, (rows, columns if direction == "both" else 1))
    dem = replace(dem, heights=(dem.heights + noise).astype(np.float32))
    # A piece in the middle of the burst, of an odd size: the terrain ends within the window on all sides.
    row, column = grid.height // 2 - 35, grid.width // 2 - 40
    left, top = grid.left + column * grid.resolution, grid.top - row * grid.resolution
    piece = GeoGrid(grid.epsg, left, top, grid.resolution, 81, 71)
    mesh = make_mesh(dem, piece, 2, 2)
    rmap = radar_map(burst.orbit, burst.radar, grid.epsg, mesh.bounds, mesh.height_range())
    window = Window(-20, -100, burst.radar.lines + 40, burst.radar.samples + 200)
    factors = area_factors(rmap, mesh, window, sigma=True)[:, :-2]
    ground = add_up(burst, make_mesh(dem, piece, 2 * PIECES, 2), window)
    covered = ground.slant > 0.0
    full = blocks(binary_erosion(covered, iterations=2)) == BLOCK[0] * BLOCK[1]
    assert full.sum() > 20
    for band, sums in enumerate((ground.gamma, ground.sigma)):
        expected = blocks(sums)[full] / blocks(ground.slant)[full]
        found = blocks(np.nan_to_num(factors[..., band]))[full] / (BLOCK[0] * BLOCK[1])
        assert np.abs(found / expected - 1.0).max() < bound
        assert found.mean() == pytest.approx(expected.mean(), rel=bound)
        cell = blocks(ground.slant)[full].mean() / (BLOCK[0] * BLOCK[1])
        assert np.nansum(factors[..., band]) * cell == pytest.approx(sums.sum(), rel=3e-3)
    assert np.array_equal(np.isnan(factors[..., 0]), np.isnan(factors[..., 1]))
    # Nothing falls where there is no ground; what lies between two pieces does not count.
    assert np.isnan(factors[..., 0][~binary_dilation(covered, iterations=3)]).all()


@pytest.mark.parametrize(("rise", "alike"), [(0.5, True), (40.0, False)])
def test_facets_share_a_density_where_both_areas_are_alike(rise: float, alike: bool) -> None:
    # Seen from above, slopes hide nothing: four facets look alike, however much ground there is on them.
    heights = np.zeros((6, 6), np.float32)
    heights[4:] = rise
    x, y = np.broadcast_arrays(np.arange(6.0)[::-1], np.arange(3.0)[:, None])
    terms = np.zeros((2, 2, 19))
    terms[..., 2] = terms[..., 12:15] = terms[..., 18] = 1.0
    facets, patches = np.full((2, 2, 7), np.nan), np.full((2, 4), np.nan)
    lattice = (0.0, 0.01, 0.0, 10.0)
    even_densities(heights, 2, (1, 2), x.copy(), y.copy(), terms, lattice, facets, patches)
    assert np.isfinite(facets[:, :, 2:4]).all()
    assert (np.isfinite(patches[:, 1]) == alike).all()
