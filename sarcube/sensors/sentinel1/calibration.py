"""The calibration annotation: look-up tables from digital numbers to sigma, beta and gamma nought."""

from __future__ import annotations

import numpy as np

from sarcube.errors import SceneError
from sarcube.sensors.sentinel1.model import Calibration
from sarcube.sensors.sentinel1.noise import vector_line, vector_time
from sarcube.sensors.sentinel1.xml_tree import parse_xml


def parse_calibration(data: bytes, where: str, epoch: np.datetime64) -> Calibration:
    """Read a calibration annotation (S1-RS-MDA-52-7441, section 6.2).

    Parameters
    ----------
    data : bytes
        The XML file.
    where : str
        File, for messages.
    epoch : numpy.datetime64
        Instant that line times are counted from.
    """
    root = parse_xml(data, where, "calibration")
    vectors = root.find_all("calibrationVectorList/calibrationVector")
    if not vectors:
        raise SceneError(f"{where}: holds no calibration vectors; fetch it again")
    sample = vectors[0].vector("pixel")
    if np.any(np.diff(sample) <= 0):
        raise SceneError(f"{where}: its calibration samples do not increase; the file is damaged")
    lookups = {}
    for key in ("sigmaNought", "betaNought", "gamma", "dn"):
        rows = []
        for vector in vectors:
            pixel = sample if vector.text("pixel") == vectors[0].text("pixel") else vector.vector("pixel")
            row = vector.vector(key, pixel.size)
            # All vectors of a file share their samples; where one does not it is brought onto the first's.
            rows.append(row if pixel is sample else np.interp(sample, pixel, row))
        lookups[key] = np.asarray(rows, dtype=np.float32)
    if min(float(table.min()) for table in lookups.values()) <= 0:
        raise SceneError(f"{where}: a calibration value is not positive; the file is damaged")
    return Calibration(
        line_time=np.array([vector_time(vector, epoch) for vector in vectors]),
        line=np.array([vector_line(vector) for vector in vectors], dtype=np.int64),
        sample=sample,
        sigma_nought=lookups["sigmaNought"],
        beta_nought=lookups["betaNought"],
        gamma=lookups["gamma"],
        dn=lookups["dn"],
        absolute_constant=root.number("calibrationInformation/absoluteCalibrationConstant", 1e-12, 1e12),
    )
