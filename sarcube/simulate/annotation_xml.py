"""Annotation of one swath and polarization in ESA's schema (S1-RS-MDA-52-7441, product annotation)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sarcube.simulate.measurement import data_offset
from sarcube.simulate.swaths import (
    DC_RANGE_TIME,
    LINE_INTERVAL,
    RADAR_FREQUENCY,
    RANGE_SAMPLING_RATE,
    SAMPLE_SPACING,
    WAVELENGTH,
)
from sarcube.simulate.timeline import BURSTS_PER_CYCLE, ScenePlan, SwathPlan
from sarcube.simulate.viewing import Track, angles, fit_track, ground_point, to_geodetic

GRID_POINTS = 21  # of a line of the geolocation grid, as ESA's
SPEED = 299_792_458.0


@dataclass(frozen=True)
class ImageId:
    """What names one image of a scene.

    Attributes
    ----------
    polarization : str
    number : int
        1-based, as in the file name.
    scene : ScenePlan
    swath : SwathPlan
    """

    polarization: str
    number: int
    scene: ScenePlan
    swath: SwathPlan

    @property
    def start(self) -> np.datetime64:
        return self.scene.utc(self.swath.bursts[0].first_line_time)

    @property
    def stop(self) -> np.datetime64:
        window = self.swath.window
        return self.scene.utc(self.swath.bursts[-1].first_line_time + (window.lines - 1) * LINE_INTERVAL)

    @property
    def lines(self) -> int:
        return len(self.swath.bursts) * self.swath.window.lines

    @property
    def stem(self) -> str:
        """File name without extension, `s1a-iw1-slc-vv-<start>-<stop>-<orbit>-<take>-<number>`."""
        scene = self.scene
        return (
            f"{scene.platform.lower()}-{self.swath.swath.name.lower()}-slc-{self.polarization.lower()}-"
            f"{compact(self.start).lower()}-{compact(self.stop).lower()}-{scene.absolute_orbit:06d}-"
            f"{scene.data_take:06x}-{self.number:03d}"
        )


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


def compact(time: np.datetime64) -> str:
    """`20240501T053012`."""
    return str(time.astype("datetime64[s]")).replace("-", "").replace(":", "")


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
    points = ground_point(position, velocity, tau * SPEED / 2, height)
    longitude, latitude, _ = to_geodetic(points)
    incidence, elevation = angles(track, points, time)
    return GridPoints(
        time, tau, np.repeat(lines, len(samples)).reshape(time.shape),
        np.tile(samples, len(lines)).reshape(time.shape), longitude, latitude, height, incidence, elevation,
    )  # fmt: skip


def header(image: ImageId) -> str:
    """`adsHeader`, common to annotation, calibration and noise."""
    return f"""  <adsHeader>
    <missionId>{image.scene.platform}</missionId>
    <productType>SLC</productType>
    <polarisation>{image.polarization}</polarisation>
    <mode>IW</mode>
    <swath>{image.swath.swath.name}</swath>
    <startTime>{image.start}</startTime>
    <stopTime>{image.stop}</stopTime>
    <absoluteOrbitNumber>{image.scene.absolute_orbit}</absoluteOrbitNumber>
    <missionDataTakeId>{image.scene.data_take}</missionDataTakeId>
    <imageNumber>{image.number:03d}</imageNumber>
  </adsHeader>
"""


def annotation_xml(image: ImageId, grid: GridPoints, statistics: tuple[float, float]) -> str:
    """The whole document; `statistics` is (mean, standard deviation) of the image's real parts."""
    scene, swath = image.scene, image.swath
    middle = grid.incidence.shape[1] // 2
    track = image_track(image)
    return "".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n<product>\n',
            header(image),
            _quality(image, statistics),
            "  <generalAnnotation>\n",
            _product_information(image, track),
            _downlink(image),
            _orbit_list(image),
            '    <attitudeList count="0"/>\n    <rawDataAnalysisList count="0"/>\n',
            '    <replicaInformationList count="0"/>\n    <noiseList count="0"/>\n',
            _terrain_height(image, grid.height),
            _fm_rates(image, track),
            "  </generalAnnotation>\n",
            _image_annotation(image, track, float(grid.incidence[:, middle].mean()), statistics),
            _doppler(image),
            '  <antennaPattern>\n    <antennaPatternList count="0"/>\n  </antennaPattern>\n',
            _swath_timing(scene, swath),
            _geolocation(scene, grid),
            '  <coordinateConversion>\n    <coordinateConversionList count="0"/>\n  </coordinateConversion>\n',
            '  <swathMerging>\n    <swathMergeList count="0"/>\n  </swathMerging>\n</product>\n',
        )
    )


def _statistics(statistics: tuple[float, float], pad: str) -> str:
    mean, deviation = statistics
    return (
        f"{pad}<imageStatistics>\n{pad}  <outputDataMean>\n{pad}    <re>{mean:.6e}</re>\n{pad}    <im>{mean:.6e}</im>\n"
        f"{pad}  </outputDataMean>\n{pad}  <outputDataStdDev>\n{pad}    <re>{deviation:.6e}</re>\n"
        f"{pad}    <im>{deviation:.6e}</im>\n{pad}  </outputDataStdDev>\n{pad}</imageStatistics>\n"
    )


def _quality(image: ImageId, statistics: tuple[float, float]) -> str:
    del image, statistics  # nothing was downlinked: no quality record, as the schema allows
    return (
        "  <qualityInformation>\n    <productQualityIndex>0.000000000000000e+00</productQualityIndex>\n"
        '    <qualityDataList count="0"/>\n  </qualityInformation>\n'
    )


def _heading(image: ImageId, track: Track) -> float:
    time = np.array([image.scene.orbit_time(image.swath.bursts[0].first_line_time)])
    position, velocity, _ = track.state(np.concatenate([time, time + 1]))
    lon, lat, _ = to_geodetic(position)
    del velocity
    east = (lon[1] - lon[0] + 180) % 360 - 180
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


_ERROR_COUNTS = (
    "SyncMarker DataTakeId EccNumber TestMode RxChannelId InstrumentConfigId PacketCount PriCount SsbErrorFlag Mode "
    "BaqBlockLength RangeDecimation RxGain TxRampRate TxPulseStartFrequency Rank Pri Swst Swl Polarisation TempComp "
    "ElevationBeamAddress AzimuthBeamAddress SasTestMode CalType CalibrationBeamAddress CalMode TxPulseNumber "
    "SignalType SwapFlag SwathNumber NumberOfQuads"
).split()


def _downlink(image: ImageId) -> str:
    swath, scene = image.swath.swath, image.scene
    first = scene.utc(image.swath.bursts[0].sensing_time)
    last = scene.utc(image.swath.bursts[-1].sensing_time + 2 * swath.half_sensing)
    errors = "".join(f"          <numErr{name}>0</numErr{name}>\n" for name in _ERROR_COUNTS)
    return f"""    <downlinkInformationList count="1">
      <downlinkInformation>
        <swath>{swath.name}</swath>
        <azimuthTime>{image.start}</azimuthTime>
        <firstLineSensingTime>{first}</firstLineSensingTime>
        <lastLineSensingTime>{last}</lastLineSensingTime>
        <prf>{swath.prf:.15e}</prf>
        <bitErrorCount>
{errors}          <numIspHeaderErrors>0</numIspHeaderErrors>
        </bitErrorCount>
        <downlinkValues>
          <pri>{1 / swath.prf:.15e}</pri>
          <rank>{swath.rank}</rank>
          <dataTakeId>{scene.data_take}</dataTakeId>
          <eccNumber>8</eccNumber>
          <rxChannelId>0</rxChannelId>
          <instrumentConfigId>7</instrumentConfigId>
          <dataFormat>
            <baqBlockLength>256</baqBlockLength>
            <echoFormat>FDBAQ</echoFormat>
            <noiseFormat>BAQ 5 Bit</noiseFormat>
            <calibrationFormat>Decimation</calibrationFormat>
            <meanBitRate>0.000000000000000e+00</meanBitRate>
          </dataFormat>
          <rangeDecimation>
            <decimationFilterBandwidth>{swath.range_bandwidth:.15e}</decimationFilterBandwidth>
            <samplingFrequencyAfterDecimation>{RANGE_SAMPLING_RATE:.15e}</samplingFrequencyAfterDecimation>
            <filterLength>44</filterLength>
          </rangeDecimation>
          <rxGain>-4.000000000000000e+00</rxGain>
          <txPulseLength>5.240700000000000e-05</txPulseLength>
          <txPulseStartFrequency>{-swath.range_bandwidth / 2:.15e}</txPulseStartFrequency>
          <txPulseRampRate>{swath.range_bandwidth / 5.2407e-5:.15e}</txPulseRampRate>
          <swathNumber>{swath.swath_number}</swathNumber>
          <swlList count="0"/>
          <swstList count="0"/>
          <pointingStatusList count="0"/>
        </downlinkValues>
      </downlinkInformation>
    </downlinkInformationList>
"""


def _orbit_list(image: ImageId) -> str:
    orbit = image.scene.orbit
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
    ranges = (slant_range_time + tau) * SPEED / 2
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
        c = fm_polynomial(
            track, scene.orbit_time(time), swath.swath.fm_rate_range_time, swath.swath.samples
        )
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
    middle = np.array([swath.mid_range_time * SPEED / 2])
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
{_statistics(statistics, "      ")}    </imageInformation>
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
      <inputDimensionsList count="0"/>
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
        cycles = (scene.absolute_orbit - 1) // 175
        out.append(f"""      <burst>
        <azimuthTime>{scene.utc(burst.first_line_time)}</azimuthTime>
        <azimuthAnxTime>{burst.first_line_time:.15e}</azimuthAnxTime>
        <sensingTime>{scene.utc(burst.sensing_time)}</sensingTime>
        <byteOffset>{base + i * window.lines * window.samples * 4}</byteOffset>
        <firstValidSample count="{window.lines}">{first}</firstValidSample>
        <lastValidSample count="{window.lines}">{last}</lastValidSample>
        <burstId absolute="{burst.number + cycles * BURSTS_PER_CYCLE}">{burst.number}</burstId>
      </burst>
""")
    return (
        f"  <swathTiming>\n    <linesPerBurst>{window.lines}</linesPerBurst>\n"
        f"    <samplesPerBurst>{window.samples}</samplesPerBurst>\n"
        f'    <burstList count="{len(out)}">\n{"".join(out)}    </burstList>\n  </swathTiming>\n'
    )


def _geolocation(scene: ScenePlan, grid: GridPoints) -> str:
    out = []
    for index in np.ndindex(grid.time.shape):
        utc = (scene.orbit.epoch + np.timedelta64(round(grid.time[index] * 1e9), "ns")).astype("datetime64[us]")
        longitude = (grid.longitude[index] + 180) % 360 - 180
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
