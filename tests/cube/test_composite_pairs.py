"""Composites of pairs: their bytes and colours, both stretches, merged or each alone, files and legends."""

from __future__ import annotations

import colorsys
import json
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from PIL import Image
from typer.testing import CliRunner

from sarcube.cube.composite.make import composite, composites
from sarcube.cube.composite.presets import PRESETS, get_preset
from sarcube.cube.composite.stretch import stretched
from sarcube.cube.open_cube import open_cube
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from tests.cube.pairs import GRID, PLACE, item

FIRST, SECOND, THIRD = "2024-05-01", "2024-05-13", "2024-05-25"
UP = 0.8  # cosine of the incidence angle


def layers(grid: GeoGrid = GRID, seed: int = 1) -> dict[str, np.ndarray]:
    """Coherence from west to east, a bright field on the first date, a nodata edge."""
    rng = np.random.default_rng(seed)
    gamma = np.tile(np.linspace(0.1, 0.9, grid.width), (grid.height, 1))
    first, second = np.sqrt(rng.gamma(45, 0.1 / 45, (2, *grid.shape)))
    first[20:40, 30:60] *= 2.0
    second[45:60, 30:60] *= 2.0
    ifg = np.exp(1j * np.linspace(-3, 3, grid.height))[:, None] * gamma * first * second
    made = {"amplitude_first": first, "amplitude_second": second, "coherence": gamma, "interferogram": ifg}
    made["number_of_looks"] = np.full(grid.shape, 45.0)
    for values in made.values():
        values[:4] = np.nan
    return made


@pytest.fixture
def items(tmp_path: Path) -> list[pystac.Item]:
    still = item(
        tmp_path, {"los_up": np.full(GRID.shape, UP)}, FIRST, kind="INSAR_S1_STATIC", **{"sarcube:timed": False}
    )
    return [still, item(tmp_path, layers(), FIRST, SECOND)]


def test_coin_is_that_of_the_service(items: list[pystac.Item], tmp_path: Path) -> None:
    made = composite(items, tmp_path / "out", "coin")
    truth = {n: v.astype(np.float32).astype(float) for n, v in layers().items() if n != "interferogram"}
    db = [10 * np.log10(truth[f"amplitude_{n}"] ** 2 * np.sqrt(1 - np.float32(UP) ** 2)) for n in ("first", "second")]
    expected = {
        "sigma0_first_dB": db[0],
        "sigma0_second_dB": db[1],
        "sigma0_average_dB": (db[0] + db[1]) / 2,
        "sigma0_difference_dB": db[0] - db[1],
        "coherence": truth["coherence"],
    }
    stem = "S1_coin_t066_140001_iw2_20240501_20240513"
    assert [path.name for path in made.layers] == [f"{stem}_{name}.tif" for name in expected]
    for path, values in zip(made.layers, expected.values(), strict=True):
        with rasterio.open(path) as source:
            np.testing.assert_allclose(source.read(1), values, atol=2e-4)
    record = json.loads(made.record.read_text())
    shown = {
        "coherence": expected["coherence"],
        "average": expected["sigma0_average_dB"],
        "difference": expected["sigma0_difference_dB"],
    }
    bands = []
    for name, values in shown.items():
        low, high = np.nanpercentile(values, (2, 96))
        assert record["rgb"][f"{name}_range"] == pytest.approx([low, high], abs=2e-3)
        bands.append(stretched(values, low, high))
    picture = get_preset("coin").make(open_cube(items, layers=None, static=["los_up"]).load(), "percentile")["rgb"]
    assert np.abs(picture.rgb.astype(int) - np.stack(bands)).max() <= 1
    assert record["rgb"]["quantity"] == "sigma nought" and record["temporal_baseline"] == 12.0
    with rasterio.open(made.rgb) as source:
        assert source.crs.to_epsg() == 3857 and source.count == 4 and source.dtypes == ("uint8",) * 4
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG" and source.tags()["FIRST"] == FIRST
        values = source.read()
    assert set(np.unique(values[3])) == {0, 255} and not values[:3, values[3] == 0].any()
    np.testing.assert_array_equal(np.moveaxis(np.asarray(Image.open(made.png)), -1, 0), values)
    assert [p.rgb.name for p in made.pictures] == [f"{stem}_rgb.tif", f"{stem}_amplitude_change.tif"]
    assert all(path.exists() for path in made.files)


def test_a_fixed_stretch_is_the_same_for_all_pairs(items: list[pystac.Item]) -> None:
    cube = open_cube(items).load()
    red, _, blue = get_preset("coin").make(cube, "fixed")["rgb"].rgb
    gamma = layers()["coherence"].astype(np.float32)[10]
    np.testing.assert_array_equal(red[10], 1 + np.floor(254 * gamma.astype(float)).astype(int))
    assert not red[:4].any() and not blue[:4].any()
    field, other = blue[20:40, 30:60], blue[45:60, 30:60]
    assert np.median(field) == 255 and np.median(other) == 1, "first minus second"
    assert abs(int(np.median(blue[5:18])) - 128) < 6
    said = get_preset("coin").make(cube, "fixed")["rgb"].facts
    assert said["quantity"] == "beta nought" and said["average_range"] == [-15.0, 5.0]


def test_change_is_grey_red_and_blue(items: list[pystac.Item]) -> None:
    red, green, blue = get_preset("change").make(open_cube(items).load(), "fixed")["rgb"].rgb
    brighter, darker, alike = (np.s_[45:60, 30:60], np.s_[20:40, 30:60], np.s_[5:18, :])
    assert np.mean(red[brighter] == 255) > 0.99 and np.mean(blue[darker] == 255) > 0.99
    grey = (red == green) & (green == blue)
    assert np.mean(grey[alike]) > 0.99 and not grey[brighter].mean() > 0.01


def test_browse_holds_each_quantity_at_its_resolution(items: list[pystac.Item], tmp_path: Path) -> None:
    made = composite(items, tmp_path / "out", "browse-100")
    names = [picture.rgb.name.split("20240513_")[1] for picture in made.pictures]
    assert len(names) == 9 and {"phase.tif", "coherence.tif", "coherence_amplitude.tif", "change.tif"} <= set(names)
    assert not made.layers
    with rasterio.open(made.rgb) as source:
        ground = source.transform.a * np.cos(np.radians(47.85))  # a metre on the ground is longer on the map
        assert ground == pytest.approx(100.0, rel=0.01)
    cube = open_cube(items).load()
    phase = get_preset("browse-50").make(cube, "percentile")["phase"].rgb
    table = {tuple(phase[:, row, 40]) for row in range(5, 70)}
    assert len(table) > 40 and phase[:, 4:].any(axis=0).all() and not phase[:, :4].any()


def test_fringes_turn_the_wheel_once_a_cycle(items: list[pystac.Item]) -> None:
    """The hue is the phase: red at -pi and pi, cyan at 0."""
    rgb = get_preset("fringes").make(open_cube(items).load(), "fixed")["rgb"].rgb
    phase = np.angle(layers()["interferogram"][4:, 40])
    hue = [2 * np.pi * colorsys.rgb_to_hsv(*(rgb[:, row, 40] / 255.0))[0] - np.pi for row in range(4, 70)]
    assert np.abs(np.angle(np.exp(1j * (np.array(hue) - phase)))).max() < 0.15
    assert not rgb[:, :4].any() and len({tuple(c) for c in rgb[:, 4:, 40].T}) > 30


def test_bursts_of_a_pass_are_one_picture_or_each_alone(items: list[pystac.Item], tmp_path: Path) -> None:
    beside = GeoGrid(GRID.epsg, GRID.left + 40 * 80.0, GRID.top, 80.0, 90, 70)
    other = item(tmp_path, layers(beside, 2), FIRST, SECOND, grid=beside, place="t066_140001_iw3")
    later = item(tmp_path, layers(seed=3), FIRST, THIRD)
    both = list(composites([*items, other], tmp_path / "merged", "coherence-amplitude"))
    assert [made.rgb.name for made in both] == ["S1_coherence_amplitude_20240501_20240513_rgb.tif"]
    alone = list(composites([*items, other], tmp_path / "alone", "coherence-amplitude", by="product"))
    assert len(alone) == 2 and PLACE in alone[0].rgb.name
    with rasterio.open(both[0].rgb) as source:
        seen = (source.read(4) > 0).sum()
    with rasterio.open(alone[0].rgb) as source:
        assert seen > 1.3 * (source.read(4) > 0).sum()
    chosen = list(composites([*items, later], tmp_path / "one", "change", pair=(FIRST, THIRD)))
    assert len(chosen) == 1 and "20240525" in chosen[0].rgb.name
    with pytest.raises(CubeError, match="holds 2 pairs"):
        composite([*items, later], tmp_path / "none", "change")


@pytest.mark.parametrize(
    ("preset", "asked", "said"),
    [
        ("coin", {"stretch": "equal"}, "percentile and fixed"),
        ("coin", {"by": "date"}, "pass or product"),
        ("coin", {"layer": "VH"}, "no pairs of VH; there are VV"),
        ("coin", {"pair": (FIRST, THIRD)}, "no pair of 2024-05-01 and 2024-05-25"),
        ("snac", {"pair": (FIRST, SECOND)}, "no pairs"),
        ("snac", {"stretch": "percentile"}, "stretch fixed"),
    ],
)
def test_what_cannot_be_made_is_said(
    preset: str, asked: dict[str, Any], said: str, items: list[pystac.Item], tmp_path: Path
) -> None:
    with pytest.raises(CubeError, match=said):
        list(composites(items, tmp_path / "out", preset, **asked))
    assert not (tmp_path / "out").exists()


def test_dates_alone_make_no_picture_of_pairs(tmp_path: Path) -> None:
    alone = [item(tmp_path, {"VV": np.ones(GRID.shape)}, FIRST, kind="RTC_S1")]
    with pytest.raises(CubeError, match="no selected product has a layer 'coherence'"):
        composite(alone, tmp_path, "coin")


def test_from_the_command_line(items: list[pystac.Item], tmp_path: Path) -> None:
    from sarcube.cli.app import app

    for made in items:
        made.set_self_href(str(tmp_path / f"{made.id}.json"))
        made.save_object(include_self_link=False)
    words = ["composite", str(tmp_path), "--preset", "coin", "--stretch", "fixed", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    files = json.loads(done.stdout)["files"]
    assert len(files) == 5 + 2 * 3 + 1 and all(Path(file).exists() for file in files)
    said = CliRunner().invoke(app, ["composite", "--help"], catch_exceptions=False).stdout
    assert all(name in said for name in PRESETS)
