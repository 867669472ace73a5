"""Displacement through time against its truth: inversion, weights, references, components, networks in parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.warp import transform

import sarcube
from sarcube.cube.cog_export import CogOptions, write_cogs
from sarcube.cube.unwrap import INPUTS, UnwrapOptions, unwrap_pairs
from sarcube.errors import CubeError
from tests.cube.pairs import GRID, item

DAYS = ("2024-01-01", "2024-01-25", "2024-02-18", "2024-03-13", "2024-04-06", "2024-04-30")
WAVELENGTH = 0.05546576
LOOKS = 45
NEXT_TWO = [(a, b) for a in range(6) for b in (a + 1, a + 2) if b < 6]
WHEN = (np.array(DAYS, "datetime64[D]") - np.datetime64(DAYS[0])).astype(float) / 365.25
# m/year towards the sensor, from west to east: some cycles over the picture on the last date.
RAMP = np.tile(np.linspace(-0.06, 0.06, GRID.width), (GRID.height, 1))


def lonlat(row: int, col: int) -> tuple[float, float]:
    x, y = GRID.left + (col + 0.5) * 80.0, GRID.top - (row + 0.5) * 80.0
    (lon,), (lat,) = transform("EPSG:32632", "EPSG:4326", [x], [y])
    return lon, lat


def stack(
    phase: np.ndarray, links: Sequence[tuple[int, int]], days: Sequence[str] = DAYS, **layers: np.ndarray
) -> xr.Dataset:
    """A cube of unwrapped pairs of dates whose phases are given, (dates, y, x)."""
    pairs = np.stack([phase[b] - phase[a] for a, b in links]).astype(np.float32)
    variables = {"unwrapped_phase": pairs, **layers}
    times = np.array([f"{day}T05:30:00" for day in days], "datetime64[ns]")
    y, x = (GRID.y()[: phase.shape[1]], GRID.x()[: phase.shape[2]])
    coords = {
        "time": times[[a for a, _ in links]],
        "secondary": ("time", times[[b for _, b in links]]),
        "pair": ("time", [f"{days[a]}_{days[b]}" for a, b in links]),
        "wavelength": ("time", [WAVELENGTH] * len(links)),
        "y": y,
        "x": x,
    }
    made = xr.Dataset({n: (("time", "y", "x"), v) for n, v in variables.items()}, coords)
    return made.assign_coords(spatial_ref=((), 0, {"crs_wkt": rasterio.CRS.from_epsg(32632).to_wkt()}))


def phases(metres: np.ndarray) -> np.ndarray:
    """What displacement towards the sensor does to the phase, positive away."""
    return -4 * np.pi / WAVELENGTH * metres


def test_velocity_of_a_ramp_from_speckle_to_millimetres(tmp_path: Path) -> None:
    """Six dates of scatterers that change with time: looks, interferograms, unwrapped, inverted, against the truth."""
    pytest.importorskip("whirlwind")
    rng = np.random.default_rng(7)

    def circular() -> np.ndarray:
        real, imaginary = rng.normal(size=(2, LOOKS, *GRID.shape))
        return np.asarray(real + 1j * imaginary)

    gamma = 0.97**2  # over 24 days
    scatterers, dates = circular(), []
    for k in range(6):
        if k:
            scatterers = gamma * scatterers + np.sqrt(1 - gamma**2) * circular()
        dates.append(scatterers * np.exp(-1j * phases(RAMP * WHEN[k])))
    power = [np.mean(np.abs(s) ** 2, axis=0) for s in dates]
    items = []
    for a, b in NEXT_TWO:
        ifg = np.mean(dates[a] * dates[b].conj(), axis=0)
        layers = {
            "interferogram": ifg,
            "coherence": np.abs(ifg) / np.sqrt(power[a] * power[b]),
            "number_of_looks": np.full(GRID.shape, float(LOOKS)),
        }
        items.append(item(tmp_path, layers, DAYS[a], DAYS[b]))
    cube = sarcube.open_cube(items, layers=INPUTS, merge="looks")
    for pair in unwrap_pairs(cube, UnwrapOptions(alpha=0.5)):
        write_cogs(pair, tmp_path / "unwrapped" / str(pair["pair"].values[0]), CogOptions(prefix="insar"))
    unwrapped = sarcube.open_cube(
        tmp_path / "unwrapped", layers=["unwrapped_phase", "coherence", "connected_components"]
    )
    west, south, east, north = (*lonlat(45, 40), *lonlat(25, 50))
    errors = {}
    for weights in ("none", "coherence"):
        found = unwrapped.insar.displacement(reference=(west, south, east, north), weights=weights).compute()
        off = 1000 * (found["velocity"].values - (RAMP - RAMP[25:46, 40:51].mean()))
        errors[weights] = float(np.sqrt(np.mean(off**2)))
        assert np.isfinite(off).all() and (found["pairs"] == 9).all()
        assert float(found["temporal_coherence"].min()) > 0.9
        last = found["displacement"].values[-1] - RAMP * WHEN[-1]
        assert np.std(last) < 0.0006
    assert max(errors.values()) < 2.0, errors
    _check_command(tmp_path, f"{west},{south},{east},{north}", found)


def _check_command(folder: Path, area: str, expected: xr.Dataset) -> None:
    """The same by the command, as COGs."""
    from typer.testing import CliRunner

    from sarcube.cli.app import app

    words = ["insar", "displacement", str(folder / "unwrapped"), f"--reference={area}", "--weights", "coherence"]
    done = CliRunner().invoke(app, [*words, "--out", str(folder / "out"), "--json"], catch_exceptions=False)
    told = json.loads(done.stdout)
    assert told["dates"] == list(DAYS) and told["pairs"] == 9 and told["reference"].startswith("area within")
    assert len(list((folder / "out").glob("*_displacement.tif"))) == 6
    with rasterio.open(next((folder / "out").glob("*_velocity.tif"))) as file:
        np.testing.assert_allclose(file.read(1), expected["velocity"].values, rtol=1e-5, atol=1e-8)
    wrong = CliRunner().invoke(app, [*words[:3], "--reference=here"])
    assert isinstance(wrong.exception, CubeError) and "longitude, latitude" in str(wrong.exception)


def test_exact_phases_give_the_exact_history() -> None:
    rng = np.random.default_rng(1)
    metres = rng.normal(0, 0.02, (6, 20, 30))
    metres[0] = 0
    found = stack(phases(metres), NEXT_TWO).insar.displacement(reference=lonlat(5, 7), components=False).compute()
    expected = metres - metres[:, 5:6, 7:8]
    np.testing.assert_allclose(found["displacement"].values, expected, atol=2e-7)
    line = np.polyfit(WHEN, expected.reshape(6, -1), 1)[0].reshape(20, 30)
    np.testing.assert_allclose(found["velocity"].values, line, atol=1e-6)
    left = expected - expected.mean(axis=0) - line * (WHEN - WHEN.mean())[:, None, None]
    error = np.sqrt((left**2).sum(axis=0) / 4 / ((WHEN - WHEN.mean()) ** 2).sum())
    np.testing.assert_allclose(found["velocity_error"].values, error, atol=1e-6)
    np.testing.assert_allclose(found["temporal_coherence"].values, 1.0, atol=1e-6)
    assert found.attrs["sarcube_reference"].startswith(f"{lonlat(5, 7)[0]:.5f}")
    assert found["time"].values[0] == np.datetime64("2024-01-01T05:30") and found.rio.crs.to_epsg() == 32632


def test_weights_are_those_of_least_squares() -> None:
    """Against numpy's solution of the weighted system, pixel by pixel; pairs without coherence are left out."""
    rng = np.random.default_rng(2)
    shape = (4, 5)
    gamma = rng.uniform(0.2, 0.95, (9, *shape)).astype(np.float32)
    gamma[2, 0, 0] = np.nan
    cube = stack(np.zeros((6, *shape)), NEXT_TWO, coherence=gamma)
    noisy = rng.normal(0, 0.5, (9, *shape)).astype(np.float32)
    noisy[:, 3, 4] = 0  # the reference
    cube["unwrapped_phase"] = (("time", "y", "x"), noisy)
    found = cube.insar.displacement(reference=lonlat(3, 4), weights="coherence", components=False).compute()
    design = np.zeros((9, 5))
    for k, (a, b) in enumerate(NEXT_TWO):
        design[k, b - 1] = 1
        if a:
            design[k, a - 1] = -1
    for row, col in ((0, 0), (1, 2), (2, 4)):
        g = gamma[:, row, col].astype(float)
        root = np.where(np.isfinite(g), np.sqrt(g**2 / (1 - g**2)), 0.0)
        solved = np.linalg.lstsq(design * root[:, None], noisy[:, row, col] * root, rcond=None)[0]
        np.testing.assert_allclose(
            found["displacement"].values[1:, row, col], -WAVELENGTH / (4 * np.pi) * solved, atol=2e-6
        )
    assert float(found["pairs"][0, 0]) == 8


def test_pixels_whose_own_pairs_fall_apart_are_left_out() -> None:
    metres = np.tile((RAMP[:20, :30])[None], (6, 1, 1)) * WHEN[:, None, None]
    cube = stack(phases(metres), NEXT_TWO).load()
    gone = cube["unwrapped_phase"].values
    gone[[k for k, pair in enumerate(NEXT_TWO) if 5 in pair], 2, 3] = np.nan  # nothing leads to the last date
    gone[0, 4, 4] = np.nan  # the others do
    found = cube.insar.displacement(reference=lonlat(10, 10), components=False).compute()
    assert np.isnan(found["displacement"].values[:, 2, 3]).all() and float(found["pairs"][2, 3]) == 7
    expected = metres - metres[:, 10:11, 10:11]
    np.testing.assert_allclose(found["displacement"].values[:, 4, 4], expected[:, 4, 4], atol=1e-6)


def test_only_what_is_in_one_component_with_the_reference_counts() -> None:
    """An island whose cycles are unknown in some pairs is inverted from the others, or not at all."""
    metres = np.tile(RAMP[:20, :30][None], (6, 1, 1)) * WHEN[:, None, None]
    components = np.ones((9, 20, 30), np.uint16)
    components[:, :6, :6] = 2
    components[4:, 10:, :6] = 2
    cube = stack(phases(metres), NEXT_TWO, connected_components=components).load()
    cube["unwrapped_phase"].values[:, :6, :6] += 2 * np.pi * 3
    found = cube.insar.displacement(reference=lonlat(15, 25)).compute()["velocity"].values
    assert np.isnan(found[:6, :6]).all() and np.isnan(found[12, 2]) and np.isfinite(found[8, 2])
    regardless = cube.insar.displacement(reference=lonlat(15, 25), components=False).compute()["velocity"].values
    assert np.isfinite(regardless).all()
    with pytest.raises(CubeError, match="9 of 9 pairs have no reliable phase"):
        cube.assign(connected_components=cube["connected_components"] * 0).insar.displacement(reference=lonlat(1, 1))


def test_without_a_place_the_most_coherent_one_is_the_reference() -> None:
    gamma = np.full((9, 20, 30), 0.5, np.float32)
    gamma[:, 12, 17] = 0.9
    gamma[:, 3, 3] = 0.99
    metres = np.tile(RAMP[:20, :30][None], (6, 1, 1)) * WHEN[:, None, None]
    cube = stack(phases(metres), NEXT_TWO, coherence=gamma).load()
    cube["unwrapped_phase"].values[1, 3, 3] = np.nan  # not all pairs have it
    found = cube.insar.displacement(components=False).compute()
    assert abs(float(found["velocity"][12, 17])) < 1e-6
    assert found.attrs["sarcube_reference"].startswith(f"{lonlat(12, 17)[0]:.5f}")
    assert found.attrs["sarcube_reference_pixels"] == 25
    cube["coherence"].values[4, 2, 2] = np.nan  # what is not known is not the highest
    assert cube.insar.displacement(components=False).attrs["sarcube_reference"] == found.attrs["sarcube_reference"]
    with pytest.raises(CubeError, match="no coherence to choose a reference by"):
        cube.drop_vars("coherence").insar.displacement(components=False)


def test_an_area_counts_by_the_pixels_that_all_pairs_have() -> None:
    """One pair lacks the fast side of the area: means over other pixels would tilt the whole history."""
    metres = np.tile(RAMP[:20, :30][None], (6, 1, 1)) * WHEN[:, None, None]
    cube = stack(phases(metres), NEXT_TWO).load()
    cube["unwrapped_phase"].values[2, :, 15:] = np.nan
    area = (*lonlat(12, 10), *lonlat(6, 20))
    found = cube.insar.displacement(reference=area, components=False).compute()
    used = found.attrs["sarcube_reference_pixels"]
    assert 20 <= used <= 35  # of the five or six columns west of the gap
    at = float(found["velocity"][8, 2])
    fitting = [RAMP[8, 2] - RAMP[8, 10 + shift : 15].mean() for shift in (0, 1)]
    assert min(abs(at - value) for value in fitting) < 1e-5
    cube["unwrapped_phase"].values[3, :, :15] = np.nan
    with pytest.raises(CubeError, match=r"no pixel of the reference area.* in all 9 pairs"):
        cube.insar.displacement(reference=area, components=False)


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({}, {"reference": (0.0, 0.0)}, "lies outside"),
        ({}, {"reference": (0.0, 0.0, 0.1, 0.1)}, "no pixel"),
        ({}, {"reference": "Zurich"}, "longitude, latitude"),
        ({}, {"weights": "looks"}, "none or coherence"),
        ({}, {"weights": "coherence"}, "has no coherence"),
        ({}, {"components": True}, "components=False"),
        ({}, {"weight": "coherence"}, "did you mean weights"),
        ({"relative_orbit": [1] * 5 + [2] * 4}, {}, "several relative orbits"),
        ({"channel": ["A"] * 5 + ["B"] * 4}, {}, "several channels"),
        ({"wavelength": [np.nan] * 9}, {}, "wavelength="),
    ],
)
def test_what_cannot_be_used_is_said(change: dict[str, Any], options: dict[str, Any], said: str) -> None:
    cube = stack(np.zeros((6, 20, 30)), NEXT_TWO)
    cube = cube.assign_coords({name: ("time", values) for name, values in change.items()})
    with pytest.raises(CubeError, match=said):
        cube.insar.displacement(**{"reference": lonlat(1, 1), "components": False} | options)


def test_a_network_in_parts_is_refused_with_its_parts() -> None:
    cube = stack(np.zeros((6, 4, 5)), [(0, 1), (1, 2), (3, 4), (4, 5), (3, 5)])
    with pytest.raises(CubeError, match=r"2 parts.*2024-01-01, 2024-01-25, 2024-02-18; 2024-03-13"):
        cube.insar.displacement(reference=lonlat(1, 1), components=False)
