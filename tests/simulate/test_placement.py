"""Where and when: the orbit put over any place, TOPS timing, overlaps as on the real thing."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from sarcube.errors import ConfigError
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.sensors.sentinel1.burst_id import esa_burst_id, relative_orbit
from sarcube.simulate.looks import look_ring, plan_look, plan_looks
from sarcube.simulate.options import SimulationOptions, demo_options
from sarcube.simulate.swaths import LINE_INTERVAL, RANGE_SAMPLING_RATE
from sarcube.simulate.timeline import ScenePlan, plan_scenes
from sarcube.simulate.viewing import angles, ground_point, radar_coordinates, to_ecef

DAY = (dt.date(2024, 5, 1),)
PLACES = [(8.2, 48.0), (179.95, -16.5), (-179.9, 66.0), (0.01, 0.0), (-60.0, -77.0), (20.0, 79.5), (123.0, -45.0)]


def plan(**options) -> ScenePlan:
    return plan_scenes(SimulationOptions(dates=DAY, **options))[0]


@pytest.mark.parametrize("direction", ["ascending", "descending"])
@pytest.mark.parametrize("place", PLACES)
def test_the_middle_of_the_bursts_is_the_center(place: tuple[float, float], direction: str) -> None:
    scene = plan(center=place, direction=direction, swaths=("IW1", "IW2", "IW3"), bursts=1)
    look = plan_look(scene, scene.swaths[1], 0, ("VV",))
    radar = look.radar
    time, slant = radar_coordinates(look.track, to_ecef(*map(np.array, place), 0.0), radar.first_line_time + 1.5)
    line = (time - radar.first_line_time) / radar.line_interval
    sample = (slant - radar.first_sample_range) / radar.sample_spacing
    assert line == pytest.approx(radar.lines / 2, abs=60)  # within 0.8 km along the track
    assert sample == pytest.approx((look.valid.first_sample + look.valid.last_sample) / 2, abs=60)  # the orbital tube
    position, velocity, _ = look.track.state(np.array([time]))
    assert (velocity[0, 2] > 0) == (direction == "ascending")
    side = np.cross(velocity[0], to_ecef(*map(np.array, place), 0.0) - position[0]) @ position[0]
    assert side < 0  # right-looking


def test_incidence_is_that_of_the_swaths() -> None:
    """30 to 46 degrees over IW1 to IW3, as Sentinel-1 has it."""
    scene = plan(swaths=("IW1", "IW2", "IW3"), bursts=1)
    edges = []
    for swath in scene.swaths:
        look = plan_look(scene, swath, 0, ("VV",))
        ring = look_ring(look)
        points = to_ecef(ring[:, 0], ring[:, 1], 0.0)
        time, _ = radar_coordinates(look.track, points, look.radar.first_line_time)
        incidence = angles(look.track, points, time)[0]
        edges += [incidence.min(), incidence.max()]
    assert edges == pytest.approx([30.3, 36.5, 36.4, 41.9, 41.8, 46.2], abs=0.8)


@pytest.mark.parametrize("swath", ["IW1", "IW2", "IW3"])
def test_neighbouring_bursts_overlap_as_real_ones(swath: str) -> None:
    scene = plan(swaths=(swath,), bursts=3)
    valid = scene.swaths[0].window.valid_lines
    length = (valid[1] - valid[0] + 1) * LINE_INTERVAL
    starts = np.array([b.first_line_time for b in scene.swaths[0].bursts])
    steps = np.diff(starts)
    assert steps == pytest.approx(2.758273, abs=LINE_INTERVAL)
    assert steps / LINE_INTERVAL == pytest.approx(np.round(steps / LINE_INTERVAL), abs=1e-6)
    assert 0.07 < 1 - steps.mean() / length < 0.11


def test_neighbouring_swaths_overlap_by_two_kilometres() -> None:
    scene = plan(swaths=("IW1", "IW2", "IW3"), bursts=1)
    for near, far in zip(scene.swaths[:-1], scene.swaths[1:], strict=True):
        end = near.slant_range_time + near.window.valid_samples[1] / RANGE_SAMPLING_RATE
        begin = far.slant_range_time + far.window.valid_samples[0] / RANGE_SAMPLING_RATE
        look = plan_look(scene, far, 0, ("VV",))
        position, velocity, _ = look.track.state(np.full(2, look.radar.first_line_time))
        points = ground_point(position, velocity, np.array([begin, end]) * SPEED_OF_LIGHT / 2)
        assert end > begin
        assert 1000 < np.linalg.norm(points[1] - points[0]) < 3500


def test_ids_and_numbers_follow_the_definition() -> None:
    options = SimulationOptions(
        dates=(dt.date(2024, 5, 1), dt.date(2024, 5, 7), dt.date(2025, 7, 6)), platforms=("S1A", "S1B", "S1C"),
        swaths=("IW1", "IW2", "IW3"), bursts=2,
    )  # fmt: skip
    ids = []
    for scene in plan_scenes(options):
        assert relative_orbit(scene.platform, scene.absolute_orbit) == scene.relative_orbit
        ids.append([look.burst_id for look in plan_looks(scene, ("VV",))])
        for swath in scene.swaths:
            for burst in swath.bursts:
                by_time = esa_burst_id(swath.swath.name, scene.relative_orbit, burst.sensing_time)
                assert by_time.number == burst.number
    assert ids[0] == ids[1] == ids[2]


def test_repeat_passes_stay_in_the_orbital_tube() -> None:
    scenes = plan_scenes(demo_options())
    states = []
    for scene in scenes:
        position, velocity = scene.pass_orbit.state(np.array([1000.0]))
        states.append((position[0], velocity[0]))
    for position, _ in states[1:]:
        assert 1 < np.linalg.norm(position - states[0][0]) < 400


@pytest.mark.parametrize(("latitude", "direction"), [(-80.0, "ascending"), (89.0, "descending")])
def test_a_place_out_of_sight_is_refused(latitude: float, direction: str) -> None:
    with pytest.raises(ConfigError, match=f"no {direction} right-looking pass sees latitude"):
        plan(center=(10.0, latitude), direction=direction)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction": "up"}, "direction"),
        ({"swaths": ("EW1",)}, "swaths"),
        ({"dates": ()}, "dates"),
        ({"polarizations": ("VV", "HH")}, "polarizations"),
        ({"platforms": ("S1A", "S1B")}, "platforms"),
        ({"aoi": (9.0, 48.0, 8.0, 49.0)}, "aoi"),
        ({"crop": True}, "crop needs an aoi"),
        ({"bursts": 0}, "bursts"),
        ({"burst_size": (4, 400)}, "burst_size"),
        ({"format": "tar"}, "format"),
        ({"posting": 0.0}, "posting"),
    ],
)
def test_options_that_do_not_fit_are_named(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SimulationOptions(**options)


def test_an_aoi_elsewhere_is_refused_and_leaves_nothing(tmp_path) -> None:
    from sarcube.simulate.archive import simulate

    for crop in (True, False):
        with pytest.raises(ConfigError, match="aoi"):
            simulate(tmp_path / "a", SimulationOptions(dates=DAY, aoi=(20.0, 10.0, 20.1, 10.1), crop=crop))
        assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("place", "epsg"), [((179.999, -16.5), 32760), ((-60.0, -77.0), 3031), ((20.0, 79.5), 3413)])
def test_archives_across_the_antimeridian_and_near_the_poles(tmp_path, place: tuple[float, float], epsg: int) -> None:
    import rasterio

    from sarcube.geometry.burst_grid import footprint_grid
    from sarcube.sensors.sentinel1.burst import read_bursts
    from sarcube.sensors.sentinel1.safe import open_safe
    from sarcube.simulate.archive import simulate

    options = SimulationOptions(
        dates=DAY, center=place, swaths=("IW1",), bursts=1, burst_size=(64, 1200), truth="constant", relief=20,
    )  # fmt: skip
    archive = simulate(tmp_path / "a", options)
    west, south, east, north = archive.bbox
    assert south < place[1] < north
    assert west < place[0] < east
    assert east - west < 1.5
    burst = read_bursts(open_safe(archive.scenes[0]))[0]
    grid = footprint_grid(burst.footprint)
    # UTM zones meet at 180 degrees: either side's may be the middle's.
    assert {archive.epsg, grid.epsg} <= ({32701, 32760} if epsg == 32760 else {epsg})
    with rasterio.open(archive.dem) as dem:
        if dem.crs.to_epsg() == grid.epsg:
            assert dem.bounds.left < grid.left and dem.bounds.right > grid.right
            assert dem.bounds.bottom < grid.bottom and dem.bounds.top > grid.top
