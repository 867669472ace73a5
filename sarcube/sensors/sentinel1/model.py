"""What a Sentinel-1 burst is, as ESA wrote it: values only, nothing computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.orbit import Orbit
from sarcube.geometry.radar import RadarGrid
from sarcube.sensors.sentinel1.bytes_source import ByteOpener


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration vectors of one swath and polarization (S1-RS-MDA-52-7441, calibration annotation).

    Attributes
    ----------
    line_time : (v,) float64
        Zero-Doppler time of each vector, seconds since the burst orbit's epoch; NaN where it carries none.
    line : (v,) int64
        Line of each vector in the swath's measurement image as stated (may be negative, and wrong: see `placement`).
    sample : (p,) float64
        Sample numbers that all vectors share.
    sigma_nought, beta_nought, gamma, dn : (v, p) float32
        Look-up tables; sigma0 = |DN|^2 / sigma_nought^2.
    absolute_constant : float
        `absoluteCalibrationConstant`.
    """

    line_time: NDArray[np.float64]
    line: NDArray[np.int64]
    sample: NDArray[np.float64]
    sigma_nought: NDArray[np.float32]
    beta_nought: NDArray[np.float32]
    gamma: NDArray[np.float32]
    dn: NDArray[np.float32]
    absolute_constant: float


@dataclass(frozen=True, eq=False)
class RangeNoise:
    """One noise range vector: power (same units as |DN|^2) at samples of one line of the swath's image.

    `line_time` is NaN where the vector carries none; `line` is as stated, and wrong in many products: see `placement`.
    """

    line_time: float
    line: int
    sample: NDArray[np.float64]
    power: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AzimuthNoise:
    """One noise azimuth block: a dimensionless factor along lines, valid in a rectangle of the image."""

    first_line: int
    last_line: int
    first_sample: int
    last_sample: int
    line: NDArray[np.float64]
    factor: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Noise:
    """Thermal noise of one swath and polarization; `azimuth` is empty before IPF 2.90."""

    range: tuple[RangeNoise, ...]
    azimuth: tuple[AzimuthNoise, ...]


@dataclass(frozen=True, eq=False)
class Polynomial:
    """A range-time polynomial: sum of c_i (tau - tau0)^i, valid at one azimuth time.

    `azimuth_time` in seconds since the burst orbit's epoch, `tau0` two-way range time in seconds.
    """

    azimuth_time: float
    tau0: float
    coefficients: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class GeolocationGrid:
    """ESA's geolocation grid points of the swath, each attribute shape (n,).

    `azimuth_time` in seconds since the burst orbit's epoch, `range_time` two-way seconds, angles in degrees,
    `height` metres above the ellipsoid.
    """

    azimuth_time: NDArray[np.float64]
    range_time: NDArray[np.float64]
    line: NDArray[np.float64]
    sample: NDArray[np.float64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    height: NDArray[np.float64]
    incidence_angle: NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """Where the samples of one burst and polarization are stored.

    Attributes
    ----------
    path : str
        Folder or zip of the SAFE (local path, s3:// or https:// address).
    member : str
        Measurement TIFF inside the SAFE.
    first_line : int
        Line of the TIFF at which the burst starts.
    lines, samples : int
        Size of the burst.
    opener : callable, optional
        Opens the address of a remote SAFE as a byte source; travels with the burst and pickles.
    detected : bool
        Samples are uint16 amplitudes (GRD), not complex int16 (SLC).
    """

    path: str
    member: str
    first_line: int
    lines: int
    samples: int
    opener: ByteOpener | None = None
    detected: bool = False


@dataclass(frozen=True, eq=False)
class Channel:
    """One polarization of a burst."""

    polarization: str
    samples: Samples
    calibration: Calibration
    noise: Noise | None  # None where the SAFE carries no noise annotation (recorded, not fatal)


@dataclass(frozen=True, eq=False)
class TopsParameters:
    """What deramping needs (Miranda 2015, COPE-GSEG-EOPG-TN-14-0025)."""

    azimuth_steering_rate: float  # degrees per second, as annotated
    fm_rates: tuple[Polynomial, ...]
    doppler_centroids: tuple[Polynomial, ...]  # dataDcPolynomial
    azimuth_bandwidth: float  # processing bandwidth, Hz
    prf: float  # Hz
    azimuth_window: float  # coefficient of the generalized Hamming window over that bandwidth
    range_bandwidth: float  # processing bandwidth, Hz
    range_window: float


@dataclass(frozen=True, eq=False)
class Burst:
    """One acquisition of one burst ID, ready for an engine: every value that RTC needs but the samples.

    Attributes
    ----------
    burst_id : str
        ESA burst ID in lower case, `t052_110431_iw1`.
    index : int
        0-based position in its swath's annotation.
    scene : str
        SAFE name without its extension.
    platform, mode, swath : str
        "S1A", "IW", "IW1".
    orbit_direction : str
        "ascending" or "descending".
    absolute_orbit, relative_orbit : int
    anx_time : float
        Ascending-node time, seconds since the orbit's epoch (negative: earlier).
    radar : RadarGrid
    first_line_of_swath : int
        Line of the swath's measurement image at which the burst starts (for noise, calibration, geolocation).
    orbit : Orbit
        Orbit to use, trimmed around the burst.
    orbit_source : str
        File name of the orbit, or "annotation".
    orbit_type : str
        "POEORB", "RESORB" or "annotation".
    first_valid_line, last_valid_line : int
    first_valid_sample, last_valid_sample : (lines,) int32
        Per line, inclusive; -1 where the whole line is invalid.
    footprint : tuple of (longitude, latitude)
        Closed ring in degrees (first point repeated), unwrapped: it may run beyond 180.
    channels : mapping of polarization to Channel
        In the order VV, VH or HH, HV.
    ipf_version : str
    mid_swath_range_time : float
        Two-way slant range time of the mid swath (IW2) that IPF's bulk bistatic correction
        refers to, seconds.
    tops : TopsParameters
    geolocation : GeolocationGrid
        Of the whole swath.
    range_sampling_rate : float
    radar_frequency : float
        Hz.
    warnings : tuple of str
        What is missing or odd but not fatal ("no manifest", "no noise annotation for VV").
    rank : int
        Pulses in the air between transmission and reception of the same echo (`downlinkValues/rank`).
    pulse_interval : float
        `pri` of the downlink, seconds; rank * pulse_interval is the time from the pulse to its sensing window.
    source_facility, source_processed : str
        Who made the scene, and when (UTC, as the manifest has it); empty where there is no manifest to tell.
    """

    burst_id: str
    index: int
    scene: str
    platform: str
    mode: str
    swath: str
    orbit_direction: str
    absolute_orbit: int
    relative_orbit: int
    anx_time: float
    radar: RadarGrid
    first_line_of_swath: int
    orbit: Orbit
    orbit_source: str
    orbit_type: str
    first_valid_line: int
    last_valid_line: int
    first_valid_sample: NDArray[np.int32]
    last_valid_sample: NDArray[np.int32]
    footprint: tuple[tuple[float, float], ...]
    channels: Mapping[str, Channel]
    ipf_version: str
    mid_swath_range_time: float
    tops: TopsParameters
    geolocation: GeolocationGrid
    range_sampling_rate: float
    radar_frequency: float
    warnings: tuple[str, ...] = field(default=())
    rank: int = 0
    pulse_interval: float = 0.0
    source_facility: str = ""
    source_processed: str = ""

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.burst_id

    @property
    def polarizations(self) -> tuple[str, ...]:
        return tuple(self.channels)

    @property
    def start_time(self) -> np.datetime64:
        """UTC zero-Doppler time of the first line, nanoseconds."""
        return self.orbit.epoch + np.timedelta64(round(self.radar.first_line_time * 1e9), "ns")

    @property
    def end_time(self) -> np.datetime64:
        """UTC zero-Doppler time of the last line, nanoseconds."""
        return self.orbit.epoch + np.timedelta64(round(self.radar.last_line_time * 1e9), "ns")

    def _repr_html_(self) -> str:
        from sarcube.html import Shape, card, place_map

        return card(
            f"Burst {self.burst_id}",
            (
                ("time", f"{str(self.start_time)[:23]} UTC, {self.radar.lines * self.radar.line_interval:.2f} s"),
                ("scene", self.scene),
                ("orbit", f"{self.orbit_direction}, track {self.relative_orbit}, {self.orbit_type}"),
                ("samples", f"{self.radar.lines} lines of {self.radar.samples}"),
                ("polarizations", ", ".join(self.channels)),
                ("warnings", "; ".join(self.warnings)),
            ),
            place_map((Shape(self.footprint, "to do", self.burst_id),), legend=False),
        )
