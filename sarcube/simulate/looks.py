"""One burst as the echo needs it, whether planned here or read from a template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.radar import SPEED_OF_LIGHT, RadarGrid
from sarcube.simulate.echo import Window
from sarcube.simulate.swaths import LINE_INTERVAL, SAMPLE_SPACING, WAVELENGTH
from sarcube.simulate.timeline import ScenePlan, SwathPlan
from sarcube.simulate.viewing import Track, fit_track, ground_point, radar_coordinates, to_ecef, to_geodetic


@dataclass(frozen=True, eq=False)
class Look:
    """The viewing geometry of one acquisition of one burst.

    Attributes
    ----------
    burst_id : str
    swath : str
    index : int
        Position in the swath.
    radar : RadarGrid
        Times in seconds since the epoch of the orbit that `track` was fitted to.
    track : Track
    valid : Window
        Lines and samples that focusing leaves valid.
    polarizations : tuple of str
    """

    burst_id: str
    swath: str
    index: int
    radar: RadarGrid
    track: Track
    valid: Window
    polarizations: tuple[str, ...]


def plan_looks(scene: ScenePlan, polarizations: tuple[str, ...]) -> list[Look]:
    """The looks of all bursts of a planned scene."""
    return [plan_look(scene, plan, i, polarizations) for plan in scene.swaths for i in range(len(plan.bursts))]


def plan_look(scene: ScenePlan, plan: SwathPlan, index: int, polarizations: tuple[str, ...]) -> Look:
    """The look of one planned burst."""
    burst, window = plan.bursts[index], plan.window
    start = scene.orbit_time(burst.first_line_time)
    radar = RadarGrid(
        start, LINE_INTERVAL, plan.slant_range_time * SPEED_OF_LIGHT / 2, SAMPLE_SPACING,
        window.lines, window.samples, WAVELENGTH,
    )  # fmt: skip
    return Look(
        f"t{scene.relative_orbit:03d}_{burst.number:06d}_{plan.swath.name.lower()}",
        plan.swath.name,
        index,
        radar,
        fit_track(scene.orbit, start - 1, start + 4.2),
        Window(*window.valid_lines, *window.valid_samples),
        polarizations,
    )


def look_ring(look: Look, window: Window | None = None, height: float = 0.0) -> NDArray[np.float64]:
    """Outline of the window (default: the valid one) on the Earth: (n, 2) longitude, latitude in degrees."""
    w = window or look.valid
    s = np.linspace(w.first_sample, w.last_sample, 9)
    a = np.linspace(w.first_line, w.last_line, 5)
    lines = np.concatenate([np.full(9, a[0]), a, np.full(9, a[-1]), a[::-1]])
    samples = np.concatenate([s, np.full(5, s[-1]), s[::-1], np.full(5, s[0])])
    radar = look.radar
    position, velocity, _ = look.track.state(radar.first_line_time + lines * radar.line_interval)
    ranges = radar.first_sample_range + samples * radar.sample_spacing
    longitude, latitude, _ = to_geodetic(ground_point(position, velocity, ranges, height))
    return np.stack([longitude, latitude], axis=-1)


def aoi_window(
    look: Look, aoi: tuple[float, float, float, float] | None, heights: tuple[float, float]
) -> Window | None:
    """The lines and samples of the burst that a box on the ground can reach; None where it reaches none."""
    valid = look.valid
    if aoi is None:
        return valid
    west, south, east, north = aoi
    lon, lat = np.meshgrid(np.linspace(west, east, 9), np.linspace(south, north, 9))
    points = np.concatenate([to_ecef(lon, lat, h).reshape(-1, 3) for h in heights])
    radar = look.radar
    middle = radar.first_line_time + radar.lines / 2 * radar.line_interval
    # The orbit polynomial holds near the burst only: what lies far along the track is not in it anyway.
    position, velocity, _ = look.track.state(np.array(middle))
    along = (points - position) @ velocity / np.linalg.norm(velocity)
    if along.min() > 80e3 or along.max() < -80e3 or np.linalg.norm(points - position, axis=-1).min() > 2.5e6:
        return None
    time, slant = radar_coordinates(look.track, points, middle)
    line = (time - radar.first_line_time) / radar.line_interval
    sample = (slant - radar.first_sample_range) / radar.sample_spacing
    window = Window(
        max(valid.first_line, int(np.floor(line.min())) - 1),
        min(valid.last_line, int(np.ceil(line.max())) + 1),
        max(valid.first_sample, int(np.floor(sample.min())) - 2),
        min(valid.last_sample, int(np.ceil(sample.max())) + 2),
    )
    return window if min(window.shape) > 0 else None
