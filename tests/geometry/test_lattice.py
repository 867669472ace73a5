"""Polynomials on lattice cells."""

from __future__ import annotations

import numpy as np

from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.lattice import cell_pixels, cell_polynomials


def test_a_biquadratic_is_reproduced_and_cells_meet() -> None:
    row, column = np.meshgrid(np.arange(7.0), np.arange(9.0), indexing="ij")
    nodes = 2.0 + 0.5 * row - column + 0.25 * row * column - 0.1 * row**2 + 0.3 * column**2 * row**2
    c = cell_polynomials(nodes)
    assert c.shape == (3, 4, 3, 3)
    s, t = 0.3, -0.7
    for i, j in ((0, 0), (1, 2), (2, 3)):
        value = sum(c[i, j, p, q] * s**p * t**q for p in range(3) for q in range(3))
        y, x = 2 * i + 1 + s, 2 * j + 1 + t
        assert np.isclose(value, 2.0 + 0.5 * y - x + 0.25 * y * x - 0.1 * y**2 + 0.3 * x**2 * y**2)


def test_values_may_have_more_dimensions() -> None:
    nodes = np.random.default_rng(1).normal(size=(5, 5, 2))
    both = cell_polynomials(nodes)
    assert np.array_equal(both[..., 1], cell_polynomials(nodes[..., 1]))


def test_cells_are_of_one_size_on_the_ground() -> None:
    assert cell_pixels(GeoGrid(32611, 0.0, 0.0, 20.0, 10, 10)) == 32
    assert cell_pixels(GeoGrid(4326, 0.0, 50.0, 20.0 / 111_320.0, 10, 10)) in (31, 32)
    assert cell_pixels(GeoGrid(32611, 0.0, 0.0, 5000.0, 10, 10)) == 2
