"""The product annotation of one polarization of a GRD (S1-RS-MDA-52-7441, section 6.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.ground_range import GroundRange
from sarcube.geometry.orbit import Orbit
from sarcube.geometry.radar import SPEED_OF_LIGHT, RadarGrid
from sarcube.sensors.sentinel1.annotation import POLARIZATIONS, annotated_orbit, geolocation_grid
from sarcube.sensors.sentinel1.model import GeolocationGrid
from sarcube.sensors.sentinel1.xml_tree import Node, parse_xml, seconds

MAX_LINES, MAX_SAMPLES = 100_000, 60_000  # IW GRDH: 17,000 x 26,000
_MAX_POLYNOMIALS, _MAX_TERMS = 2_000, 20
_STEEPEST = 3.5  # metres of ground range per metre of slant range: incidence from 17 degrees on


@dataclass(frozen=True, eq=False)
class Conversion:
    """Polynomials from slant range to ground range and the azimuth times that they belong to.

    Attributes
    ----------
    azimuth_time : (n,) float64
        Seconds since the orbit's epoch, increasing.
    origin : (n,) float64
        `sr0`, metres.
    coefficients : (n, k) float64
        `srgrCoefficients`: ground range (m) by slant range less `sr0`.
    start : (n,) float64
        Slant range of ground range 0 by `grsrCoefficients`, metres.
    back : (n, k) float64
        `grsrCoefficients`: slant range (m) by ground range.
    """

    azimuth_time: NDArray[np.float64]
    origin: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    start: NDArray[np.float64]
    back: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GrdAnnotation:
    """One annotation file; times in seconds since `orbit.epoch`."""

    platform: str
    mode: str
    polarization: str
    absolute_orbit: int
    orbit_direction: str
    orbit: Orbit
    anx_time: float
    radar: RadarGrid
    azimuth_spacing: float
    conversion: Conversion
    geolocation: GeolocationGrid
    radar_frequency: float


def parse_grd_annotation(data: bytes, where: str, epoch: np.datetime64 | None = None) -> GrdAnnotation:
    """Read a product annotation.

    Parameters
    ----------
    data : bytes
        The XML file.
    where : str
        File, for messages.
    epoch : numpy.datetime64, optional
        Instant to count times from; by default the whole second before the first state vector.

    Raises
    ------
    SceneError
        Damaged, or no GRD in IW or EW.
    """
    root = parse_xml(data, where, "product")
    orbit = annotated_orbit(root, where, epoch)
    header, general, image = root.find("adsHeader"), root.find("generalAnnotation"), root.find("imageAnnotation")
    product, info = general.find("productInformation"), image.find("imageInformation")
    mode, polarization = header.text("mode"), header.text("polarisation")
    if header.text("productType") != "GRD" or mode not in ("IW", "EW") or polarization not in POLARIZATIONS:
        raise header.fail(f"{header.text('productType')[:10]!r} in mode {mode[:10]!r}, {polarization[:10]!r}")
    if not re.fullmatch("S1[A-Z]", header.text("missionId")):
        raise header.fail("no Sentinel-1 mission")
    direction = product.text("pass").lower()
    if direction not in ("ascending", "descending"):
        raise product.fail(f"<pass> is {direction[:20]!r}")
    if product.text_or("projection", "Ground Range") != "Ground Range":
        raise product.fail(f"projection {product.text('projection')[:20]!r}, not ground range,")
    frequency = product.number("radarFrequency", 1e9, 1e11)
    conversion = _conversion(root, orbit.epoch)
    radar = _radar(info, conversion, orbit.epoch, frequency)
    return GrdAnnotation(
        platform=header.text("missionId"),
        mode=mode,
        polarization=polarization,
        absolute_orbit=header.integer("absoluteOrbitNumber", 1, 10_000_000),
        orbit_direction=direction,
        orbit=orbit,
        anx_time=float(seconds(info.time("ascendingNodeTime"), orbit.epoch)),
        radar=radar,
        azimuth_spacing=info.number("azimuthPixelSpacing", 1, 1000),
        conversion=conversion,
        geolocation=geolocation_grid(root, where, orbit.epoch),
        radar_frequency=frequency,
    )


def _conversion(root: Node, epoch: np.datetime64) -> Conversion:
    nodes = root.find_all("coordinateConversion/coordinateConversionList/coordinateConversion")
    if not 0 < len(nodes) <= _MAX_POLYNOMIALS:
        raise root.find("coordinateConversion").fail(f"{len(nodes)} ground range polynomials")
    there, back = ([node.vector(key) for node in nodes] for key in ("srgrCoefficients", "grsrCoefficients"))
    terms = max(v.size for v in (*there, *back))
    if not min(v.size for v in (*there, *back)) >= 2 or terms > _MAX_TERMS:
        raise nodes[0].fail(f"polynomials of {terms} terms")

    def table(rows: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.array([np.pad(row, (0, terms - row.size)) for row in rows])

    time = np.array([float(seconds(node.time("azimuthTime"), epoch)) for node in nodes])
    if np.any(np.diff(time) <= 0):
        raise nodes[0].fail("ground range polynomials that are not in order of time")
    origin = np.array([node.number("sr0", 1e5, 1e7) for node in nodes])
    start = np.array([node.number("gr0", -1e6, 1e6) for node in nodes])
    return Conversion(time, origin, table(there), start, table(back))


def _radar(info: Node, conversion: Conversion, epoch: np.datetime64, frequency: float) -> RadarGrid:
    lines, samples = info.integer("numberOfLines", 1, MAX_LINES), info.integer("numberOfSamples", 2, MAX_SAMPLES)
    spacing = info.number("rangePixelSpacing", 1, 1000)
    interval = info.number("azimuthTimeInterval", 1e-5, 1e-1)
    first = float(seconds(info.time("productFirstLineUtcTime"), epoch))
    ground = ground_range(conversion, first, interval, (lines, samples), spacing, info)
    near = info.number("slantRangeTime", 1e-3, 1e-1) * SPEED_OF_LIGHT / 2
    far = float(np.max(ground.far))
    mean = (far - near) / (samples - 1)
    return RadarGrid(first, interval, near, mean, lines, samples, SPEED_OF_LIGHT / frequency, ground)


def ground_range(
    conversion: Conversion, first: float, interval: float, size: tuple[int, int], spacing: float, info: Node
) -> GroundRange:
    """Stretches of lines, each with the polynomial nearest in time; those that no line comes near are left out."""
    lines, samples = size
    time = conversion.azimuth_time
    # A line as far from one as from the next takes the later one.
    change = (0.5 * (time[:-1] + time[1:]) - first) / interval
    begin, end = np.concatenate([[-np.inf], change]), np.concatenate([change, [np.inf]])
    # Terrain seen before the first line and after the last asks as well: the outer ones serve it.
    kept = np.flatnonzero((end > 0.0) & (begin < lines))
    width = (samples - 1) * spacing
    far = np.array([np.polynomial.polynomial.polyval(width - conversion.start[k], conversion.back[k]) for k in kept])
    origin, coefficients = conversion.origin[kept], conversion.coefficients[kept]
    offset = np.linspace(0.0, 1.0, 33) * (far - origin)[:, None]
    derivative = np.array(
        [np.polynomial.polynomial.polyval(x, np.polynomial.polynomial.polyder(c))
         for x, c in zip(offset, coefficients, strict=True)]
    )  # fmt: skip
    if not np.all((derivative >= 1.0) & (derivative <= _STEEPEST)) or np.any(far <= origin):
        raise info.fail("ground range polynomials that do not rise steadily from near to far range")
    end_of = [np.polynomial.polynomial.polyval(x[-1], c) for x, c in zip(offset, coefficients, strict=True)]
    if np.any(np.abs(np.array(end_of) - width) > spacing) or np.any(np.abs(coefficients[:, 0]) > spacing):
        raise info.fail("polynomials from slant to ground range and back that contradict each other")
    first_line = begin[kept].copy()
    first_line[0] = -np.inf
    return GroundRange(first_line, np.zeros(kept.size), origin, coefficients, spacing, far)
