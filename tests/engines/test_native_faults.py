"""What the native engine does where something is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

import sarcube.sensors.sentinel1.samples as stored
from sarcube.engines.rtc.native import NativeEngine
from sarcube.errors import DemError, EngineError, GridError, OrbitError
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.orbit import Orbit
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.samples import read_samples
from tests.engines.simulated import ONE, Scene, make

ENGINE = NativeEngine()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make(tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="module")
def whole(scene: Scene) -> xr.Dataset:
    return ENGINE.backscatter(scene.burst, scene.grid, scene.dem, ONE, None)


def with_samples(monkeypatch: pytest.MonkeyPatch, edit: object) -> None:
    """Let the engine see samples that `edit(samples, polarization)` has changed in place."""

    def read(burst: Burst, polarization: str, lines: tuple[int, int] | None = None) -> NDArray[np.int16]:
        samples = read_samples(burst, polarization).copy()
        edit(samples, polarization)  # type: ignore[operator]
        first, stop = lines or (0, samples.shape[0])
        return samples[first:stop]

    monkeypatch.setattr(stored, "read_samples", read)


def test_void_cells_stay_void_and_are_counted(scene: Scene, whole: xr.Dataset) -> None:
    heights = scene.dem.heights.copy()
    row = int((scene.dem.top - (scene.grid.top + scene.grid.bottom) / 2) / scene.dem.dy)
    column = int(((scene.grid.left + scene.grid.right) / 2 - scene.dem.left) / scene.dem.dx)
    heights[row - 5 : row + 5, column - 5 : column + 5] = np.nan
    dem = replace(scene.dem, heights=heights)
    holed = ENGINE.backscatter(scene.burst, scene.grid, dem, ONE, None)
    static = ENGINE.static(scene.burst, scene.grid, dem, ONE)
    # 11 postings of 30 m between the nearest heights that are known.
    lost = np.isfinite(whole["VV"].values) & np.isnan(holed["VV"].values)
    assert (10 * 30 / 20) ** 2 <= lost.sum() <= (14 * 30 / 20) ** 2
    assert (9 * 30 / 20) ** 2 <= holed.attrs["void_dem_pixels"] <= (12 * 30 / 20) ** 2
    assert static.attrs["void_dem_pixels"] == holed.attrs["void_dem_pixels"]
    assert (holed["mask"].values[lost] == 255).all()
    middle = np.argwhere(lost).mean(axis=0).round().astype(int)
    for name in static.data_vars:
        value = static[name].values[tuple(middle)]
        assert value == 255 if name == "mask" else np.isnan(value)
    # Nothing else changes but a little beside the hole.
    kept = np.isfinite(holed["VV"].values)
    assert np.mean(np.isclose(holed["VV"].values[kept], whole["VV"].values[kept], rtol=1e-4)) > 0.99


def test_a_dem_that_ends_within_the_burst(scene: Scene, whole: xr.Dataset) -> None:
    half = scene.dem.heights.shape[1] // 2
    dem = replace(scene.dem, heights=np.ascontiguousarray(scene.dem.heights[:, :half]))
    part = ENGINE.backscatter(scene.burst, scene.grid, dem, ONE, None)
    known = part["VV"].values
    beyond = np.asarray(part["x"].values) > dem.right
    assert np.isnan(known[:, beyond]).all() and (part["mask"].values[:, beyond] == 255).all()
    assert part.attrs["void_dem_pixels"] > 0.3 * np.isfinite(whole["VV"].values).sum()
    inner = np.asarray(part["x"].values) < dem.right - 300.0
    assert np.allclose(known[:, inner], whole["VV"].values[:, inner], rtol=1e-3, equal_nan=True)


def test_no_dem_at_all(scene: Scene) -> None:
    void = replace(scene.dem, heights=np.full_like(scene.dem.heights, np.nan))
    with pytest.raises(DemError, match="no valid height"):
        ENGINE.static(scene.burst, scene.grid, void, ONE)
    elsewhere = replace(scene.dem, left=scene.dem.left + 1e6)
    with pytest.raises(DemError, match=r"no valid height|does not cover"):
        ENGINE.backscatter(scene.burst, scene.grid, elsewhere, ONE, None)
    with pytest.raises(DemError, match="needs a DEM or"):
        ENGINE.backscatter(scene.burst, scene.grid, None, ONE, None)


def test_too_coarse_a_dem_is_refused_but_a_plane_is_not(scene: Scene, whole: xr.Dataset) -> None:
    coarse = np.ascontiguousarray(scene.dem.heights[::40, ::40])
    dem = replace(scene.dem, heights=coarse, dx=1200.0, dy=1200.0)
    with pytest.raises(DemError, match="too coarse"):
        ENGINE.backscatter(scene.burst, scene.grid, dem, ONE, None)
    span = 40_000.0
    left, top = scene.grid.left - span, scene.grid.top + span
    sea = Dem(np.full((80, 80), 47.0, np.float32), scene.dem.epsg, left, top, 1200.0, 1200.0, "geoid")
    flat = ENGINE.static(scene.burst, scene.grid, sea, ONE)
    there = np.isfinite(flat["incidence_angle"].values)
    assert there.sum() > 0.8 * np.isfinite(whole["VV"].values).sum()
    assert np.allclose(flat["digital_elevation_model"].values[there], 47.0)
    angle = flat["incidence_angle"].values[there]
    assert np.allclose(angle, flat["local_incidence_angle"].values[there], atol=0.05)


def test_a_burst_at_the_end_of_its_orbit(scene: Scene) -> None:
    orbit = scene.burst.orbit
    keep = orbit.time < scene.burst.radar.last_line_time
    cut = Orbit(orbit.epoch, orbit.time[keep], orbit.position[keep], orbit.velocity[keep])
    with pytest.raises(OrbitError):
        ENGINE.static(replace(scene.burst, orbit=cut), scene.grid, scene.dem, ONE)


def test_polarizations(scene: Scene, whole: xr.Dataset) -> None:
    with pytest.raises(EngineError, match="not HH"):
        ENGINE.backscatter(scene.burst, scene.grid, scene.dem, replace(ONE, polarizations=("HH",)), None)
    single = replace(scene.burst, channels={"VH": scene.burst.channels["VH"]})
    alone = ENGINE.backscatter(single, scene.grid, scene.dem, ONE, None)
    assert set(alone.data_vars) == {"VH", "mask", "number_of_looks"}
    assert np.allclose(alone["VH"].values, whole["VH"].values, rtol=1e-5, equal_nan=True)


def test_a_grid_elsewhere(scene: Scene) -> None:
    away = GeoGrid(scene.grid.epsg, scene.grid.left + 100_000.0, scene.grid.top, 20.0, 60, 60)
    wide = replace(
        scene.dem, heights=np.full((400, 400), 300.0, np.float32), left=away.left - 50_000.0, top=away.top + 50_000.0,
        dx=300.0, dy=300.0,
    )  # fmt: skip
    with pytest.raises(GridError, match="does not touch"):
        ENGINE.backscatter(scene.burst, away, wide, ONE, None)


def test_static_layers_of_another_grid(scene: Scene) -> None:
    static = ENGINE.static(scene.burst, scene.grid, scene.dem, ONE)
    moved = replace(scene.grid, left=scene.grid.left + 20.0)
    with pytest.raises(GridError, match="another grid"):
        ENGINE.backscatter(scene.burst, moved, scene.dem, ONE, static)


def test_lines_that_are_all_zero_are_missing(scene: Scene, whole: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def edit(samples: NDArray[np.int16], polarization: str) -> None:
        samples[100:130] = 0
        if polarization == "VH":
            samples[130:140] = 0

    with_samples(monkeypatch, edit)
    gap = ENGINE.backscatter(scene.burst, scene.grid, scene.dem, ONE, None)
    assert gap.attrs["empty_lines"] == whole.attrs["empty_lines"] + 40
    for name in ("VV", "VH"):
        known = gap[name].values
        lost = np.isfinite(whole[name].values) & np.isnan(known)
        assert (known[np.isfinite(known)] > 0).all()  # never a zero
        assert (gap["mask"].values[lost] == 255).all()
        # 40 lines of 14 m: a strip of 560 m, to a pixel on either side.
        assert 520 < 20.0 * lost.sum(axis=0).max() < 660
    assert np.array_equal(np.isnan(gap["VV"].values), np.isnan(gap["VH"].values))


def test_ends_of_lines_without_echo_are_outside(
    scene: Scene, whole: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(samples: NDArray[np.int16], polarization: str) -> None:
        samples[:, :900] = 0
        samples[:, 1700:] = 0
        samples[::3, 900:902] = 0  # the edge of an echo is never quite straight

    with_samples(monkeypatch, edit)
    cut = ENGINE.backscatter(scene.burst, scene.grid, scene.dem, ONE, None)
    assert cut.attrs["empty_lines"] == whole.attrs["empty_lines"]
    known = np.isfinite(cut["VV"].values)
    assert (cut["VV"].values[known] > 0).all()
    assert (cut["mask"].values[~known] == 255).all() and (cut["mask"].values[known] == 0).all()
    share = known.sum() / np.isfinite(whole["VV"].values).sum()
    assert abs(share - 800 / 2391) < 0.01


def test_zeros_within_the_echo_are_dark_ground(
    scene: Scene, whole: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(samples: NDArray[np.int16], polarization: str) -> None:
        samples[:, 1000:1100] = 0  # a calm lake
        samples[::2, 4:6] = 0  # two dark samples at the swath's border

    with_samples(monkeypatch, edit)
    dark = ENGINE.backscatter(scene.burst, scene.grid, scene.dem, replace(ONE, thermal_noise=False), None)
    known = np.isfinite(dark["VV"].values)
    assert np.array_equal(known, np.isfinite(whole["VV"].values))
    assert 0.03 < (dark["VV"].values[known] == 0).mean() < 0.05  # 100 of 2391 samples


def test_a_shadow_beyond_the_echo_is_outside(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    heights = scene.dem.heights.copy()
    heights[:, ::20] += 500.0  # walls that cast shadows
    dem = replace(scene.dem, heights=heights)

    def edit(samples: NDArray[np.int16], polarization: str) -> None:
        samples[:, :1200] = 0

    shaded = ENGINE.backscatter(scene.burst, scene.grid, dem, ONE, None)
    with_samples(monkeypatch, edit)
    cut = ENGINE.backscatter(scene.burst, scene.grid, dem, ONE, None)
    shadow = np.isin(shaded["mask"].values, (1, 3))
    assert shadow.sum() > 500
    assert np.isnan(shaded["VV"].values[shadow]).all()
    lost = shadow & (cut["mask"].values == 255)
    assert 0.2 < lost.sum() / shadow.sum() < 0.8
    assert set(np.unique(cut["mask"].values[shadow])) <= {1, 3, 255}


def test_data_cut_to_an_area(tmp_path: Path) -> None:
    centre = (8.2, 48.0)
    scene = make(
        tmp_path, center=centre, burst_size=None, crop=True, posting=20.0,
        aoi=(centre[0] - 0.02, centre[1] - 0.015, centre[0] + 0.02, centre[1] + 0.015),
    )  # fmt: skip
    made = ENGINE.backscatter(scene.burst, scene.grid, scene.dem, ONE, None)
    values, mask = made["VV"].values, made["mask"].values
    known = np.isfinite(values)
    assert known.sum() > 10_000
    assert (values[known] > 0).all()
    assert (mask[~known] == 255).all()
    assert abs(10.0 * np.log10(values[known].mean() / 0.1)) < 0.1  # no dark rim
