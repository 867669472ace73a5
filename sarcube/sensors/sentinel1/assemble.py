"""One burst put together from the annotation, calibration and noise files of its swath."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import SceneError
from sarcube.geometry.orbit import trim
from sarcube.geometry.radar import SPEED_OF_LIGHT, RadarGrid
from sarcube.sensors.sentinel1.annotation import POLARIZATIONS, Annotation, BurstEntry, parse_annotation
from sarcube.sensors.sentinel1.burst_id import (
    ORBITS_PER_CYCLE,
    BurstId,
    CycleTime,
    corrected_elapsed,
    cycle_time,
    esa_burst_id,
    relative_orbit,
    settle_orbit,
    track_of,
)
from sarcube.sensors.sentinel1.calibration import parse_calibration
from sarcube.sensors.sentinel1.footprint import burst_footprint
from sarcube.sensors.sentinel1.model import Burst, Calibration, Channel, Noise, Samples, TopsParameters
from sarcube.sensors.sentinel1.noise import parse_noise
from sarcube.sensors.sentinel1.orbit_file import COVER_MARGIN, KEEP_MARGIN
from sarcube.sensors.sentinel1.safe import Part, Safe

MID_SWATH = {"IW": "IW2", "EW": "EW3"}
SAME_TIME = 1e-4  # s within which the polarizations of a burst start (a line lasts 2e-3 s)


@dataclass(frozen=True, eq=False)
class Valid:
    """The part of a burst that holds samples: lines and samples inclusive, -1 where there are none."""

    first_line: int
    last_line: int
    first_sample: NDArray[np.int32]
    last_sample: NDArray[np.int32]


class SceneReader:
    """Reads a SAFE's files once each and builds bursts of them."""

    def __init__(self, safe: Safe, problems: list[str] | None = None) -> None:
        self.safe, self.problems = safe, problems
        self._annotations: dict[str, Annotation] = {}

    def annotation(self, part: Part, epoch: np.datetime64 | None = None) -> Annotation:
        """The annotation of a part, parsed once."""
        if part.annotation not in self._annotations:
            where = f"{self.safe.path}: {part.annotation}"
            annotation = parse_annotation(self.safe.read(part.annotation), where, epoch)
            if (annotation.swath, annotation.polarization) != (part.swath, part.polarization):
                raise SceneError(
                    f"{where}: is about {annotation.swath} {annotation.polarization}; its name is another's"
                )
            self._annotations[part.annotation] = annotation
        return self._annotations[part.annotation]

    def tables(self, part: Part, epoch: np.datetime64) -> tuple[Calibration, Noise | None]:
        """Calibration and noise of a part; both serve all of its bursts."""
        if part.calibration is None:
            raise SceneError(
                f"{self.safe.path}: has no calibration annotation for {part.swath} {part.polarization}; fetch it again"
            )
        calibration = parse_calibration(
            self.safe.read(part.calibration), f"{self.safe.path}: {part.calibration}", epoch
        )
        if part.noise is None:
            return calibration, None
        return calibration, parse_noise(self.safe.read(part.noise), f"{self.safe.path}: {part.noise}", epoch)

    def relative_orbit(self, annotation: Annotation) -> int:
        """Relative orbit of the ascending node that the annotation counts from.

        Told by the absolute orbit, else the manifest, and settled by where the platform was.
        """
        since, seen = _flight(annotation)
        told = relative_orbit(annotation.platform, annotation.absolute_orbit)
        if told is None and self.safe.manifest is not None:
            told = self.safe.manifest.relative_orbit
        if told is None and seen is not None:
            told = seen.relative_orbit
        if told is None:
            raise SceneError(
                f"{self.safe.path}: the relative orbit of {annotation.platform} orbit {annotation.absolute_orbit} "
                "cannot be told: no manifest, and the platform is off its reference orbit"
            )
        return told if seen is None else settle_orbit(told, since, seen)

    def burst_id(self, annotation: Annotation, entry: BurstEntry) -> BurstId:
        """As annotated (IPF 3.40 and later), else by ESA's definition."""
        number = entry.burst_number
        if number is not None:
            return BurstId(track_of(number, annotation.mode), number, annotation.swath)
        elapsed = entry.sensing_time - annotation.anx_time
        since, seen = _flight(annotation)
        if seen is not None:
            elapsed += corrected_elapsed(since, seen) - since
        return esa_burst_id(annotation.swath, self.relative_orbit(annotation), elapsed)

    def footprint(self, part: Part, radar: RadarGrid, valid: Valid) -> tuple[tuple[float, float], ...]:
        """Ring around the valid area of a burst, by the part's geolocation grid."""
        annotation = self.annotation(part)
        first = radar.first_line_time + valid.first_line * radar.line_interval
        last = radar.first_line_time + valid.last_line * radar.line_interval
        try:
            return burst_footprint(annotation.geolocation, (first, last), _valid_ranges(annotation, valid))
        except SceneError as error:
            raise SceneError(f"{self.safe.path}: {part.annotation}: {error}") from error

    def channel(self, part: Part, index: int, tables: tuple[Calibration, Noise | None]) -> Channel:
        annotation = self.annotation(part)
        member = part.measurement or f"measurement/{part.annotation.rpartition('/')[2][:-4]}.tiff"
        lines = annotation.lines_per_burst
        samples = Samples(self.safe.path, member, index * lines, lines, annotation.samples_per_burst, self.safe.opener)
        return Channel(part.polarization, samples, *tables)

    def burst(self, part: Part, index: int, channel: Channel, mid_swath: float | None) -> Burst:
        """The burst at `index` of a part's annotation, with one channel."""
        annotation = self.annotation(part)
        entry = annotation.bursts[index]
        valid = valid_area(entry, annotation.samples_per_burst, f"{self.safe.path}: {part.annotation}")
        radar = radar_grid(annotation, entry)
        burst_id = self.burst_id(annotation, entry)
        start, end = radar.first_line_time, radar.last_line_time
        warnings = list(self.safe.warnings)
        told = self.safe.manifest.relative_orbit if self.safe.manifest else None
        if told is not None and burst_id.track not in (told, told % ORBITS_PER_CYCLE + 1):
            warnings.append(f"the manifest says relative orbit {told}, the burst is on {burst_id.track}")
        orbit = annotation.orbit
        if orbit.covers(start, end):
            orbit = trim(orbit, start, end, KEEP_MARGIN)
        if not orbit.covers(start - COVER_MARGIN, end + COVER_MARGIN):
            # Extractors cut the list of state vectors; an orbit file then takes its place.
            warnings.append("the annotation's orbit ends too near to the burst: give an orbit file")
        if mid_swath is None:
            mid_swath = annotation.mid_range_time + TO_MID_SWATH.get(annotation.swath, 0.0)
            middle = MID_SWATH[annotation.mode]
            warnings.append(f"no {middle} annotation: its mid range time is estimated from {annotation.swath}")
        footprint = self.footprint(part, radar, valid)
        return Burst(
            burst_id=str(burst_id),
            index=index,
            scene=self.safe.name,
            platform=annotation.platform,
            mode=annotation.mode,
            swath=annotation.swath,
            orbit_direction=annotation.orbit_direction,
            absolute_orbit=annotation.absolute_orbit,
            relative_orbit=burst_id.track,
            anx_time=annotation.anx_time,
            radar=radar,
            first_line_of_swath=index * annotation.lines_per_burst,
            orbit=orbit,
            orbit_source="annotation",
            orbit_type="annotation",
            first_valid_line=valid.first_line,
            last_valid_line=valid.last_line,
            first_valid_sample=valid.first_sample,
            last_valid_sample=valid.last_sample,
            footprint=footprint,
            channels={channel.polarization: channel},
            ipf_version=self.safe.manifest.ipf_version if self.safe.manifest else "",
            mid_swath_range_time=mid_swath,
            tops=_tops(annotation),
            geolocation=annotation.geolocation,
            range_sampling_rate=annotation.range_sampling_rate,
            radar_frequency=annotation.radar_frequency,
            warnings=tuple(warnings + _channel_warnings(channel)),
            rank=annotation.rank,
            pulse_interval=annotation.pulse_interval,
            source_facility=self.safe.manifest.facility if self.safe.manifest else "",
            source_processed=self.safe.manifest.processed if self.safe.manifest else "",
        )


# Mid range time of IW2 less that of each swath, two-way seconds, for a SAFE without IW2 to read it from. Mean over
# the scenes of three tracks, each within 1.0e-6 s of it: 4 mm of azimuth.
TO_MID_SWATH = {"IW1": 339.5e-6, "IW2": 0.0, "IW3": -363.3e-6}


def add_channel(burst: Burst, other: Burst, where: str) -> Burst:
    """The burst with the channel of another polarization of the same burst; valid areas are intersected."""
    if abs(burst.radar.first_line_time - other.radar.first_line_time) > SAME_TIME or (
        burst.radar.lines, burst.radar.samples) != (other.radar.lines, other.radar.samples):  # fmt: skip
        raise SceneError(f"{where}: {burst.burst_id} has another time or size than in {', '.join(burst.channels)}")
    channels = {**burst.channels, **other.channels}
    first = np.maximum(burst.first_valid_sample, other.first_valid_sample)
    last = np.minimum(burst.last_valid_sample, other.last_valid_sample)
    hollow = (burst.first_valid_sample < 0) | (other.first_valid_sample < 0) | (first > last)
    return replace(
        burst,
        channels={name: channels[name] for name in POLARIZATIONS if name in channels},
        first_valid_line=max(burst.first_valid_line, other.first_valid_line),
        last_valid_line=min(burst.last_valid_line, other.last_valid_line),
        first_valid_sample=np.where(hollow, -1, first).astype(np.int32),
        last_valid_sample=np.where(hollow, -1, last).astype(np.int32),
        warnings=tuple(dict.fromkeys((*burst.warnings, *other.warnings))),
    )


def valid_area(entry: BurstEntry, samples: int, where: str) -> Valid:
    """Valid lines and samples of a burst, checked against its size."""
    first, last = entry.first_valid_sample.copy(), entry.last_valid_sample.copy()
    hollow = (first < 0) | (last < 0)
    first[hollow] = last[hollow] = -1
    lines = np.flatnonzero(~hollow)
    if not lines.size:
        raise SceneError(f"{where}: a burst without a valid line")
    if int(last.max()) >= samples or np.any(first > last):
        raise SceneError(f"{where}: valid samples {first.max()} to {last.max()} do not fit in {samples}; damaged")
    return Valid(int(lines[0]), int(lines[-1]), first, last)


def _flight(annotation: Annotation) -> tuple[float, CycleTime | None]:
    """Seconds from the annotated node to the middle state vector, and what `cycle_time` says of that vector."""
    middle = len(annotation.orbit.time) // 2
    since = float(annotation.orbit.time[middle]) - annotation.anx_time
    try:
        return since, cycle_time(annotation.orbit.position[middle], annotation.orbit.velocity[middle])
    except SceneError:  # not on the reference ground track: the annotation alone tells
        return since, None


def _valid_ranges(annotation: Annotation, valid: Valid) -> tuple[float, float]:
    rate = annotation.range_sampling_rate
    near = int(valid.first_sample[valid.first_sample >= 0].min())
    return annotation.slant_range_time + near / rate, annotation.slant_range_time + int(valid.last_sample.max()) / rate


def radar_grid(annotation: Annotation, entry: BurstEntry) -> RadarGrid:
    """Radar coordinates of a burst."""
    return RadarGrid(
        first_line_time=entry.azimuth_time,
        line_interval=annotation.azimuth_time_interval,
        first_sample_range=annotation.slant_range_time * SPEED_OF_LIGHT / 2,
        sample_spacing=SPEED_OF_LIGHT / 2 / annotation.range_sampling_rate,
        lines=annotation.lines_per_burst,
        samples=annotation.samples_per_burst,
        wavelength=SPEED_OF_LIGHT / annotation.radar_frequency,
    )


def _tops(annotation: Annotation) -> TopsParameters:
    return TopsParameters(
        azimuth_steering_rate=annotation.azimuth_steering_rate,
        fm_rates=annotation.fm_rates,
        doppler_centroids=annotation.doppler_centroids,
        azimuth_bandwidth=annotation.azimuth_bandwidth,
        prf=annotation.azimuth_frequency,
        azimuth_window=annotation.azimuth_window,
        range_bandwidth=annotation.range_bandwidth,
        range_window=annotation.range_window,
    )


def _channel_warnings(channel: Channel) -> list[str]:
    return [] if channel.noise is not None else [f"no noise annotation for {channel.polarization}"]
