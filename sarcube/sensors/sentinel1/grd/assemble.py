"""Slices of one pass put together by azimuth time.

A slice's lines go where their times say. Slices that overlap are cut in the middle of what both have; a slice whose
lines do not fall on those of the first is shifted by the part of a line that remains, which the geometry knows. Ranges
need no care: every slice keeps its own ground range polynomials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sarcube.errors import SceneError
from sarcube.geometry.ground_range import GroundRange
from sarcube.sensors.sentinel1.grd.model import GrdPass, GrdSlice, Piece
from sarcube.sensors.sentinel1.grd.reader import rebase_grd

_STRETCH = 0.1  # lines by which a slice may grow or shrink against the first one's line interval
MAX_GAP = 2_000  # lines; slices farther apart are not one image


def assemble(slices: Sequence[GrdSlice]) -> GrdPass:
    """One image of the slices of a pass.

    Parameters
    ----------
    slices : sequence of GrdSlice
        Of one platform, orbit, mode and spacing, in any order; the same scene twice counts once.

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
    placed: list[tuple[int, float, GrdSlice]] = []
    for image in ordered:
        moved = image if image is first else rebase_grd(image, first.orbit)
        _check(first, moved)
        at = (moved.radar.first_line_time - radar.first_line_time) / radar.line_interval
        end = (moved.radar.last_line_time - radar.first_line_time) / radar.line_interval
        offset = round(0.5 * (at + end - (moved.radar.lines - 1)))
        if abs((end - at) - (moved.radar.lines - 1)) > _STRETCH:
            raise SceneError(f"{image.scene}: its line interval is not that of {first.scene}; process them apart")
        if placed and offset + moved.radar.lines <= placed[-1][0] + placed[-1][2].radar.lines:
            continue  # all of it is in the slice before
        if placed and offset - (placed[-1][0] + placed[-1][2].radar.lines) > MAX_GAP:
            raise SceneError(f"{image.scene}: starts long after {placed[-1][2].scene} ends; process them apart")
        placed.append((offset, offset - 0.5 * (at + end - (moved.radar.lines - 1)), moved))
    pieces = []
    for k, (offset, _, image) in enumerate(placed):
        start, stop = offset, offset + image.radar.lines
        if k:
            before = placed[k - 1][0] + placed[k - 1][2].radar.lines
            start = max(start, (start + before) // 2)
        if k + 1 < len(placed):
            after = placed[k + 1][0]
            stop = min(stop, (after + stop) // 2)
        pieces.append(Piece(offset, start, stop, image))
    whole = replace(
        radar,
        lines=pieces[-1].stop,
        samples=max(piece.image.radar.samples for piece in pieces),
        ground=_stretches(pieces, [shift for _, shift, _ in placed]),
    )
    return GrdPass(whole, tuple(pieces))


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
