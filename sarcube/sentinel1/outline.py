"""What bursts a SAFE holds, told from one annotation of each swath: for searches over many scenes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sarcube.sentinel1.assemble import SceneReader, radar_grid, valid_area
from sarcube.sentinel1.burst_id import BurstId
from sarcube.sentinel1.safe import Safe

BYTES_PER_SAMPLE = 4  # complex int16


@dataclass(frozen=True)
class BurstOutline:
    """A burst without its tables, orbit and samples.

    Attributes
    ----------
    burst_id : BurstId
    scene, swath, platform, orbit_direction : str
    index : int
        Position in the swath's annotation.
    start_time, end_time : numpy.datetime64
        UTC zero-Doppler time of the first and last line.
    polarizations : tuple of str
        Those of the swath.
    footprint : tuple of (longitude, latitude)
        As in `Burst.footprint`.
    size_bytes : int
        Of its samples in all polarizations.
    """

    burst_id: BurstId
    scene: str
    swath: str
    platform: str
    orbit_direction: str
    index: int
    start_time: np.datetime64
    end_time: np.datetime64
    polarizations: tuple[str, ...]
    footprint: tuple[tuple[float, float], ...]
    size_bytes: int


def list_bursts(safe: Safe) -> list[BurstOutline]:
    """The bursts of a SAFE in the order of swaths and time, reading one annotation of each swath and nothing else.

    Raises
    ------
    SceneError
        An annotation is damaged.
    """
    reader = SceneReader(safe)
    found: dict[str, BurstOutline] = {}
    for part in safe.parts:
        polarizations = safe.swaths[part.swath]
        if part.polarization != polarizations[0]:
            continue
        annotation = reader.annotation(part)
        epoch = annotation.orbit.epoch
        for index, entry in enumerate(annotation.bursts):
            radar = radar_grid(annotation, entry)
            valid = valid_area(entry, radar.samples, f"{safe.path}: {part.annotation}")
            burst_id = reader.burst_id(annotation, entry)
            found[str(burst_id)] = BurstOutline(
                burst_id=burst_id,
                scene=safe.name,
                swath=part.swath,
                platform=annotation.platform,
                orbit_direction=annotation.orbit_direction,
                index=index,
                start_time=epoch + np.timedelta64(round(radar.first_line_time * 1e9), "ns"),
                end_time=epoch + np.timedelta64(round(radar.last_line_time * 1e9), "ns"),
                polarizations=polarizations,
                footprint=reader.footprint(part, radar, valid),
                size_bytes=radar.lines * radar.samples * BYTES_PER_SAMPLE * len(polarizations),
            )
    return sorted(found.values(), key=lambda burst: (burst.swath, burst.start_time))
