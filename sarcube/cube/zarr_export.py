"""A cube as Zarr 3: sharded, consolidated, CF attributes, written region by region and resumable.

The store is laid out first, with every coordinate and no pixels; then each region, one shard of every layer, is
computed and written by whichever Dask worker gets it. What is written is noted in the store itself (the group
`progress`, which xarray does not look at), so that writing again goes on where it stopped.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sarcube.cube.cf import check_made_alike, exported, has_pixels, made_by
from sarcube.cube.lazy import compute
from sarcube.cube.zarr_target import PROGRESS, IcechunkTarget, PlainTarget, Target, zarr_library
from sarcube.errors import CubeError, SarcubeError, StoreError

if TYPE_CHECKING:
    from dask.delayed import Delayed

    from sarcube.cube.zarr_target import ZarrStore


@dataclass(frozen=True)
class ZarrOptions:
    """How a cube is laid out.

    Attributes
    ----------
    chunk : tuple of int
        Steps of time, rows, columns that are read at once. The default suits time series and maps alike.
    shard : tuple of int
        What is one object in the store and one task of writing; multiples of the chunk.
    resume : bool
        Go on with a store that is there and was made alike; else it must not exist.
    overwrite : bool
        Write a store anew that is there.
    batch : int
        Regions handed to Dask at a time. What is written survives between batches.
    versioned : bool
        Write through icechunk, one commit per batch.
    """

    chunk: tuple[int, int, int] = (16, 256, 256)
    shard: tuple[int, int, int] = (16, 1024, 1024)
    resume: bool = True
    overwrite: bool = False
    batch: int = 32
    versioned: bool = False

    def __post_init__(self) -> None:
        if any(c < 1 or s % c for c, s in zip(self.chunk, self.shard, strict=True)) or self.batch < 1:
            raise CubeError(f"shard {self.shard} must be a multiple of chunk {self.chunk}, and batch at least 1")


@dataclass(frozen=True)
class ZarrOutcome:
    """What a call of `write_zarr` did: regions in all, written before, written now."""

    regions: int
    before: int
    written: int


def write_zarr(cube: xr.Dataset, address: str, options: ZarrOptions | None = None) -> ZarrOutcome:
    """Write a cube.

    Parameters
    ----------
    cube : Dataset
        From `open_cube`, or any lazy dataset with y and x.
    address : str
        Folder or s3:// address.
    options : ZarrOptions, optional

    Returns
    -------
    ZarrOutcome

    Raises
    ------
    CubeError
        The store is there and not to be resumed, holds another cube or one that was made otherwise, or cannot be
        written; or icechunk is not installed.
    """
    options = options or ZarrOptions()
    prepared = _prepared(cube)
    target: Target = IcechunkTarget(str(address)) if options.versioned else PlainTarget(str(address))
    shapes = {a: n for a, n in zip(("time", "y", "x"), options.shard, strict=True) if a in prepared.dims}
    counts = tuple(-(-prepared.sizes[a] // n) for a, n in shapes.items())
    there = target.exists()
    if there and not options.overwrite:
        if not options.resume:
            raise CubeError(f"{address} is there already; choose another address, or resume it")
        _check_same(prepared, target.open(), str(address))
    else:
        _lay_out(prepared, target, options, counts, anew=there)
    done = target.progress()
    if done.shape != counts:
        raise CubeError(f"{address} was begun with other shards ({done.shape} regions, now {counts}); keep them")
    todo = [index for index in product(*(range(n) for n in counts)) if not done[index]]
    lazy = prepared.drop_vars([n for n, v in prepared.variables.items() if not has_pixels(v)])
    for batch in _batches(todo, options.batch):
        with target.writing(f"{len(batch)} regions") as store:
            writes = [_region(lazy, store, index, shapes) for index in batch]
            # Regions are whole shards: no two tasks touch one object.
            # An icechunk session lives in this process.
            try:
                compute(*writes, **({"scheduler": "threads"} if options.versioned else {}))
                progress = zarr_library().open_array(store, mode="r+", path=f"{PROGRESS}/written")
                for index in batch:
                    progress[index] = 1
            except OSError as error:
                if isinstance(error, SarcubeError):
                    raise
                raise StoreError(
                    f"{address} cannot be written: {error.strerror or error}; make room, and say it again: what is "
                    "written is kept"
                ) from error
    return ZarrOutcome(int(np.prod(counts)), int(np.prod(counts)) - len(todo), len(todo))


def _prepared(cube: xr.Dataset) -> xr.Dataset:
    cube = exported(cube)
    # CF knows no arrays of characters of fixed width in Zarr 3; variable width does.
    texts = {n: c.astype(object) for n, c in cube.coords.items() if c.dtype.kind == "U"}
    return cube.assign_coords({n: c.astype(np.dtypes.StringDType()) for n, c in texts.items()}) if texts else cube


def _lay_out(cube: xr.Dataset, target: Target, options: ZarrOptions, counts: tuple[int, ...], *, anew: bool) -> None:
    sizes = {axis: (c, s) for axis, c, s in zip(("time", "y", "x"), options.chunk, options.shard, strict=True)}
    encoding: dict[str, dict[str, object]] = {}
    for name, variable in cube.data_vars.items():
        if not has_pixels(variable):
            continue
        chunk = [min(sizes.get(str(a), (1, 1))[0], n) for a, n in variable.sizes.items()]
        # A shard holds whole chunks, so a small axis takes a multiple of its chunk.
        shard = [
            -(-min(sizes.get(str(a), (1, 1))[1], n) // c) * c
            for (a, n), c in zip(variable.sizes.items(), chunk, strict=True)
        ]
        # What unwritten pixels read as is what CF declares as no data; Zarr 3 keeps the two apart.
        fill = {"_FillValue": variable.encoding["_FillValue"]} if "_FillValue" in variable.encoding else {}
        fill |= {"fill_value": fill["_FillValue"]} if fill and variable.dtype.kind != "f" else {}
        about = {k: v for k, v in variable.encoding.items() if k == "grid_mapping"}
        encoding[str(name)] = {"chunks": tuple(chunk), "shards": tuple(shard), **fill, **about}
    zarr_errors = zarr_library().errors
    with target.writing("layout") as store, warnings.catch_warnings():
        try:
            # Consolidated metadata is not in the Zarr 3 specification yet; every reader that matters takes it.
            warnings.simplefilter("ignore", zarr_errors.ZarrUserWarning)
            cube.to_zarr(
                store, mode="w" if anew else "w-", compute=False, encoding=encoding, zarr_format=3,
                consolidated=target.consolidated,
                safe_chunks=False,  # nothing is written here; regions are whole shards
            )  # fmt: skip
        except (FileExistsError, zarr_errors.ContainsGroupError, zarr_errors.ContainsArrayError) as error:
            raise CubeError(f"{target} holds other data already; choose another address, or delete it") from error
        except OSError as error:
            raise CubeError(f"{target} cannot be written: {error.strerror or error}; choose another place") from error
        group = zarr_library().open_group(store, mode="a", path=PROGRESS)
        group.create_array("written", shape=counts, chunks=(1,) * len(counts), dtype="uint8", fill_value=0)


def _region(cube: xr.Dataset, store: ZarrStore, index: tuple[int, ...], shapes: dict[str, int]) -> Delayed:
    region = {a: slice(i * n, min((i + 1) * n, cube.sizes[a])) for i, (a, n) in zip(index, shapes.items(), strict=True)}
    # Layers without a time axis are written once, with the first regions of time.
    names = [
        n for n, v in cube.data_vars.items() if "time" in v.dims or "time" not in region or region["time"].start == 0
    ]
    part = cube[names]
    part = part.isel({a: s for a, s in region.items() if a in part.dims}).chunk(dict.fromkeys(part.dims, -1))
    for variable in part.variables.values():
        variable.encoding.clear()
    everywhere = {str(a): slice(0, n) for a, n in part.sizes.items()}
    region = {**everywhere, **{a: s for a, s in region.items() if a in part.dims}}
    return part.to_zarr(store, mode="r+", region=region, compute=False, consolidated=False)


def _batches(todo: list[tuple[int, ...]], size: int) -> Iterator[list[tuple[int, ...]]]:
    for i in range(0, len(todo), size):
        yield todo[i : i + size]


def _check_same(cube: xr.Dataset, there: xr.Dataset, address: str) -> None:
    problems = [a for a in ("time", "y", "x") if a in cube.dims and not _equal(cube[a], there.get(a))]
    problems += [str(n) for n in cube.data_vars if n not in there]
    if problems:
        raise CubeError(f"{address} holds another cube (it differs in {', '.join(problems)}); choose another address")
    check_made_alike(made_by(cube), made_by(there), address)


def _equal(mine: xr.DataArray, other: xr.DataArray | None) -> bool:
    return other is not None and mine.shape == other.shape and bool((mine.values == other.values).all())
