"""Interferograms of bursts as a store has them, ready to be merged: the rules, and their pixels on one grid."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pystac
from numpy.typing import NDArray

from sarcube.errors import MergeError
from sarcube.instants import utc_time
from sarcube.jsons import JsonObject
from sarcube.workflows.insar.passes import gaps

if TYPE_CHECKING:
    from sarcube.engines.insar.merge import Piece
    from sarcube.geometry.grid import GeoGrid
    from sarcube.store.protocol import Store

_ONE_PASS = dt.timedelta(minutes=10)
_SAME_SHIFT_S = 1e-7  # azimuth timing: three thousandths of a radian between bursts
_LAYERS = ("interferogram", "amplitude_first", "amplitude_second", "number_of_looks", "mask")
_NAMED = 3


def check_mergeable(items: Sequence[pystac.Item], *, contiguous: bool = False) -> None:
    """Whether interferograms of bursts may become one: the rules of HyP3's `merge_tops_bursts`.

    One track, the same two dates, one polarization, the same looks (pixels), the same azimuth timing taken off, each
    burst once.

    Parameters
    ----------
    items : sequence of Item
        Of kind INSAR_S1.
    contiguous : bool
        Gaps are refused as well.

    Raises
    ------
    MergeError
        A rule is broken; the message names the products.
    """
    _alike(items, "tracks", lambda p: p.get("sat:relative_orbit"))
    for date, which in (("insar:reference_datetime", "first"), ("insar:secondary_datetime", "second")):
        times = [utc_time(str(item.properties[date])) for item in items]
        if max(times) - min(times) >= _ONE_PASS:
            _alike(items, f"{which} dates", lambda p, date=date: str(p[date])[:16])  # type: ignore[misc]
    _alike(items, "polarizations", lambda p: tuple(p.get("sar:polarizations") or ()))
    _alike(items, "pixel sizes", lambda p: round(float(p["proj:transform"][0]), 6))
    shifts = [float((item.properties.get("sarcube:azimuth_timing") or {}).get("shift_s") or 0.0) for item in items]
    if max(shifts) - min(shifts) > _SAME_SHIFT_S:
        _alike(
            items,
            "azimuth timings (s), which would leave seams; make the bursts again with one `insar.timing`",
            lambda p: float((p.get("sarcube:azimuth_timing") or {}).get("shift_s") or 0.0),
        )
    bursts = defaultdict[str, list[str]](list)
    for item in items:
        bursts[str(item.properties["sarcube:burst_id"])].append(item.id)
    if twice := [f"{burst}: {' and '.join(ids)}" for burst, ids in bursts.items() if len(ids) > 1]:
        raise MergeError(f"a burst can be merged once: {'; '.join(twice)}; leave one out")
    if contiguous and (missing := gaps(bursts)):
        raise MergeError(f"bursts to be merged hang together: {'; '.join(missing)} (of {_some(items)})")


def read_piece(store: Store, item: pystac.Item, grid: GeoGrid) -> tuple[Piece, bool]:
    """A burst's interferogram on the pixels of its pass, and whether it had to be resampled to lie there.

    Raises
    ------
    ProductError
        A layer is missing or damaged.
    """
    from sarcube.engines.insar.merge import Piece
    from sarcube.products.product import read_layers

    dataset = read_layers(store, item, _LAYERS)
    own: GeoGrid = dataset.attrs["grid"]
    layers = [np.asarray(dataset[name].values) for name in _LAYERS]
    resampled = own.epsg != grid.epsg
    row, column = round((grid.top - own.top) / grid.resolution), round((own.left - grid.left) / grid.resolution)
    if resampled:
        layers, row, column = _resampled(layers, own, grid)
    return Piece(str(item.properties["sarcube:burst_id"]), row, column, *layers), resampled


def _resampled(
    layers: Sequence[NDArray[np.number]], own: GeoGrid, grid: GeoGrid
) -> tuple[list[NDArray[np.number]], int, int]:  # fmt: skip
    """Sums interpolated between pixels of another zone: sums still, over the samples of up to four pixels each.

    Looks count as of one pixel, fewer than there are.
    """
    from affine import Affine
    from rasterio.warp import Resampling, reproject, transform_bounds

    bounds = transform_bounds(own.crs, grid.crs, *own.bounds)
    column, row = (
        int(np.floor(v)) for v in ((bounds[0] - grid.left) / grid.resolution, (grid.top - bounds[3]) / grid.resolution)
    )
    columns, rows = (
        int(np.ceil(v))
        for v in ((bounds[2] - grid.left) / grid.resolution, (grid.top - bounds[1]) / grid.resolution)
    )  # fmt: skip
    left, top = grid.left + column * grid.resolution, grid.top - row * grid.resolution
    place = {
        "src_transform": Affine(*own.transform), "src_crs": own.crs, "dst_crs": grid.crs,
        "dst_transform": Affine(grid.resolution, 0, left, 0, -grid.resolution, top),
    }  # fmt: skip
    shape = (rows - row, columns - column)
    value, first, second, looks, mask = layers
    n = np.where(np.isfinite(value), np.nan_to_num(looks), 0.0).astype(np.float32)

    def moved(values: NDArray[np.number], how: Resampling, fill: float) -> NDArray[np.number]:
        out = np.full(shape, fill, values.dtype)
        # No pixel counts as missing: where there is none the sums are 0.
        reproject(values, out, resampling=how, init_dest_nodata=False, **place)
        return out

    total = moved(n, Resampling.bilinear, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        per = np.where(total > 0, total, np.nan).astype(np.float32)
        sums = [np.where(n > 0, n * v, 0).astype(v.dtype) for v in (value, first**2, second**2)]
        value, first, second = (moved(s, Resampling.bilinear, 0.0) / per for s in sums)
        first, second = np.sqrt(first), np.sqrt(second)
    return [value, first, second, per, moved(mask, Resampling.nearest, 255.0)], row, column


def _alike(items: Sequence[pystac.Item], what: str, of: Callable[[JsonObject], Hashable]) -> None:
    groups = defaultdict[Hashable, list[pystac.Item]](list)
    for item in items:
        groups[of(item.properties)].append(item)
    if len(groups) > 1:
        told = "; ".join(
            f"{'/'.join(map(str, value)) if isinstance(value, tuple) else value} of {_some(members)}"
            for value, members in groups.items()
        )
        raise MergeError(f"products of different {what} cannot be merged: {told}")


def _some(items: Sequence[pystac.Item]) -> str:
    names = [item.id for item in items]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
