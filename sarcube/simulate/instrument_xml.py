"""What an annotation tells of instrument, downlink and raw data: plausible constants, as the schema asks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.simulate.image import ImageId
from sarcube.simulate.swaths import RANGE_SAMPLING_RATE
from sarcube.simulate.viewing import fit_track

_PULSE = 5.2407e-5  # s, length of the transmitted chirp


def image_statistics(statistics: tuple[float, float], pad: str) -> str:
    """Mean and standard deviation of real and imaginary parts."""
    mean, deviation = statistics
    return (
        f"{pad}<imageStatistics>\n{pad}  <outputDataMean>\n{pad}    <re>{mean:.6e}</re>\n{pad}    <im>{mean:.6e}</im>\n"
        f"{pad}  </outputDataMean>\n{pad}  <outputDataStdDev>\n{pad}    <re>{deviation:.6e}</re>\n"
        f"{pad}    <im>{deviation:.6e}</im>\n{pad}  </outputDataStdDev>\n{pad}</imageStatistics>\n"
    )


_QUALITY_FLAGS = (
    ("numDownlinkInputDataGaps", "0"), ("downlinkGapsInInputDataSignificantFlag", "false"),
    ("numDownlinkInputMissingLines", "0"), ("downlinkMissingLinesSignificantFlag", "false"),
    ("numInstrumentInputDataGaps", "0"), ("instrumentGapsInInputDataSignificantFlag", "false"),
    ("numInstrumentInputMissingLines", "0"), ("instrumentMissingLinesSignificantFlag", "false"),
    ("numSsbErrorInputDataGaps", "0"), ("ssbErrorGapsInInputDataSignificantFlag", "false"),
    ("numSsbErrorInputMissingLines", "0"), ("ssbErrorMissingLinesSignificantFlag", "false"),
    ("chirpSourceUsed", "Nominal"), ("pgSourceUsed", "Extracted"), ("rrfSpectrumUsed", "Extended Tapered"),
    ("replicaReconstructionFailedFlag", "false"), ("meanPgProductAmplitude", "6.500000000000000e-01"),
    ("stdDevPgProductAmplitude", "2.500000000000000e-03"), ("meanPgProductPhase", "0.000000000000000e+00"),
    ("stdDevPgProductPhase", "1.000000000000000e-02"), ("pgProductDerivationFailedFlag", "false"),
    ("invalidDownlinkParamsFlag", "false"),
)  # fmt: skip


def quality(image: ImageId, statistics: tuple[float, float]) -> str:
    """`qualityInformation`: nothing lost, nothing wrong."""
    flags = "".join(f"          <{name}>{value}</{name}>\n" for name, value in _QUALITY_FLAGS)
    zero = "0.000000000000000e+00"
    statistics_text = image_statistics(statistics, "          ")
    return f"""  <qualityInformation>
    <productQualityIndex>{zero}</productQualityIndex>
    <qualityDataList count="1">
      <qualityData>
        <azimuthTime>{image.start}</azimuthTime>
        <downlinkQuality>
          <iInputDataMean>{zero}</iInputDataMean>
          <qInputDataMean>{zero}</qInputDataMean>
          <inputDataMeanOutsideNominalRangeFlag>false</inputDataMeanOutsideNominalRangeFlag>
          <iInputDataStdDev>8.000000000000000e+00</iInputDataStdDev>
          <qInputDataStdDev>8.000000000000000e+00</qInputDataStdDev>
          <inputDataStDevOutsideNominalRangeFlag>false</inputDataStDevOutsideNominalRangeFlag>
{flags}        </downlinkQuality>
        <rawDataAnalysisQuality>
          <iBias>{zero}</iBias>
          <iBiasSignificanceFlag>true</iBiasSignificanceFlag>
          <qBias>{zero}</qBias>
          <qBiasSignificanceFlag>true</qBiasSignificanceFlag>
          <iqGainImbalance>1.000000000000000e+00</iqGainImbalance>
          <iqGainSignificanceFlag>true</iqGainSignificanceFlag>
          <iqQuadratureDeparture>{zero}</iqQuadratureDeparture>
          <iqQuadratureDepartureSignificanceFlag>true</iqQuadratureDepartureSignificanceFlag>
        </rawDataAnalysisQuality>
        <dopplerCentroidQuality>
          <dcMethod>Data Analysis</dcMethod>
          <dopplerCentroidUncertainFlag>false</dopplerCentroidUncertainFlag>
        </dopplerCentroidQuality>
        <imageQuality>
{statistics_text}          <outputDataMeanOutsideNominalRangeFlag>false</outputDataMeanOutsideNominalRangeFlag>
          <outputDataStDevOutsideNominalRangeFlag>false</outputDataStDevOutsideNominalRangeFlag>
        </imageQuality>
      </qualityData>
    </qualityDataList>
  </qualityInformation>
"""


_ERROR_COUNTS = [
    "SyncMarker",
    "DataTakeId",
    "EccNumber",
    "TestMode",
    "RxChannelId",
    "InstrumentConfigId",
    "PacketCount",
    "PriCount",
    "SsbErrorFlag",
    "BaqMode",
    "BaqBlockLength",
    "RangeDecimation",
    "RxGain",
    "TxRampRate",
    "TxPulseStartFrequency",
    "Rank",
    "Pri",
    "Swst",
    "Swl",
    "Polarisation",
    "TempComp",
    "ElevationBeamAddress",
    "AzimuthBeamAddress",
    "SasTestMode",
    "CalType",
    "CalibrationBeamAddress",
    "CalMode",
    "TxPulseNumber",
    "SignalType",
    "SwapFlag",
    "SwathNumber",
    "NumberOfQuads",
]


def downlink_list(image: ImageId) -> str:
    """`downlinkInformationList`: PRF, rank, sampling window."""
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
          <dataTakeId>{scene.data_take % 65536}</dataTakeId>
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
          <txPulseLength>{_PULSE:.15e}</txPulseLength>
          <txPulseStartFrequency>{-swath.range_bandwidth / 2:.15e}</txPulseStartFrequency>
          <txPulseRampRate>{swath.range_bandwidth / _PULSE:.15e}</txPulseRampRate>
          <swathNumber>{swath.swath_number}</swathNumber>
          <swlList count="1">
            <swl>
              <azimuthTime>{first}</azimuthTime>
              <value>{image.swath.window.samples / RANGE_SAMPLING_RATE:.15e}</value>
            </swl>
          </swlList>
          <swstList count="1">
            <swst>
              <azimuthTime>{first}</azimuthTime>
              <value>{image.swath.slant_range_time - swath.rank / swath.prf:.15e}</value>
            </swst>
          </swstList>
          <pointingStatusList count="1">
            <pointingStatus>
              <azimuthTime>{first}</azimuthTime>
              <aocsOpMode>Normal Pointing Mode</aocsOpMode>
              <rollErrorFlag>false</rollErrorFlag>
              <pitchErrorFlag>false</pitchErrorFlag>
              <yawErrorFlag>false</yawErrorFlag>
            </pointingStatus>
          </pointingStatusList>
        </downlinkValues>
      </downlinkInformation>
    </downlinkInformationList>
"""


def attitude_list(image: ImageId) -> str:
    """`attitudeList`: one record a second, zero-Doppler steered and rolled as the mid swath is seen."""
    scene, bursts = image.scene, image.swath.bursts
    start = scene.orbit_time(bursts[0].first_line_time)
    times = start + np.arange(0.0, 2.76 * len(bursts) + 1.0, 1.0)
    position, velocity, _ = fit_track(scene.orbit, start, float(times[-1])).state(times)
    out = []
    for t, p, v in zip(times, position, velocity, strict=True):
        # Body axes: x forward, z down, y to the right; the quaternion turns them into the Earth-fixed frame.
        z = -p / np.linalg.norm(p)
        y = np.cross(z, v)
        y /= np.linalg.norm(y)
        q = _quaternion(np.stack([np.cross(y, z), y, z], axis=1))
        rate = float(np.linalg.norm(v) / np.linalg.norm(p))
        utc = (scene.orbit.epoch + np.timedelta64(round(t * 1e9), "ns")).astype("datetime64[us]")
        out.append(
            f"      <attitude>\n        <time>{utc}</time>\n        <frame>Earth Fixed</frame>\n"
            + "".join(f"        <q{i}>{c:.6e}</q{i}>\n" for i, c in enumerate(q))
            + f"        <wx>{0.0:.15e}</wx>\n        <wy>{-rate:.15e}</wy>\n        <wz>{0.0:.15e}</wz>\n"
            + f"        <roll>{29.5:.15e}</roll>\n        <pitch>{0.0:.15e}</pitch>\n"
            + f"        <yaw>{0.0:.15e}</yaw>\n      </attitude>\n"
        )
    return f'    <attitudeList count="{len(out)}">\n' + "".join(out) + "    </attitudeList>\n"


def _quaternion(matrix: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Scalar-first unit quaternion of a rotation matrix (Shepperd 1978)."""
    trace = float(np.trace(matrix))
    squares = np.array([trace, *np.diag(matrix)])
    k = int(np.argmax(squares))
    q = np.empty(4)
    root = np.sqrt(1 + 2 * squares[k] - trace)
    q[k] = root / 2
    m = matrix
    skew = (m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1])
    if k == 0:
        q[1:] = np.array(skew) / (2 * root)
    else:
        i = k - 1
        q[0] = skew[i] / (2 * root)
        for j in range(3):
            if j != i:
                q[j + 1] = (m[i, j] + m[j, i]) / (2 * root)
    return float(q[0]), float(q[1]), float(q[2]), float(q[3])


def raw_data_lists(image: ImageId) -> str:
    """`rawDataAnalysisList`, `replicaInformationList` and `noiseList`: an ideal instrument."""
    time, swath = image.start, image.swath.swath
    chirp = f"0.000000e+00 0.000000e+00 {swath.range_bandwidth / 2 / _PULSE:.6e} 0.000000e+00"
    bounds = "".join(
        f"            <{name}UpperBound>{value + 0.01:.15e}</{name}UpperBound>\n"
        f"            <{name}LowerBound>{value - 0.01:.15e}</{name}LowerBound>\n"
        for name, value in (("iBias", 0.0), ("qBias", 0.0), ("iqGain", 1.0), ("iqQuadratureDeparture", 0.0))
    )
    return f"""    <rawDataAnalysisList count="1">
      <rawDataAnalysis>
        <azimuthTime>{time}</azimuthTime>
        <iBias>0.000000000000000e+00</iBias>
        <qBias>0.000000000000000e+00</qBias>
        <iqQuadratureDeparture>0.000000000000000e+00</iqQuadratureDeparture>
        <iqGainImbalance>1.000000000000000e+00</iqGainImbalance>
        <support>
{bounds}            <iBiasUsedForCorrection>0.000000000000000e+00</iBiasUsedForCorrection>
            <qBiasUsedForCorrection>0.000000000000000e+00</qBiasUsedForCorrection>
            <iqGainImbalanceUsedForCorrection>1.000000000000000e+00</iqGainImbalanceUsedForCorrection>
            <iqQuadratureDepartureUsedForCorrection>0.000000000000000e+00</iqQuadratureDepartureUsedForCorrection>
        </support>
      </rawDataAnalysis>
    </rawDataAnalysisList>
    <replicaInformationList count="1">
      <replicaInformation>
        <swath>{swath.name}</swath>
        <referenceReplica>
          <azimuthTime>{time}</azimuthTime>
          <chirpSource>Nominal</chirpSource>
          <pgSource>Extracted</pgSource>
          <amplitudeCoefficients count="4">1.000000e+00 0.000000e+00 0.000000e+00 0.000000e+00</amplitudeCoefficients>
          <phaseCoefficients count="4">{chirp}</phaseCoefficients>
          <timeDelay>4.333235e-07</timeDelay>
          <gain>
            <re>1.000000e+00</re>
            <im>0.000000e+00</im>
          </gain>
        </referenceReplica>
        <replicaList count="1">
          <replica>
            <azimuthTime>{time}</azimuthTime>
            <crossCorrelationBandwidth>1.000000e+00</crossCorrelationBandwidth>
            <crossCorrelationPslr>-1.326000e+01</crossCorrelationPslr>
            <crossCorrelationIslr>-9.700000e+00</crossCorrelationIslr>
            <crossCorrelationPeakLocation>0.000000e+00</crossCorrelationPeakLocation>
            <reconstructedReplicaValidFlag>true</reconstructedReplicaValidFlag>
            <pgProductAmplitude>6.500000e-01</pgProductAmplitude>
            <pgProductPhase>0.000000e+00</pgProductPhase>
            <modelPgProductAmplitude>6.500000e-01</modelPgProductAmplitude>
            <modelPgProductPhase>0.000000e+00</modelPgProductPhase>
            <relativePgProductValidFlag>true</relativePgProductValidFlag>
            <absolutePgProductValidFlag>true</absolutePgProductValidFlag>
            <internalTimeDelay>4.333235e-07</internalTimeDelay>
          </replica>
        </replicaList>
      </replicaInformation>
    </replicaInformationList>
    <noiseList count="1">
      <noise>
        <swath>{swath.name}</swath>
        <azimuthTime>{time}</azimuthTime>
        <noisePowerCorrectionFactor>1.000000e+00</noisePowerCorrectionFactor>
        <numberOfNoiseLines>8</numberOfNoiseLines>
      </noise>
    </noiseList>
"""


def antenna_pattern(
    image: ImageId, incidence: NDArray[np.float64], elevation: NDArray[np.float64], height: float
) -> str:
    """`antennaPattern`: a vector per burst at the geolocation grid's samples; a flat pattern of unit gain."""
    swath = image.swath
    n = incidence.shape[1]
    samples = np.unique(np.linspace(0, swath.window.samples - 1, n).round())
    times = " ".join(f"{swath.slant_range_time + s / RANGE_SAMPLING_RATE:.15e}" for s in samples)
    out = []
    for i, burst in enumerate(swath.bursts):
        out.append(f"""      <antennaPattern>
        <swath>{swath.swath.name}</swath>
        <azimuthTime>{image.scene.utc(burst.first_line_time)}</azimuthTime>
        <slantRangeTime count="{n}">{times}</slantRangeTime>
        <elevationAngle count="{n}">{" ".join(f"{v:.6e}" for v in elevation[i])}</elevationAngle>
        <elevationPattern count="{n}">{" ".join(["1.000000e+00 0.000000e+00"] * n)}</elevationPattern>
        <incidenceAngle count="{n}">{" ".join(f"{v:.6e}" for v in incidence[i])}</incidenceAngle>
        <terrainHeight>{height:.15e}</terrainHeight>
        <roll>2.950000000000000e+01</roll>
      </antennaPattern>
""")
    return (
        f'  <antennaPattern>\n    <antennaPatternList count="{len(out)}">\n{"".join(out)}'
        "    </antennaPatternList>\n  </antennaPattern>\n"
    )
