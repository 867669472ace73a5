"""A simulated archive as a provider delivers it, with the known truth beside it."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from sarcube.errors import ConfigError
from sarcube.geometry.longitudes import wrap_longitude
from sarcube.simulate.ground import Ground, lay_ground, write_dem, write_truth
from sarcube.simulate.looks import Look, aoi_window, look_ring
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.orbit_eof import write_poeorb
from sarcube.simulate.safe import write_safe
from sarcube.simulate.timeline import ScenePlan, plan_scenes, with_windows


@dataclass(frozen=True)
class Archive:
    """Where everything of a simulated archive is.

    Attributes
    ----------
    directory : Path
    scenes : tuple of Path
        SAFE folders or zips in `directory/scenes`, one per date.
    orbits : Path
        Folder of orbit files (empty where a template's own orbit is used).
    dem : Path
        GeoTIFF, heights above the ellipsoid.
    truth : Path
        Folder: `<date>_gamma0_<pol>.tif`, `<date>_landcover.tif`; of a coherent archive the phase and coherence of
        dates that follow each other as well (`sarcube.simulate.ground.write_truth`).
    description : Path
        simulation.json: options, bursts, covers.
    dates : tuple of str
        ISO dates.
    burst_ids : tuple of str
        IDs of the bursts that hold an echo.
    polarizations : tuple of str
    epsg : int
        CRS of DEM and truth.
    bbox : (west, south, east, north)
        Degrees: the AOI, or what the bursts cover; east may exceed 180.
    covers : tuple of str
        Names of the land-cover classes 0, 1, ...
    terrain : str
        Where the heights are from.
    """

    directory: Path
    scenes: tuple[Path, ...]
    orbits: Path
    dem: Path
    truth: Path
    description: Path
    dates: tuple[str, ...]
    burst_ids: tuple[str, ...]
    polarizations: tuple[str, ...]
    epsg: int
    bbox: tuple[float, float, float, float]
    covers: tuple[str, ...]
    terrain: str


def simulate(directory: str | Path, options: SimulationOptions | None = None) -> Archive:
    """Write a simulated Sentinel-1 archive.

    Parameters
    ----------
    directory : path
        Made where it is missing; must not hold an archive already.
    options : SimulationOptions, optional

    Raises
    ------
    ConfigError
        Options that do not fit, or a directory in use.
    SceneError
        A template that cannot be used.
    DemError
        A DEM that cannot be read or lies elsewhere.
    """
    options = options or SimulationOptions()
    directory = Path(directory)
    if (directory / "simulation.json").exists() or (directory / "scenes").exists():
        raise ConfigError(f"{directory} already holds an archive; choose another folder or remove it")
    made = not directory.exists()
    for name in ("scenes", "orbits", "truth"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    try:
        if options.template is not None:
            if options.product == "GRD":
                from sarcube.simulate.grd import simulate_grd_templates

                return simulate_grd_templates(directory, options)
            from sarcube.simulate.template import simulate_templates

            return simulate_templates(directory, options)
        return _simulate_own(directory, options)
    except BaseException:
        # Raised again: after a fault, or Ctrl-C, half an archive would be taken for a whole one.
        for name in ("scenes", "orbits", "truth"):
            shutil.rmtree(directory / name, ignore_errors=True)
        (directory / "dem.tif").unlink(missing_ok=True)
        if made:
            shutil.rmtree(directory, ignore_errors=True)
        raise


def _simulate_own(directory: Path, options: SimulationOptions) -> Archive:
    scenes = plan_scenes(options)
    if options.crop:
        scenes = _cropped(scenes, options)
    looks = [look for scene in scenes for look in _looks(scene, options)]
    dates = tuple(scene.date.isoformat() for scene in scenes)
    ground = lay_ground(options, looks, dates)
    if options.product == "GRD":
        from sarcube.simulate.grd import write_grd

        grds = [write_grd(directory / "scenes", scene, i, ground, options) for i, scene in enumerate(scenes)]
        for scene in scenes:
            write_poeorb(directory / "orbits", scene)
        return finish(directory, options, ground, looks, tuple(grds), dates, ())
    files = []
    for i, scene in enumerate(scenes):
        files.append(write_safe(directory / "scenes", scene, i, ground, options))
        write_poeorb(directory / "orbits", scene)
    ids = tuple(
        sorted({look.burst_id for look in looks if aoi_window(look, options.aoi, ground.height_range) is not None})
    )
    return finish(directory, options, ground, looks, tuple(files), dates, ids)


def finish(
    directory: Path,
    options: SimulationOptions,
    ground: Ground,
    looks: list[Look],
    files: tuple[Path, ...],
    dates: tuple[str, ...],
    ids: tuple[str, ...],
) -> Archive:
    """Write DEM, truth and description."""
    polarizations = looks[0].polarizations
    dem = write_dem(directory / "dem.tif", ground.terrain)
    write_truth(directory / "truth", ground, dates, looks, options.aoi)
    bbox = options.aoi or _bounds(looks)
    description = directory / "simulation.json"
    record = {
        "options": json.loads(json.dumps(asdict(options), default=str)),
        "epsg": ground.terrain.grid.epsg,
        "bbox": bbox,
        "dates": dates,
        "scenes": [path.name for path in files],
        "burst_ids": ids,
        "terrain": ground.terrain.description,
        "covers": [
            {"class": k, "name": name, "gamma0": [
                {p: values[p][k] for p in polarizations} for values in ground.scene.gamma0
            ]}
            for k, name in enumerate(ground.scene.names)
        ],
        "calibration_constant": 237.0,
    }  # fmt: skip
    description.write_text(json.dumps(record, indent=1))
    return Archive(
        directory, files, directory / "orbits", dem, directory / "truth", description, dates, ids,
        polarizations, ground.terrain.grid.epsg, bbox, ground.scene.names,
        ground.terrain.description,
    )  # fmt: skip


def _bounds(looks: list[Look]) -> tuple[float, float, float, float]:
    ring = np.concatenate([look_ring(look) for look in looks])
    lon = wrap_longitude(ring[:, 0], float(ring[0, 0]))
    lon += 360 if lon.min() < -180 else 0
    return float(lon.min()), float(ring[:, 1].min()), float(lon.max()), float(ring[:, 1].max())


def _cropped(scenes: tuple[ScenePlan, ...], options: SimulationOptions) -> tuple[ScenePlan, ...]:
    """All dates with swaths cut to the AOI's samples (the same on every date)."""
    spread = 4 * options.relief
    heights = (options.base_height - spread, options.base_height + spread)
    spans: dict[str, tuple[int, int]] = {}
    for scene in scenes:
        for look in _looks(scene, options):
            window = aoi_window(look, options.aoi, heights)
            if window is not None:
                low, high = spans.get(look.swath, (window.first_sample, window.last_sample))
                spans[look.swath] = (min(low, window.first_sample), max(high, window.last_sample))
    if not spans:
        raise ConfigError(f"the aoi {options.aoi} does not meet the bursts around {options.center}; move one of them")
    windows = {}
    for plan in scenes[0].swaths:
        if plan.swath.name in spans:
            whole = plan.window
            cut = whole.cut(whole.valid_lines, spans[plan.swath.name], border=24)
            # Samples are cut, lines stay as they were.
            windows[plan.swath.name] = replace(
                cut, first_line=whole.first_line, lines=whole.lines, valid_lines=whole.valid_lines
            )
    return tuple(with_windows(scene, windows) for scene in scenes)


def _looks(scene: ScenePlan, options: SimulationOptions) -> list[Look]:
    from sarcube.simulate.looks import plan_looks

    return plan_looks(scene, options.polarizations)
