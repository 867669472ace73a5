"""The echo's physics: what comes back from known ground, and how it fluctuates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_samples
from sarcube.simulate.archive import simulate
from sarcube.simulate.calibration_xml import noise_tables
from sarcube.simulate.echo import Delays, Scatterers, Window, mean_beta0
from sarcube.simulate.image import ImageId
from sarcube.simulate.looks import Look, plan_look
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.speckle import speckle_samples
from sarcube.simulate.terrain import Terrain, fractal_terrain
from sarcube.simulate.timeline import plan_scenes
from sarcube.simulate.viewing import angles, ground_point, to_geodetic

pyproj = pytest.importorskip("pyproj")
OPTIONS = SimulationOptions(swaths=("IW2",), bursts=1, dates=SimulationOptions().dates[:1])
SCENE = plan_scenes(OPTIONS)[0]
LOOK = plan_look(SCENE, SCENE.swaths[0], 0, ("VV", "VH"))


def db(x: float) -> float:
    return 10 * math.log10(x)


def ground(look: Look, line: float, sample: np.ndarray, height: float = 0.0):
    """Earth-fixed points of one line, and their incidence angles in degrees."""
    time = np.full(sample.shape, look.radar.first_line_time + line * look.radar.line_interval)
    p, v, _ = look.track.state(time)
    slant = look.radar.first_sample_range + sample * look.radar.sample_spacing
    points = ground_point(p, v, slant, height)
    return points, angles(look.track, points, time)[0]


def around(look: Look, window: Window, posting: float = 10.0, margin: float = 3000.0) -> GeoGrid:
    """A UTM grid around the window."""
    lines = np.array([window.first_line, window.last_line])
    samples = np.array([window.first_sample, window.last_sample], dtype=float)
    points = np.concatenate([ground(look, line, samples)[0] for line in lines])
    lon, lat, _ = to_geodetic(points)
    x, y = pyproj.Transformer.from_crs(4326, 32632, always_xy=True).transform(lon, lat)
    return GeoGrid.snapped(32632, (min(x) - margin, min(y) - margin, max(x) + margin, max(y) + margin), posting)


def echo(window: Window, heights: np.ndarray | float, grid: GeoGrid | None = None, delays: Delays | None = None):
    grid = grid or around(LOOK, window)
    surface = np.broadcast_to(np.float32(heights), grid.shape).copy()
    scatterers = Scatterers(np.zeros(grid.shape, np.uint8), np.array([[0.1], [0.02]], np.float32))
    return mean_beta0(LOOK.radar, LOOK.track, window, Terrain(grid, surface, ""), scatterers, delays or Delays())


@pytest.mark.parametrize("height", [0.0, 1500.0])
def test_flat_ground_returns_gamma0_over_tan_incidence(height: float) -> None:
    window = Window(700, 731, 12000, 12400)
    beta = echo(window, height)
    _, incidence = ground(LOOK, 715, np.arange(12000, 12401.0), height)
    expected = 0.1 / np.tan(np.radians(incidence))
    assert beta[0] / expected == pytest.approx(1.0, abs=2e-3)  # 0.01 dB, cell by cell
    assert beta[1] == pytest.approx(beta[0] / 5, rel=1e-5)


def test_windows_and_blocks_of_lines_join_without_a_seam() -> None:
    whole = echo(Window(600, 799, 9000, 9060), 0.0)  # three blocks of lines
    part = echo(Window(650, 720, 9020, 9040), 0.0)
    assert part == pytest.approx(whole[:, 50:121, 20:41], rel=1e-3)
    assert whole[0].max() / whole[0].min() < 1.002


@pytest.mark.parametrize("slope", [-25.0, -10.0, 10.0, 25.0])
def test_slope_facing_the_radar_returns_as_the_local_angle_says(slope: float) -> None:
    """A plane tilted in the plane of incidence: beta0 = gamma0 / tan(incidence - slope), tilt towards the radar."""
    window = Window(740, 771, 12000, 12300)
    grid = around(LOOK, window, margin=6000)
    points, incidence = ground(LOOK, 755, np.array([11000.0, 12150.0, 13300.0]))
    lon, lat, _ = to_geodetic(points)
    x, y = pyproj.Transformer.from_crs(4326, 32632, always_xy=True).transform(lon, lat)
    away = np.array([x[2] - x[0], y[2] - y[0]])
    away /= np.hypot(*away)
    along = (grid.x()[None, :] - x[1]) * away[0] + (grid.y()[:, None] - y[1]) * away[1]
    beta = echo(window, (along * math.tan(math.radians(slope))).astype(np.float32), grid)
    middle = beta[0, 8:24, 130:170].mean()
    expected = 0.1 / math.tan(math.radians(incidence[1] - slope))
    assert abs(db(middle / expected)) < 0.03  # the map's scale (0.9996) and the Earth's curvature within


def test_energy_is_kept_where_a_ridge_lies_over_its_foreland() -> None:
    """Layover moves power to nearer range; the sum over range is that of all visible projected area."""
    window = Window(700, 731, 11000, 12600)
    grid = around(LOOK, window, margin=5000)
    points, _ = ground(LOOK, 715, np.array([11700.0, 11900.0]))
    lon, lat, _ = to_geodetic(points)
    x, y = pyproj.Transformer.from_crs(4326, 32632, always_xy=True).transform(lon, lat)
    away = np.array([x[1] - x[0], y[1] - y[0]])
    away /= np.hypot(*away)
    along = (grid.x()[None, :] - x[0]) * away[0] + (grid.y()[:, None] - y[0]) * away[1]
    height = np.clip(400 - np.abs(along), 0, None)  # slopes of 45 degrees: steeper than the look, layover in front
    beta = echo(window, height.astype(np.float32), grid)[0].mean(axis=0)
    flat = echo(window, 0.0, grid)[0].mean(axis=0)
    # Without layover and shadow the projected area of the whole strip is fixed by its two ends alone.
    assert beta.max() > 4 * flat.max()
    ratio = beta.sum() / flat.sum()
    assert ratio == pytest.approx(1.0, abs=0.01)


def test_cast_shadow_has_the_length_of_geometry() -> None:
    """A wall of 300 m blinds the ground behind it: the shadow ends where its top's line of sight meets the ground."""
    window = Window(700, 715, 11000, 12400)
    grid = around(LOOK, window, posting=5.0, margin=3000)
    points, incidence = ground(LOOK, 707, np.array([11500.0, 11700.0]))
    lon, lat, _ = to_geodetic(points)
    x, y = pyproj.Transformer.from_crs(4326, 32632, always_xy=True).transform(lon, lat)
    away = np.array([x[1] - x[0], y[1] - y[0]])
    away /= np.hypot(*away)
    along = (grid.x()[None, :] - x[0]) * away[0] + (grid.y()[:, None] - y[0]) * away[1]
    height = np.where(np.abs(along) < 15, 300.0, 0.0)
    beta = echo(window, height.astype(np.float32), grid)[0].mean(axis=0)
    dark = np.flatnonzero(beta == 0)
    theta = math.radians(incidence[0])
    # The top is seen h cos(theta) nearer than its foot, the shadow ends h / cos(theta) beyond the top.
    start = 500 - 300 * math.cos(theta) / LOOK.radar.sample_spacing
    length = 300 / math.cos(theta) / LOOK.radar.sample_spacing
    assert dark.min() > start
    assert dark[-1] == pytest.approx(start + length, abs=12)  # the wall's thickness
    blind = dark[dark > 500 + 20]
    assert len(blind) == blind[-1] - blind[0] + 1  # without a gap behind the wall's foot


def test_delays_move_the_echo_away_and_earlier() -> None:
    window = Window(700, 731, 12000, 12200)
    grid = around(LOOK, window)
    middle = ground(LOOK, 715, np.array([12100.0]))[0]
    lon, lat, _ = to_geodetic(middle)
    x, y = pyproj.Transformer.from_crs(4326, 32632, always_xy=True).transform(lon[0], lat[0])
    classes = (((grid.x()[None, :] - x) ** 2 + (grid.y()[:, None] - y) ** 2) < 40**2).astype(np.uint8)
    scatterers = Scatterers(classes, np.array([[0.0, 1.0]], np.float32))
    terrain = Terrain(grid, np.zeros(grid.shape, np.float32), "")

    def center(delays: Delays) -> tuple[float, float]:
        power = mean_beta0(LOOK.radar, LOOK.track, window, terrain, scatterers, delays)[0]
        line, sample = np.indices(power.shape)
        return float((line * power).sum() / power.sum()), float((sample * power).sum() / power.sum())

    line, sample = center(Delays())
    assert (line, sample) == pytest.approx((15, 100), abs=0.5)
    incidence = math.radians(ground(LOOK, 715, np.array([12100.0]))[1][0])
    late = center(Delays(zenith=2.3))
    assert late[1] - sample == pytest.approx(2.3 / math.cos(incidence) / LOOK.radar.sample_spacing, abs=0.02)
    tau = 2 * (LOOK.radar.first_sample_range + 12100 * LOOK.radar.sample_spacing) / 299_792_458.0
    early = center(Delays(mid_range_time=tau, pulse_delay=tau - 5e-4))
    assert early[0] - line == pytest.approx(-5e-4 / LOOK.radar.line_interval, abs=0.01)


def test_speckle_is_fully_developed() -> None:
    samples = speckle_samples(np.full((400, 500), 3000.0, np.float32), (1, 2)).astype(np.float64)
    intensity = (samples**2).sum(axis=-1)
    n = intensity.size
    assert intensity.mean() == pytest.approx(3000 + 1 / 6, rel=4 / math.sqrt(n))
    assert intensity.mean() ** 2 / intensity.var() == pytest.approx(1.0, abs=0.02)  # one look
    for share in (0.1, 0.5, 0.9):  # an exponential's quantiles
        assert np.mean(intensity < -3000 * math.log(1 - share)) == pytest.approx(share, abs=5 / math.sqrt(n))
    re, im = samples[..., 0], samples[..., 1]
    assert abs(np.mean(re * im)) / 1500 < 5 / math.sqrt(n)
    assert abs(np.mean(re[:, 1:] * re[:, :-1])) / 1500 < 5 / math.sqrt(n)
    again = speckle_samples(np.full((400, 500), 3000.0, np.float32), (1, 2), threads=1)
    assert np.array_equal(again, samples)
    other = speckle_samples(np.full((400, 500), 3000.0, np.float32), (1, 3)).astype(np.float64)
    assert abs(np.mean(other[..., 0] * re)) / 1500 < 5 / math.sqrt(n)


def test_image_power_is_echo_plus_the_noise_that_the_xml_states(tmp_path) -> None:
    options = SimulationOptions(
        swaths=("IW1",), bursts=1, dates=OPTIONS.dates, burst_size=(400, 1500), truth="constant", gamma0=0.05,
        relief=0, base_height=200, polarizations=("HH", "HV"), platforms=("S1B",), delays=False,
    )  # fmt: skip
    archive = simulate(tmp_path / "a", options)
    burst = read_bursts(open_safe(archive.scenes[0]))[0]
    assert (burst.platform, burst.polarizations) == ("S1B", ("HH", "HV"))
    assert archive.scenes[0].name.startswith("S1B_IW_SLC__1SDH_")
    plan = plan_scenes(options)[0]
    look = plan_look(plan, plan.swaths[0], 0, ("HH", "HV"))
    lines = slice(burst.first_valid_line, burst.last_valid_line + 1)
    cols = slice(burst.first_valid_sample.max(), burst.last_valid_sample.max() + 1)
    tables = noise_tables(ImageId("HV", 1, plan, plan.swaths[0]), False)
    stated = tables.at(np.arange(lines.start, lines.stop), np.arange(cols.start, cols.stop))
    _, incidence = ground(look, 200, np.arange(cols.start, float(cols.stop)), 200.0)
    for polarization, gamma0, noise in (("HH", 0.05, stated / 1.1), ("HV", 0.01, stated)):
        samples = read_samples(burst, polarization).astype(np.float64)
        power = (samples**2).sum(axis=-1)
        outside = power.copy()
        outside[lines, cols] = 0
        assert not outside.any()  # the border that the annotation calls invalid
        echo_power = 237.0**2 * gamma0 / np.tan(np.radians(incidence))
        mean = power[lines, cols].mean()
        assert abs(db(mean / (echo_power.mean() + noise.mean()))) < 0.03
        assert abs(db((mean - noise.mean()) / echo_power.mean())) < 0.05
    vector = burst.channels["HV"].noise
    assert vector is not None
    assert np.interp(cols.start, vector.range[0].sample, vector.range[0].power) == pytest.approx(
        tables.at(np.array([0]), np.array([cols.start]))[0, 0]
        / np.interp(0, vector.azimuth[0].line, vector.azimuth[0].factor),
        rel=1e-4,
    )


def test_old_noise_format_has_no_azimuth_part(tmp_path) -> None:
    options = SimulationOptions(
        swaths=("IW1",), bursts=1, dates=OPTIONS.dates, burst_size=(64, 128), truth="constant", relief=0,
        polarizations=("VV",), noise_format="old",
    )  # fmt: skip
    archive = simulate(tmp_path / "a", options)
    text = next(archive.scenes[0].glob("annotation/calibration/noise-*.xml")).read_text()
    assert "<noiseVectorList" in text
    assert "Azimuth" not in text.replace("azimuthTime", "")
    noise = read_bursts(open_safe(archive.scenes[0]))[0].channels["VV"].noise
    assert noise is not None and noise.azimuth == ()


def test_fractal_terrain_is_hilly_not_rough() -> None:
    grid = GeoGrid(32632, 400000, 5300000, 10.0, 1200, 900)
    heights = fractal_terrain(grid, 110.0, 420.0, 3)
    slope = np.degrees(np.arctan(np.hypot(*np.gradient(heights.astype(np.float64), 10.0))))
    assert 60 < heights.std() < 160
    assert 4 < np.median(slope) < 16
    assert slope.max() < 50
    assert np.array_equal(heights, fractal_terrain(grid, 110.0, 420.0, 3))
    assert np.all(fractal_terrain(grid, 0.0, 12.0, 3) == 12)
