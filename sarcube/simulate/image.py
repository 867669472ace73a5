"""What names one image of a scene (swath and polarization), and the header of its documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sarcube.simulate.swaths import LINE_INTERVAL
from sarcube.simulate.timeline import ScenePlan, SwathPlan


def compact(time: np.datetime64) -> str:
    """`20240501T053012`."""
    return str(time.astype("datetime64[s]")).replace("-", "").replace(":", "")


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
