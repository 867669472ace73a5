"""What numbers in a file mean: scale, offset and nodata, as the file says or else its item."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import rasterio
from numpy.typing import NDArray

from sarcube.raster_facts import Numbers

Pixels: TypeAlias = NDArray[Any]  # of the dtype that a file has; numpy has no type for "of some number"


def told_by(dataset: rasterio.DatasetReader, numbers: Numbers) -> Numbers:
    """What a file's numbers mean: as it says itself, else as its item does."""
    scale, offset = dataset.scales[0], dataset.offsets[0]
    if (scale, offset) == (1.0, 0.0):
        scale, offset = numbers.scale, numbers.offset
    return Numbers(scale, offset, numbers.nodata if dataset.nodata is None else dataset.nodata)


def in_units(stored: Pixels, numbers: Numbers) -> Pixels:
    """Numbers as read, masked or not, as what they mean, NaN where there is none; as stored where that is the same."""
    values, nodata = np.ma.getdata(stored), numbers.nodata
    if (numbers.scale, numbers.offset) == (1.0, 0.0):
        other = values.dtype.kind == "f" and nodata is not None and not np.isnan(nodata)
        return np.where(values == nodata, values.dtype.type(np.nan), values) if other else values
    missing = np.ma.getmaskarray(stored)
    if nodata is not None:
        missing = missing | (values == nodata)
    meant = values.astype(np.float32) * np.float32(numbers.scale) + np.float32(numbers.offset)
    return np.where(missing, np.float32(np.nan), meant)


def fits(number: float, dtype: np.dtype[np.generic]) -> bool:
    """Whether a type of numbers has this one: nothing is stored in whole numbers of what they cannot be."""
    if dtype.kind not in "ui":
        return True
    limits = np.iinfo(dtype.str)
    return bool(limits.min <= number <= limits.max and float(number).is_integer())
