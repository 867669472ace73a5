"""Which GRD scenes there are: one question, one answer, whatever the source."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sarcube.config import RunConfig
from sarcube.errors import SarcubeError, SourceError
from sarcube.geometry.aoi import Area, load_aoi
from sarcube.sensors.sentinel1.search.local import of_archives, scenes_below, to_datetime
from sarcube.sensors.sentinel1.search.provider_json import time_or_none
from sarcube.sensors.sentinel1.search.scenes import bare_name, is_another
from sarcube.transfer.problem import Problem

log = logging.getLogger(__name__)

_NEVER = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_SAME = dt.timedelta(seconds=1)


@dataclass(frozen=True)
class FoundGrd:
    """One GRD scene, as much as planning needs; small and picklable.

    Attributes
    ----------
    scene, path : str
    mode, product_type : str
        "IW", "GRDH".
    start_time, end_time : datetime
        UTC zero-Doppler time of the first and last line.
    platform, orbit_direction : str
    absolute_orbit, relative_orbit : int
    polarizations : tuple of str
    absent : tuple of str
        Polarizations that are annotated, and whose measurement file is not there.
    footprint : tuple of (longitude, latitude)
        Closed ring in degrees, unwrapped.
    size_bytes : int
        Samples of all polarizations; of the whole file where a catalogue tells that alone.
    processed : datetime, optional
    checksum : str
        Of the file behind `path` where the provider tells it, like "md5:0123..."; else empty.
    file_size : int
        Bytes of the file behind `path` where the provider tells it, else 0.
    """

    scene: str
    path: str
    mode: str
    product_type: str
    start_time: dt.datetime
    end_time: dt.datetime
    platform: str
    orbit_direction: str
    absolute_orbit: int
    relative_orbit: int
    polarizations: tuple[str, ...]
    absent: tuple[str, ...]
    footprint: tuple[tuple[float, float], ...]
    size_bytes: int
    processed: dt.datetime | None = None
    checksum: str = ""
    file_size: int = 0

    @property
    def burst_id(self) -> str:
        """What remarks on a DEM tell scenes apart by."""
        return self.scene


@dataclass(frozen=True)
class GrdSearch:
    """What a source answered.

    Attributes
    ----------
    scenes : tuple of FoundGrd
        In the order of their times.
    problems : tuple of Problem
        Scenes that could not be read.
    explanation : str
        Why nothing is left, where nothing is.
    warnings : tuple of Problem
        What was asked for by name and is not there.
    """

    scenes: tuple[FoundGrd, ...]
    problems: tuple[Problem, ...] = ()
    explanation: str = ""
    warnings: tuple[Problem, ...] = ()


def find_grd(config: RunConfig, polarizations: Sequence[str] | None = None, *, doubles: bool = False) -> GrdSearch:
    """GRD scenes of the run's source within its area, dates and filters; each acquisition once.

    Parameters
    ----------
    config : RunConfig
    polarizations : sequence of str, optional
        Scenes that have none of them are left out.
    doubles : bool
        Every version of an acquisition comes.

    Raises
    ------
    ConfigError
        Nothing limits what a catalogue is asked.
    SourceError
        The source does not exist, or does not answer.
    CredentialError
        It refuses the login.
    """
    area = load_aoi(config.aoi)
    found, problems, explanation = _ask(config, area)
    kept, explanation = _filtered(found, config, area, polarizations, explanation)
    if not doubles:
        kept = once(kept)
    warnings = (*_not_there(found, config), *_lacking(kept, polarizations))
    return GrdSearch(tuple(sorted(kept, key=lambda s: (s.start_time, s.scene))), tuple(problems), explanation, warnings)


def _not_there(found: Sequence[FoundGrd], config: RunConfig) -> list[Problem]:
    """Scenes that were asked for by name, and that the source has not, beside what it has."""
    there = {bare_name(scene.scene) for scene in found}
    missing = sorted(name for name in config.source.scenes or () if bare_name(name) not in there)
    if not found or not missing:
        return []
    return [Problem("source.scenes", f"the source has no {', '.join(missing)}; it has {_some(found)}")]


def _lacking(scenes: Sequence[FoundGrd], polarizations: Sequence[str] | None) -> list[Problem]:
    """Scenes that have some of the polarizations that were asked for, and not all."""
    wanted = set(polarizations or ())
    return [
        Problem(s.scene, f"the scene has no {', '.join(lacks)}: made is {', '.join(has)} alone")
        for s in scenes
        if (lacks := sorted(wanted - set(s.polarizations))) and (has := [p for p in s.polarizations if p in wanted])
    ]


def _ask(config: RunConfig, area: Area | None) -> tuple[list[FoundGrd], list[Problem], str]:
    from sarcube.sensors.sentinel1.search import grd_catalogues as catalogues

    kind = config.source.kind
    if kind == "local" and "://" not in str(config.source.path):
        return _local(config)
    ask = {"asf": catalogues.search_asf, "cdse": catalogues.search_cdse, "stac": catalogues.search_stac}
    found, problems = ask[kind](config, area) if kind in ask else catalogues.search_address(config)
    return found, problems, "" if found else f"{kind.upper()} has no Sentinel-1 GRD for what was asked"


def _local(config: RunConfig) -> tuple[list[FoundGrd], list[Problem], str]:
    root = Path(str(config.source.path)).expanduser().resolve()
    if not root.exists():
        raise SourceError(f"source.path {root} does not exist; name the folder of the SAFEs")
    problems: list[Problem] = []
    found: list[FoundGrd] = []
    others, passed = 0, list[str]()
    for scene in scenes_below(root, problems, passed, "GRD"):
        if is_another(scene.path, "GRD") and scene.path != str(root):
            others += 1
            continue
        try:
            found.append(grd_scene(scene.path))
        except SarcubeError as error:
            log.warning("%s is left out: %s", scene.path, error)
            problems.append(Problem(scene.path, str(error), type(error).__name__))
    problems.extend(of_archives(root, passed, "GRD"))
    if found:
        return found, problems, ""
    also = f" and {others} of other types or modes; the workflows rtc and insar take SLC" if others else ""
    return found, problems, f"{root} holds no GRD scene that can be read{also}"


def grd_scene(path: str) -> FoundGrd:
    """One GRD scene as a search result; SceneError where it cannot be read."""
    from sarcube.sensors.sentinel1.grd.reader import read_grd
    from sarcube.sensors.sentinel1.safe import open_safe

    if "://" in path:
        from sarcube.transfer.remote import open_remote

        safe = open_safe(path, opener=open_remote, product="GRD")
    else:
        safe = open_safe(path, product="GRD")
    names = tuple(part.polarization for part in safe.parts)
    # One polarization tells place and time; the others are read when the scene is opened.
    image = read_grd(safe, polarizations=names[:1], look_at_borders=False)
    absent = tuple(part.polarization for part in safe.parts if part.measurement is None)
    return FoundGrd(
        scene=image.scene,
        path=path,
        mode=image.mode,
        product_type=image.product_type,
        start_time=to_datetime(image.start_time),
        end_time=to_datetime(image.end_time),
        platform=image.platform,
        orbit_direction=image.orbit_direction,
        absolute_orbit=image.absolute_orbit,
        relative_orbit=image.relative_orbit,
        polarizations=names,
        absent=absent,
        footprint=tuple((round(float(x), 6), round(float(y), 6)) for x, y in image.footprint),
        size_bytes=image.radar.lines * image.radar.samples * 2 * (len(names) - len(absent)),
        processed=time_or_none(image.source_processed),
    )


def _filtered(
    found: list[FoundGrd], config: RunConfig, area: Area | None, polarizations: Sequence[str] | None, explanation: str
) -> tuple[list[FoundGrd], str]:
    source, kept = config.source, found
    names = {bare_name(name) for name in source.scenes or ()}
    wanted = set(polarizations or ())
    tests = (
        ("source.scenes", bool(names), lambda s: bare_name(s.scene) in names),
        ("dates", bool(config.dates), lambda s: _within(s, config)),
        ("source.orbit_direction", bool(source.orbit_direction), lambda s: s.orbit_direction == source.orbit_direction),
        (
            "source.relative_orbits",
            bool(source.relative_orbits),
            lambda s: s.relative_orbit in (source.relative_orbits or ()),
        ),
        ("polarizations", bool(wanted), lambda s: bool(wanted & set(s.polarizations))),
        ("aoi", area is not None, lambda s: area is not None and area.intersects(s.footprint)),
    )
    for key, asked, test in tests:
        left = [scene for scene in kept if test(scene)] if asked else kept
        if kept and not left:
            explanation = f"{len(kept)} GRD scenes match until {key} is asked for: {_some(kept)}"
        kept = left
    return kept, explanation


def _within(scene: FoundGrd, config: RunConfig) -> bool:
    if not config.dates:
        return True
    first, last = config.dates
    return first <= scene.start_time.date() <= last


def _some(scenes: Sequence[FoundGrd]) -> str:
    names = sorted(scene.scene for scene in scenes)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def once(scenes: Sequence[FoundGrd]) -> list[FoundGrd]:
    """Each acquisition once: of several versions the one processed last, then the last by name."""
    unique: dict[tuple[str, int, str], list[FoundGrd]] = {}
    order = sorted(scenes, key=lambda s: (len(s.polarizations), not s.absent, s.processed or _NEVER, s.scene, s.path))
    for scene in reversed(order):
        of_orbit = unique.setdefault((scene.platform, scene.absolute_orbit, scene.product_type), [])
        if all(abs(other.start_time - scene.start_time) > _SAME for other in of_orbit):
            of_orbit.append(scene)
    return [scene for of_orbit in unique.values() for scene in of_orbit]
