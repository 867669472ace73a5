"""The orbit: state vectors and their interpolation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from sarcube.errors import OrbitError

_LAGRANGE_WINDOW = 8  # state vectors of one polynomial through positions
_HERMITE_WINDOW = 4  # of one through positions and velocities


class OrbitModel(NamedTuple):
    """The orbit as piecewise polynomials, in a form that kernels take.

    Between state vectors i and i + 1 the position is sum_k coefficients[i, k] s^k with
    s = (t - centre[i]) * scale[i]; velocity and acceleration are its derivatives.

    Attributes
    ----------
    knots : (n,) float64
        Times of the state vectors, seconds since the orbit's epoch.
    centre, scale : (n - 1,) float64
    coefficients : (n - 1, k, 3) float64
        Metres.
    """

    knots: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Orbit:
    """State vectors of the platform, Earth-fixed (ECEF, WGS 84).

    Attributes
    ----------
    epoch : numpy.datetime64
        UTC instant that times are counted from (a whole second, nanosecond resolution).
    time : (n,) float64
        Seconds since `epoch`, strictly increasing; spacing need not be even.
    position : (n, 3) float64
        Metres.
    velocity : (n, 3) float64
        Metres per second.
    """

    epoch: np.datetime64
    time: NDArray[np.float64]
    position: NDArray[np.float64]
    velocity: NDArray[np.float64]

    def __post_init__(self) -> None:
        n = len(self.time)
        if self.position.shape != (n, 3) or self.velocity.shape != (n, 3):
            raise OrbitError(
                f"an orbit of {n} times needs positions and velocities of shape ({n}, 3), not "
                f"{self.position.shape} and {self.velocity.shape}; the orbit file is damaged"
            )
        if n < 2:
            raise OrbitError(f"an orbit needs at least two state vectors, not {n}; use another orbit file")
        if not (np.isfinite(self.position).all() and np.isfinite(self.velocity).all()):
            raise OrbitError("the orbit has state vectors that are not finite; use another orbit file")
        if not np.all(np.diff(self.time) > 0):
            raise OrbitError("the orbit's times do not strictly increase; sort them and drop repeated ones")

    @cached_property
    def model(self) -> OrbitModel:
        """The piecewise polynomials through the state vectors, made once."""
        return _fit(self.time, self.position, self.velocity)

    def __getstate__(self) -> dict[str, object]:
        # The model is cheap to make again: it does not cross processes.
        return {k: v for k, v in self.__dict__.items() if k != "model"}

    def covers(self, start: float, end: float) -> bool:
        """Whether all of [start, end] (seconds since the epoch) lies within the state vectors."""
        return bool(self.time[0] <= start and end <= self.time[-1])


def _fit(time: NDArray[np.float64], position: NDArray[np.float64], velocity: NDArray[np.float64]) -> OrbitModel:
    """Polynomials of degree seven, one for each interval between state vectors.

    With eight vectors or more they pass through the positions of the nearest eight (Lagrange; Stoer and Bulirsch,
    Introduction to Numerical Analysis, section 2.1.1) and the velocity is their derivative: published velocities
    are less consistent than positions (up to 14 mm/s in some precise orbit files, two metres of azimuth at
    far range). With fewer vectors they pass through positions and velocities of the nearest four (Hermite,
    section 2.1.5). At 10 s spacing the truncation error of either is below a nanometre.
    """
    n = len(time)
    hermite = n < _LAGRANGE_WINDOW
    m = min(_HERMITE_WINDOW, n) if hermite else _LAGRANGE_WINDOW
    first = np.clip(np.arange(n - 1) - (m - 2) // 2, 0, n - m)
    nodes = first[:, None] + np.arange(m)
    t = time[nodes]
    centre = 0.5 * (time[:-1] + time[1:])
    scale = 1.0 / np.abs(t - centre[:, None]).max(axis=1)  # the whole window lies in [-1, 1]
    s = (t - centre[:, None]) * scale[:, None]
    k = np.arange(2 * m if hermite else m)
    matrix = s[:, :, None] ** k
    # The origin is taken off first: the unknowns are then the few hundred kilometres of motion in the window.
    origin = position[nodes[:, :1]]
    values = position[nodes] - origin
    if hermite:
        slopes = np.zeros_like(matrix)
        slopes[:, :, 1:] = k[1:] * matrix[:, :, :-1]
        matrix = np.concatenate([matrix, slopes], axis=1)
        values = np.concatenate([values, velocity[nodes] / scale[:, None, None]], axis=1)
    coefficients = np.linalg.solve(matrix, values)
    coefficients[:, 0] += origin[:, 0]
    return OrbitModel(np.ascontiguousarray(time, np.float64), centre, scale, np.ascontiguousarray(coefficients))


@njit(cache=True, nogil=True)
def find_interval(knots: NDArray[np.float64], t: float, guess: int) -> int:
    """Index i with knots[i] <= t <= knots[i + 1], or -1 outside; quick when `guess` is near."""
    n = knots.size
    if not (knots[0] <= t <= knots[n - 1]):
        return -1
    i = min(max(guess, 0), n - 2)
    while t < knots[i]:
        i -= 1
    while t > knots[i + 1]:
        i += 1
    return i


@njit(cache=True, nogil=True)
def state_at(
    model: OrbitModel, i: int, t: float
) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Position, velocity and acceleration by the polynomial of interval `i` (metres, seconds)."""
    scale = model.scale[i]
    s = (t - model.centre[i]) * scale
    c = model.coefficients
    last = c.shape[1] - 1
    px, py, pz = c[i, last, 0], c[i, last, 1], c[i, last, 2]
    vx = vy = vz = ax = ay = az = 0.0
    for k in range(last - 1, -1, -1):
        ax, ay, az = ax * s + vx, ay * s + vy, az * s + vz
        vx, vy, vz = vx * s + px, vy * s + py, vz * s + pz
        px, py, pz = px * s + c[i, k, 0], py * s + c[i, k, 1], pz * s + c[i, k, 2]
    a = 2.0 * scale * scale
    return px, py, pz, vx * scale, vy * scale, vz * scale, ax * a, ay * a, az * a


@njit(cache=True, nogil=True)
def _states(model: OrbitModel, time: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.full((time.size, 6), np.nan)
    i = 0
    for k in range(time.size):
        j = find_interval(model.knots, time[k], i)
        if j < 0:
            continue
        i = j
        px, py, pz, vx, vy, vz, _, _, _ = state_at(model, i, time[k])
        out[k, 0], out[k, 1], out[k, 2] = px, py, pz
        out[k, 3], out[k, 4], out[k, 5] = vx, vy, vz
    return out


def state(orbit: Orbit, t: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Position and velocity at times `t` (seconds since the orbit's epoch).

    Returns
    -------
    position, velocity : (..., 3) float64
        Metres and metres per second, ECEF; leading shape that of `t`.

    Raises
    ------
    OrbitError
        Where a time lies outside the state vectors: nothing is extrapolated.
    """
    time = np.asarray(t, np.float64)
    if time.size:
        require_coverage(orbit, float(time.min()), float(time.max()))
    out = np.asarray(_states(orbit.model, time.ravel())).reshape(*time.shape, 6)
    return out[..., :3], out[..., 3:]


def require_coverage(orbit: Orbit, start: float, end: float, what: str = "the times asked for") -> None:
    """Raise OrbitError unless the state vectors cover [start, end], seconds since the orbit's epoch."""
    if not orbit.covers(start, end):
        span = [str(orbit.epoch + np.timedelta64(round(s * 1e6), "us")) for s in orbit.time[[0, -1]]]
        raise OrbitError(
            f"the orbit covers {span[0]} to {span[1]} UTC ({orbit.time[0]:.3f} to {orbit.time[-1]:.3f} s), "
            f"{what} need {start:.3f} to {end:.3f} s since {orbit.epoch}; use an orbit file that covers them"
        )


def trim(orbit: Orbit, t0: float, t1: float, margin: float = 60.0) -> Orbit:
    """The state vectors around [t0, t1] (seconds since the epoch), `margin` seconds more on each side.

    At least four vectors on either side are kept where there are any, so that interpolation inside [t0, t1]
    does not change. OrbitError where the orbit does not cover [t0, t1].
    """
    require_coverage(orbit, t0, t1, "the lines of the burst")
    n = len(orbit.time)
    before, after = t0 - max(margin, 0.0), t1 + max(margin, 0.0)
    first = min(_index(orbit, before, "left"), max(_index(orbit, t0, "right") - _LAGRANGE_WINDOW // 2, 0))
    last = max(_index(orbit, after, "right"), min(_index(orbit, t1, "left") + _LAGRANGE_WINDOW // 2, n))
    keep = slice(first, last)
    return Orbit(orbit.epoch, orbit.time[keep], orbit.position[keep], orbit.velocity[keep])


def _index(orbit: Orbit, t: float, side: Literal["left", "right"]) -> int:
    return int(np.searchsorted(orbit.time, t, side))
