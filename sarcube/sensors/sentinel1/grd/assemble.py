"""Slices of one pass put together by azimuth time.

A slice's lines go where their times say. Of slices that overlap the version processed last is taken, however the older
ones were cut; slices of one processing are parted in the middle of what both have. A slice whose lines do not fall on
those of the first is shifted by the part of a line that remains, which the geometry knows. Ranges need no care: every
slice keeps its own ground range polynomials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from sarcube.errors import SceneError
from sarcube.geometry.ground_range import GroundRange
from sarcube.geometry.orbit import Orbit
from sarcube.sensors.sentinel1.grd.model import GrdPass, GrdSlice, Piece
from sarcube.sensors.sentinel1.grd.reader import rebase_grd
from sarcube.sensors.sentinel1.versions import is_later, version_of

_STRETCH = 0.1  # lines by which a slice may grow or shrink against the first one's line interval
MAX_GAP = 60.0  # s: a slice or two that are missing; what lies farther apart is not one image
_BEYOND = 45.0  # s that state vectors reach beyond the last line


@dataclass(frozen=True, eq=False)
class _Placed:
    """A slice on the pass's raster: its lines are [offset, stop); `shift` as in `GroundRange`."""

    image: GrdSlice
    offset: int
    stop: int
    shift: float

    def older_than(self, other: _Placed) -> bool:
        mine, theirs = (version_of(p.image.source_processed, p.image.ipf_version) for p in (self, other))
        return is_later(theirs, mine)


def assemble(slices: Sequence[GrdSlice]) -> GrdPass:
    """One image of the slices of a pass.

    Parameters
    ----------
    slices : sequence of GrdSlice
        Of one platform, orbit, mode and spacing, in any order, in several versions or cut differently.

    Raises
    ------
    SceneError
        They are not of one pass, or cannot lie on one raster.
    """
    if not slices:
        raise SceneError("no GRD scene to put together")
    ordered = sorted(slices, key=lambda s: (s.start_time, s.scene))
    first = ordered[0]
    radar = first.radar
    placed: list[_Placed] = []
    for image in ordered:
        moved = image if image is first else rebase_grd(image, first.orbit)
        _check(first, moved)
        at = (moved.radar.first_line_time - radar.first_line_time) / radar.line_interval
        end = (moved.radar.last_line_time - radar.first_line_time) / radar.line_interval
        offset = round(0.5 * (at + end - (moved.radar.lines - 1)))
        if abs((end - at) - (moved.radar.lines - 1)) > _STRETCH:
            raise SceneError(f"{image.scene}: its line interval is not that of {first.scene}; process them apart")
        last = max(placed, key=lambda p: p.stop, default=None)
        if last is not None and (offset - last.stop) * radar.line_interval > MAX_GAP:
            raise SceneError(f"{image.scene}: starts long after {last.image.scene} ends; process them apart")
        shift = offset - 0.5 * (at + end - (moved.radar.lines - 1))
        placed.append(_Placed(moved, offset, offset + moved.radar.lines, shift))
    owned = _owned(placed)
    orbit = _reaching(ordered, radar.first_line_time + owned[-1][1] * radar.line_interval)
    pieces = [Piece(one.offset, start, stop, replace(one.image, orbit=orbit)) for start, stop, one in owned]
    whole = replace(
        radar,
        lines=pieces[-1].stop,
        samples=max(piece.image.radar.samples for piece in pieces),
        ground=_stretches(pieces, [one.shift for _, _, one in owned]),
    )
    used = {piece.image.scene for piece in pieces}
    return GrdPass(whole, tuple(pieces), tuple(dict.fromkeys(s.scene for s in ordered if s.scene not in used)))


def _reaching(slices: Sequence[GrdSlice], end: float) -> Orbit:
    """The first slice's orbit, gone on with that of later ones where it ends soon after the last line, at `end`."""
    orbit = slices[0].orbit
    for image in slices[1:]:
        if orbit.time[-1] >= end + _BEYOND:
            break
        time = image.orbit.time + float((image.orbit.epoch - orbit.epoch) / np.timedelta64(1, "ns")) / 1e9
        new = time > orbit.time[-1] + 1.0
        orbit = Orbit(
            orbit.epoch,
            np.concatenate([orbit.time, time[new]]),
            np.concatenate([orbit.position, image.orbit.position[new]]),
            np.concatenate([orbit.velocity, image.orbit.velocity[new]]),
        )
    return orbit


def _owned(placed: Sequence[_Placed]) -> list[tuple[int, int, _Placed]]:
    """Stretches of lines [start, stop) in order, and the slice that each is taken from."""
    edges = {edge for one in placed for edge in (one.offset, one.stop)}
    edges |= {_middle(a, b) for a, b in combinations(placed, 2) if b.offset < a.stop}
    owned: list[tuple[int, int, _Placed]] = []
    for start, stop in pairwise(sorted(edges)):
        there = [one for one in placed if one.offset <= start and stop <= one.stop]
        there = [one for one in there if not any(one.older_than(other) for other in there)]
        if not there:
            continue
        mine = there[0]
        for one in there[1:]:
            if one.stop > mine.stop and start >= _middle(mine, one):
                mine = one
        if owned and owned[-1][1] == start and owned[-1][2] is mine:
            start = owned.pop()[0]  # noqa: PLW2901  # the stretch goes on
        owned.append((start, stop, mine))
    return owned


def _middle(before: _Placed, after: _Placed) -> int:
    """Line at which two slices of one processing part."""
    return (after.offset + before.stop) // 2


def _check(first: GrdSlice, other: GrdSlice) -> None:
    a, b = first.radar.ground, other.radar.ground
    same = (
        (first.platform, first.mode, first.absolute_orbit, first.product_type)
        == (other.platform, other.mode, other.absolute_orbit, other.product_type)
        and a is not None
        and b is not None
        and a.spacing == b.spacing
        and abs(first.azimuth_spacing - other.azimuth_spacing) < 0.5
    )
    if not same:
        raise SceneError(
            f"{first.scene} and {other.scene} are not slices of one pass: platform, orbit, mode and spacing must agree"
        )


def _stretches(pieces: Sequence[Piece], shifts: Sequence[float]) -> GroundRange:
    grounds = [piece.image.radar.ground for piece in pieces]
    terms = max(g.coefficients.shape[1] for g in grounds if g is not None)
    lines, shift, origin, coefficients, far = [], [], [], [], []
    spacing = 0.0
    for k, (piece, ground) in enumerate(zip(pieces, grounds, strict=True)):
        if ground is None:
            raise SceneError(f"{piece.image.scene}: is not in ground range")
        begin = -np.inf if k == 0 else 0.5 * (pieces[k - 1].stop + piece.start) - 0.5
        end = np.inf if k + 1 == len(pieces) else 0.5 * (piece.stop + pieces[k + 1].start) - 0.5
        own = ground.first_line + piece.offset
        last = np.append(own[1:], np.inf)
        for i in np.flatnonzero((own < end) & (last > begin)):
            lines.append(max(float(own[i]), float(begin)))
            shift.append(shifts[k])
            origin.append(float(ground.origin[i]))
            coefficients.append(np.pad(ground.coefficients[i], (0, terms - ground.coefficients.shape[1])))
            far.append(float(ground.far[i]))
        spacing = ground.spacing
    return GroundRange(
        np.array(lines), np.array(shift), np.array(origin), np.array(coefficients), spacing, np.array(far)
    )
