"""Two products side by side: differences that are known must be found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import fourier_shift, gaussian_filter

from sarcube.errors import GridError, ProductError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.cog import write_cog
from sarcube.workflows.rtc.compare import compare_products, comparison_table, draw_comparison
from sarcube.workflows.rtc.kinds import LAYERS

GRID = GeoGrid(32632, 500_000.0, 5_200_000.0, 20.0, 300, 240)


def scene(seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.exp(gaussian_filter(rng.normal(size=GRID.shape), 2.5) * 3).astype(np.float32) * 0.1


def product(folder: Path, grid: GeoGrid = GRID, **layers: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    for name, values in layers.items():
        write_cog(folder / f"some_product_{name}.tif", values, grid, LAYERS[name])
    return folder


def test_a_known_gain_is_found(tmp_path: Path) -> None:
    power = scene()
    hole = power.copy()
    hole[:10] = np.nan
    a = product(tmp_path / "a", VV=power * 10**0.05, rtc_anf_gamma0_to_beta0=power * 1.02)
    b = product(tmp_path / "b", VV=hole, rtc_anf_gamma0_to_beta0=power)
    factor, backscatter = sorted(compare_products(a, b), key=lambda c: c.layer != "rtc_anf_gamma0_to_beta0")
    assert backscatter.median == pytest.approx(0.5, abs=1e-4) and backscatter.unit == "dB"
    assert backscatter.only_a == 10 * GRID.width and backscatter.only_b == 0
    assert backscatter.correlation == pytest.approx(1.0)
    assert factor.median == pytest.approx(2.0, abs=1e-3) and factor.unit == "%"


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (0.3, -0.2), (-2.4, 3.0)])
def test_a_known_shift_is_found(tmp_path: Path, dx: float, dy: float) -> None:
    power = scene()
    moved = np.exp(np.fft.ifft2(fourier_shift(np.fft.fft2(np.log(power)), (dy, dx))).real).astype(np.float32)
    (found,) = compare_products(product(tmp_path / "a", VV=moved), product(tmp_path / "b", VV=power))
    assert (found.shift_x, found.shift_y) == pytest.approx((dx, dy), abs=0.05)


def test_masks_are_compared_by_overlap(tmp_path: Path) -> None:
    first, second = np.zeros(GRID.shape, np.uint8), np.zeros(GRID.shape, np.uint8)
    first[:20, :30], second[10:30, :30] = 2, 2
    first[50:60, :10] = second[50:60, :10] = 1
    first[200:] = 255
    (found,) = compare_products(product(tmp_path / "a", mask=first), product(tmp_path / "b", mask=second))
    assert found.layover_overlap == pytest.approx(1 / 3)
    assert found.shadow_overlap == 1.0
    assert found.mean == pytest.approx(600 / (200 * GRID.width))
    assert found.only_b == 40 * GRID.width


def test_windows_of_one_grid_are_aligned(tmp_path: Path) -> None:
    power = scene()
    part = GeoGrid(GRID.epsg, GRID.left + 40 * 20, GRID.top - 30 * 20, 20.0, 200, 100)
    b = product(tmp_path / "b", part, VV=power[30:130, 40:240])
    (found,) = compare_products(product(tmp_path / "a", VV=power), b)
    assert found.pixels == 20_000 and found.p95 == 0.0


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    a = product(tmp_path / "a", VV=scene())
    with pytest.raises(ProductError, match="no layers found"):
        compare_products(a, tmp_path)
    with pytest.raises(ProductError, match="no layer in common"):
        compare_products(a, product(tmp_path / "b", VH=scene()))
    half = GeoGrid(GRID.epsg, GRID.left + 10, GRID.top, 20.0, GRID.width, GRID.height)
    with pytest.raises(GridError, match="not on one grid"):
        compare_products(a, product(tmp_path / "c", half, VV=scene()))
    away = GeoGrid(GRID.epsg, GRID.left + 20_000, GRID.top, 20.0, GRID.width, GRID.height)
    with pytest.raises(GridError, match="do not overlap"):
        compare_products(a, product(tmp_path / "d", away, VV=scene()))
    other = GeoGrid(32633, GRID.left, GRID.top, 20.0, GRID.width, GRID.height)
    with pytest.raises(GridError, match="CRS"):
        compare_products(a, product(tmp_path / "e", other, VV=scene()))
    damaged = product(tmp_path / "f", VV=scene())
    path = next(damaged.iterdir())
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ProductError, match="cannot be read"):
        compare_products(a, damaged)


def test_table_and_picture(tmp_path: Path) -> None:
    a, b = product(tmp_path / "a", VV=scene() * 2), product(tmp_path / "b", VV=scene())
    assert "3.0103" in comparison_table(compare_products(a, b))
    draw_comparison(a, b, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"


def test_the_picture_is_cut_named_and_has_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    power = scene()
    power[:100], power[:, 250:] = np.nan, np.nan
    a, b = (product(tmp_path / name, VV=power, rtc_anf_gamma0_to_beta0=power) for name in ("first", "second"))
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_given, **_named: drawn.append(self))
    draw_comparison(a, b, tmp_path / "picture.png")
    (figure,) = drawn
    head = figure.get_suptitle().splitlines()
    assert head[0].startswith("A: ") and "first" in head[0] and head[1].startswith("B: ") and "second" in head[1]
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 6
    for panel in panels:
        assert panel.images[0].get_array().shape == (140, 250)  # 100 rows and 50 columns of nothing are gone
    assert [p.get_title() for p in panels[:3]] == [f"VV backscatter, {side}" for side in ("A", "B", "A - B")]
    units = [axes.get_ylabel() for axes in figure.axes if not axes.images]
    assert units == ["dB", "dB", "dB", "", "", "%"]


def test_command_on_what_opera_wrote(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "reference" / "morocco"
    picture = tmp_path / "difference.png"
    done = subprocess.run(
        [sys.executable, "-m", "sarcube.cli", "compare", str(folder / "rtc_corrected"), str(folder / "rtc"),
         "--json", "--picture", str(picture)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    layers = {c["layer"]: c for c in json.loads(done.stdout)}
    # The static tropospheric delay of 2.3 m / cos(incidence) moves everything a few metres in slant range.
    assert 0.05 < np.hypot(layers["VV"]["shift_x"], layers["VV"]["shift_y"]) < 1.0
    assert picture.exists()
