from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sarcube.errors import OrbitError
from sarcube.geometry.orbit import Orbit, state, trim

PRECISE = "*_V20200510T225942_*.EOF"
# Its own vectors disagree with their neighbours by millimetres, its velocities by centimetres a second.
NOISY = "20221031T083817"


def without(orbit: Orbit, k: int) -> Orbit:
    keep = np.arange(len(orbit.time)) != k
    return Orbit(orbit.epoch, orbit.time[keep], orbit.position[keep], orbit.velocity[keep])


def test_left_out_vectors_come_back_within_a_millimetre(shared_data: Path, eof_orbit: Callable[[Path], Orbit]) -> None:
    files = sorted((shared_data / "data" / "orbits").glob("*.EOF"))
    assert any(f.match(PRECISE) for f in files)
    for path in files:
        orbit = eof_orbit(path)
        bound = 0.01 if NOISY in path.name else 0.001
        for k in range(1, min(len(orbit.time) - 1, 120)):
            around = slice(max(k - 9, 0), k + 10)
            part = Orbit(orbit.epoch, orbit.time[around], orbit.position[around], orbit.velocity[around])
            position, velocity = state(without(part, k - around.start), orbit.time[k])
            assert np.abs(position - orbit.position[k]).max() < bound, (path.name, k)
            assert np.abs(velocity - orbit.velocity[k]).max() < 30 * bound, (path.name, k)


@pytest.mark.parametrize("count", [4, 5, 7, 8, 17])
def test_uneven_spacing_and_few_vectors(
    count: int, make_orbit: Callable[..., Orbit], exact_state: Callable[..., tuple]
) -> None:
    rng = np.random.default_rng(count)
    time = np.cumsum(rng.uniform(3.0, 15.0, count))
    orbit = make_orbit(time, phase=0.7)
    t = np.linspace(time[0], time[-1], 300)
    position, velocity = state(orbit, t)
    expected = exact_state(t, phase=0.7)
    assert np.abs(position - expected[0]).max() < 1e-4
    assert np.abs(velocity - expected[1]).max() < 1e-4


def test_two_vectors_still_make_an_orbit(make_orbit: Callable[..., Orbit], exact_state: Callable[..., tuple]) -> None:
    orbit = make_orbit([0.0, 1.0])
    assert np.abs(state(orbit, 0.5)[0] - exact_state(0.5)[0]).max() < 1e-4


def test_passes_through_its_vectors(make_orbit: Callable[..., Orbit]) -> None:
    orbit = make_orbit(np.arange(0.0, 170.0, 10.0))
    position, velocity = state(orbit, orbit.time)
    assert np.abs(position - orbit.position).max() < 1e-7
    assert np.abs(velocity - orbit.velocity).max() < 1e-6


def test_velocity_is_the_derivative_and_does_not_jump(make_orbit: Callable[..., Orbit]) -> None:
    orbit = make_orbit(np.arange(0.0, 170.0, 10.0), phase=1.1)
    step = 1e-3
    for t in (33.3, 79.9999, 80.0, 80.0001, 159.9):
        ahead, behind = state(orbit, t + step)[0], state(orbit, t - step)[0]
        assert np.abs((ahead - behind) / (2 * step) - state(orbit, t)[1]).max() < 1e-4
    before, after = state(orbit, 80.0 - 1e-9)[1], state(orbit, 80.0 + 1e-9)[1]
    assert np.abs(before - after).max() < 1e-6


def test_a_time_outside_is_refused_with_both_spans(make_orbit: Callable[..., Orbit]) -> None:
    orbit = make_orbit(np.arange(0.0, 100.0, 10.0))
    with pytest.raises(OrbitError, match=r"2023-01-01T00:01:30.*90\.500"):
        state(orbit, [10.0, 90.5])


def test_trim_keeps_the_interpolation(make_orbit: Callable[..., Orbit]) -> None:
    orbit = make_orbit(np.arange(0.0, 1000.0, 10.0))
    small = trim(orbit, 501.0, 504.0, margin=0.0)
    assert len(small.time) == 8
    t = np.linspace(501.0, 504.0, 20)
    assert np.abs(state(small, t)[0] - state(orbit, t)[0]).max() < 1e-8
    wide = trim(orbit, 501.0, 504.0, margin=60.0)
    assert wide.time[0] <= 441.0 + 10.0
    assert wide.time[-1] >= 564.0 - 10.0
    with pytest.raises(OrbitError, match="lines of the burst"):
        trim(orbit, 985.0, 995.0)


def test_pickles_to_the_same_answer(make_orbit: Callable[..., Orbit]) -> None:
    orbit = make_orbit(np.arange(0.0, 170.0, 10.0))
    first = state(orbit, 42.0)
    copy = pickle.loads(pickle.dumps(orbit))
    assert np.array_equal(state(copy, 42.0), first)
    assert len(pickle.dumps(orbit)) < 3000


@pytest.mark.parametrize("damage", ["repeated", "nan", "one", "shape"])
def test_damaged_vectors_are_refused(damage: str, make_orbit: Callable[..., Orbit]) -> None:
    good = make_orbit(np.arange(0.0, 100.0, 10.0))
    time, position, velocity = good.time.copy(), good.position.copy(), good.velocity
    if damage == "repeated":
        time[4] = time[3]
    elif damage == "nan":
        position[2, 1] = np.nan
    elif damage == "one":
        time, position, velocity = time[:1], position[:1], velocity[:1]
    else:
        velocity = velocity[:-1]
    with pytest.raises(OrbitError):
        Orbit(good.epoch, time, position, velocity)
