"""Annotation of one swath and polarization in ESA's schema (S1-RS-MDA-52-7441, product annotation)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.longitudes import wrap
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.simulate.image import ImageId, header
from sarcube.simulate.instrument_xml import (
    antenna_pattern,
    attitude_list,
    downlink_list,
    image_statistics,
    quality,
    raw_data_lists,
)
from sarcube.simulate.measurement import data_offset
from sarcube.simulate.swaths import (
    BURST_CYCLE,
    DC_RANGE_TIME,
    LINE_INTERVAL,
    ORBIT_PERIOD,
    RADAR_FREQUENCY,
    RANGE_SAMPLING_RATE,
    SAMPLE_SPACING,
    WAVELENGTH,
)
from sarcube.simulate.timeline import ScenePlan, SwathPlan
from sarcube.simulate.viewing import Track, angles, fit_track, ground_point, to_geodetic

GRID_POINTS = 21  # of a line of the geolocation grid, as ESA's


@dataclass(frozen=True, eq=False)
class GridPoints:
    """Geolocation grid of a swath: rows of 21 points, at every burst's first line and the last line."""

    time: NDArray[np.float64]
    range_time: NDArray[np.float64]
    line: NDArray[np.int64]
    sample: NDArray[np.int64]
    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    height: float
    incidence: NDArray[np.float64]
    elevation: NDArray[np.float64]


def image_track(image: ImageId) -> Track:
    """The orbit around one image, times in seconds since the epoch of the scene's orbit."""
    scene, bursts = image.scene, image.swath.bursts
    return fit_track(
        scene.orbit, scene.orbit_time(bursts[0].first_line_time), scene.orbit_time(bursts[-1].first_line_time) + 3.2
    )


def grid_points(image: ImageId, height: float) -> GridPoints:
    """Where the image lies on the Earth, at one ellipsoidal height."""
    window, bursts = image.swath.window, image.swath.bursts
    lines = np.array([i * window.lines for i in range(len(bursts))] + [image.lines - 1])
    start = [image.scene.orbit_time(b.first_line_time) for b in bursts]
    times = np.array([*start, start[-1] + (window.lines - 1) * LINE_INTERVAL])
    samples = np.unique(np.linspace(0, window.samples - 1, GRID_POINTS).round().astype(np.int64))
    range_time = image.swath.slant_range_time + samples / RANGE_SAMPLING_RATE
    time, tau = np.meshgrid(times, range_time, indexing="ij")
    track = image_track(image)
    position, velocity, _ = track.state(time)
    points = ground_point(position, velocity, tau * SPEED_OF_LIGHT / 2, height)
    longitude, latitude, _ = to_geodetic(points)
    incidence, elevation = angles(track, points, time)
    return GridPoints(
        time, tau, np.repeat(lines, len(samples)).reshape(time.shape),
        np.tile(samples, len(lines)).reshape(time.shape), longitude, latitude, height, incidence, elevation,
    )  # fmt: skip


def annotation_xml(image: ImageId, grid: GridPoints, statistics: tuple[float, float]) -> str:
    """The whole document; `statistics` is (mean, standard deviation) of the image's real parts."""
    scene, swath = image.scene, image.swath
    middle = grid.incidence.shape[1] // 2
    track = image_track(image)
    return "".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n<product>\n',
            header(image),
            quality(image, statistics),
            "  <generalAnnotation>\n",
            _product_information(image, track),
            downlink_list(image),
            state_vectors_xml(scene),
            attitude_list(image),
            raw_data_lists(image),
            _terrain_height(image, grid.height),
            _fm_rates(image, track),
            "  </generalAnnotation>\n",
            _image_annotation(image, track, float(grid.incidence[:, middle].mean()), statistics),
            _doppler(image),
            antenna_pattern(image, grid.incidence, grid.elevation, grid.height),
            _swath_timing(scene, swath),
            _geolocation(scene, grid),
            '  <coordinateConversion>\n    <coordinateConversionList count="0"/>\n  </coordinateConversion>\n',
            '  <swathMerging>\n    <swathMergeList count="0"/>\n  </swathMerging>\n</product>\n',
        )
    )


def _heading(image: ImageId, track: Track) -> float:
    time = np.array([image.scene.orbit_time(image.swath.bursts[0].first_line_time)])
    position, velocity, _ = track.state(np.concatenate([time, time + 1]))
    lon, lat, _ = to_geodetic(position)
    del velocity
    east = wrap(float(lon[1] - lon[0]))
    return float(np.degrees(np.arctan2(east * np.cos(np.radians(lat[0])), lat[1] - lat[0])))


def _product_information(image: ImageId, track: Track) -> str:
    return f"""    <productInformation>
      <pass>{image.scene.direction.capitalize()}</pass>
      <timelinessCategory>Fast-24h</timelinessCategory>
      <platformHeading>{_heading(image, track):.15e}</platformHeading>
      <projection>Slant Range</projection>
      <rangeSamplingRate>{RANGE_SAMPLING_RATE:.15e}</rangeSamplingRate>
      <radarFrequency>{RADAR_FREQUENCY:.15e}</radarFrequency>
      <azimuthSteeringRate>{image.swath.swath.steering_rate:.15e}</azimuthSteeringRate>
    </productInformation>
"""


def state_vectors_xml(scene: ScenePlan) -> str:
    """`orbitList` of a scene."""
    orbit = scene.told_orbit
    out = [f'    <orbitList count="{orbit.time.size}">\n']
    for t, p, v in zip(orbit.time, orbit.position, orbit.velocity, strict=True):
        utc = (orbit.epoch + np.timedelta64(round(t * 1e9), "ns")).astype("datetime64[us]")
        out.append(
            f"      <orbit>\n        <time>{utc}</time>\n        <frame>Earth Fixed</frame>\n"
            f"        <position>\n          <x>{p[0]:.12e}</x>\n          <y>{p[1]:.12e}</y>\n"
            f"          <z>{p[2]:.12e}</z>\n        </position>\n"
            f"        <velocity>\n          <x>{v[0]:.12e}</x>\n          <y>{v[1]:.12e}</y>\n"
            f"          <z>{v[2]:.12e}</z>\n        </velocity>\n      </orbit>\n"
        )
    out.append("    </orbitList>\n")
    return "".join(out)


def _terrain_height(image: ImageId, height: float) -> str:
    return f"""    <terrainHeightList count="1">
      <terrainHeight>
        <azimuthTime>{image.start}</azimuthTime>
        <value>{height:.15e}</value>
      </terrainHeight>
    </terrainHeightList>
"""


def fm_polynomial(track: Track, time: float, slant_range_time: float, samples: int) -> tuple[float, float, float]:
    """Azimuth FM rate over range time: -2 / wavelength times the range acceleration at zero Doppler, Hz/s."""
    tau = np.linspace(0, samples / RANGE_SAMPLING_RATE, 7)
    ranges = (slant_range_time + tau) * SPEED_OF_LIGHT / 2
    position, velocity, acceleration = track.state(np.full(7, time))
    points = ground_point(position, velocity, ranges)
    closing = np.sum(velocity**2, axis=-1) - np.sum(acceleration * (points - position), axis=-1)
    rate = -2 / WAVELENGTH * closing / ranges
    scale = tau[-1]
    c2, c1, c0 = np.polyfit(tau / scale, rate, 2)
    return float(c0), float(c1 / scale), float(c2 / scale**2)


def _fm_rates(image: ImageId, track: Track) -> str:
    swath, scene = image.swath, image.scene
    out = []
    for burst in swath.bursts:
        time = burst.sensing_time + swath.swath.half_sensing
        c = fm_polynomial(track, scene.orbit_time(time), swath.swath.fm_rate_range_time, swath.swath.samples)
        out.append(
            f"      <azimuthFmRate>\n        <azimuthTime>{scene.utc(time)}</azimuthTime>\n"
            f"        <t0>{swath.swath.fm_rate_range_time:.15e}</t0>\n"
            f'        <azimuthFmRatePolynomial count="3">{c[0]:.15e} {c[1]:.15e} {c[2]:.15e}'
            "</azimuthFmRatePolynomial>\n      </azimuthFmRate>\n"
        )
    return f'    <azimuthFmRateList count="{len(out)}">\n' + "".join(out) + "    </azimuthFmRateList>\n"


def _image_annotation(image: ImageId, track: Track, incidence: float, statistics: tuple[float, float]) -> str:
    swath, scene = image.swath, image.scene
    position, velocity, _ = track.state(np.array([scene.orbit_time(swath.bursts[0].first_line_time)]))
    middle = np.array([swath.mid_range_time * SPEED_OF_LIGHT / 2])
    ground = np.linalg.norm(ground_point(position, velocity, middle)) / np.linalg.norm(position)
    spacing = float(np.linalg.norm(velocity) * ground * LINE_INTERVAL)
    band = swath.swath

    def processing(name: str, window: float, bandwidth: float) -> str:
        return (
            f"          <{name}>\n            <windowType>Hamming</windowType>\n"
            f"            <windowCoefficient>{window:.15e}</windowCoefficient>\n"
            f"            <totalBandwidth>{bandwidth:.15e}</totalBandwidth>\n"
            f"            <processingBandwidth>{bandwidth:.15e}</processingBandwidth>\n"
            f"            <lookBandwidth>{bandwidth:.15e}</lookBandwidth>\n"
            "            <numberOfLooks>1</numberOfLooks>\n"
            f"            <lookOverlap>0.000000000000000e+00</lookOverlap>\n          </{name}>\n"
        )

    return f"""  <imageAnnotation>
    <imageInformation>
      <productFirstLineUtcTime>{image.start}</productFirstLineUtcTime>
      <productLastLineUtcTime>{image.stop}</productLastLineUtcTime>
      <ascendingNodeTime>{scene.utc(0.0)}</ascendingNodeTime>
      <anchorTime>{image.start}</anchorTime>
      <productComposition>Individual</productComposition>
      <sliceNumber>0</sliceNumber>
      <sliceList count="0"/>
      <slantRangeTime>{swath.slant_range_time:.15e}</slantRangeTime>
      <pixelValue>Complex</pixelValue>
      <outputPixels>16 bit Signed Integer</outputPixels>
      <rangePixelSpacing>{SAMPLE_SPACING:.6e}</rangePixelSpacing>
      <azimuthPixelSpacing>{spacing:.6e}</azimuthPixelSpacing>
      <azimuthTimeInterval>{LINE_INTERVAL:.15e}</azimuthTimeInterval>
      <azimuthFrequency>{1 / LINE_INTERVAL:.15e}</azimuthFrequency>
      <numberOfSamples>{swath.window.samples}</numberOfSamples>
      <numberOfLines>{image.lines}</numberOfLines>
      <zeroDopMinusAcqTime>0.000000000000000e+00</zeroDopMinusAcqTime>
      <incidenceAngleMidSwath>{incidence:.15e}</incidenceAngleMidSwath>
{image_statistics(statistics, "      ")}    </imageInformation>
    <processingInformation>
      <rawDataAnalysisUsed>true</rawDataAnalysisUsed>
      <orbitDataFileUsed>true</orbitDataFileUsed>
      <attitudeDataFileUsed>false</attitudeDataFileUsed>
      <rxVariationCorrectionApplied>true</rxVariationCorrectionApplied>
      <antennaElevationPatternApplied>true</antennaElevationPatternApplied>
      <antennaAzimuthPatternApplied>true</antennaAzimuthPatternApplied>
      <antennaAzimuthElementPatternApplied>true</antennaAzimuthElementPatternApplied>
      <dcMethod>Data Analysis</dcMethod>
      <dcInputData>Range Compressed</dcInputData>
      <rangeSpreadingLossCompensationApplied>true</rangeSpreadingLossCompensationApplied>
      <srgrConversionApplied>false</srgrConversionApplied>
      <detectionPerformed>false</detectionPerformed>
      <thermalNoiseCorrectionPerformed>false</thermalNoiseCorrectionPerformed>
      <rfiMitigationPerformed>Never</rfiMitigationPerformed>
      <rfiMitigationDomain>TimeAndFrequency</rfiMitigationDomain>
      <chirpSource>Nominal</chirpSource>
      <pgSource>Extracted</pgSource>
      <rrfSpectrum>Extended Tapered</rrfSpectrum>
      <applicationLutId>IW_Default</applicationLutId>
      <swathProcParamsList count="1">
        <swathProcParams>
          <swath>{band.name}</swath>
{processing("rangeProcessing", band.range_window, band.range_bandwidth)}{
        processing("azimuthProcessing", band.azimuth_window, band.azimuth_bandwidth)
    }          <processorScalingFactor>1.000000e+00</processorScalingFactor>
        </swathProcParams>
      </swathProcParamsList>
      <inputDimensionsList count="1">
        <inputDimensions>
          <azimuthTime>{scene.utc(swath.bursts[0].sensing_time)}</azimuthTime>
          <swath>{band.name}</swath>
          <numberOfInputSamples>{swath.window.samples}</numberOfInputSamples>
          <numberOfInputLines>{round(2 * band.half_sensing * band.prf) * len(swath.bursts)}</numberOfInputLines>
        </inputDimensions>
      </inputDimensionsList>
      <referenceRange>8.000000000000000e+05</referenceRange>
      <ellipsoidName>WGS84</ellipsoidName>
      <ellipsoidSemiMajorAxis>6.378137000000000e+06</ellipsoidSemiMajorAxis>
      <ellipsoidSemiMinorAxis>6.356752314245000e+06</ellipsoidSemiMinorAxis>
      <bistaticDelayCorrectionApplied>true</bistaticDelayCorrectionApplied>
      <topsFilterConvention>Only Echo Lines</topsFilterConvention>
      <orbitSource>Auxiliary</orbitSource>
      <attitudeSource>Auxiliary</attitudeSource>
    </processingInformation>
  </imageAnnotation>
"""


def _doppler(image: ImageId) -> str:
    out = []
    zero = "0.000000e+00 0.000000e+00 0.000000e+00"
    for burst in image.swath.bursts:
        start, stop = burst.sensing_time, burst.sensing_time + 2 * image.swath.swath.half_sensing
        middle = image.scene.utc((start + stop) / 2)
        out.append(f"""      <dcEstimate>
        <azimuthTime>{middle}</azimuthTime>
        <t0>{DC_RANGE_TIME:.15e}</t0>
        <geometryDcPolynomial count="3">{zero}</geometryDcPolynomial>
        <dataDcPolynomial count="3">{zero}</dataDcPolynomial>
        <dataDcRmsError>0.000000000000000e+00</dataDcRmsError>
        <dataDcRmsErrorAboveThreshold>false</dataDcRmsErrorAboveThreshold>
        <fineDceAzimuthStartTime>{image.scene.utc(start)}</fineDceAzimuthStartTime>
        <fineDceAzimuthStopTime>{image.scene.utc(stop)}</fineDceAzimuthStopTime>
        <fineDceList count="2">
          <fineDce>
            <slantRangeTime>{image.swath.slant_range_time:.15e}</slantRangeTime>
            <frequency>0.000000000000000e+00</frequency>
          </fineDce>
          <fineDce>
            <slantRangeTime>{image.swath.mid_range_time:.15e}</slantRangeTime>
            <frequency>0.000000000000000e+00</frequency>
          </fineDce>
        </fineDceList>
      </dcEstimate>
""")
    return (
        f'  <dopplerCentroid>\n    <dcEstimateList count="{len(out)}">\n{"".join(out)}'
        "    </dcEstimateList>\n  </dopplerCentroid>\n"
    )


def _swath_timing(scene: ScenePlan, swath: SwathPlan) -> str:
    window = swath.window
    lines = np.arange(window.lines)
    valid = (lines >= window.valid_lines[0]) & (lines <= window.valid_lines[1])
    first = " ".join(map(str, np.where(valid, window.valid_samples[0], -1)))
    last = " ".join(map(str, np.where(valid, window.valid_samples[1], -1)))
    base = data_offset(window.lines * len(swath.bursts))
    out = []
    for i, burst in enumerate(swath.bursts):
        # Counted from the mission's first revolution.
        earlier = round((scene.absolute_orbit - scene.relative_orbit) * ORBIT_PERIOD / BURST_CYCLE)
        out.append(f"""      <burst>
        <azimuthTime>{scene.utc(burst.first_line_time)}</azimuthTime>
        <azimuthAnxTime>{burst.first_line_time:.15e}</azimuthAnxTime>
        <sensingTime>{scene.utc(burst.sensing_time)}</sensingTime>
        <byteOffset>{base + i * window.lines * window.samples * 4}</byteOffset>
        <firstValidSample count="{window.lines}">{first}</firstValidSample>
        <lastValidSample count="{window.lines}">{last}</lastValidSample>
        <burstId absolute="{burst.number + earlier}">{burst.number}</burstId>
      </burst>
""")
    return (
        f"  <swathTiming>\n    <linesPerBurst>{window.lines}</linesPerBurst>\n"
        f"    <samplesPerBurst>{window.samples}</samplesPerBurst>\n"
        f'    <burstList count="{len(out)}">\n{"".join(out)}    </burstList>\n  </swathTiming>\n'
    )


def _geolocation(scene: ScenePlan, grid: GridPoints) -> str:
    out = []
    for index in np.ndindex(*grid.time.shape):
        utc = (scene.orbit.epoch + np.timedelta64(round(float(grid.time[index]) * 1e9), "ns")).astype("datetime64[us]")
        longitude = wrap(float(grid.longitude[index]))
        out.append(f"""      <geolocationGridPoint>
        <azimuthTime>{utc}</azimuthTime>
        <slantRangeTime>{grid.range_time[index]:.15e}</slantRangeTime>
        <line>{grid.line[index]}</line>
        <pixel>{grid.sample[index]}</pixel>
        <latitude>{grid.latitude[index]:.15e}</latitude>
        <longitude>{longitude:.15e}</longitude>
        <height>{grid.height:.15e}</height>
        <incidenceAngle>{grid.incidence[index]:.15e}</incidenceAngle>
        <elevationAngle>{grid.elevation[index]:.15e}</elevationAngle>
      </geolocationGridPoint>
""")
    return (
        f'  <geolocationGrid>\n    <geolocationGridPointList count="{len(out)}">\n{"".join(out)}'
        "    </geolocationGridPointList>\n  </geolocationGrid>\n"
    )
