"""The product annotation of one swath and polarization, as ESA wrote it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import SceneError
from sarcube.geometry.orbit import Orbit
from sarcube.sensors.sentinel1.burst_id import TO_MID_ROUND
from sarcube.sensors.sentinel1.model import GeolocationGrid, Polynomial
from sarcube.sensors.sentinel1.orbit_file import make_orbit
from sarcube.sensors.sentinel1.xml_tree import Node, parse_xml, seconds

POLARIZATIONS = ("VV", "VH", "HH", "HV")
MAX_LINES = 10_000  # of one burst; IW has about 1,500
MAX_SAMPLES = 60_000  # of a line; IW has about 25,000
MAX_BURSTS = 1_000
MAX_BURST = 100_000_000  # samples of a burst; IW has about 40 million

_POINT_LIMITS = {
    "slantRangeTime": (1e-3, 1e-1),
    "line": (-1e7, 1e7),
    "pixel": (-1e6, 1e6),
    "latitude": (-90, 90),
    "longitude": (-360, 360),
    "height": (-2e4, 2e4),
    "incidenceAngle": (0, 90),
}


@dataclass(frozen=True, eq=False)
class BurstEntry:
    """One entry of the burst list.

    Attributes
    ----------
    azimuth_time : float
        Zero-Doppler time of the first line, seconds since the annotation's epoch.
    sensing_time : float
        Sensing time of the first input line, same epoch.
    anx_time : float
        `azimuthAnxTime`: seconds since the ascending node.
    burst_number : int or None
        `burstId` where annotated.
    first_valid_sample, last_valid_sample : (lines,) int32
    """

    azimuth_time: float
    sensing_time: float
    anx_time: float
    burst_number: int | None
    first_valid_sample: NDArray[np.int32]
    last_valid_sample: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Annotation:
    """One annotation file; times in seconds since `orbit.epoch`, two-way range times in seconds."""

    platform: str
    mode: str
    swath: str
    polarization: str
    absolute_orbit: int
    orbit_direction: str
    range_sampling_rate: float
    radar_frequency: float
    azimuth_steering_rate: float
    pulse_interval: float
    rank: int
    orbit: Orbit
    anx_time: float
    slant_range_time: float
    azimuth_time_interval: float
    azimuth_frequency: float
    azimuth_bandwidth: float
    azimuth_window: float
    range_bandwidth: float
    range_window: float
    samples_of_image: int
    fm_rates: tuple[Polynomial, ...]
    doppler_centroids: tuple[Polynomial, ...]
    lines_per_burst: int
    samples_per_burst: int
    bursts: tuple[BurstEntry, ...]
    geolocation: GeolocationGrid

    @property
    def mid_range_time(self) -> float:
        """Two-way range time of the middle sample."""
        return self.slant_range_time + self.samples_of_image / 2 / self.range_sampling_rate


def parse_annotation(data: bytes, where: str, epoch: np.datetime64 | None = None) -> Annotation:
    """Read a product annotation (S1-RS-MDA-52-7441, section 6.1).

    Parameters
    ----------
    data : bytes
        The XML file.
    where : str
        File, for messages.
    epoch : numpy.datetime64, optional
        Instant to count times from; by default the whole second before the first state vector.
    """
    root = parse_xml(data, where, "product")
    orbit = annotated_orbit(root, where, epoch)
    epoch = orbit.epoch
    header, general, image = root.find("adsHeader"), root.find("generalAnnotation"), root.find("imageAnnotation")
    product, info, timing = general.find("productInformation"), image.find("imageInformation"), root.find("swathTiming")
    downlink = general.find("downlinkInformationList/downlinkInformation")
    processing = image.find("processingInformation/swathProcParamsList/swathProcParams")
    lines = timing.integer("linesPerBurst", 1, MAX_LINES)
    samples = timing.integer("samplesPerBurst", 1, MAX_SAMPLES)
    if lines * samples > MAX_BURST:
        raise timing.fail(f"bursts of {lines} x {samples} samples")
    _check_header(header)
    direction = product.text("pass").lower()
    if direction not in ("ascending", "descending"):
        raise product.fail(f"<pass> is {direction[:20]!r}")
    return Annotation(
        platform=header.text("missionId"),
        mode=header.text("mode"),
        swath=header.text("swath"),
        polarization=header.text("polarisation"),
        absolute_orbit=header.integer("absoluteOrbitNumber", 1, 10_000_000),
        orbit_direction=direction,
        range_sampling_rate=product.number("rangeSamplingRate", 1e6, 1e9),
        radar_frequency=product.number("radarFrequency", 1e9, 1e11),
        azimuth_steering_rate=product.number("azimuthSteeringRate", -10, 10),
        pulse_interval=downlink.number("downlinkValues/pri", 1e-5, 1e-2),
        rank=downlink.integer("downlinkValues/rank", 0, 1000),
        orbit=orbit,
        anx_time=float(seconds(info.time("ascendingNodeTime"), epoch)),
        slant_range_time=info.number("slantRangeTime", 1e-3, 1e-1),
        azimuth_time_interval=info.number("azimuthTimeInterval", 1e-5, 1e-1),
        azimuth_frequency=info.number("azimuthFrequency", 1, 1e5),
        azimuth_bandwidth=processing.number("azimuthProcessing/processingBandwidth", 1, 1e5),
        azimuth_window=processing.number("azimuthProcessing/windowCoefficient", 0, 1),
        range_bandwidth=processing.number("rangeProcessing/processingBandwidth", 1e5, 1e9),
        range_window=processing.number("rangeProcessing/windowCoefficient", 0, 1),
        samples_of_image=info.integer("numberOfSamples", 1, MAX_SAMPLES),
        fm_rates=tuple(_fm_rate(node, epoch) for node in general.find_all("azimuthFmRateList/azimuthFmRate")),
        doppler_centroids=tuple(
            _polynomial(node, "dataDcPolynomial", epoch)
            for node in root.find_all("dopplerCentroid/dcEstimateList/dcEstimate")
        ),
        lines_per_burst=lines,
        samples_per_burst=samples,
        bursts=_bursts(timing, lines, epoch),
        geolocation=geolocation_grid(root, where, epoch),
    )


def _check_header(header: Node) -> None:
    mode, swath = header.text("mode"), header.text("swath")
    if swath not in TO_MID_ROUND or mode != swath[:2]:
        raise header.fail(f"mode {mode[:20]!r}, swath {swath[:20]!r}; only IW and EW can be read")
    if not re.fullmatch("S1[A-Z]", header.text("missionId")) or header.text("polarisation") not in POLARIZATIONS:
        raise header.fail("no Sentinel-1 mission or no polarization")


def annotated_orbit(root: Node, where: str, epoch: np.datetime64 | None) -> Orbit:
    """State vectors of a product annotation; times from `epoch`, or the whole second before the first vector."""
    path = "generalAnnotation/orbitList/orbit"
    keys = [f"{kind}/{axis}" for kind in ("position", "velocity") for axis in "xyz"]
    states = root.columns(path, keys, 10_000)
    if len(states) < 2:
        raise SceneError(f"{where}: holds {len(states)} orbit state vectors; at least 2 are needed")
    if any(vector.text_or("frame", "Earth Fixed") != "Earth Fixed" for vector in root.find_all(path)):
        raise SceneError(f"{where}: its orbit is not Earth-fixed")
    times, position, velocity = root.times(path, "time"), states[:, :3], states[:, 3:]
    orbit = make_orbit(times, position, velocity, where, SceneError)
    if epoch is None or epoch == orbit.epoch:
        return orbit
    return Orbit(epoch, orbit.time + float(seconds(orbit.epoch, epoch)), orbit.position, orbit.velocity)


def _polynomial(node: Node, key: str, epoch: np.datetime64) -> Polynomial:
    return Polynomial(
        float(seconds(node.time("azimuthTime"), epoch)), node.number("t0", 0, 1), tuple(node.vector(key).tolist())
    )


def _fm_rate(node: Node, epoch: np.datetime64) -> Polynomial:
    if node.has("azimuthFmRatePolynomial"):
        return _polynomial(node, "azimuthFmRatePolynomial", epoch)
    # Before IPF 2.43 the three coefficients were elements of their own.
    coefficients = tuple(node.number(key) for key in ("c0", "c1", "c2"))
    return Polynomial(float(seconds(node.time("azimuthTime"), epoch)), node.number("t0", 0, 1), coefficients)


def _bursts(timing: Node, lines: int, epoch: np.datetime64) -> tuple[BurstEntry, ...]:
    nodes = timing.find("burstList").find_all("burst")
    # None at all is right for the swaths that an extractor left out.
    if len(nodes) > MAX_BURSTS:
        raise timing.fail(f"{len(nodes)} bursts")
    return tuple(
        BurstEntry(
            azimuth_time=float(seconds(node.time("azimuthTime"), epoch)),
            sensing_time=float(seconds(node.time("sensingTime"), epoch)),
            anx_time=node.number("azimuthAnxTime", -1e5, 1e5),
            burst_number=node.integer("burstId", 1, 10**9) if node.has("burstId") else None,
            first_valid_sample=node.vector("firstValidSample", lines).astype(np.int32),
            last_valid_sample=node.vector("lastValidSample", lines).astype(np.int32),
        )
        for node in nodes
    )


def geolocation_grid(root: Node, where: str, epoch: np.datetime64) -> GeolocationGrid:
    """Geolocation grid of a product annotation."""
    path = "geolocationGrid/geolocationGridPointList/geolocationGridPoint"
    columns = dict(zip(_POINT_LIMITS, root.columns(path, tuple(_POINT_LIMITS), 1_000_000).T.copy(), strict=True))
    for key, (low, high) in _POINT_LIMITS.items() if columns["line"].size else ():
        if columns[key].min() < low or columns[key].max() > high:
            raise SceneError(f"{where}: a <{key}> of its geolocation grid is not within {low:g} to {high:g}; damaged")
    return GeolocationGrid(
        azimuth_time=np.asarray(seconds(root.times(path, "azimuthTime"), epoch)),
        range_time=columns["slantRangeTime"],
        line=columns["line"],
        sample=columns["pixel"],
        latitude=columns["latitude"],
        longitude=columns["longitude"],
        height=columns["height"],
        incidence_angle=columns["incidenceAngle"],
    )
