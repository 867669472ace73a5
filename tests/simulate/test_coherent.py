"""What makes an archive coherent: scatterers that stay, orbits that are chosen, truth about what changes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sarcube.cli.app import app
from sarcube.errors import ConfigError
from sarcube.geometry.grid import GeoGrid
from sarcube.simulate.change import displacement, pair_coherence, plan_change
from sarcube.simulate.coherent import impulse_response
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.reference_orbit import beside, place
from sarcube.simulate.scenes import build_scene
from sarcube.simulate.terrain import Terrain
from sarcube.simulate.viewing import ground_point

GRID = GeoGrid(32632, 430_000.0, 5_330_000.0, 20.0, 600, 600)
CENTER = (436_000.0, 5_324_000.0)


@pytest.mark.parametrize("perpendicular", [-60.0, 30.0, 150.0])
@pytest.mark.parametrize("direction", ["ascending", "descending"])
def test_orbits_have_the_chosen_baseline(perpendicular: float, direction: str) -> None:
    orbit, time = place(8.2, 48.0, 850_000.0, direction)
    other = beside(orbit, time, 850_000.0, perpendicular)
    instant = np.array([time])
    position, velocity = orbit.state(instant)
    point = ground_point(position, velocity, np.array([850_000.0]))
    times = np.linspace(time - 0.2, time + 0.2, 4001)
    states, speeds = other.state(times)
    zero = int(np.argmin(np.abs(((point - states) * speeds).sum(axis=1))))
    between = states[zero] - position[0]
    look = (point - position)[0] / 850_000.0
    across = np.cross(velocity[0], look)
    assert between @ across / np.linalg.norm(across) == pytest.approx(perpendicular, abs=0.01)
    assert abs(between @ look) < 0.01


def test_the_response_has_the_spectrum_of_its_window() -> None:
    table = impulse_response(0.645, 0.75)
    assert (table[::256] ** 2).sum(axis=1) == pytest.approx(np.ones(9), abs=0.02)
    # Two tables half a sample apart, laced, are the response at twice the rate.
    dense = np.zeros(512)
    dense[240 + 1 - 2 * 7 : 240 + 1 - 2 * 7 + 32 : 2] = table[0]
    dense[240 - 2 * 7 : 240 - 2 * 7 + 32 : 2] = table[1024]
    seen = np.abs(np.fft.fft(dense))[:256]
    f = np.arange(256) / 512 * 2
    window = np.where(f < 0.645 / 2, 0.75 + 0.25 * np.cos(2 * np.pi * f / 0.645), 0)
    # Its end after eight samples to either side rounds the edges of the band off.
    inside = f < 0.75 * 0.645 / 2
    assert np.allclose(seen[inside] / seen[0], window[inside], atol=0.05)
    assert seen[f > 1.25 * 0.645 / 2].max() < 0.05 * seen[0]


def options(**changes: object) -> SimulationOptions:
    dates = (dt.date(2024, 5, 1), dt.date(2024, 5, 13), dt.date(2024, 6, 6))
    return SimulationOptions(**{"coherent": True, "dates": dates, "polarizations": ("VV",), **changes})  # type: ignore[arg-type]


def change_of(chosen: SimulationOptions) -> tuple:
    heights = (400 + 60 * np.sin(np.arange(600) / 40)[None, :] * np.cos(np.arange(600) / 55)[:, None]).astype(
        np.float32
    )
    scene = build_scene(chosen, GRID, heights, CENTER, 3)
    terrain = Terrain(GRID, scene.heights, "waves")
    return scene, plan_change(chosen, terrain, scene, tuple(d.isoformat() for d in chosen.dates), CENTER)


def test_coherence_is_that_of_the_covers_and_falls_with_time() -> None:
    scene, change = change_of(options(clearcut_after=2))
    near, far = pair_coherence(change, 0, 1), pair_coherence(change, 0, 2)
    before, after = scene.classes[0], scene.classes[2]
    lake, meadow, cut = scene.names.index("lake"), scene.names.index("meadow"), scene.names.index("clearcut")
    assert (before == lake).sum() > 1000 and (after == cut).sum() > 100
    assert np.all(near[before == lake] == 0)
    assert near[before == meadow] == pytest.approx(0.7) and far[
        (before == meadow) & (after == meadow)
    ] == pytest.approx(0.7**3)
    assert np.all(far[after == cut] == 0) and np.all(near[after == cut] > 0)


def test_squares_of_coherence_and_displacement_that_grows() -> None:
    _, change = change_of(
        options(truth="constant", coherence=(0.9, 0.5), displacement="mogi", displacement_metres=0.09)
    )
    assert set(np.unique(change.coherence)) == {np.float32(0.9), np.float32(0.5)}
    first, second, third = change.moved
    assert first is None and second is not None and third is not None
    assert third[2].max() == pytest.approx(0.09, rel=1e-3)
    assert np.allclose(second * 3, third, atol=1e-6)


def test_displacements_are_those_of_their_sources() -> None:
    mogi = displacement(options(displacement="mogi", displacement_metres=0.1), GRID, CENTER)
    assert mogi is not None
    row = int((GRID.top - CENTER[1]) / 20)
    r = GRID.x() - CENTER[0]
    assert np.allclose(mogi[2, row], 0.1 / (1 + (r / 3000) ** 2) ** 1.5, rtol=1e-4, atol=1e-5)
    assert np.allclose(mogi[0, row], mogi[2, row] * r / 3000, atol=1e-5)
    fault = displacement(options(displacement="fault", displacement_metres=0.3), GRID, CENTER)
    assert fault is not None and np.all(fault[2] == 0)
    slip = np.hypot(fault[0], fault[1])
    assert 0.1 < slip.max() < 0.15 and slip[row, int((CENTER[0] - GRID.left) / 20)] < 0.003
    assert displacement(options(), GRID, CENTER) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coherent": False, "baselines": (0.0, 1.0, 2.0)}, "need coherent"),
        ({"baselines": (0.0, 10.0)}, "one per date"),
        ({"displacement": "volcano"}, "displacement is"),
        ({"coherence": (0.5, 1.2)}, "within 0 to 1"),
        ({"correlation": 0.8 + 0.8j}, "at most 1"),
        ({"template": Path("x.SAFE"), "along_track_error": 0.1}, "own orbits"),
    ],
)
def test_options_that_do_not_fit_are_named(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        options(**changes)


def test_the_command_writes_a_pair(tmp_path: Path) -> None:
    command = (
        f"simulate {tmp_path / 'pair'} --coherent --dates 2024-05-01,2024-05-13 --baselines=0,90 --displacement mogi "
        "--coherence 0.8 --correlation 0.3+0.1j --truth constant --swaths IW1 --bursts 1 --crop "
        "--aoi=8.19,47.995,8.21,48.005"
    )
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "pair" / "truth").iterdir()}
    assert {"2024-05-01_2024-05-13_phase.tif", "2024-05-01_2024-05-13_coherence.tif"} <= names
    wrong = CliRunner().invoke(app, [*command.split(), "--baselines=0,x"])
    assert isinstance(wrong.exception, ConfigError) and "--baselines" in str(wrong.exception)
