"""What of an inventory is worth making: no doubles, marginal tracks or incomplete dates, each said with its reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from sarcube.geometry.aoi import Area
from sarcube.geometry.longitudes import Ring
from sarcube.sensors.sentinel1.inventory.coverage import share
from sarcube.sensors.sentinel1.inventory.model import Exclusion, Found, Inventory, MosaicKey, by_scene

_SAME = dt.timedelta(seconds=1)  # starts of one acquisition in two scenes
_TRACKS = 175
_WHOLE = 0.95  # a track that covers so much of the area alone is a choice of its own, not a margin of others


def refine(inventory: Inventory, marginal: bool, complete: bool, every_date: bool, tolerance: float) -> Inventory:
    """See `Inventory.refine`."""
    refined = _joined(_without_doubles(inventory))
    if inventory.area is None:
        note = "no area was given: tracks and dates are not judged by what they cover"
        refined = replace(refined, notes=(*refined.notes, note))
    else:
        if marginal:
            refined = _without_marginal_tracks(refined, inventory.area, tolerance)
        if complete:
            refined = _without_incomplete_dates(refined, inventory.area, tolerance)
    return _on_every_date(refined) if every_date else refined


def _left_out(inventory: Inventory, exclusions: Sequence[Exclusion], found: Iterable[Found] | None = None) -> Inventory:
    gone = {id(one) for exclusion in exclusions for one in exclusion.found}
    kept = tuple(one for one in inventory.found if id(one) not in gone) if found is None else tuple(found)
    return replace(inventory, found=kept, excluded=(*inventory.excluded, *exclusions))


def _without_doubles(inventory: Inventory) -> Inventory:
    """Each acquisition once, by the rule that runs go by."""
    unique = _unique(inventory)
    taken: dict[str, list[Found]] = {}
    for one in unique:
        taken.setdefault(_place(one), []).append(one)
    groups: dict[tuple[str, str], list[Found]] = {}
    for one in inventory.found:
        same = next(o for o in taken[_place(one)] if abs(o.start_time - one.start_time) <= _SAME)
        if (same.scene, same.path) != (one.scene, one.path):
            groups.setdefault((one.scene, same.scene), []).append(one)
    whole = {scene: len(found) for scene, found in by_scene(inventory.found).items()}
    exclusions = []
    for (scene, other), found in groups.items():
        if scene == other:
            reason = "the same scene is there twice"
        elif any(scene in getattr(one, "older", ()) for one in unique if one.scene == other):
            reason = f"{other} is a later processing of it"
        else:
            reason = f"{other} has the same acquisition"
        part = "" if len(found) == whole[scene] else f" ({len(found)} of its {whole[scene]} bursts)"
        exclusions.append(Exclusion("double", scene, f"{reason}{part}", tuple(found)))
    return _left_out(inventory, exclusions, unique)


def _unique(inventory: Inventory) -> list[Found]:
    from sarcube.sensors.sentinel1.search.grd import FoundGrd, once
    from sarcube.sensors.sentinel1.search.scenes import FoundBurst, deduplicated

    bursts = [one for one in inventory.found if isinstance(one, FoundBurst)]
    scenes = [one for one in inventory.found if isinstance(one, FoundGrd)]
    return [*deduplicated(bursts), *once(scenes)]  # of a search there are only the ones or the others


def _place(one: Found) -> str:
    """What two entries of one acquisition share: the burst ID; of a GRD scene its satellite, track and type."""
    if one.burst_id != one.scene:
        return one.burst_id
    return f"{one.platform} {one.relative_orbit} {getattr(one, 'product_type', '')}"


def _joined(inventory: Inventory) -> Inventory:
    """Tracks that follow each other within a pass, which happens at the ascending node, taken as one."""
    groups: list[tuple[int, ...]] = []
    # Passes by satellite and direction alone: those of the inventory are parted by track.
    by_time = sorted(inventory.found, key=lambda f: (f.platform, f.orbit_direction, f.start_time))
    for before, after in pairwise(by_time):
        one_pass = (before.platform, before.orbit_direction) == (after.platform, after.orbit_direction)
        soon = after.start_time - before.end_time < dt.timedelta(minutes=2)
        following = after.relative_orbit == before.relative_orbit % _TRACKS + 1
        if one_pass and soon and following and (before.relative_orbit, after.relative_orbit) not in groups:
            groups.append((before.relative_orbit, after.relative_orbit))
    notes = tuple(f"tracks {a} and {b} meet at the equator in one pass: taken as one" for a, b in groups)
    return replace(inventory, joined=tuple(groups), notes=(*inventory.notes, *notes))


def _without_marginal_tracks(inventory: Inventory, area: Area, tolerance: float) -> Inventory:
    """Leave out, from the one that covers least on, tracks that add nothing to those that are left."""
    outlines: dict[MosaicKey, list[Ring]] = {}
    for one in inventory.found:
        outlines.setdefault(inventory.key_of(one), []).append(one.footprint)
    covers = {key: share(area, rings) for key, rings in outlines.items()}
    exclusions = []
    for key in sorted(covers, key=lambda k: (covers[k], k)):
        others = [
            k for k in outlines if k != key and (k.direction, k.polarizations) == (key.direction, key.polarizations)
        ]
        if not others or covers[key] >= _WHOLE:
            continue
        rings = [ring for k in others for ring in outlines[k]]
        without = share(area, rings)
        if share(area, [*rings, *outlines[key]]) - without <= tolerance:
            tracks = ", ".join("+".join(map(str, k.tracks)) for k in others)
            reason = f"covers {covers[key]:.1%} of the area, all of it covered by {tracks} as well"
            found = tuple(one for one in inventory.found if inventory.key_of(one) == key)
            exclusions.append(Exclusion("marginal track", str(key), reason, found))
            del outlines[key]
    return _left_out(inventory, exclusions)


def _without_incomplete_dates(inventory: Inventory, area: Area, tolerance: float) -> Inventory:
    """Leave out passes that cover less than the best pass of their key."""
    covers = [(each, share(area, (one.footprint for one in each.found))) for each in inventory.passes]
    best: dict[MosaicKey, float] = {}
    for each, covered in covers:
        best[each.key] = max(covered, best.get(each.key, 0.0))
    exclusions = [
        Exclusion(
            "incomplete date",
            f"{each.key} {each.date}",
            f"covers {covered:.1%} of the area, the track's best date {best[each.key]:.1%}",
            each.found,
        )
        for each, covered in covers
        if best[each.key] - covered > tolerance
    ]
    refined = _left_out(inventory, exclusions)
    notes = []
    for key, most in best.items():
        whole = share(area, (one.footprint for each in inventory.passes if each.key == key for one in each.found))
        if whole - most > tolerance:
            notes.append(f"{key}: no date covers more than {most:.1%} of the area, all dates together {whole:.1%}")
    return replace(refined, notes=(*refined.notes, *notes))


def _on_every_date(inventory: Inventory) -> Inventory:
    """Leave out burst IDs that some date of their key lacks: every series is as long as the others."""
    exclusions = []
    for key in inventory.keys:
        passes = [each for each in inventory.passes if each.key == key]
        dates = {each.date for each in passes}
        seen: dict[str, set[dt.date]] = {}
        for each in passes:
            for one in each.found:
                seen.setdefault(_place(one), set()).add(each.date)
        for place, there in sorted(seen.items()):
            if missing := sorted(dates - there):
                some = ", ".join(map(str, missing[:3])) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
                found = tuple(one for each in passes for one in each.found if _place(one) == place)
                exclusions.append(
                    Exclusion("not on every date", place, f"not there on {some} of {len(dates)} dates", found)
                )
    return _left_out(inventory, exclusions)
