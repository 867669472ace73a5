"""Timing corrections: where an echo is annotated, as against where geometry alone would put it.

Bistatic azimuth delay: Gisinger et al., "In-depth verification of Sentinel-1 and TerraSAR-X geolocation accuracy
using the Australian corner reflector array", IEEE TGRS 59 (2021), equation 21. Static troposphere: zenith
delay of 2.3 m that falls off with a scale height of 6 km, as OPERA RTC-S1 applies it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.rtc.native.image import RadarImage
from sarcube.engines.rtc.native.mapping import Correction
from sarcube.errors import EngineError
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.sensors.sentinel1.model import Burst

ZENITH_DELAY = 2.3  # m at sea level
SCALE_HEIGHT = 6000.0  # m


def bistatic_delay(burst: Burst, slant_range: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds to add to annotated azimuth times to get true ones.

    The processor took off the bulk delay of the mid swath; what remains depends on the range and on the
    instant, `rank` pulses after transmission, to which a line's time refers.
    """
    if not (burst.rank > 0 and burst.pulse_interval > 0):
        raise EngineError(
            f"{burst.scene}: {burst.burst_id} lacks the rank or pulse interval that the bistatic correction "
            "needs; switch corrections.bistatic_delay off"
        )
    tau = 2.0 * slant_range / SPEED_OF_LIGHT
    return np.asarray(0.5 * burst.mid_swath_range_time + 0.5 * tau - burst.rank * burst.pulse_interval)


def static_troposphere(height: NDArray[np.float64], cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Metres of slant range that the air adds; `cosine` is that of the incidence angle."""
    return np.asarray(ZENITH_DELAY / np.maximum(cosine, 0.1) * np.exp(-height / SCALE_HEIGHT))


def timing_correction(burst: RadarImage, *, bistatic: bool, troposphere: bool) -> Correction | None:
    """The correction for `sarcube.engines.rtc.native.mapping.radar_map`, None where both are off.

    The bistatic delay is known of bursts: a detected image is merged of swaths, each with a delay of its own.
    """
    if not (bistatic or troposphere):
        return None
    if bistatic and not isinstance(burst, Burst):
        raise EngineError(f"{burst.label}: the bistatic delay of a detected image is not known; switch it off")

    def correct(
        slant_range: NDArray[np.float64], height: NDArray[np.float64], cosine: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        late = (
            -bistatic_delay(burst, slant_range) if bistatic and isinstance(burst, Burst) else np.zeros_like(slant_range)
        )
        far = static_troposphere(height, cosine) if troposphere else np.zeros_like(slant_range)
        return late, far

    return correct
