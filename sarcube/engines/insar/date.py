"""One date of a burst made ready: its view of the lattice, and its deramped lines when they are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.insar.lattice import Nodes, look_at
from sarcube.engines.insar.options import InsarOptions
from sarcube.engines.insar.resample import View, deramp
from sarcube.engines.insar.spectra import Band, bands, interpolator
from sarcube.engines.rtc.native.radiometry import power_tables
from sarcube.errors import BurstNotFoundError
from sarcube.geometry.orbit import require_coverage
from sarcube.sensors.sentinel1.deramp import azimuth_carrier
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.samples import line_readers


@dataclass(frozen=True, eq=False)
class Date:
    """A burst on one date.

    Attributes
    ----------
    burst : Burst
    polarization : str
    view : View
    bands : (Band, Band)
        Azimuth and range spectrum.
    """

    burst: Burst
    polarization: str
    view: View
    bands: tuple[Band, Band]

    def open_lines(self, first: int, stop: int) -> Lines:
        """Lines [first, stop), as far as the burst has them: what is not on a local disk is fetched now."""
        span = max(first, 0), min(stop, self.burst.radar.lines)
        if span[1] <= span[0]:
            return Lines(self, span, None)
        return Lines(self, span, line_readers(self.burst, (self.polarization,), span)[0])


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines of a date, read when they are asked for."""

    date: Date
    span: tuple[int, int]
    read: Callable[[int, int], NDArray[np.integer]] | None

    def deramped(self, first: int, stop: int) -> tuple[NDArray[np.float32], int]:
        """Lines [first, stop) without their carrier, as far as there are any, and the number of the first."""
        first, stop = max(first, self.span[0]), min(stop, self.span[1])
        if stop <= first or self.read is None:
            return np.empty((0, 2 * self.date.burst.radar.samples), np.float32), first
        samples = self.read(first, stop).astype(np.int16, copy=False)  # as a burst's are
        out = np.empty((stop - first, 2 * samples.shape[1]), np.float32)
        deramp(self.date.view, samples, first, out)
        return out, first


def make_date(burst: Burst, polarization: str, nodes: Nodes, options: InsarOptions) -> Date:
    """Geometry and tables of a burst on one date.

    Raises
    ------
    BurstNotFoundError
        The burst has no such polarization.
    OrbitError
        The orbit does not cover the burst, or nothing of the grid is seen from it.
    SceneError
        Samples or annotation cannot be read.
    """
    if polarization not in burst.channels:
        raise BurstNotFoundError(
            f"{burst.scene}: {burst.burst_id} has no {polarization}; it has {', '.join(burst.channels)}"
        )
    radar = burst.radar
    require_coverage(burst.orbit, radar.first_line_time, radar.last_line_time, f"the lines of {burst.burst_id}")
    carrier = azimuth_carrier(burst)
    gain = power_tables(burst, polarization, calibrate=options.absolute_calibration, denoise=False).gain
    azimuth, across = bands(burst)
    view = View(
        place=look_at(burst, nodes, carrier, options),
        middle=carrier.middle,
        interval=carrier.interval,
        rate=carrier.rate,
        centroid=carrier.centroid,
        reference=carrier.reference,
        gain=np.sqrt(gain.mean(axis=0), dtype=np.float32),
        first_valid=np.ascontiguousarray(burst.first_valid_sample, np.int32),
        last_valid=np.ascontiguousarray(burst.last_valid_sample, np.int32),
        waves=2.0 / radar.wavelength,
        along=interpolator(azimuth),
        across=np.repeat(interpolator(across), 2, axis=1),
    )
    return Date(burst, polarization, view, (azimuth, across))


def reach_of(view: View, cell: tuple[float, float]) -> int:
    """Lines that a cell of (fine rows, fine columns) lattice steps reaches to either side of its centre."""
    line = view.place[:, :, 0, 0]
    slope = cell[0] * np.nanmax(np.abs(np.diff(line, axis=0))) + cell[1] * np.nanmax(np.abs(np.diff(line, axis=1)))
    rise = np.nanmax(np.abs(view.place[:, :, 0, 1:]).sum(axis=-1))
    return math.ceil(0.5 * float(slope) + float(rise)) + 2
