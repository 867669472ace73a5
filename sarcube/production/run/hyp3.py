"""The workflows of HyP3-ISCE2 as runs: pairs of bursts and of scenes, by the names and options that they have there."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sarcube.config import RunConfig
from sarcube.cube.hyp3.export import ExportOptions, hyp3_pairs
from sarcube.cube.hyp3.product import write_product
from sarcube.errors import ConfigError, DownloadTimeoutError, SourceError
from sarcube.production.plan.plan import plan
from sarcube.production.plan.value import Plan
from sarcube.production.run.outcome import Outcome
from sarcube.sensors.sentinel1.burst_id import BurstId
from sarcube.sensors.sentinel1.granules import NamedBurst
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, scene_name
from sarcube.store.protocol import open_store
from sarcube.terrain.geoid import EGM2008

_PAIRS, _MERGED = "INSAR_S1", "INSAR_S1_PASS"  # kinds: pairs of a burst, of all bursts of a pass
POSTINGS = {"20x4": 80, "10x2": 40, "5x1": 20}
_LIKE = ("VV", "HH")
_ONE_SIDE = dt.timedelta(minutes=2)
_ONE_PASS = dt.timedelta(minutes=10)
_OVER_MIDNIGHT = dt.timedelta(days=1)  # apart, at most, are the days of a pass
_SAID = dt.timedelta(seconds=3)  # granules are named by whole seconds
_TIME_OF_SCENE = slice(17, 32)  # of S1A_IW_SLC__1SDV_20200604T022251_...


@dataclass(frozen=True)
class Hyp3Options:
    """What HyP3's workflows let choose, then what sarcube adds.

    Attributes
    ----------
    looks : str
        20x4, 10x2 or 5x1: pixels of 80, 40 or 20 m.
    source, orbits, dem_path : str, Path, str, optional
        Folders and files instead of ASF, AWS's open orbits and Copernicus GLO-30.
    dem_heights, geoid : str
        Of `dem_path`.
    store : str
        Where burst products go.
    polarization : str
        "auto", "VV" or "HH".
    cluster : str
    alpha : float or None
        Of the phase filter; None: one minus the coherence.
    method : str
        To unwrap with.
    water : Path, optional
        Tells where water is, in place of the tiles beside Copernicus GLO-30.
    apply_water_mask : bool
        Leave water out before unwrapping.
    access : str
        "remote" reads of scenes what the bursts need, "download" fetches them whole, "auto" as a run file does.
    """

    store: str
    looks: str = "20x4"
    source: str | None = None
    orbits: Path | None = None
    dem_path: str | None = None
    dem_heights: str = "ellipsoid"
    geoid: str | None = None
    polarization: str = "auto"
    cluster: str = "local"
    alpha: float | None = 0.5
    method: str = "whirlwind"
    water: Path | None = None
    apply_water_mask: bool = False
    access: str = "auto"


def named_pair(
    reference: Sequence[str], secondary: Sequence[str], either: Sequence[str] = ()
) -> tuple[tuple[NamedBurst, ...], tuple[NamedBurst, ...]]:
    """Both sides of a pair of burst sets, by HyP3's rules.

    Parameters
    ----------
    reference, secondary : sequence of str
        Granules, or burst IDs with days (`t064_136231_iw2@2020-06-04`).
    either : sequence of str
        Two of them in any order instead: the older one is the reference.

    Raises
    ------
    ConfigError
        A rule is broken; the message names what breaks it.
    """
    if either:
        if reference or secondary:
            raise ConfigError("give either --reference and --secondary, or two granules, and not both")
        if len(either) != 2:
            raise ConfigError(f"a pair has two granules, not {len(either)}; give sets by --reference and --secondary")
        one, other = sorted(either, key=lambda text: _moment(NamedBurst.parse(text)))
        reference, secondary = (one,), (other,)
    first, second = (tuple(NamedBurst.parse(text) for text in side) for side in (reference, secondary))
    _check(first, second)
    return first, second


def _check(reference: tuple[NamedBurst, ...], secondary: tuple[NamedBurst, ...]) -> None:
    for name, side in (("--reference", reference), ("--secondary", secondary)):
        if not side:
            raise ConfigError(f"{name} names no burst; give a granule, or a burst ID and a day, on each side")
        if twice := [text for text, n in Counter((b.burst_id, b.polarization) for b in side).items() if n > 1]:
            raise ConfigError(f"{name} names {twice[0][0]} {twice[0][1]} twice; name each burst once")
        times = [b.start for b in side if b.start is not None]
        if times and max(times) - min(times) > _ONE_SIDE:
            raise ConfigError(
                f"{name}: all bursts of a side are of one pass, within 2 minutes; these begin at {min(times)} to "
                f"{max(times)}"
            )
        days = [b.day for b in side]
        if not times and max(days) - min(days) > _OVER_MIDNIGHT:
            raise ConfigError(f"{name} names several days; all bursts of a side are of one pass")
    sets = [{(b.burst_id, b.polarization) for b in side} for side in (reference, secondary)]
    if sets[0] != sets[1] and {b for b, _ in sets[0]} != {b for b, _ in sets[1]}:
        only = [", ".join(sorted({b for b, _ in a} - {b for b, _ in b_})) for a, b_ in (sets, sets[::-1])]
        raise ConfigError(
            f"both sides name the same bursts: the reference alone has {only[0] or 'none'}, the secondary alone "
            f"{only[1] or 'none'}"
        )
    names = {p for side in sets for _, p in side} - {""}
    if len(names) > 1 or not names <= set(_LIKE):
        raise ConfigError(f"all bursts of a pair have one polarization, VV or HH, not {', '.join(sorted(names))}")
    last, first = max(reference, key=_moment), min(secondary, key=_moment)
    if last.day == first.day:
        raise ConfigError(f"a pair has two dates: {last} and {first} are both of {last.day}; name another date")
    if _moment(last) >= _moment(first):
        raise ConfigError(f"the reference is the earlier date: {last} is not before {first}; swap them")
    tracks = {BurstId.parse(b.burst_id).track for b in reference}
    if len(tracks) > 1:
        raise ConfigError(
            f"all bursts of a pair are of one track, not of {', '.join(map(str, sorted(tracks)))}: "
            f"{', '.join(map(str, reference))}"
        )


def _moment(burst: NamedBurst) -> dt.datetime:
    return burst.start or dt.datetime.combine(burst.day, dt.time(), dt.UTC)


def gaps(burst_ids: Sequence[str]) -> list[str]:
    """In words, what does not hang together: HyP3 refuses it, here it leaves gaps in the picture."""
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for burst in map(BurstId.parse, burst_ids):
        numbers[burst.swath].add(burst.number)
    said = []
    for swath, found in sorted(numbers.items()):
        if missing := sorted(set(range(min(found), max(found))) - found):
            said.append(f"{swath} has no burst {', '.join(map(str, missing))} between its first and its last: a gap")
    swaths = sorted(numbers)
    for one, other in pairwise(swaths):
        ends = [abs(end(numbers[one]) - end(numbers[other])) for end in (min, max)]
        if int(other[2]) - int(one[2]) > 1 or max(ends) > 1:
            said.append(f"{one} and {other} do not lie beside each other along the whole of the picture")
    return said


def burst_config(
    reference: tuple[NamedBurst, ...], secondary: tuple[NamedBurst, ...], options: Hyp3Options
) -> RunConfig:
    """The run that makes a pair of burst sets."""
    days = [min(b.day for b in side) for side in (reference, secondary)]
    named = {b.polarization for b in reference} - {""}
    ids = sorted({b.burst_id for b in reference})
    last = max(b.day for b in secondary)
    return _config(options, days, {"burst_ids": ids}, next(iter(named), options.polarization), (days[0], last))


def ordered_scenes(reference: str, secondary: str, either: Sequence[str] = ()) -> tuple[str, str]:
    """Two scenes, named by their sides or in any order; ConfigError where they are not two."""
    if either and (reference or secondary):
        raise ConfigError("give either --reference and --secondary, or two scenes, and not both")
    names = list(either) or [name for name in (reference, secondary) if name]
    if len(names) != 2:
        raise ConfigError(f"a pair has two scenes, not {len(names)}; give --reference and --secondary")
    if either:
        names.sort(key=lambda name: scene_name(name)[_TIME_OF_SCENE])
    return names[0], names[1]


def scene_config(reference: str, secondary: str, options: Hyp3Options) -> RunConfig:
    """The run that makes all bursts that two scenes have in common.

    Raises
    ------
    ConfigError
        A name is no SLC's, or the reference is not the earlier one.
    """
    scenes = [scene_name(name) for name in (reference, secondary)]
    days = []
    for scene in scenes:
        try:
            days.append(dt.datetime.strptime(scene[_TIME_OF_SCENE], "%Y%m%dT%H%M%S").date())
        except ValueError as error:
            raise ConfigError(f"`{scene}` is not the name of a Sentinel-1 SLC scene") from error
    if days[0] == days[1]:
        raise ConfigError(
            f"a pair has two dates: {scenes[0]} and {scenes[1]} are both of {days[0]}; name a scene of another date"
        )
    if days[0] > days[1]:
        raise ConfigError(f"the reference is the earlier date: {scenes[0]} is not before {scenes[1]}; swap them")
    span = days[0], days[1] + dt.timedelta(days=1)  # a scene may run into the next day
    return _config(options, days, {"scenes": scenes}, options.polarization, span)


def _config(
    options: Hyp3Options,
    days: Sequence[dt.date],
    only: dict[str, object],
    polarization: str,
    span: tuple[dt.date, dt.date],
) -> RunConfig:
    if options.looks not in POSTINGS:
        raise ConfigError(f"--looks is one of {', '.join(POSTINGS)}, not {options.looks!r}")
    if options.apply_water_mask and options.dem_path and options.water is None:
        raise ConfigError("--apply-water-mask needs to know where water is: name a raster or shapes with --water")
    if polarization not in ("auto", *_LIKE):
        raise ConfigError(f"--polarization is VV or HH, not {polarization}")
    source: dict[str, object] = {"kind": "local", "path": options.source} if options.source else {"kind": "asf"}
    orbits: dict[str, object] = {"path": options.orbits} | ({} if options.source else {"kind": "aws"})
    dem: dict[str, object] = (
        {"path": options.dem_path, "heights": options.dem_heights} if options.dem_path else {"kind": "cop_glo30"}
    )
    dem["geoid"] = options.geoid or (None if options.dem_path else os.environ.get("SARCUBE_GEOID") or EGM2008)
    raw: dict[str, object] = {
        "workflow": "insar",
        "dates": list(span),
        "source": {**source, "access": options.access, **only},
        "orbits": orbits,
        "dem": dem,
        "store": options.store,
        "cluster": options.cluster,
        "insar": {
            "posting": POSTINGS[options.looks],
            "polarization": polarization,
            "pairs": {"list": [tuple(days)]},
            "merge": True,
            "filter": "baran" if options.alpha is None else options.alpha,
            "unwrap": options.method,
            "water": options.water or "auto",
            "apply_water_mask": options.apply_water_mask,
        },
    }
    return RunConfig.from_dict(raw, base=Path.cwd(), origin="sarcube insar")


def of_swaths(config: RunConfig, swaths: Sequence[int]) -> RunConfig:
    """The run of scenes with the bursts of some sub-swaths alone; asks the source which there are.

    Raises
    ------
    ConfigError
        A number is no sub-swath.
    SourceError
        The scenes have none of them.
    """
    from sarcube.sensors.sentinel1.search.scenes import find_scenes

    if wrong := [n for n in swaths if n not in (1, 2, 3)]:
        raise ConfigError(f"--swaths are of 1, 2, 3, not {wrong[0]}")
    found = find_scenes(config).bursts
    ids = sorted({b.burst_id for b in found if int(b.swath[2]) in swaths})
    if not ids:
        raise SourceError(f"the scenes have no bursts of the sub-swaths {', '.join(map(str, swaths))}")
    return config.model_copy(update={"source": config.source.model_copy(update={"burst_ids": tuple(ids)})})


def plan_bursts(
    config: RunConfig, reference: Sequence[NamedBurst], secondary: Sequence[NamedBurst]
) -> tuple[Plan, list[str]]:
    """The plan of a pair of burst sets, and in words where the source has not quite what was named.

    Raises
    ------
    SourceError
        The source has nothing in place of a burst that was named.
    """
    try:
        planned = plan(config)
    except DownloadTimeoutError:
        raise
    except SourceError as error:
        named = ", ".join(str(b) for b in (*reference, *secondary))
        raise SourceError(f"nothing can be made of {named}: {error}") from error
    return planned, check_found(planned, reference, secondary)


def check_found(planned: Plan, reference: Sequence[NamedBurst], secondary: Sequence[NamedBurst]) -> list[str]:
    """What the source has in place of the granules that were named, in words, where it is not quite these.

    Raises
    ------
    SourceError
        It has nothing in place of one.
    """
    there = {place.place for place in planned.places}
    made: list[dict[str, FoundBurst]] = [{}, {}]
    for task in planned.tasks:
        if task.kind == _PAIRS:
            for k in (0, 1):
                made[k][task.place] = task.inputs[k]
    said = []
    for k, side in enumerate((reference, secondary)):
        for named in side:
            found = made[k].get(named.burst_id)
            far = found is not None and named.start and abs(found.start_time - named.start) > _ONE_PASS
            if named.burst_id not in there or far:
                also = "; ".join(p.message for p in (*planned.problems, *planned.warnings))
                raise SourceError(f"the source has no {named} that makes a pair; {also or 'check the name'}")
            if found is None:
                continue  # its product is there already
            if named.start and abs(found.start_time - named.start) > _SAID:
                said.append(f"{named}: the burst of the source begins at {found.start_time:%H:%M:%S}")
            if named.parent and not found.scene.endswith(named.parent):
                said.append(f"{named}: of {found.scene}, which is another version of its scene or the one beside it")
    return said


def deliver(planned: Plan, folder: str | Path, options: Hyp3Options) -> tuple[Path, list[str]]:
    """The HyP3 product of the one pair of a plan that was carried out, and in words where the store has it otherwise.

    Raises
    ------
    CubeError
        The pair is not there, or what HyP3's names cannot tell.
    """
    connection = planned.connections[0]
    days = str(connection.first.date()), str(connection.second.date())
    places = [p.place for p in planned.places if _MERGED in p.done or _MERGED in p.to_do]
    (pair,) = hyp3_pairs(planned.config.store, ExportOptions(days=days, places=places))
    done, asked = pair.processing, (options.alpha, options.method)
    other = (done.alpha, done.unwrapped_by) != asked or (done.water and done.water_masked != options.apply_water_mask)
    said = [
        "the store had the pair already, with another filter, solver or use of the water mask: it is delivered as it "
        "is; give another --store to make it anew"
    ]
    return write_product(pair, folder), said if other else []


def undone(outcome: Outcome) -> bool:
    """Whether the merged pair itself could not be made."""
    return any(failure.key.startswith(f"{_MERGED}/") for failure in (*outcome.failed, *outcome.blocked))


def upload(product: Path, bucket: str, prefix: str) -> str:
    """Copy a product into a bucket, as HyP3 does; gives its address.

    Raises
    ------
    StoreError, CredentialError, TransferError
        The bucket cannot be written.
    """
    store = open_store(f"s3://{bucket}/{prefix.strip('/')}".rstrip("/"))
    store.upload(product, product.name)
    return store.href(product.name)
