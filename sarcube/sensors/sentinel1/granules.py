"""Bursts as others name them: ASF's granules, which name one polarization of one acquisition of a burst.

`S1_136231_IW2_20200604T022312_VV_7C85-BURST`: ESA's burst number, sub-swath, start, polarization, and the last four
digits of the SLC that the burst was taken from (ASF, Sentinel-1 bursts user guide, naming convention).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from sarcube.errors import ConfigError
from sarcube.sensors.sentinel1.burst_id import BurstId, rounds_per_cycle, track_of

_GRANULE = re.compile(r"S1_(\d{6})_(IW[1-3])_(\d{8}T\d{6})_(VV|VH|HH|HV)_([0-9A-F]{4})-BURST")
_OWN = re.compile(r"(?P<burst>[^@\s]+)@(?P<day>\d{4}-?\d\d-?\d\d)")
_TIME = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, order=True)
class NamedBurst:
    """An acquisition of a burst as a user names it.

    Attributes
    ----------
    burst_id : str
        `t064_136231_iw2`.
    day : date
        UTC.
    start : datetime, optional
        Start in UTC; None where only the day is named.
    polarization : str
        Empty where not named.
    parent : str
        Last four digits of the SLC that it is taken from; empty where not named.
    """

    burst_id: str
    day: dt.date
    start: dt.datetime | None = None
    polarization: str = ""
    parent: str = ""

    def __str__(self) -> str:
        if self.start is None:
            return f"{self.burst_id}@{self.day}"
        return _name(BurstId.parse(self.burst_id), self.start, self.polarization, self.parent)

    @classmethod
    def parse(cls, text: str) -> NamedBurst:
        """From a granule's name, or from `t064_136231_iw2@2020-06-04`.

        Raises
        ------
        ConfigError
            The text is neither, or names no burst or time that there can be.
        """
        text = text.strip()
        if match := _GRANULE.fullmatch(text):
            number = int(match[1])
            if not 1 <= number <= rounds_per_cycle("IW"):
                raise ConfigError(f"`{text}`: burst numbers run from 1 to {rounds_per_cycle('IW')}, not {number}")
            try:
                start = dt.datetime.strptime(match[3], _TIME).replace(tzinfo=dt.UTC)
            except ValueError as error:
                raise ConfigError(f"`{text}`: {match[3]} is no time") from error
            burst = str(BurstId(track_of(number), number, match[2]))
            return cls(burst, start.date(), start, match[4], match[5])
        if match := _OWN.fullmatch(text):
            try:
                day = dt.date.fromisoformat(match["day"])
            except ValueError as error:
                raise ConfigError(f"`{text}`: {match['day']} is no day") from error
            return cls(str(BurstId.parse(match["burst"])), day)
        raise ConfigError(
            f"`{text}` is neither a burst granule (S1_136231_IW2_20200604T022312_VV_7C85-BURST) nor a burst ID and a "
            "day (t064_136231_iw2@2020-06-04)"
        )


def granule_name(burst_id: str, start: dt.datetime, polarization: str, scene: str) -> str:
    """The name that ASF gives a burst of a scene.

    Parameters
    ----------
    burst_id : str
    start : datetime
        Of the burst, UTC.
    polarization : str
    scene : str
        Name of the SLC, whose last four digits are a checksum.
    """
    return _name(BurstId.parse(burst_id), start, polarization, scene[-4:])


def _name(burst: BurstId, start: dt.datetime, polarization: str, parent: str) -> str:
    return f"S1_{burst.number:06d}_{burst.swath}_{start:{_TIME}}_{polarization}_{parent}-BURST"
