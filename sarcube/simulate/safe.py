"""One simulated scene as a SAFE: annotation, calibration, noise, measurement, manifest."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.geometry.longitudes import wrap
from sarcube.sensors.sentinel1.assemble import TO_MID_SWATH
from sarcube.simulate.annotation_xml import GridPoints, annotation_xml, fm_polynomial, grid_points
from sarcube.simulate.calibration_xml import (
    CALIBRATION_CONSTANT,
    NoiseTables,
    calibration_xml,
    noise_tables,
    noise_xml,
)
from sarcube.simulate.coherent import Visit, coherent_echo
from sarcube.simulate.echo import Delays, Window, mean_beta0
from sarcube.simulate.ground import Ground
from sarcube.simulate.image import ImageId, compact
from sarcube.simulate.looks import Look, aoi_window, plan_look
from sarcube.simulate.manifest import Member, crc16, manifest_xml, member
from sarcube.simulate.measurement import MeasurementFile
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.speckle import noise_samples, speckle_samples, to_int16
from sarcube.simulate.spectrum import Spectrum, doppler_rate
from sarcube.simulate.swaths import LINE_INTERVAL, RANGE_SAMPLING_RATE
from sarcube.simulate.timeline import ScenePlan, SwathPlan
from sarcube.transfer.atomic import written_whole

ZENITH_DELAY = 2.3  # m, static troposphere at sea level


class Statistics:
    """Running sums of the samples that were written."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._squares = 0.0
        self._count = 0

    def add(self, samples: NDArray[np.int16]) -> None:
        part = samples[:: max(1, samples.shape[0] // 64)].astype(np.float64)
        self._sum += float(part.sum())
        self._squares += float((part**2).sum())
        self._count += part.size

    @property
    def values(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        if self._count == 0:
            return 0.0, 0.0
        mean = self._sum / self._count
        return mean, float(np.sqrt(max(self._squares / self._count - mean**2, 0.0)))


def write_safe(folder: Path, scene: ScenePlan, date_index: int, ground: Ground, options: SimulationOptions) -> Path:
    """Write one scene into `folder`; the path of the SAFE folder or zip is returned."""
    start = min(b.first_line_time for p in scene.swaths for b in p.bursts)
    stop = max(p.bursts[-1].first_line_time + (p.window.lines - 1) * LINE_INTERVAL for p in scene.swaths)
    name = (
        f"{scene.platform}_IW_SLC__1S{polarization_code(options.polarizations)}_{compact(scene.utc(start))}_"
        f"{compact(scene.utc(stop))}_{scene.absolute_orbit:06d}_{scene.data_take:06X}"
    )
    root = folder / f"{name}.part"
    for part in ("annotation/calibration", "measurement"):
        (root / part).mkdir(parents=True)
    images = _images(scene, options.polarizations)
    grids: dict[str, GridPoints] = {}
    height = float(np.mean(ground.terrain.heights[::16, ::16]))
    members: list[Member] = []
    for plan in scene.swaths:
        own = [image for image in images if image.swath is plan]
        grids[plan.swath.name] = grid = grid_points(own[0], height)
        members += _write_swath(root, own, grid, date_index, ground, options)
    members.sort(key=lambda m: (m.kind == "measurement", m.path.rsplit("-", 1)[-1], m.path))
    span = (str(scene.utc(start)), str(scene.utc(stop)), start, stop)
    document = manifest_xml(scene, members, options.polarizations, span, _corners(list(grids.values())))
    (root / "manifest.safe").write_text(document)
    final = folder / f"{name}_{crc16(document.encode()):04X}.SAFE"
    root.rename(final)
    return zip_safe(final) if options.format == "zip" else final


def zip_safe(safe: Path) -> Path:
    """Pack a SAFE folder as providers do (`<name>.zip` holding `<name>.SAFE/`) and remove the folder."""
    target = safe.with_suffix(".zip")
    with written_whole(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(p for p in safe.rglob("*") if p.is_file()):
            archive.write(path, f"{safe.name}/{path.relative_to(safe).as_posix()}")
    shutil.rmtree(safe)
    return target


def polarization_code(polarizations: tuple[str, ...]) -> str:
    """As in a product's name: DV, DH, SV, SH."""
    return ("D" if len(polarizations) == 2 else "S") + polarizations[0][0]


def _images(scene: ScenePlan, polarizations: tuple[str, ...]) -> list[ImageId]:
    """The images in ESA's numbering: by polarization (VH before VV), then by swath."""
    ordered = [(p, plan) for p in sorted(polarizations) for plan in scene.swaths]
    return [ImageId(p, i + 1, scene, plan) for i, (p, plan) in enumerate(ordered)]


def _write_swath(
    root: Path,
    images: list[ImageId],
    grid: GridPoints,
    date_index: int,
    ground: Ground,
    options: SimulationOptions,
) -> list[Member]:
    scene, plan = images[0].scene, images[0].swath
    polarizations = tuple(image.polarization for image in images)
    points = [
        (float(s), float(a), wrap(float(o)), float(f), grid.height)
        for s, a, o, f in zip(
            grid.sample.ravel(), grid.line.ravel(), grid.longitude.ravel(), grid.latitude.ravel(), strict=True
        )
    ]
    old = options.noise_format == "old"
    tables = [noise_tables(image, old) for image in images]
    files = [
        MeasurementFile(root / f"measurement/{i.stem}.tiff", i.lines, plan.window.samples, points, "Simulated SLC")
        for i in images
    ]
    statistics = [Statistics() for _ in images]
    for index, burst in enumerate(plan.bursts):
        look = plan_look(scene, plan, index, polarizations)
        window = aoi_window(look, options.aoi, ground.height_range)
        if window is None:
            continue
        write_echo(
            files,
            statistics,
            look,
            window,
            ground,
            EchoSettings(
                date_index,
                index * plan.window.lines,
                plan_delays(scene, plan, options),
                [np.full(window.shape[1], CALIBRATION_CONSTANT)] * len(images),
                [_noise(t, window, index * plan.window.lines) for t in tables] if options.noise else None,
                (options.seed, 31, date_index, int(plan.swath.name[-1]), burst.number),
                options.threads,
                spectrum=plan_spectrum(plan, look, window) if options.band_limited or options.coherent else None,
            ),
        )
    for file in files:
        file.close()
    members = []
    for image, table, sums in zip(images, tables, statistics, strict=True):
        texts = {
            f"annotation/{image.stem}.xml": ("product", annotation_xml(image, grid, sums.values)),
            f"annotation/calibration/calibration-{image.stem}.xml": ("calibration", calibration_xml(image, grid)),
            f"annotation/calibration/noise-{image.stem}.xml": ("noise", noise_xml(image, table, options.noise_format)),
        }
        for path, (kind, text) in texts.items():
            (root / path).write_text(text)
            members.append(member(root, path, kind))
        members.append(member(root, f"measurement/{image.stem}.tiff", "measurement"))
    return members


def _noise(tables: NoiseTables, window: Window, first_line: int) -> NDArray[np.float32]:
    lines = first_line + np.arange(window.first_line, window.last_line + 1)
    return tables.at(lines, np.arange(window.first_sample, window.last_sample + 1))


def plan_delays(scene: ScenePlan, plan: SwathPlan, options: SimulationOptions) -> Delays:
    """What makes the echo of a planned swath late, or nothing."""
    if not options.delays:
        return Delays()
    # IPF refers its bulk bistatic correction to the middle of IW2.
    middle = next((p.mid_range_time for p in scene.swaths if p.swath.name == "IW2"), None)
    if middle is None:
        middle = plan.mid_range_time + TO_MID_SWATH[plan.swath.name]
    return Delays(ZENITH_DELAY, mid_range_time=middle, pulse_delay=plan.swath.rank / plan.swath.prf)


def plan_spectrum(plan: SwathPlan, look: Look, window: Window) -> Spectrum:
    """The spectrum of a planned burst: Doppler centroid zero."""
    swath, radar = plan.swath, look.radar
    lines = np.arange(window.first_line, window.last_line + 1, dtype=np.float64)
    samples = np.arange(window.first_sample, window.last_sample + 1)
    middle = radar.first_line_time + (radar.lines - 1) / 2 * radar.line_interval
    c0, c1, c2 = fm_polynomial(look.track, middle, swath.fm_rate_range_time, swath.samples)
    tau = plan.slant_range_time - swath.fm_rate_range_time + samples / RANGE_SAMPLING_RATE
    speed = float(np.linalg.norm(look.track.state(np.array([middle]))[1]))
    zero = np.zeros(samples.shape)
    return Spectrum(
        swath.range_bandwidth / RANGE_SAMPLING_RATE,
        swath.azimuth_bandwidth * LINE_INTERVAL,
        swath.range_window,
        swath.azimuth_window,
        (lines - (radar.lines - 1) / 2) * radar.line_interval,
        doppler_rate(c0 + tau * (c1 + tau * c2), speed, swath.steering_rate),
        zero,
        zero,
    )


@dataclass(frozen=True, eq=False)
class EchoSettings:
    """How one burst's mean beta0 becomes samples.

    Attributes
    ----------
    date_index : int
    first_line : int
        Line of the measurement file at which the burst starts.
    delays : Delays
    gain : list of (samples,) arrays
        betaNought of the window's samples, per polarization.
    noise : list of (lines, samples) arrays or None
        Noise power in units of |DN|^2, per polarization.
    seed : tuple of int
    threads : int
    valid : (lines, samples) bool or None
        Cells of the window that are valid; None: all.
    spectrum : Spectrum or None
        Of the speckle; None: white.
    """

    date_index: int
    first_line: int
    delays: Delays
    gain: Sequence[NDArray[np.float64]]
    noise: Sequence[NDArray[np.float32] | None] | None
    seed: tuple[int, ...]
    threads: int
    valid: NDArray[np.bool_] | None = None
    spectrum: Spectrum | None = None


def write_echo(
    files: Sequence[MeasurementFile],
    statistics: Sequence[Statistics],
    look: Look,
    window: Window,
    ground: Ground,
    settings: EchoSettings,
) -> None:
    """Simulate one burst's window and put it into the measurement files, one per polarization of the look."""
    if ground.change is not None:
        _write_coherent(files, statistics, look, window, ground, settings)
        return
    scatterers = ground.scatterers(settings.date_index, look.polarizations)
    beta = mean_beta0(look.radar, look.track, window, ground.terrain, scatterers, settings.delays, settings.threads)
    for k, file in enumerate(files):
        power = beta[k]
        power *= (settings.gain[k] ** 2).astype(np.float32)
        noise = settings.noise[k] if settings.noise else None
        if noise is not None:
            power += noise
        samples = speckle_samples(power, (*settings.seed, k), settings.threads, settings.spectrum)
        if settings.valid is not None:
            samples[~settings.valid] = 0
        statistics[k].add(samples)
        file.write(settings.first_line + window.first_line, window.first_sample, samples)


def _write_coherent(
    files: Sequence[MeasurementFile],
    statistics: Sequence[Statistics],
    look: Look,
    window: Window,
    ground: Ground,
    settings: EchoSettings,
) -> None:
    assert ground.change is not None and settings.spectrum is not None
    scatterers = ground.scatterers(settings.date_index, look.polarizations)
    visit = Visit(settings.date_index, settings.delays, settings.spectrum)
    echo = coherent_echo(look, window, ground.terrain, scatterers, ground.change, visit, settings.threads)
    for k, file in enumerate(files):
        values = echo[k]
        values *= settings.gain[k].astype(np.float32)
        noise = settings.noise[k] if settings.noise else None
        if noise is not None:
            # Thermal noise went through the same processor.
            values += noise_samples(noise, (*settings.seed, k), settings.spectrum, settings.threads)
        samples = to_int16(values)
        if settings.valid is not None:
            samples[~settings.valid] = 0
        statistics[k].add(samples)
        file.write(settings.first_line + window.first_line, window.first_sample, samples)


def _corners(grids: list[GridPoints]) -> list[tuple[float, float]]:
    """Footprint corners in ESA's order: near range of the first line first."""
    first, last = grids[0], grids[-1]
    return [
        (float(g.longitude[i, j]), float(g.latitude[i, j]))
        for g, i, j in ((first, 0, 0), (last, 0, -1), (last, -1, -1), (first, -1, 0))
    ]
