"""When each burst is acquired: orbit numbers, TOPS cycles, ESA burst IDs (own orbit)."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace

import numpy as np

from sarcube.geometry.orbit import Orbit
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.sensors.sentinel1.burst_id import ORBIT_OFFSET
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.reference_orbit import ReferenceOrbit, beside, place
from sarcube.simulate.swaths import (
    BURST_CYCLE,
    LINE_INTERVAL,
    ORBIT_PERIOD,
    PREAMBLE,
    RANGE_SAMPLING_RATE,
    SWATHS,
    BurstWindow,
    Swath,
)

# S1A's orbit 50174 crossed its node at this instant (annotation of 2023-09-04).
_ANX_50174 = np.datetime64("2023-09-04T05:56:46.992390000", "ns")
# first orbits: (absolute orbit, day), to number the orbits of the other units plausibly
_EPOCH = {
    "S1A": (50174, "2023-09-04"),
    "S1B": (30148, "2021-12-23"),
    "S1C": (1690, "2025-04-01"),
    "S1D": (1, "2025-11-04"),
}


@dataclass(frozen=True)
class BurstPlan:
    """One burst of one scene.

    Attributes
    ----------
    number : int
        ESA burst number within the cycle of 375,887.
    first_line_time : float
        Zero-Doppler time of line 0 of the written window, seconds since the ascending node.
    sensing_time : float
        Start of the raw burst, seconds since the ascending node.
    window : BurstWindow
    """

    number: int
    first_line_time: float
    sensing_time: float
    window: BurstWindow


@dataclass(frozen=True)
class SwathPlan:
    """The bursts of one sub-swath of one scene, all of one size."""

    swath: Swath
    bursts: tuple[BurstPlan, ...]

    @property
    def window(self) -> BurstWindow:
        return self.bursts[0].window

    @property
    def slant_range_time(self) -> float:
        """Two-way time of sample 0 as written, s."""
        return self.swath.slant_range_time + self.window.first_sample / RANGE_SAMPLING_RATE

    @property
    def mid_range_time(self) -> float:
        return self.slant_range_time + self.window.samples / 2 / RANGE_SAMPLING_RATE


@dataclass(frozen=True, eq=False)
class ScenePlan:
    """One date: platform, orbit numbers, the pass and its bursts.

    Attributes
    ----------
    anx : numpy.datetime64
        UTC of the ascending node (nanoseconds).
    pass_orbit : ReferenceOrbit
    orbit : Orbit
        State vectors around the scene, 10 s apart, of the true orbit.
    ahead : float
        Seconds by which the orbit that is told runs ahead of the true one.
    """

    date: dt.date
    platform: str
    absolute_orbit: int
    relative_orbit: int
    anx: np.datetime64
    direction: str
    pass_orbit: ReferenceOrbit
    orbit: Orbit
    swaths: tuple[SwathPlan, ...]
    ahead: float = 0.0

    @property
    def told_orbit(self) -> Orbit:
        """State vectors as annotation and orbit file tell them."""
        if not self.ahead:
            return self.orbit
        offset = float((self.anx - self.orbit.epoch) / np.timedelta64(1, "ns")) * 1e-9
        return self.pass_orbit.vectors(self.anx, self.orbit.time - offset, self.ahead)

    @property
    def data_take(self) -> int:
        """A data take number that fits the orbit's (about eight takes per revolution)."""
        return self.absolute_orbit * 8 + self.date.day % 8

    def utc(self, time: float) -> np.datetime64:
        """UTC of a time since the ascending node, rounded to microseconds as annotation carries it."""
        instant = np.int64(self.anx.astype(np.int64)) + np.int64(round(time * 1e9) + 500)
        return np.datetime64(int(instant // 1000), "us")

    def orbit_time(self, time: float) -> float:
        """Seconds since the epoch of `orbit`, of a time since the ascending node, as annotated (microseconds)."""
        return float((self.utc(time).astype("datetime64[ns]") - self.orbit.epoch) / np.timedelta64(1, "ns")) * 1e-9


def plan_scenes(options: SimulationOptions) -> tuple[ScenePlan, ...]:
    """All scenes of an archive on an orbit of its own.

    The node's longitude and the moment of the day are free; they are chosen so that the middle of the bursts
    meets the center while the burst cycle stays on ESA's grid: of the day's revolutions the one is taken whose
    cycle fits best (within 0.7 km).
    """
    swaths = [SWATHS[name] for name in sorted(options.swaths)]
    count = len(options.burst_indices)
    # The center lies in the middle swath, or where the two middle ones overlap.
    near = _edge_time(swaths[len(swaths) // 2], 0)
    far = _edge_time(swaths[(len(swaths) - 1) // 2], 1)
    orbit, time = place(*options.center, (near + far) / 4 * SPEED_OF_LIGHT, options.direction)
    offset = (swaths[0].focus_offset + swaths[-1].focus_offset) / 2
    platforms = options.platforms * (len(options.dates) if len(options.platforms) == 1 else 1)
    first = np.datetime64(options.dates[0], "ns")
    absolute, anx, number = _choose_revolution(platforms[0], first, time - offset, count)
    track = (absolute - ORBIT_OFFSET[platforms[0]]) % 175 + 1
    rng = np.random.default_rng(np.random.SeedSequence([options.seed, 11]))
    scenes: list[ScenePlan] = []
    for date, platform in zip(options.dates, platforms, strict=True):
        days = np.datetime64(date, "ns") - first
        across, up, jitter, late = rng.normal(0, 1, 4) * (45.0, 20.0, 1.2e-3, 0.15)
        shifted = ReferenceOrbit(orbit.node_longitude + across / 6.378e6, up)
        if options.baselines:
            shifted = beside(orbit, time, (near + far) / 4 * SPEED_OF_LIGHT, options.baselines[len(scenes)])
        node = anx + days + np.timedelta64(round(late * 1e6), "us")
        scene = _scene(
            options, swaths, date, platform,
            _absolute_orbit(platform, date, track), track, node, shifted, number, jitter,
        )  # fmt: skip
        if options.along_track_error and scenes:
            _, velocity = shifted.state(np.array([time]))
            scene = replace(scene, ahead=options.along_track_error / float(np.linalg.norm(velocity)))
        scenes.append(scene)
    return tuple(scenes)


def _edge_time(swath: Swath, end: int) -> float:
    """Two-way range time of the swath's first (0) or last (1) valid sample."""
    return swath.slant_range_time + swath.valid_samples[end] / RANGE_SAMPLING_RATE


def _middle_of_cycle(number: float, track: int) -> float:
    """Middle of IW2's raw burst of that number, seconds since the node (inverse of eq. 9-89 to 9-91)."""
    return PREAMBLE + (number - 0.5) * BURST_CYCLE - (track - 1) * ORBIT_PERIOD


def _choose_revolution(platform: str, day: np.datetime64, middle: float, count: int) -> tuple[int, np.datetime64, int]:
    period = np.timedelta64(round(ORBIT_PERIOD * 1e9), "ns")
    shift = np.timedelta64(0 if platform == "S1A" else 6 * 86400, "s")
    skip = math.ceil((day - _ANX_50174 - shift) / period)
    fits = []
    for k in range(skip, skip + 15):
        anx = _ANX_50174 + shift + np.timedelta64(round(k * ORBIT_PERIOD * 1e9), "ns")
        if anx.astype("datetime64[D]") != day.astype("datetime64[D]"):
            continue
        track = (50174 + k - ORBIT_OFFSET["S1A"]) % 175 + 1
        number = (middle - _middle_of_cycle(0, track)) / BURST_CYCLE - (count - 1) / 2
        fits.append((abs(number - round(number)), k, track, anx, round(number)))
    _, _, track, anx, cycle = min(fits)
    date = anx.astype("datetime64[D]").astype(object)
    return _absolute_orbit(platform, date, track), anx.astype("datetime64[us]").astype("datetime64[ns]"), cycle


def _absolute_orbit(platform: str, date: dt.date, track: int) -> int:
    """The orbit number of that track nearest to the date's nominal one."""
    known, day = _EPOCH[platform]
    nominal = known + (date - dt.date.fromisoformat(day)).days * 175 / 12
    base = (track - 1 + ORBIT_OFFSET[platform]) % 175
    nearest = base + 175 * round((nominal - base) / 175)
    return nearest if nearest > 0 else base or 175


def _scene(  # noqa: PLR0913, PLR0917
    options: SimulationOptions,
    swaths: list[Swath],
    date: dt.date,
    platform: str,
    absolute: int,
    track: int,
    anx: np.datetime64,
    orbit: ReferenceOrbit,
    number: int,
    jitter: float,
) -> ScenePlan:
    start: float | None = None
    plans = []
    for swath in swaths:
        window = _window(swath, options.burst_size)
        bursts = []
        for i in range(len(options.burst_indices)):
            middle = _middle_of_cycle(number + i, track) + jitter
            focus = middle + swath.focus_offset - (swath.lines - 1) / 2 * LINE_INTERVAL
            # IPF puts the lines of all bursts and swaths on one grid of the slice.
            start = focus if start is None else start
            focus = start + round((focus - start) / LINE_INTERVAL) * LINE_INTERVAL
            bursts.append(
                BurstPlan(number + i, focus + window.first_line * LINE_INTERVAL, middle + swath.sensing_offset, window)
            )
        plans.append(SwathPlan(swath, tuple(bursts)))
    first = min(b.first_line_time for p in plans for b in p.bursts)
    last = max(b.first_line_time for p in plans for b in p.bursts) + 3.2
    times = np.arange(math.floor(first) - 65, last + 70, 10.0)
    direction = options.direction
    return ScenePlan(date, platform, absolute, track, anx, direction, orbit, orbit.vectors(anx, times), tuple(plans))


def _window(swath: Swath, size: tuple[int, int] | None) -> BurstWindow:
    full = BurstWindow.full(swath)
    if size is None:
        return full
    line = max((swath.lines - size[0]) // 2, 0)
    sample = max((sum(swath.valid_samples) - size[1]) // 2, 0)
    border = 4
    return full.cut(
        (line + border, line + size[0] - 1 - border), (sample + border, sample + size[1] - 1 - border), border
    )


def with_windows(scene: ScenePlan, windows: dict[str, BurstWindow]) -> ScenePlan:
    """The scene with its swaths cut to other windows."""
    swaths = []
    for plan in scene.swaths:
        window = windows.get(plan.swath.name, plan.window)
        bursts = tuple(
            BurstPlan(
                b.number,
                b.first_line_time + (window.first_line - b.window.first_line) * LINE_INTERVAL,
                b.sensing_time,
                window,
            )
            for b in plan.bursts
        )
        swaths.append(SwathPlan(plan.swath, bursts))
    return replace(scene, swaths=tuple(swaths))
