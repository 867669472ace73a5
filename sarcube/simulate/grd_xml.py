"""A simulated GRD's metadata: the raster in ground range, product annotation, calibration and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.longitudes import wrap
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.simulate.annotation_xml import GRID_POINTS, state_vectors_xml
from sarcube.simulate.image import compact
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.swaths import LINE_INTERVAL, RADAR_FREQUENCY, RANGE_SAMPLING_RATE
from sarcube.simulate.timeline import ScenePlan
from sarcube.simulate.viewing import Track, angles, fit_track, ground_point, to_geodetic

Array = NDArray[np.float64]
AMPLITUDE_CONSTANT = 474.0  # betaNought of real IW GRDH: twice that of the SLC
_DEGREE = 8
_HEIGHTS = (0.0, 35.0, -20.0, 10.0, 60.0)  # m by which the height that polynomials assume changes from one to the next
_NOISE_STEP, _PIXEL_STEP = 668, 40


@dataclass(frozen=True)
class Detection:
    """What a mode's images are: mode and type as names have them, spacing in metres, equivalent looks of a sample.

    Sentinel-1 Product Definition (S1-RS-MDA-52-7440), tables of GRD products.
    """

    mode: str
    product_type: str
    spacing: float
    looks: float


DETECTIONS = {"IW": Detection("IW", "GRDH", 10.0, 4.4), "EW": Detection("EW", "GRDM", 40.0, 10.7)}


@dataclass(frozen=True, eq=False)
class GrdPlan:
    """The raster of one scene.

    Attributes
    ----------
    scene : ScenePlan
    track : Track
        Times in seconds since the epoch of the scene's orbit.
    first_time : float
        Seconds since the ascending node of line 0.
    interval : float
        Seconds between lines.
    lines, samples : int
    near : float
        Slant range of sample 0, metres.
    height : float
        Mean height of the ground, metres.
    conversions : tuple of (time, height, there, back)
        Ground range polynomials: time since the node, coefficients from slant to ground range and back.
    """

    scene: ScenePlan
    track: Track
    first_time: float
    interval: float
    lines: int
    samples: int
    near: float
    height: float
    conversions: tuple[tuple[float, Array, Array], ...]
    detection: Detection

    @property
    def start(self) -> np.datetime64:
        return self.scene.utc(self.first_time)

    @property
    def stop(self) -> np.datetime64:
        return self.scene.utc(self.first_time + (self.lines - 1) * self.interval)

    def stem(self, polarization: str, number: int) -> str:
        """File name without extension, `s1a-iw-grd-vv-<start>-<stop>-<orbit>-<take>-<number>`."""
        scene = self.scene
        return (
            f"{scene.platform.lower()}-{self.detection.mode.lower()}-grd-{polarization.lower()}-{compact(self.start).lower()}-"
            f"{compact(self.stop).lower()}-{scene.absolute_orbit:06d}-{scene.data_take:06x}-{number:03d}"
        )


def plan_grd(
    scene: ScenePlan, options: SimulationOptions, height: float, span: tuple[float, float] | None = None
) -> GrdPlan:
    """The raster over all swaths of a scene; `span` narrows it to slant ranges (near, far) in metres."""
    first = min(b.first_line_time + p.window.valid_lines[0] * LINE_INTERVAL for p in scene.swaths for b in p.bursts)
    last = max(b.first_line_time + p.window.valid_lines[1] * LINE_INTERVAL for p in scene.swaths for b in p.bursts)
    track = fit_track(scene.orbit, scene.orbit_time(first), scene.orbit_time(last))
    edges = [
        (p.slant_range_time + np.array(p.window.valid_samples) / RANGE_SAMPLING_RATE) * SPEED_OF_LIGHT / 2
        for p in scene.swaths
    ]
    near, far = min(e[0] for e in edges), max(e[1] for e in edges)
    if span is not None:
        near, far = max(near, span[0]), min(far, span[1])
    middle = np.array([scene.orbit_time((first + last) / 2)])
    p, v, _ = track.state(np.concatenate([middle, middle + 1]))
    points = ground_point(p, v, np.full(2, (near + far) / 2), height)
    detection = DETECTIONS[options.mode]
    interval = detection.spacing / float(np.linalg.norm(points[1] - points[0]))
    lines = int((last - first) / interval)
    conversions, samples = [], 0
    for k, time in enumerate(np.arange(math.floor(first) - 1.5, last + 2.0, 1.0)):
        assumed = height + _HEIGHTS[k % len(_HEIGHTS)]
        there, back, metres = _polynomials(track, scene.orbit_time(float(time)), (near, far), assumed)
        conversions.append((float(time), there, back))
        width = int(metres / detection.spacing)
        samples = width if not samples else min(samples, width)
    return GrdPlan(scene, track, first, interval, lines, samples, float(near), height, tuple(conversions), detection)


def _polynomials(track: Track, time: float, ranges: tuple[float, float], height: float) -> tuple[Array, Array, float]:
    """Slant to ground range and back, of an ellipsoid at a height; and the metres of ground between the ranges."""
    slant = np.linspace(*ranges, 2000)
    p, v, _ = track.state(np.full(slant.shape, time))
    points = ground_point(p, v, slant, height)
    ground = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    polynomial = np.polynomial.Polynomial
    there = polynomial.fit(slant - ranges[0], ground, _DEGREE).convert().coef
    back = polynomial.fit(ground, slant, _DEGREE).convert().coef
    return np.asarray(there), np.asarray(back), float(ground[-1])


def header_xml(plan: GrdPlan, polarization: str, number: int) -> str:
    """`adsHeader`, common to annotation, calibration and noise."""
    return f"""  <adsHeader>
    <missionId>{plan.scene.platform}</missionId>
    <productType>GRD</productType>
    <polarisation>{polarization}</polarisation>
    <mode>{plan.detection.mode}</mode>
    <swath>{plan.detection.mode}</swath>
    <startTime>{plan.start}</startTime>
    <stopTime>{plan.stop}</stopTime>
    <absoluteOrbitNumber>{plan.scene.absolute_orbit}</absoluteOrbitNumber>
    <missionDataTakeId>{plan.scene.data_take}</missionDataTakeId>
    <imageNumber>{number:03d}</imageNumber>
  </adsHeader>
"""


def product_xml(plan: GrdPlan, polarization: str, number: int) -> str:
    """The product annotation."""
    scene = plan.scene
    start = '<?xml version="1.0" encoding="UTF-8"?>\n<product>\n' + header_xml(plan, polarization, number)
    return (
        start
        + f"""  <generalAnnotation>
    <productInformation>
      <pass>{scene.direction.capitalize()}</pass>
      <timelinessCategory>Fast-24h</timelinessCategory>
      <projection>Ground Range</projection>
      <rangeSamplingRate>{RANGE_SAMPLING_RATE:.15e}</rangeSamplingRate>
      <radarFrequency>{RADAR_FREQUENCY:.15e}</radarFrequency>
    </productInformation>
{state_vectors_xml(scene)}  </generalAnnotation>
  <imageAnnotation>
    <imageInformation>
      <productFirstLineUtcTime>{plan.start}</productFirstLineUtcTime>
      <productLastLineUtcTime>{plan.stop}</productLastLineUtcTime>
      <ascendingNodeTime>{scene.anx.astype("datetime64[us]")}</ascendingNodeTime>
      <productComposition>Slice</productComposition>
      <sliceNumber>1</sliceNumber>
      <slantRangeTime>{2 * plan.near / SPEED_OF_LIGHT:.15e}</slantRangeTime>
      <pixelValue>Detected</pixelValue>
      <outputPixels>16 bit Unsigned Integer</outputPixels>
      <rangePixelSpacing>{plan.detection.spacing:.6e}</rangePixelSpacing>
      <azimuthPixelSpacing>{plan.detection.spacing:.6e}</azimuthPixelSpacing>
      <azimuthTimeInterval>{plan.interval:.15e}</azimuthTimeInterval>
      <numberOfSamples>{plan.samples}</numberOfSamples>
      <numberOfLines>{plan.lines}</numberOfLines>
      <incidenceAngleMidSwath>{_middle_incidence(plan):.15e}</incidenceAngleMidSwath>
    </imageInformation>
  </imageAnnotation>
  <swathTiming>
    <linesPerBurst>0</linesPerBurst>
    <samplesPerBurst>0</samplesPerBurst>
    <burstList count="0"/>
  </swathTiming>
{_geolocation_xml(plan)}{_conversion_xml(plan)}</product>
"""
    )


def _middle_incidence(plan: GrdPlan) -> float:
    """Incidence angle in the middle of the image, degrees."""
    time = plan.first_time + plan.lines * plan.interval / 2
    nearest = min(plan.conversions, key=lambda c: abs(c[0] - time))
    slant = invert(nearest[1], np.array([plan.samples * plan.detection.spacing / 2]), nearest[2]) + plan.near
    instant = np.full(slant.shape, plan.scene.orbit_time(time))
    p, v, _ = plan.track.state(instant)
    return float(angles(plan.track, ground_point(p, v, slant, plan.height), instant)[0][0])


def _geolocation_xml(plan: GrdPlan) -> str:
    lines = np.unique(np.append(np.arange(0, plan.lines, 2023), plan.lines - 1))
    samples = np.unique(np.linspace(0, plan.samples - 1, GRID_POINTS).round().astype(np.int64))
    out = []
    for line in lines:
        time = plan.first_time + float(line) * plan.interval
        nearest = min(plan.conversions, key=lambda c: abs(c[0] - time))
        slant = invert(nearest[1], np.asarray(samples * plan.detection.spacing, np.float64), nearest[2]) + plan.near
        instant = np.full(slant.shape, plan.scene.orbit_time(time))
        p, v, _ = plan.track.state(instant)
        points = ground_point(p, v, slant, plan.height)
        longitude, latitude, _ = to_geodetic(points)
        incidence, elevation = angles(plan.track, points, instant)
        for k, sample in enumerate(samples):
            out.append(f"""      <geolocationGridPoint>
        <azimuthTime>{plan.scene.utc(time)}</azimuthTime>
        <slantRangeTime>{2 * slant[k] / SPEED_OF_LIGHT:.15e}</slantRangeTime>
        <line>{line}</line>
        <pixel>{sample}</pixel>
        <latitude>{latitude[k]:.15e}</latitude>
        <longitude>{wrap(float(longitude[k])):.15e}</longitude>
        <height>{plan.height:.15e}</height>
        <incidenceAngle>{incidence[k]:.15e}</incidenceAngle>
        <elevationAngle>{elevation[k]:.15e}</elevationAngle>
      </geolocationGridPoint>
""")
    return (
        f'  <geolocationGrid>\n    <geolocationGridPointList count="{len(out)}">\n{"".join(out)}'
        "    </geolocationGridPointList>\n  </geolocationGrid>\n"
    )


def invert(there: Array, ground: Array, back: Array) -> Array:
    """Slant range beyond the near edge of ground ranges: Newton's method on the polynomial there."""
    polynomial = np.polynomial.polynomial
    slant = np.asarray(polynomial.polyval(ground, back)) - float(back[0])
    for _ in range(4):
        slant = slant - (polynomial.polyval(slant, there) - ground) / polynomial.polyval(
            slant, polynomial.polyder(there)
        )
    return np.asarray(slant)


def _conversion_xml(plan: GrdPlan) -> str:
    out = []
    for time, there, back in plan.conversions:
        out.append(f"""      <coordinateConversion>
        <azimuthTime>{plan.scene.utc(time)}</azimuthTime>
        <slantRangeTime>{2 * plan.near / SPEED_OF_LIGHT:.15e}</slantRangeTime>
        <sr0>{plan.near:.15e}</sr0>
        <srgrCoefficients count="{there.size}">{_numbers(there)}</srgrCoefficients>
        <gr0>0.000000000000000e+00</gr0>
        <grsrCoefficients count="{back.size}">{_numbers(back)}</grsrCoefficients>
      </coordinateConversion>
""")
    return (
        f'  <coordinateConversion>\n    <coordinateConversionList count="{len(out)}">\n{"".join(out)}'
        "    </coordinateConversionList>\n  </coordinateConversion>\n"
    )


def _numbers(values: Array) -> str:
    return " ".join(f"{v:.15e}" for v in values.tolist())


def _pixels(plan: GrdPlan) -> NDArray[np.int64]:
    return np.unique(np.append(np.arange(0, plan.samples, _PIXEL_STEP), plan.samples - 1)).astype(np.int64)


def calibration_grd_xml(plan: GrdPlan, polarization: str, number: int) -> str:
    """The calibration annotation: a vector a second, betaNought constant as in real products."""
    pixel = _pixels(plan)
    vectors = []
    seconds = np.arange(-1.0, plan.lines * plan.interval + 1.0, 1.0)
    for second in seconds:
        time = plan.first_time + float(second)
        nearest = min(plan.conversions, key=lambda c: abs(c[0] - time))
        slant = invert(nearest[1], np.asarray(pixel * plan.detection.spacing, np.float64), nearest[2]) + plan.near
        instant = np.full(slant.shape, plan.scene.orbit_time(time))
        p, v, _ = plan.track.state(instant)
        theta = np.radians(angles(plan.track, ground_point(p, v, slant, plan.height), instant)[0])
        rows = {
            "sigmaNought": AMPLITUDE_CONSTANT / np.sqrt(np.sin(theta)),
            "betaNought": np.full(pixel.shape, AMPLITUDE_CONSTANT),
            "gamma": AMPLITUDE_CONSTANT / np.sqrt(np.tan(theta)),
            "dn": np.full(pixel.shape, AMPLITUDE_CONSTANT),
        }
        n = pixel.size
        tables = "".join(f'      <{key} count="{n}">{_numbers(row)}</{key}>\n' for key, row in rows.items())
        vectors.append(
            f"    <calibrationVector>\n      <azimuthTime>{plan.scene.utc(time)}</azimuthTime>\n"
            f"      <line>{round(float(second) / plan.interval)}</line>\n"
            f'      <pixel count="{n}">{" ".join(map(str, pixel.tolist()))}</pixel>\n{tables}    </calibrationVector>\n'
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<calibration>\n'
        + header_xml(plan, polarization, number)
        + "  <calibrationInformation>\n    <absoluteCalibrationConstant>1.000000e+00</absoluteCalibrationConstant>\n"
        + f'  </calibrationInformation>\n  <calibrationVectorList count="{len(vectors)}">\n'
        + "".join(vectors)
        + "  </calibrationVectorList>\n</calibration>\n"
    )


def noise_grd_xml(plan: GrdPlan, polarization: str, number: int, old: bool) -> str:
    """The noise annotation: a bowl over range at about -24 dB, and since IPF 2.90 a ripple along the lines."""
    pixel = _pixels(plan)
    x = 2 * pixel / (plan.samples - 1) - 1
    power = AMPLITUDE_CONSTANT**2 * 10**-2.4 * (0.8 + 0.4 * x**2)
    kind, lut = ("noise", "noiseLut") if old else ("noiseRange", "noiseRangeLut")
    lines = np.unique(np.append(np.arange(0, plan.lines, _NOISE_STEP), plan.lines - 1))
    n = pixel.size
    vectors = []
    for line in lines:
        level = 1 + 0.05 * math.sin(0.002 * float(line))
        vectors.append(f"""    <{kind}Vector>
      <azimuthTime>{plan.scene.utc(plan.first_time + float(line) * plan.interval)}</azimuthTime>
      <line>{line}</line>
      <pixel count="{n}">{" ".join(map(str, pixel.tolist()))}</pixel>
      <{lut} count="{n}">{_numbers(power * level)}</{lut}>
    </{kind}Vector>
""")
    body = f'  <{kind}VectorList count="{len(vectors)}">\n{"".join(vectors)}  </{kind}VectorList>\n'
    if not old:
        along = np.unique(np.append(np.arange(0, plan.lines, 10), plan.lines - 1))
        m = along.size
        edges = np.linspace(0, plan.samples, len(plan.scene.swaths) + 1).astype(int)
        blocks = []
        for k, swath in enumerate(plan.scene.swaths):
            factor = 1 + 0.1 * np.cos(2 * np.pi * along / (380 + 20 * k))
            blocks.append(f"""    <noiseAzimuthVector>
      <swath>{plan.detection.mode}{swath.swath.name[2:]}</swath>
      <firstAzimuthLine>0</firstAzimuthLine>
      <firstRangeSample>{edges[k]}</firstRangeSample>
      <lastAzimuthLine>{plan.lines - 1}</lastAzimuthLine>
      <lastRangeSample>{edges[k + 1] - 1}</lastRangeSample>
      <line count="{m}">{" ".join(map(str, along.tolist()))}</line>
      <noiseAzimuthLut count="{m}">{_numbers(factor)}</noiseAzimuthLut>
    </noiseAzimuthVector>
""")
        body += f'  <noiseAzimuthVectorList count="{len(blocks)}">\n{"".join(blocks)}  </noiseAzimuthVectorList>\n'
    start = '<?xml version="1.0" encoding="UTF-8"?>\n<noise>\n' + header_xml(plan, polarization, number)
    return start + body + "</noise>\n"
