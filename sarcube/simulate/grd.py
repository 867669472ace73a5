"""GRD scenes of the same ground: the echo in ground range, detected, with the looks of a real product.

The mean power is that of `sarcube.simulate.echo`, laid into cells even in slant range and shared out among the cells in
ground range by what each holds of the others: power is kept. Speckle is gamma distributed, independent from cell to
cell.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from sarcube.errors import ConfigError, SceneError
from sarcube.geometry.radar import RadarGrid
from sarcube.sensors.sentinel1.grd.model import GrdSlice
from sarcube.sensors.sentinel1.grd.reader import read_grd
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.simulate.archive import Archive, finish
from sarcube.simulate.echo import Delays, Window, mean_beta0
from sarcube.simulate.grd_xml import DETECTIONS, calibration_grd_xml, noise_grd_xml, plan_grd, product_xml
from sarcube.simulate.ground import Ground, lay_ground
from sarcube.simulate.image import compact
from sarcube.simulate.looks import Look, aoi_window, plan_looks
from sarcube.simulate.manifest import crc16, manifest_xml, member
from sarcube.simulate.measurement import MeasurementFile
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.safe import ZENITH_DELAY, polarization_code, zip_safe
from sarcube.simulate.swaths import SAMPLE_SPACING
from sarcube.simulate.template import copy_metadata, gain_of, noise_power, tie_points
from sarcube.simulate.timeline import ScenePlan
from sarcube.simulate.viewing import fit_track

_CHUNK = 256  # lines simulated together
_OLD_IPF = "002.84"


def write_grd(folder: Path, scene: ScenePlan, date_index: int, ground: Ground, options: SimulationOptions) -> Path:
    """Write one scene on an orbit of its own into `folder`; the path of the SAFE folder or zip is returned."""
    height = float(np.mean(ground.terrain.heights[::16, ::16]))
    plan = plan_grd(scene, options, height, _span(scene, ground, options) if options.crop else None)
    old = options.noise_format == "old"
    name = (
        f"{scene.platform}_{plan.detection.mode}_{plan.detection.product_type}_1S{polarization_code(options.polarizations)}_{compact(plan.start)}_"
        f"{compact(plan.stop)}_{scene.absolute_orbit:06d}_{scene.data_take:06X}"
    )
    root = folder / f"{name}.SAFE"
    for part in ("annotation/calibration", "measurement"):
        (root / part).mkdir(parents=True)
    members = []
    for number, polarization in enumerate(sorted(options.polarizations), 1):
        stem = plan.stem(polarization, number)
        texts = {
            f"annotation/{stem}.xml": ("product", product_xml(plan, polarization, number)),
            f"annotation/calibration/calibration-{stem}.xml": (
                "calibration", calibration_grd_xml(plan, polarization, number)
            ),
            f"annotation/calibration/noise-{stem}.xml": ("noise", noise_grd_xml(plan, polarization, number, old)),
        }  # fmt: skip
        for path, (kind, text) in texts.items():
            (root / path).write_text(text)
            members.append(member(root, path, kind))
    # What was written is read again: fill it as any other scene.
    image = read_grd(open_safe(root, product="GRD"), look_at_borders=False)
    fill(root, image, date_index, ground, options)
    members += [member(root, c.samples.member, "measurement") for c in image.channels.values()]
    end = plan.first_time + (plan.lines - 1) * plan.interval
    span = (str(plan.start), str(plan.stop), plan.first_time, end)
    version = {"version": _OLD_IPF} if old else {}
    document = manifest_xml(
        scene, members, options.polarizations, span, _corners(image), product="GRD", mode=image.mode, **version
    )
    (root / "manifest.safe").write_text(document)
    final = root.rename(folder / f"{name}_{crc16(document.encode()):04X}.SAFE")
    return zip_safe(final) if options.format == "zip" else final


def _span(scene: ScenePlan, ground: Ground, options: SimulationOptions) -> tuple[float, float]:
    """Slant ranges that the AOI can reach in any swath."""
    near, far = np.inf, -np.inf
    for look in plan_looks(scene, options.polarizations):
        window = aoi_window(look, options.aoi, ground.height_range)
        if window is not None:
            radar = look.radar
            near = min(near, radar.first_sample_range + (window.first_sample - 24) * radar.sample_spacing)
            far = max(far, radar.first_sample_range + (window.last_sample + 24) * radar.sample_spacing)
    if near >= far:
        raise ConfigError(f"the aoi {options.aoi} meets none of the simulated swaths")
    return float(near), float(far)


def _corners(image: GrdSlice) -> list[tuple[float, float]]:
    """Footprint corners in ESA's order: near range of the first line first."""
    g = image.geolocation
    columns = int(np.count_nonzero(g.line == g.line[0]))
    return [(float(g.longitude[i]), float(g.latitude[i])) for i in (0, columns - 1, -1, -columns)]


def simulate_grd_templates(directory: Path, options: SimulationOptions) -> Archive:
    """Fill every template with an echo; see `sarcube.simulate.archive.simulate`."""
    safes = [copy_metadata(open_safe(path, product="GRD"), directory / "scenes", options) for path in options.templates]
    images = [read_grd(safe, look_at_borders=False) for safe in safes]
    dates = tuple(str(image.start_time.astype("datetime64[D]")) for image in images)
    if len(set(dates)) < len(dates):
        raise ConfigError("two templates are of one day; give one scene per date")
    looks = [slant_look(image) for image in images]
    ground = lay_ground(options, looks, dates)
    files = []
    for i, (safe, image) in enumerate(zip(safes, images, strict=True)):
        root = Path(safe.path)
        fill(root, image, i, ground, options)
        files.append(zip_safe(root) if options.format == "zip" else root)
    return finish(directory, options, ground, looks, tuple(files), dates, ())


def slant_look(image: GrdSlice) -> Look:
    """The image's viewing geometry with samples even in slant range, as fine as an SLC's."""
    radar = image.radar
    ground = radar.ground
    if ground is None:
        raise SceneError(f"{image.scene}: is not in ground range")
    samples = int((float(ground.far.max()) - radar.first_sample_range) / SAMPLE_SPACING) + 1
    slant = RadarGrid(
        radar.first_line_time, radar.line_interval, radar.first_sample_range, SAMPLE_SPACING, radar.lines, samples,
        radar.wavelength,
    )  # fmt: skip
    track = fit_track(image.orbit, radar.first_line_time, radar.last_line_time)
    valid = Window(0, radar.lines - 1, 0, samples - 1)
    return Look(image.scene, image.mode, 0, slant, track, valid, image.polarizations)


def fill(root: Path, image: GrdSlice, date_index: int, ground: Ground, options: SimulationOptions) -> None:
    """Write the measurement of every polarization into a SAFE's folder."""
    look = slant_look(image)
    files = []
    for channel in image.channels.values():
        path = root / "measurement" / f"{PurePosixPath(channel.samples.member).stem}.tiff"
        path.parent.mkdir(exist_ok=True)
        files.append(
            MeasurementFile(
                path, image.radar.lines, image.radar.samples, tie_points(image.geolocation), "Simulated GRD",
                detected=True,
            )
        )  # fmt: skip
    try:
        window = aoi_window(look, options.aoi, ground.height_range)
        if window is not None:
            for first in range(window.first_line, window.last_line + 1, _CHUNK):
                last = min(first + _CHUNK - 1, window.last_line)
                part = Window(first, last, window.first_sample, window.last_sample)
                _fill_lines(files, image, look, part, (date_index, ground, options))
    finally:
        for file in files:
            file.close()


def _fill_lines(
    files: list[MeasurementFile],
    image: GrdSlice,
    look: Look,
    window: Window,
    how: tuple[int, Ground, SimulationOptions],
) -> None:
    date_index, ground, options = how
    looks = DETECTIONS[image.mode].looks
    scatterers = ground.scatterers(date_index, look.polarizations)
    delays = Delays(ZENITH_DELAY) if options.delays else Delays()
    beta = mean_beta0(look.radar, look.track, window, ground.terrain, scatterers, delays, options.threads)
    lines = np.arange(window.first_line, window.last_line + 1)
    first, power = _in_ground_range(image, look.radar, window, beta)
    samples = np.arange(first, first + power.shape[2])
    for k, (name, file) in enumerate(zip(look.polarizations, files, strict=True)):
        channel = image.channels[name]
        mean = power[k] * (gain_of(image, channel.calibration, lines, samples) ** 2).astype(np.float32)
        if options.noise and channel.noise is not None:
            mean += noise_power(image, channel.noise, lines, samples)
        rng = np.random.default_rng((options.seed, 41, date_index, k, window.first_line))
        mean *= rng.standard_gamma(looks, mean.shape, dtype=np.float32) / np.float32(looks)
        file.write(window.first_line, first, np.clip(np.rint(np.sqrt(mean)), 1, 65535).astype(np.uint16))


def _in_ground_range(
    image: GrdSlice, slant: RadarGrid, window: Window, beta: NDArray[np.float32]
) -> tuple[int, NDArray[np.float32]]:
    """First sample, and the mean of `beta` (bands, lines, slant samples) over every ground range cell of the window."""
    ground = image.radar.ground
    if ground is None:
        raise SceneError(f"{image.scene}: is not in ground range")
    lines = np.arange(window.first_line, window.last_line + 1)
    edge = (
        slant.first_sample_range + (np.arange(window.first_sample, window.last_sample + 2) - 0.5) * slant.sample_spacing
    )
    within = ground.sample(lines[:, None], edge[[0, -1]])
    first = max(int(np.ceil(within[:, 0].max() + 0.5)), 0)
    stop = min(int(np.floor(within[:, 1].min() - 0.5)) + 1, image.radar.samples)
    if stop <= first:
        raise ConfigError(f"the aoi {window} is narrower than a sample; make it larger")
    out = np.empty((beta.shape[0], lines.size, stop - first), np.float32)
    borders = np.arange(first, stop + 1) - 0.5
    for stretch in np.unique(ground.stretch(lines)):
        rows = ground.stretch(lines) == stretch
        at = ground.slant_range(float(lines[rows][0]), borders)
        for k in range(beta.shape[0]):
            total = np.zeros((int(rows.sum()), edge.size))
            np.cumsum(beta[k, rows], axis=1, dtype=np.float64, out=total[:, 1:])
            held = np.array([np.interp(at, edge, row) for row in total]) * slant.sample_spacing
            out[k, rows] = np.diff(held, axis=1) / np.diff(at)
    return first, out
