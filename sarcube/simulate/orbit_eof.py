"""Precise orbit files (AUX_POEORB) of the simulated passes, as ESA writes them (PGSI-GSEG-EOPG-FS-05-0001)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sarcube.simulate.image import compact
from sarcube.simulate.swaths import ORBIT_PERIOD
from sarcube.simulate.timeline import ScenePlan

_LEAP = np.timedelta64(37, "s")  # TAI - UTC since 2017


def write_poeorb(folder: Path, scene: ScenePlan) -> Path:
    """One file: a vector every 10 s from 22:59:42 of the day before to 00:59:42 of the day after.

    The orbit is the pass's own throughout: it serves the pass, and the rest of the day is its smooth continuation.
    """
    day = np.datetime64(scene.date, "s")
    start = day - np.timedelta64(3618, "s")
    stop = day + np.timedelta64(86400 + 3582, "s")
    created = day + np.timedelta64(20 * 86400 + 8 * 3600, "s")
    name = f"{scene.platform}_OPER_AUX_POEORB_OPOD_{compact(created)}_V{compact(start)}_{compact(stop)}"
    offset = float((scene.anx - start.astype("datetime64[ns]")) / np.timedelta64(1, "ns")) * 1e-9
    seconds = np.arange(0, int((stop - start) / np.timedelta64(1, "s")) + 1, 10)
    position, velocity = scene.pass_orbit.state((seconds - offset).astype(np.float64))
    revolution = scene.absolute_orbit + np.floor((seconds - offset) / ORBIT_PERIOD).astype(int)
    utc = start + seconds.astype("timedelta64[s]")
    out = []
    for t, n, p, v in zip(utc, revolution.tolist(), position.tolist(), velocity.tolist(), strict=True):
        out.append(
            f"    <OSV>\n      <TAI>TAI={t + _LEAP}.000000</TAI>\n      <UTC>UTC={t}.000000</UTC>\n"
            f"      <UT1>UT1={t}.000000</UT1>\n      <Absolute_Orbit>{n:+06d}</Absolute_Orbit>\n"
            f'      <X unit="m">{p[0]:.6f}</X>\n      <Y unit="m">{p[1]:.6f}</Y>\n      <Z unit="m">{p[2]:.6f}</Z>\n'
            f'      <VX unit="m/s">{v[0]:.6f}</VX>\n      <VY unit="m/s">{v[1]:.6f}</VY>\n'
            f'      <VZ unit="m/s">{v[2]:.6f}</VZ>\n      <Quality>NOMINAL</Quality>\n    </OSV>\n'
        )
    path = folder / f"{name}.EOF"
    path.write_text(f"""<?xml version="1.0" ?>
<Earth_Explorer_File>
  <Earth_Explorer_Header>
    <Fixed_Header>
      <File_Name>{name}</File_Name>
      <File_Description>Precise Orbit Ephemerides (POE) Orbit File</File_Description>
      <Notes>simulated</Notes>
      <Mission>Sentinel-1{scene.platform[-1]}</Mission>
      <File_Class>OPER</File_Class>
      <File_Type>AUX_POEORB</File_Type>
      <Validity_Period>
        <Validity_Start>UTC={start}</Validity_Start>
        <Validity_Stop>UTC={stop}</Validity_Stop>
      </Validity_Period>
      <File_Version>0001</File_Version>
      <Source>
        <System>OPOD</System>
        <Creator>OPOD</Creator>
        <Creator_Version>1.0.0</Creator_Version>
        <Creation_Date>UTC={created}</Creation_Date>
      </Source>
    </Fixed_Header>
    <Variable_Header>
      <Ref_Frame>EARTH_FIXED</Ref_Frame>
      <Time_Reference>UTC</Time_Reference>
    </Variable_Header>
  </Earth_Explorer_Header>
<Data_Block type="xml">
  <List_of_OSVs count="{len(out)}">
{"".join(out)}  </List_of_OSVs>
</Data_Block>
</Earth_Explorer_File>
""")
    return path
