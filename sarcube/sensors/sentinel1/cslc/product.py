"""What an OPERA CSLC-S1 file says of its burst (product specification JPL D-108278; written by COMPASS).

The orbit is the file's own, with which its phase was flattened: no other one fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import numpy as np

from sarcube.errors import BurstNotFoundError, ConfigError, GridError, OrbitError, SceneError
from sarcube.geometry.grid import GeoGrid, is_geographic
from sarcube.geometry.orbit import Orbit, trim
from sarcube.geometry.radar import SPEED_OF_LIGHT, RadarGrid
from sarcube.instants import utc_ns
from sarcube.sensors.sentinel1.burst import refuse_leap_second
from sarcube.sensors.sentinel1.burst_id import BurstId
from sarcube.sensors.sentinel1.bytes_source import ByteOpener
from sarcube.sensors.sentinel1.cslc.file import HdfFile, open_hdf
from sarcube.sensors.sentinel1.cslc.outline import ring_of_wkt
from sarcube.sensors.sentinel1.model import (
    Burst,
    Calibration,
    Channel,
    GeolocationGrid,
    Polynomial,
    Samples,
    TopsParameters,
)
from sarcube.sensors.sentinel1.orbit_file import COVER_MARGIN, KEEP_MARGIN
from sarcube.sensors.sentinel1.polarizations import POLARIZATIONS

_BURST = "metadata/processing_information/input_burst_metadata/"
_INPUTS = "metadata/processing_information/inputs/"
_PLACE = _INPUTS + "burst_location_parameters/"
_APPLIED = "metadata/processing_information/parameters/"
_ALGORITHMS = "metadata/processing_information/algorithms/"
# Processing bandwidth (Hz) and coefficient of the Hamming window in azimuth, which the files do not tell: the same in
# every IPF annotation at hand, of 2020 to 2025.
_AZIMUTH = {"IW1": (327.0, 0.70), "IW2": (313.0, 0.75), "IW3": (314.0, 0.75)}
# Corrections of where an echo was looked for: ours by their names in the file, and further ones.
_CORRECTIONS = {
    "bistatic_delay": "bistatic_delay_applied",
    "static_troposphere": "static_troposphere_applied",
    "fm_rate_mismatch": "azimuth_fm_rate_applied",
}
_FURTHER = {
    "geometry_doppler_applied": "geometry steering Doppler",
    "los_solid_earth_tides_applied": "solid Earth tides in range",
    "azimuth_solid_earth_tides_applied": "solid Earth tides in azimuth",
    "ionosphere_tec_applied": "ionosphere",
    "dry_troposphere_weather_model_applied": "dry troposphere of a weather model",
    "wet_troposphere_weather_model_applied": "wet troposphere of a weather model",
}
_MOST_LINES, _MOST_SAMPLES = 20_000, 100_000
_SPACING = (0.5, 100.0)  # metres


@dataclass(frozen=True, eq=False)
class Cslc:
    """A geocoded SLC, without its samples.

    Attributes
    ----------
    burst : Burst
        Its times, ranges, carrier and the orbit it was flattened with. Samples in radar geometry are not there.
    grid : GeoGrid
        Of the samples.
    corrections : mapping of str to bool
        Of where an echo was looked for, by our names; what the file does not tell is missing.
    further : tuple of str
        Corrections beyond these, in words.
    dem : str
        What the ground was taken from.
    made_by : str
        Product, software and versions.
    interpolation : str
    scene : str
        Level-1 scene that it was made of.
    azimuth_band : (float, float)
        Processing bandwidth (Hz) and window coefficient that are taken for the burst's own.
    stored : int
        Bytes of the samples in the file, all polarizations.
    """

    burst: Burst
    grid: GeoGrid
    corrections: Mapping[str, bool]
    further: tuple[str, ...]
    dem: str
    made_by: str
    interpolation: str
    scene: str
    azimuth_band: tuple[float, float]
    stored: int

    def narrowed(self, polarizations: tuple[str, ...]) -> Cslc:
        """The same with these polarizations alone.

        Raises
        ------
        BurstNotFoundError
            The file lacks one.
        """
        channels = self.burst.channels
        if missing := [name for name in polarizations if name not in channels]:
            raise BurstNotFoundError(
                f"{self.burst.scene}: {self.burst.burst_id} has no {', '.join(missing)}; it has {', '.join(channels)}"
            )
        return replace(self, burst=replace(self.burst, channels={name: channels[name] for name in polarizations}))


def granule_name(path: str) -> str:
    """Name of a file without folder and extension, as `source.scenes` has it."""
    return PurePosixPath(urlsplit(path).path if "://" in path else path).name.removesuffix(".h5")


def read_cslc(path: str, opener: ByteOpener | None = None) -> Cslc:
    """Everything but the samples.

    Raises
    ------
    SceneError
        The file cannot be read, is no CSLC-S1 product, or its phase is not flattened.
    OrbitError
        Its orbit does not reach beyond the burst.
    SourceError, CredentialError
        Of whoever provides the bytes.
    MissingExtraError
        h5py is not installed.
    """
    with open_hdf(path, opener) as file:
        kind = file.text("identification/product_type", "")
        if kind.replace("_", "-").upper() != "CSLC-S1":
            raise SceneError(
                f"{file.path}: is of type {kind[:60]!r}, and no CSLC-S1 product with samples; leave it out"
            )
        with _told(file):
            burst = _burst(file, path)
            if file.flag(_APPLIED + "topographic_flattening_applied") is False:
                raise SceneError(
                    f"{file.path}: its phase is not flattened (topographic_flattening_applied); make it with "
                    "COMPASS's geocoding.flatten: True"
                )
            known = {name: file.flag(_APPLIED + key) for name, key in _CORRECTIONS.items()}
            processor = file.text(_ALGORITHMS + "COMPASS_version", "")
            product = f"CSLC-S1 {file.text('identification/product_version', '')}".strip()
            return Cslc(
                burst=burst,
                grid=_grid(file, burst.polarizations[0]),
                corrections={name: value for name, value in known.items() if value is not None},
                further=tuple(text for key, text in _FURTHER.items() if file.flag(_APPLIED + key)),
                dem=" ".join(file.text(_INPUTS + "dem_source", "").split()),
                made_by=f"{product}, COMPASS {processor}" if processor else product,
                interpolation=file.text(_ALGORITHMS + "complex_data_geocoding_interpolator", "not told"),
                scene=file.text(_INPUTS + "l1_slc_files", "").removesuffix(".zip").removesuffix(".SAFE"),
                azimuth_band=_AZIMUTH[burst.swath],
                stored=sum(file.stored(f"data/{name}") for name in burst.polarizations),
            )


@contextmanager
def _told(file: HdfFile) -> Iterator[None]:
    """Values that contradict each other are told with the file's name."""
    try:
        yield
    except (ValueError, OverflowError) as error:
        if isinstance(error, SceneError | OrbitError):
            raise
        raise SceneError(f"{file.path}: {error}; is it an OPERA CSLC-S1 product?") from error


def _burst(file: HdfFile, path: str) -> Burst:
    burst_id = _burst_id(file)
    start = utc_ns(file.text("identification/zero_doppler_start_time"))
    epoch = start.astype("datetime64[s]").astype("datetime64[ns]")
    interval = file.number(_BURST + "azimuth_time_interval")
    spacing, near = file.number(_BURST + "range_pixel_spacing"), file.number(_BURST + "starting_range")
    wavelength, rate = file.number(_BURST + "wavelength"), file.number(_BURST + "range_sampling_rate")
    if not (
        1e-4 < interval < 0.1 and 0.1 < spacing < 1e3 and 1e5 < near < 1e7 and 0.01 < wavelength < 1 and rate > 1e6
    ):
        raise SceneError(f"{file.path}: line interval, sample spacing, range or wavelength are none of Sentinel-1's")
    size = file.vector(_BURST + "shape")
    if size.size != 2 or not (2 <= size[0] <= _MOST_LINES and 2 <= size[1] <= _MOST_SAMPLES):
        raise SceneError(f"{file.path}: {_BURST}shape is no number of lines and samples of a burst")
    lines, samples = (int(v) for v in size)
    radar = RadarGrid(_seconds(start, epoch), interval, near, spacing, lines, samples, wavelength)
    first, last = (file.whole(f"{_PLACE}{end}_valid_line", 0, _MOST_LINES) for end in ("first", "last"))
    left, right = (file.whole(f"{_PLACE}{end}_valid_sample", 0, _MOST_SAMPLES) for end in ("first", "last"))
    seen = (np.arange(lines) >= first) & (np.arange(lines) <= last)
    channels, warnings = _channels(file, path, radar)
    platform = file.text("identification/mission_id").upper()
    burst = Burst(
        burst_id=str(burst_id),
        index=file.whole(_PLACE + "burst_index", 0, 1000),
        scene=granule_name(path),
        platform=platform,
        mode="IW",
        swath=burst_id.swath,
        orbit_direction=file.text("identification/orbit_pass_direction").lower(),
        absolute_orbit=file.whole("identification/absolute_orbit_number", 0, 10**7),
        relative_orbit=burst_id.track,
        anx_time=float("nan"),  # not told
        radar=radar,
        first_line_of_swath=0,
        orbit=_orbit(file, epoch, radar),
        orbit_source=_orbit_name(file),
        orbit_type=file.text("metadata/orbit/orbit_type", "not told"),
        first_valid_line=first,
        last_valid_line=min(last, lines - 1),
        first_valid_sample=np.where(seen, left, -1).astype(np.int32),
        last_valid_sample=np.where(seen, min(right, samples - 1), -1).astype(np.int32),
        footprint=ring_of_wkt(file.text("identification/bounding_polygon")),
        channels=channels,
        ipf_version=file.text(_BURST + "ipf_version", ""),
        mid_swath_range_time=2.0 * file.number(_BURST + "iw2_mid_range") / SPEED_OF_LIGHT,
        tops=_tops(file, burst_id.swath, radar),
        geolocation=_no_geolocation(),
        range_sampling_rate=rate,
        radar_frequency=file.number(_BURST + "radar_center_frequency"),
        warnings=warnings,
        rank=file.whole(_BURST + "rank", 1, 100),
        pulse_interval=1.0 / max(file.number(_BURST + "prf_raw_data"), 1.0),
        source_facility=file.text("identification/processing_center", ""),
        source_processed=_instant(file.text("identification/processing_date_time", "")),
    )
    refuse_leap_second(burst, None)
    return burst


def _burst_id(file: HdfFile) -> BurstId:
    text = file.text("identification/burst_id")
    try:
        found = BurstId.parse(text)
    except ConfigError as error:
        raise SceneError(f"{file.path}: identification/burst_id is {text[:40]!r}, no burst ID") from error
    if found.swath not in _AZIMUTH:
        raise SceneError(f"{file.path}: is of {found.swath}; CSLC-S1 products are of IW1 to IW3")
    return found


def _seconds(time: np.datetime64, epoch: np.datetime64) -> float:
    return float((time - epoch) / np.timedelta64(1, "ns")) * 1e-9


def _instant(text: str) -> str:
    try:
        return f"{utc_ns(text).astype('datetime64[us]')}Z" if text else ""
    except ValueError:
        return ""


def _orbit(file: HdfFile, epoch: np.datetime64, radar: RadarGrid) -> Orbit:
    begun = utc_ns(file.text("metadata/orbit/reference_epoch"))
    time = file.vector("metadata/orbit/time") + _seconds(begun, epoch)
    parts = [[file.vector(f"metadata/orbit/{what}_{axis}") for axis in "xyz"] for what in ("position", "velocity")]
    if any(part.size != time.size for axes in parts for part in axes):
        raise OrbitError(f"{file.path}: its orbit has numbers of times and places that differ; fetch the file again")
    try:
        orbit = Orbit(epoch, time, *(np.column_stack(axes) for axes in parts))
    except OrbitError as error:
        raise OrbitError(f"{file.path}: {error}") from error
    first, last = radar.first_line_time, radar.last_line_time
    if not orbit.covers(first - COVER_MARGIN, last + COVER_MARGIN):
        raise OrbitError(
            f"{file.path}: its orbit does not reach {COVER_MARGIN:g} s beyond the burst; fetch the file again"
        )
    return trim(orbit, first, last, KEEP_MARGIN)


def _orbit_name(file: HdfFile) -> str:
    return PurePosixPath(file.text(_INPUTS + "orbit_files", "")).name or "the file's own"


def _tops(file: HdfFile, swath: str, radar: RadarGrid) -> TopsParameters:
    middle = 0.5 * (radar.first_line_time + radar.last_line_time)
    bandwidth, window = _AZIMUTH[swath]
    steering = float(np.degrees(file.number(_BURST + "azimuth_steering_rate")))
    fm_rate = _polynomial(file, "azimuth_fm_rate", middle)
    across, range_window = (file.number(_BURST + f"range_{key}") for key in ("bandwidth", "window_coefficient"))
    if not (0 < steering < 10 and -1e4 < fm_rate.coefficients[0] < -100 and across > 1e6 and 0 < range_window <= 1):
        raise SceneError(f"{file.path}: steering, FM rate, range bandwidth or its window are none of Sentinel-1's")
    return TopsParameters(
        azimuth_steering_rate=steering,
        fm_rates=(fm_rate,),
        doppler_centroids=(_polynomial(file, "doppler", middle),),
        azimuth_bandwidth=bandwidth,
        prf=file.number(_BURST + "prf_raw_data"),
        azimuth_window=window,
        range_bandwidth=across,
        range_window=range_window,
    )


def _polynomial(file: HdfFile, name: str, time: float) -> Polynomial:
    """ISCE3's polynomial of ((range - mean) / std) as one of two-way time."""
    mean, deviation = (file.number(f"{_BURST}{name}/{part}") for part in ("mean", "std"))
    coefficients = file.vector(f"{_BURST}{name}/coeffs")
    if not deviation > 0 or coefficients.size > 20:
        raise SceneError(f"{file.path}: {_BURST}{name} is no polynomial of range")
    scale = 0.5 * SPEED_OF_LIGHT / deviation
    return Polynomial(time, 2.0 * mean / SPEED_OF_LIGHT, tuple(float(c) * scale**k for k, c in enumerate(coefficients)))


def _channels(file: HdfFile, path: str, radar: RadarGrid) -> tuple[dict[str, Channel], tuple[str, ...]]:
    there = file.names("data")
    names = [name for name in POLARIZATIONS if name in there]
    if not names:
        raise SceneError(f"{file.path}: /data has no polarization; is it an OPERA CSLC-S1 product?")
    # IPF's beta nought is one number for a whole swath: digital numbers divided by it are the root of beta nought.
    beta = file.number("metadata/calibration_information/beta_naught", 0.0)
    said = () if beta > 0 else ("the CSLC has no beta_naught: amplitudes are digital numbers, not calibrated",)
    ends = np.array([0.0, max(radar.samples - 1.0, 1.0)])
    table, unknown = np.full((1, 2), beta if beta > 0 else 1.0, np.float32), np.full((1, 2), np.nan, np.float32)
    calibration = Calibration(
        np.array([radar.first_line_time]), np.array([0]), ends, unknown, table, unknown, unknown, 1.0
    )
    size = radar.lines, radar.samples
    channels = {name: Channel(name, Samples(path, f"/data/{name}", 0, *size), calibration, None) for name in names}
    return channels, said


def _no_geolocation() -> GeolocationGrid:
    return GeolocationGrid(*(np.empty(0) for _ in range(8)))


def _grid(file: HdfFile, polarization: str) -> GeoGrid:
    """The grid of the samples, whose centres the coordinates are."""
    rows, columns = file.layer(f"data/{polarization}").shape
    x, y = file.vector("data/x_coordinates"), file.vector("data/y_coordinates")
    if (y.size, x.size) != (rows, columns):
        raise SceneError(
            f"{file.path}: /data/{polarization} is {rows} x {columns}, its coordinates {y.size} x {x.size}; fetch it "
            "again"
        )
    if min(rows, columns) < 2:
        raise SceneError(f"{file.path}: /data/{polarization} is {rows} x {columns}, no raster")
    dx, dy = float(x[-1] - x[0]) / (columns - 1), float(y[0] - y[-1]) / (rows - 1)
    even = np.abs(x - (x[0] + dx * np.arange(columns))).max() <= 0.01 * abs(dx)
    even &= np.abs(y - (y[0] - dy * np.arange(rows))).max() <= 0.01 * abs(dy)
    if not (even and dx > 0 and dy > 0):
        raise SceneError(f"{file.path}: its coordinates are not evenly spaced, from the north-west on")
    if not (_SPACING[0] <= min(dx, dy) and max(dx, dy) <= _SPACING[1] and max(abs(x[0]), abs(y[0])) < 1e8):
        raise SceneError(f"{file.path}: samples {dx:g} m by {dy:g} m apart are none of a geocoded SLC")
    try:
        epsg = file.whole("data/projection", 1024, 32767)
        if is_geographic(epsg):
            raise SceneError(f"{file.path}: lies on EPSG:{epsg}; CSLC-S1 products lie on a projected CRS")
    except GridError as error:
        raise SceneError(f"{file.path}: data/projection: {error}") from error
    left, top = round(float(x[0]) - 0.5 * dx, 6), round(float(y[0]) + 0.5 * dy, 6)
    dx, dy = round(dx, 9), round(dy, 9)
    return GeoGrid(epsg, left, top, dx, columns, rows, 0.0 if dx == dy else dy)
