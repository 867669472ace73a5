"""GRD scenes: annotation, calibration, noise and orbit put together; of samples only what tells their borders."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from sarcube.errors import BurstNotFoundError, OrbitError, SceneError
from sarcube.geometry.orbit import Orbit, trim
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.sensors.sentinel1.assemble import SAME_TIME
from sarcube.sensors.sentinel1.burst import refuse_leap_second
from sarcube.sensors.sentinel1.burst_id import ORBITS_PER_CYCLE, cycle_time, relative_orbit, settle_orbit
from sarcube.sensors.sentinel1.calibration import parse_calibration
from sarcube.sensors.sentinel1.footprint import burst_footprint
from sarcube.sensors.sentinel1.grd.annotation import GrdAnnotation, parse_grd_annotation
from sarcube.sensors.sentinel1.grd.border import SHARE, dark_level, has_garbage
from sarcube.sensors.sentinel1.grd.model import GrdSlice
from sarcube.sensors.sentinel1.model import Calibration, Channel, Noise, Samples
from sarcube.sensors.sentinel1.noise import parse_noise
from sarcube.sensors.sentinel1.orbit_file import COVER_MARGIN, KEEP_MARGIN, OrbitFile
from sarcube.sensors.sentinel1.safe import Part, Safe

_OLD_NOISE = 2.0  # noise power over the darkest ground's, beyond which its annotation cannot be in units of |DN|^2


def read_grd(
    safe: Safe,
    *,
    polarizations: Collection[str] | None = None,
    orbit: OrbitFile | None = None,
    look_at_borders: bool = True,
) -> GrdSlice:
    """Read a GRD scene.

    Parameters
    ----------
    safe : Safe
        Opened with `product="GRD"`.
    polarizations : collection of str, optional
        Only these; all by default.
    orbit : OrbitFile, optional
        Orbit to use in place of the annotation's.
    look_at_borders : bool
        Read some lines of products made before IPF 2.90, to tell the garbage at their borders.

    Raises
    ------
    BurstNotFoundError
        A polarization is not in the scene.
    SceneError
        An annotation, calibration, noise or measurement file is damaged.
    OrbitError
        `orbit` does not cover the scene.
    """
    there = [part.polarization for part in safe.parts]
    wanted = {p.upper() for p in polarizations} if polarizations is not None else set(there)
    if wanted - set(there):
        raise BurstNotFoundError(
            f"{safe.path}: has no polarization {', '.join(sorted(wanted - set(there)))}; it has {', '.join(there)}"
        )
    result: GrdSlice | None = None
    for part in safe.parts:
        if part.polarization not in wanted:
            continue
        one = _channel_image(safe, part, None if result is None else result.orbit.epoch, look_at_borders)
        result = one if result is None else _joined(result, one, f"{safe.path}: {part.annotation}")
    if result is None:
        raise SceneError(f"{safe.path}: holds no polarization that was asked for")
    return result if orbit is None else with_orbit(result, orbit)


def _channel_image(safe: Safe, part: Part, epoch: np.datetime64 | None, borders: bool) -> GrdSlice:
    where = f"{safe.path}: {part.annotation}"
    annotation = parse_grd_annotation(safe.read(part.annotation), where, epoch)
    if annotation.polarization != part.polarization:
        raise SceneError(f"{where}: is about {annotation.polarization}; its name is another's")
    calibration, noise = _tables(safe, part, annotation.orbit.epoch)
    radar, orbit = annotation.radar, annotation.orbit
    member = part.measurement or f"measurement/{part.annotation.rpartition('/')[2][:-4]}.tiff"
    stored = Samples(safe.path, member, 0, radar.lines, radar.samples, safe.opener, detected=True)
    version = safe.manifest.ipf_version if safe.manifest else ""
    warnings = list(safe.warnings)
    dark = 0
    begin = orbit.epoch + np.timedelta64(round(radar.first_line_time * 1e9), "ns")
    if has_garbage(version, begin) and borders:
        dark = dark_level(stored)
        noise = _believed(noise, dark, part.polarization, warnings)
    if noise is None:
        warnings.append(f"no noise annotation for {part.polarization}")
    track = _track(safe, annotation)
    told = safe.manifest.relative_orbit if safe.manifest else None
    if told is not None and track not in (told, told % ORBITS_PER_CYCLE + 1):
        warnings.append(f"the manifest says relative orbit {told}, the scene is on {track}")
    start, end = radar.first_line_time, radar.last_line_time
    if orbit.covers(start, end):
        orbit = trim(orbit, start, end, KEEP_MARGIN)
    far = float(np.max(radar.ground.far)) if radar.ground is not None else radar.last_sample_range
    ranges = (2 * radar.first_sample_range / SPEED_OF_LIGHT, 2 * far / SPEED_OF_LIGHT)
    try:
        ring = burst_footprint(annotation.geolocation, (start, end), ranges)
    except SceneError as error:
        raise SceneError(f"{where}: {error}") from error
    return GrdSlice(
        scene=safe.name,
        platform=annotation.platform,
        mode=annotation.mode,
        product_type=_product_type(safe.name),
        orbit_direction=annotation.orbit_direction,
        absolute_orbit=annotation.absolute_orbit,
        relative_orbit=track,
        anx_time=annotation.anx_time,
        radar=radar,
        azimuth_spacing=annotation.azimuth_spacing,
        orbit=orbit,
        orbit_source="annotation",
        orbit_type="annotation",
        footprint=ring,
        channels={part.polarization: Channel(part.polarization, stored, calibration, noise)},
        dark={part.polarization: dark},
        ipf_version=version,
        geolocation=annotation.geolocation,
        radar_frequency=annotation.radar_frequency,
        warnings=tuple(warnings),
        source_facility=safe.manifest.facility if safe.manifest else "",
        source_processed=safe.manifest.processed if safe.manifest else "",
    )


def _tables(safe: Safe, part: Part, epoch: np.datetime64) -> tuple[Calibration, Noise | None]:
    if part.calibration is None:
        raise SceneError(f"{safe.path}: has no calibration annotation for {part.polarization}; fetch it again")
    calibration = parse_calibration(safe.read(part.calibration), f"{safe.path}: {part.calibration}", epoch)
    if part.noise is None:
        return calibration, None
    return calibration, parse_noise(safe.read(part.noise), f"{safe.path}: {part.noise}", epoch)


def _believed(noise: Noise | None, dark: int, name: str, warnings: list[str]) -> Noise | None:
    """The noise, unless the image contradicts it: the oldest annotations are in other units."""
    if noise is None or dark <= 0:
        return noise
    # `dark` is a share of the darkest ground's mean amplitude, in which the noise is contained.
    darkest = (dark / SHARE) ** 2
    power = float(np.median(np.concatenate([v.power[v.power > 0] for v in noise.range]) if noise.range else [0.0]))
    if np.isfinite(power) and power > _OLD_NOISE * darkest:
        warnings.append(
            f"the noise annotation of {name} exceeds the darkest ground ({power:.0f} over {darkest:.0f}): it is in "
            "units of its own, and not subtracted"
        )
        return None
    return noise


def _track(safe: Safe, annotation: GrdAnnotation) -> int:
    """Relative orbit of the ascending node that the annotation counts from."""
    told = relative_orbit(annotation.platform, annotation.absolute_orbit)
    if told is None and safe.manifest is not None:
        told = safe.manifest.relative_orbit
    middle = len(annotation.orbit.time) // 2
    try:
        seen = cycle_time(annotation.orbit.position[middle], annotation.orbit.velocity[middle])
    except SceneError:
        if told is None:
            raise SceneError(
                f"{safe.path}: the relative orbit of {annotation.platform} orbit {annotation.absolute_orbit} cannot be "
                "told: no manifest, and the platform is off its reference orbit"
            ) from None
        return told
    since = float(annotation.orbit.time[middle]) - annotation.anx_time
    return seen.relative_orbit if told is None else settle_orbit(told, since, seen)


def _product_type(name: str) -> str:
    match = re.match(r"S1[A-Z]_[A-Z0-9]{2}_(GRD[FHM])_", name, re.IGNORECASE)
    return match[1].upper() if match else "GRD"


def _joined(image: GrdSlice, other: GrdSlice, where: str) -> GrdSlice:
    """The image with another polarization of the same scene."""
    a, b = image.radar, other.radar
    if abs(a.first_line_time - b.first_line_time) > SAME_TIME or (a.lines, a.samples) != (b.lines, b.samples):
        raise SceneError(f"{where}: has another time or size than {', '.join(image.channels)}; the scene is damaged")
    if any(name in image.channels for name in other.channels):
        raise SceneError(f"{where}: {', '.join(other.channels)} is there twice; the scene is damaged")
    return replace(
        image,
        channels={**image.channels, **other.channels},
        dark={**image.dark, **other.dark},
        warnings=tuple(dict.fromkeys((*image.warnings, *other.warnings))),
    )


def with_orbit(image: GrdSlice, orbit: OrbitFile) -> GrdSlice:
    """The image with another orbit, trimmed around it, every time counted from that orbit's epoch.

    Raises
    ------
    OrbitError
        The orbit does not reach far enough beyond the image, or is another platform's, or a leap second is near.
    """
    if orbit.platform != image.platform:
        raise OrbitError(f"{orbit.name}: is an orbit of {orbit.platform}, the scene is of {image.platform}")
    refuse_leap_second(image, orbit)
    moved = rebase_grd(image, orbit.at(image.start_time))
    start, end = moved.radar.first_line_time, moved.radar.last_line_time
    states = moved.orbit
    if len(states.time) < 2 or states.time[0] > start - COVER_MARGIN or states.time[-1] < end + COVER_MARGIN:
        raise OrbitError(
            f"{orbit.name}: does not reach {COVER_MARGIN:g} s beyond {image.scene}, {image.start_time} to "
            f"{image.end_time}; give an orbit file of that time"
        )
    return replace(moved, orbit=trim(states, start, end, KEEP_MARGIN), orbit_source=orbit.name, orbit_type=orbit.type)


def rebase_grd(image: GrdSlice, orbit: Orbit) -> GrdSlice:
    """The image on an orbit of another epoch: every time counted from there."""
    shift = float((image.orbit.epoch - orbit.epoch).astype("timedelta64[ns]").astype(np.int64)) / 1e9
    channels = {}
    for name, channel in image.channels.items():
        calibration = replace(channel.calibration, line_time=channel.calibration.line_time + shift)
        noise = channel.noise
        if noise is not None:
            noise = Noise(tuple(replace(v, line_time=v.line_time + shift) for v in noise.range), noise.azimuth)
        channels[name] = replace(channel, calibration=calibration, noise=noise)
    return replace(
        image,
        orbit=orbit,
        anx_time=image.anx_time + shift,
        radar=replace(image.radar, first_line_time=image.radar.first_line_time + shift),
        channels=channels,
        geolocation=replace(image.geolocation, azimuth_time=image.geolocation.azimuth_time + shift),
    )
