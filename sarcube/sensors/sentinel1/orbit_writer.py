"""Writes an orbit as ESA's EOF file (PDGS orbit file format, GMES-GSEG-EOPG-FS-10-0075)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.orbit import Orbit
from sarcube.sensors.sentinel1.leap_seconds import tai_minus_utc

_DESCRIPTION = {
    "POEORB": "Precise Orbit Ephemerides (POE) Orbit File",
    "RESORB": "Restituted Orbit File",
}


@dataclass(frozen=True)
class OrbitFileName:
    """What an EOF file's name tells.

    Attributes
    ----------
    platform : str
        "S1A".
    kind : str
        "POEORB" or "RESORB".
    created, start, stop : numpy.datetime64
        Creation, and the period of validity, UTC.
    """

    platform: str
    kind: str
    created: np.datetime64
    start: np.datetime64
    stop: np.datetime64

    @property
    def stem(self) -> str:
        created, start, stop = (_compact(t) for t in (self.created, self.start, self.stop))
        return f"{self.platform}_OPER_AUX_{self.kind}_OPOD_{created}_V{start}_{stop}"


def eof_text(name: OrbitFileName, orbit: Orbit, absolute_orbit: int | NDArray[np.int64]) -> str:
    """The EOF file's XML.

    Parameters
    ----------
    name : OrbitFileName
    orbit : Orbit
        Earth-fixed state vectors, written to the micrometre; times to the microsecond, UTC.
    absolute_orbit : int or (n,) int64
        Orbit number, of all vectors or of each.
    """
    times = [orbit.epoch + np.timedelta64(round(t * 1e6), "us") for t in orbit.time]
    vectors = "\n".join(
        _vector(t, position, velocity, number)
        for t, position, velocity, number in zip(
            times,
            orbit.position.tolist(),
            orbit.velocity.tolist(),
            np.broadcast_to(absolute_orbit, len(times)).tolist(),
            strict=True,
        )
    )
    return f"""<?xml version="1.0" ?>
<Earth_Explorer_File>
  <Earth_Explorer_Header>
    <Fixed_Header>
      <File_Name>{name.stem}</File_Name>
      <File_Description>{_DESCRIPTION[name.kind]}</File_Description>
      <Notes></Notes>
      <Mission>Sentinel-1{name.platform[-1]}</Mission>
      <File_Class>OPER</File_Class>
      <File_Type>AUX_{name.kind}</File_Type>
      <Validity_Period>
        <Validity_Start>UTC={_iso(name.start, "s")}</Validity_Start>
        <Validity_Stop>UTC={_iso(name.stop, "s")}</Validity_Stop>
      </Validity_Period>
      <File_Version>0001</File_Version>
      <Source>
        <System>OPOD</System>
        <Creator>sarcube</Creator>
        <Creation_Date>UTC={_iso(name.created, "s")}</Creation_Date>
      </Source>
    </Fixed_Header>
    <Variable_Header>
      <Ref_Frame>EARTH_FIXED</Ref_Frame>
      <Time_Reference>UTC</Time_Reference>
    </Variable_Header>
  </Earth_Explorer_Header>
  <Data_Block type="xml">
    <List_of_OSVs count="{len(times)}">
{vectors}
    </List_of_OSVs>
  </Data_Block>
</Earth_Explorer_File>
"""


def _vector(time: np.datetime64, position: list[float], velocity: list[float], absolute_orbit: int) -> str:
    numbers = "".join(f'<{a} unit="m">{v:.6f}</{a}>' for a, v in zip("XYZ", position, strict=True))
    numbers += "".join(f'<V{a} unit="m/s">{v:.6f}</V{a}>' for a, v in zip("XYZ", velocity, strict=True))
    # UT1 follows UTC within a second; no reader of orbit files uses it.
    tai = time + np.timedelta64(tai_minus_utc(time), "s")
    return (
        f"      <OSV><TAI>TAI={_iso(tai)}</TAI><UTC>UTC={_iso(time)}</UTC><UT1>UT1={_iso(time)}</UT1>"
        f"<Absolute_Orbit>{absolute_orbit:+06d}</Absolute_Orbit>{numbers}<Quality>NOMINAL</Quality></OSV>"
    )


def _iso(time: np.datetime64, unit: Literal["s", "us"] = "us") -> str:
    return str(np.datetime_as_string(time, unit=unit))


def _compact(time: np.datetime64) -> str:
    return _iso(time, "s").replace("-", "").replace(":", "")
