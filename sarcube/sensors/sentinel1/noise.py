"""The noise annotation: `noiseVectorList` before IPF 2.90, range and azimuth vectors since."""

from __future__ import annotations

import numpy as np

from sarcube.errors import SceneError
from sarcube.sensors.sentinel1.model import AzimuthNoise, Noise, RangeNoise
from sarcube.sensors.sentinel1.xml_tree import Node, parse_xml, seconds

_LINES = 10**7
_BLOCKS = 500  # azimuth blocks of a swath; an SLC has one, a GRD some dozens


def parse_noise(data: bytes, where: str, epoch: np.datetime64) -> Noise:
    """Read a noise annotation (S1-RS-MDA-52-7441, section 6.3; thermal denoising: MPC-0392).

    Parameters
    ----------
    data : bytes
        The XML file.
    where : str
        File, for messages.
    epoch : numpy.datetime64
        Instant that line times are counted from.
    """
    root = parse_xml(data, where, "noise")
    new = root.find_all("noiseRangeVectorList/noiseRangeVector")
    old = root.find_all("noiseVectorList/noiseVector")
    vectors, key = (new, "noiseRangeLut") if new else (old, "noiseLut")
    if not vectors:
        raise SceneError(f"{where}: holds no noise vectors; fetch it again")
    azimuth = root.find_all("noiseAzimuthVectorList/noiseAzimuthVector")
    if len(azimuth) > _BLOCKS:
        raise root.fail(f"{len(azimuth)} azimuth blocks, more than {_BLOCKS},")
    return Noise(
        range=tuple(_range_vector(vector, key, epoch) for vector in vectors),
        azimuth=tuple(_azimuth_vector(vector) for vector in azimuth),
    )


def _range_vector(vector: Node, key: str, epoch: np.datetime64) -> RangeNoise:
    sample = vector.vector("pixel")
    if np.any(np.diff(sample) <= 0):
        raise vector.fail("samples that do not increase")
    return RangeNoise(
        line_time=vector_time(vector, epoch),
        line=vector_line(vector),
        sample=sample,
        power=vector.vector(key, sample.size),
    )


def vector_time(vector: Node, epoch: np.datetime64) -> float:
    """Zero-Doppler time of a vector, seconds since `epoch`; NaN where it carries none and its line has to do."""
    return float(seconds(vector.time("azimuthTime"), epoch)) if vector.has("azimuthTime") else float("nan")


def vector_line(vector: Node) -> int:
    """Line of the swath's image, as stated; 0 where only a time is."""
    if not vector.has("line") and vector.has("azimuthTime"):
        return 0
    return vector.integer("line", -_LINES, _LINES)


def _azimuth_vector(vector: Node) -> AzimuthNoise:
    line = vector.vector("line")
    if np.any(np.diff(line) <= 0):
        raise vector.fail("lines that do not increase")
    # An SLC's block may leave its rectangle out; it then covers all of the swath.
    return AzimuthNoise(
        first_line=vector.integer("firstAzimuthLine", -_LINES, _LINES) if vector.has("firstAzimuthLine") else 0,
        last_line=vector.integer("lastAzimuthLine", -_LINES, _LINES) if vector.has("lastAzimuthLine") else _LINES,
        first_sample=vector.integer("firstRangeSample", 0, _LINES) if vector.has("firstRangeSample") else 0,
        last_sample=vector.integer("lastRangeSample", 0, _LINES) if vector.has("lastRangeSample") else _LINES,
        line=line,
        factor=vector.vector("noiseAzimuthLut", line.size),
    )
