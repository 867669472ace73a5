"""What items tell of a pair of dates, by the fields of STAC's InSAR extension, and the same of a picture of one."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from sarcube.catalog.extensions import INSAR
from sarcube.geometry.radar import SPEED_OF_LIGHT

SECOND = "insar:secondary_datetime"
FIRST = "insar:reference_datetime"
DAYS = "insar:temporal_baseline"
PERPENDICULAR = "insar:perpendicular_baseline"
FREQUENCY = "sar:center_frequency"  # GHz
CHANNELS = "sar:polarizations"


def wavelength_of(properties: Mapping[str, object]) -> float:
    """Metres; NaN where the item does not tell its frequency."""
    frequency = properties.get(FREQUENCY)
    if not isinstance(frequency, int | float) or isinstance(frequency, bool) or not frequency > 0:
        return math.nan
    return SPEED_OF_LIGHT / (frequency * 1e9)


def pair_properties(picture: xr.Dataset) -> tuple[dict[str, object], tuple[str, ...]]:
    """Fields of an item of one time step of a cube, and the extensions that they are of; none of what is no pair."""
    coords = picture.coords
    if "secondary" not in coords or "time" not in coords or np.isnat(coords["secondary"].values):
        return {}, ()
    times = {FIRST: coords["time"], SECOND: coords["secondary"]}
    told: dict[str, object] = {key: _text(value) for key, value in times.items()}
    for key, name in ((DAYS, "temporal_baseline"), (PERPENDICULAR, "perpendicular_baseline")):
        if name in coords and math.isfinite(value := float(coords[name])):
            told[key] = value
    if "wavelength" in coords and math.isfinite(metres := float(coords["wavelength"])):
        told[FREQUENCY] = round(SPEED_OF_LIGHT / metres / 1e9, 9)
    if "channel" in coords and (channel := str(coords["channel"].values)):
        told[CHANNELS] = channel.split(",")
    return told, (INSAR,)


def _text(time: xr.DataArray) -> str:
    return f"{pd.Timestamp(time.values.item()).isoformat()}Z"
