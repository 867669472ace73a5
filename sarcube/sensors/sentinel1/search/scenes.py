"""Which bursts there are: one question, one answer, whatever the source.

The area is matched with the footprints of bursts, not of scenes. One acquisition that lies in two scenes
(neighbouring slices share a burst; the same scene may be there twice) is returned once, by a fixed rule.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, SourceError
from sarcube.geometry.aoi import Area, load_aoi
from sarcube.geometry.longitudes import narrowest
from sarcube.instants import utc_time
from sarcube.sensors.sentinel1.burst_id import BurstId
from sarcube.sensors.sentinel1.versions import Version, is_later, version_of
from sarcube.transfer.problem import Problem
from sarcube.transfer.redact import redact

log = logging.getLogger(__name__)

_PRODUCT = re.compile(r"S1[A-Z]_(?P<mode>[A-Z0-9]{2})_(?P<type>SLC|GRD|RAW|OCN|ETA)[A-Z_]_", re.IGNORECASE)
_SAME = dt.timedelta(seconds=1)  # bursts of one ID are 2.7 s apart along track and days apart in time


@dataclass(frozen=True)
class FoundBurst:
    """One acquisition of one burst, as much as planning needs; small and picklable.

    Attributes
    ----------
    burst_id : str
        `t070_149815_iw3`.
    scene : str
        SAFE name without extension.
    path : str
        Folder, zip or address of the SAFE; `sarcube.sensors.sentinel1.open_burst` knows what to do with it.
    swath : str
        "IW3".
    index : int
        0-based position in its swath's annotation; -1 where the provider does not say.
    start_time, end_time : datetime.datetime
        UTC zero-Doppler time of the first and last line.
    platform : str
        "S1A".
    orbit_direction : str
        "ascending" or "descending".
    relative_orbit : int
    polarizations : tuple of str
    footprint : tuple of (longitude, latitude)
        Closed ring in degrees, unwrapped.
    size_bytes : int
        Samples of this burst in its SAFE, all polarizations; 0 where unknown.
    checksum : str
        Of the file behind `path` where the provider tells it, like "md5:0123..."; else empty.
    file_size : int
        Bytes of the file behind `path` where the provider tells it, else 0.
    absent : tuple of str
        Polarizations that are annotated, and whose measurement file is not there.
    processed, published : datetime.datetime or None
        UTC end of the scene's processing, as its manifest says; when its provider published it. None: unknown.
    ipf_version : str
        "003.61"; empty where unknown.
    older : tuple of str
        Scenes of the same source that hold this acquisition in an older version.
    """

    burst_id: str
    scene: str
    path: str
    swath: str
    index: int
    start_time: dt.datetime
    end_time: dt.datetime
    platform: str
    orbit_direction: str
    relative_orbit: int
    polarizations: tuple[str, ...]
    footprint: tuple[tuple[float, float], ...]
    size_bytes: int = 0
    checksum: str = ""
    file_size: int = 0
    absent: tuple[str, ...] = ()
    processed: dt.datetime | None = None
    published: dt.datetime | None = None
    ipf_version: str = ""
    older: tuple[str, ...] = ()

    @property
    def version(self) -> Version:
        """What orders the versions of one scene: when it was processed (else published), then its IPF."""
        return version_of(self.processed or self.published, self.ipf_version)

    def _repr_html_(self) -> str:
        from sarcube.html import Shape, card, place_map

        return card(
            f"Burst {self.burst_id}",
            (
                ("time", f"{self.start_time:%Y-%m-%d %H:%M:%S} UTC"),
                ("scene", self.scene),
                ("orbit", f"{self.orbit_direction}, track {self.relative_orbit}"),
                ("platform", self.platform),
                ("polarizations", ", ".join(self.polarizations)),
            ),
            place_map((Shape(self.footprint, "to do", self.burst_id),), legend=False),
        )


@dataclass(frozen=True)
class SceneSearch:
    """What a source answered.

    Attributes
    ----------
    bursts : tuple of FoundBurst
        In the order of burst ID and time.
    problems : tuple of Problem
        Scenes that could not be read; they do not end the search.
    warnings : tuple of Problem
        What was asked for by name and is not there, beside what is.
    considered : int
        Bursts that the source has before any filter.
    extent : (west, south, east, north) or None
        Of all bursts considered.
    explanation : str
        Why nothing was found, where nothing was found; else empty.
    """

    bursts: tuple[FoundBurst, ...]
    problems: tuple[Problem, ...] = ()
    considered: int = 0
    extent: tuple[float, float, float, float] | None = None
    explanation: str = ""
    warnings: tuple[Problem, ...] = ()


def find_scenes(
    config: RunConfig, polarizations: Sequence[str] | None = None, *, doubles: bool = False, geocoded: bool = False
) -> SceneSearch:
    """Find the bursts of a run: its source's, within its area, dates and other filters.

    Parameters
    ----------
    config : RunConfig
    polarizations : sequence of str, optional
        Only these, as "VV"; by default all.
    doubles : bool
        An acquisition that lies in several scenes comes once from each of them.
    geocoded : bool
        Who asks can do with geocoded SLCs (`source.kind: cslc`), too.

    Raises
    ------
    ConfigError
        The area, a burst ID or the source's address is wrong, or the source has geocoded SLCs where scenes are needed.
    SourceError
        The source cannot be reached or read at all.
    CredentialError
        The source refuses the credentials.
    """
    if config.source.kind == "cslc" and not geocoded:
        raise ConfigError(
            f"source.kind cslc has geocoded SLCs, of which the workflow {config.workflow} can make nothing: it needs "
            "the scenes themselves (kind: local, asf, cdse or stac); the workflow insar makes pairs of them"
        )
    area = load_aoi(config.aoi)
    found, problems = _ask(config, area, polarizations)
    return select(found, problems, config, area, polarizations, doubles=doubles)


def _ask(
    config: RunConfig, area: Area | None, polarizations: Sequence[str] | None
) -> tuple[list[FoundBurst], list[Problem]]:
    kind = config.source.kind
    if kind == "local":
        from sarcube.sensors.sentinel1.search.local import search_local

        return search_local(config)
    if kind == "cslc":
        from sarcube.sensors.sentinel1.search.cslc import search_cslc

        return search_cslc(config)
    if kind == "asf":
        from sarcube.sensors.sentinel1.search.asf import search_asf

        return search_asf(config, area, polarizations)
    if kind == "cdse":
        from sarcube.sensors.sentinel1.search.cdse import search_cdse

        return search_cdse(config, area, polarizations)
    from sarcube.sensors.sentinel1.search.stac import search_stac

    return search_stac(config, area)


def select(
    found: Sequence[FoundBurst],
    problems: Iterable[Problem],
    config: RunConfig,
    area: Area | None,
    polarizations: Sequence[str] | None = None,
    *,
    doubles: bool = False,
) -> SceneSearch:
    """Apply every filter of the run to what a source has, and say why nothing is left if nothing is."""
    wanted = None if polarizations is None else {p.upper() for p in polarizations}
    kept = [_narrowed(burst, wanted) for burst in found]
    extent, explanation = extent_of(found), ""
    if not found:
        explanation = f"the source has no bursts: {_looked_at(config)}"
    warnings: list[Problem] = []
    for key, test, have in _filters(config, area, polarizations):
        if missing := _missing(key, kept, config):
            warnings.append(Problem(key, f"the source has no {', '.join(missing)}; its bursts {have(kept)}"))
        left = [burst for burst in kept if test(burst)]
        if kept and not left:
            explanation = f"{len(kept)} bursts match until {key} is asked for; they {have(kept)}"
        kept = left
    unique = kept if doubles else deduplicated(kept)
    if len(unique) < len(kept):
        log.info("%d bursts lie in more than one scene and are taken once", len(kept) - len(unique))
    if unique and wanted is not None:
        warnings += _lacking(unique, wanted)
    return SceneSearch(tuple(unique), tuple(problems), len(found), extent, explanation, tuple(warnings))


def _missing(key: str, bursts: Sequence[FoundBurst], config: RunConfig) -> list[str]:
    """Scenes or burst IDs that were asked for by name and that none of the bursts is of."""
    source = config.source
    if not bursts or key not in ("source.scenes", "source.burst_ids"):
        return []
    if key == "source.scenes":
        return sorted({scene_name(name) for name in source.scenes or ()} - {b.scene for b in bursts})
    return sorted({normal_burst_id(text) for text in source.burst_ids or ()} - {b.burst_id for b in bursts})


def _lacking(bursts: Sequence[FoundBurst], wanted: set[str]) -> list[Problem]:
    """Scenes that have some of the polarizations that were asked for, and not all."""
    scenes = {b.scene: b.polarizations for b in bursts if set(b.polarizations) < wanted}
    return [
        Problem(scene, f"the scene has no {', '.join(sorted(wanted - set(have)))}: made is {', '.join(have)} alone")
        for scene, have in scenes.items()
    ]


def _looked_at(config: RunConfig) -> str:
    source = config.source
    if source.kind == "cslc":
        return f"looked for CSLC-S1 files in {redact(str(source.path))} and below; is source.path right?"
    if source.kind == "local":
        return f"looked for SAFE folders and zips in {redact(str(source.path))} and below; is source.path right?"
    asked = [key for key in ("aoi", "dates") if getattr(config, key)]
    asked += [
        f"source.{k}" for k in ("relative_orbits", "orbit_direction", "burst_ids", "scenes") if getattr(source, k)
    ]
    where = redact(source.url) if source.url else source.kind.upper()
    return f"{where} has no Sentinel-1 SLC for {', '.join(asked) or 'what was asked'}"


_Filter = tuple[str, Callable[[FoundBurst], bool], Callable[[Sequence[FoundBurst]], str]]


def _filters(config: RunConfig, area: Area | None, polarizations: Sequence[str] | None) -> list[_Filter]:
    """What is asked for: (key of the run file, test of a burst, what the bursts before it have)."""
    source, tests = config.source, list[_Filter]()
    if source.scenes:
        names = {scene_name(name) for name in source.scenes}
        tests.append(("source.scenes", lambda b: b.scene in names, lambda bs: _list("are of", {b.scene for b in bs})))
    if config.dates:
        first, last = config.dates
        tests.append(("dates", lambda b: first <= b.start_time.date() <= last, _span_of_time))
    if source.orbit_direction:
        direction = source.orbit_direction
        tests.append(
            ("source.orbit_direction", lambda b: b.orbit_direction == direction, lambda bs: "are all of the other")
        )
    if source.relative_orbits:
        tracks = set(source.relative_orbits)
        tests.append(
            (
                "source.relative_orbits",
                lambda b: b.relative_orbit in tracks,
                lambda bs: _list("are of relative orbit", {str(b.relative_orbit) for b in bs}),
            )
        )
    if source.burst_ids:
        ids = {normal_burst_id(text) for text in source.burst_ids}
        tests.append(
            ("source.burst_ids", lambda b: b.burst_id in ids, lambda bs: _list("are", {b.burst_id for b in bs}))
        )
    tests.append(
        (
            "polarizations",
            lambda b: bool(b.polarizations),
            lambda bs: _list("had others than", set(polarizations or ())),
        )
    )
    if area is not None:
        tests.append((area.origin, lambda b: area.intersects(b.footprint), _span_of_area))
    return tests


def _narrowed(burst: FoundBurst, wanted: set[str] | None) -> FoundBurst:
    if wanted is None:
        return burst
    return replace(
        burst,
        polarizations=tuple(p for p in burst.polarizations if p in wanted),
        absent=tuple(p for p in burst.absent if p in wanted),
    )


def _list(text: str, names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - 5} more" if len(ordered) > 5 else ""
    return f"{text} {', '.join(ordered[:5])}{more}"


def _span_of_time(bursts: Sequence[FoundBurst]) -> str:
    first, last = min(b.start_time for b in bursts), max(b.start_time for b in bursts)
    return f"were acquired from {first:%Y-%m-%d} to {last:%Y-%m-%d}"


def _span_of_area(bursts: Sequence[FoundBurst]) -> str:
    west, south, east, north = extent_of(bursts) or (0.0, 0.0, 0.0, 0.0)
    return f"lie between {west:.2f} and {east:.2f} degrees east, {south:.2f} and {north:.2f} degrees north"


def extent_of(bursts: Sequence[FoundBurst]) -> tuple[float, float, float, float] | None:
    """The box around all footprints, continued beyond 180 degrees where that makes it narrower."""
    if not bursts:
        return None
    points = [point for burst in bursts for point in burst.footprint]
    lats = [lat for _, lat in points]
    lons = narrowest([lon for lon, _ in points])
    return float(lons.min()), min(lats), float(lons.max()), max(lats)


def deduplicated(bursts: Sequence[FoundBurst]) -> list[FoundBurst]:
    """Each acquisition once, in the order of burst ID and time.

    Of several scenes that hold it, the one with more polarizations is taken, then one that has samples, then the
    version processed last (`FoundBurst.version`), however its scene is sliced, then the last by scene name, then the
    first by path. The rule looks at nothing but the bursts, so that every run decides alike.
    """
    order = sorted(bursts, key=lambda b: b.path)
    order.sort(key=lambda b: (len(b.polarizations), b.size_bytes > 0, b.version, b.scene), reverse=True)
    # Places of what is taken for each burst ID and second: a start within a second of another is the same acquisition.
    taken: dict[tuple[str, int], list[int]] = {}
    unique: list[FoundBurst] = []
    for burst in order:
        second = int(burst.start_time.timestamp())
        near = [i for s in (second - 1, second, second + 1) for i in taken.get((burst.burst_id, s), ())]
        same = next((i for i in near if abs(burst.start_time - unique[i].start_time) <= _SAME), None)
        if same is None:
            taken.setdefault((burst.burst_id, second), []).append(len(unique))
            unique.append(burst)
        elif is_later(unique[same].version, burst.version) and burst.scene != unique[same].scene:
            unique[same] = replace(unique[same], older=(*unique[same].older, burst.scene))
    return sorted(unique, key=lambda b: (b.burst_id, b.start_time))


def no_such_scene(where: str, asked: set[str], there: set[str]) -> SourceError:
    """What to raise where a source has none of the scenes that were asked for by name."""
    return SourceError(
        f"{where} has no scene {', '.join(sorted(asked))} (source.scenes); its scenes {_list('are', there)}"
    )


def made_from_older(burst: FoundBurst, scene: str, processed: str, ipf_version: str) -> bool:
    """Whether a product was made from an older version of its scene than a source now has.

    Parameters
    ----------
    burst : FoundBurst
        What the source has of the product's acquisition.
    scene, processed, ipf_version : str
        Of the product's source, as its item tells them; empty where it does not.
    """
    if not scene or scene == burst.scene:
        return False
    if scene in burst.older:
        return True
    try:
        made = utc_time(processed)
    except ValueError:
        return False  # nothing tells which is older
    return is_later(burst.version, version_of(made, ipf_version))


def scene_name(text: str) -> str:
    """Name of a SAFE or a geocoded SLC without folder and extension."""
    name = text.rstrip("/").rsplit("/", 1)[-1]
    for ending in (".zip", ".SAFE", ".h5"):
        name = name.removesuffix(ending)
    return name


def is_another(name: str, product: str) -> bool:
    """Whether a scene's name says that it is no SLC (or GRD, what `product` names) in IW or EW; others tell nothing."""
    match = _PRODUCT.match(scene_name(name))
    return bool(match and (match["type"].upper() != product or match["mode"].upper() not in ("IW", "EW")))


def bare_name(text: str) -> str:
    """The same without `_COG`, by which the Copernicus Data Space tells files of a GRD from its original ones."""
    return scene_name(text).removesuffix("_COG")


def normal_burst_id(text: str) -> str:
    """A burst ID in the form of sarcube; ConfigError where it is none, see `BurstId.parse`."""
    return str(BurstId.parse(text))
