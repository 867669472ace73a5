"""The axis of pairs: their two dates and baselines as coordinates, and the network that they make as a table.

A cube of pairs has the axis `time`, as every cube has, so that whatever works on time steps works on it: `time` is the
first date, `secondary` and the rest lie along it. `by_pair` makes an axis of pairs of it, each with a name of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube.cf import with_grid
from sarcube.errors import CubeError

if TYPE_CHECKING:
    from sarcube.cube.grouping import Step

_ONE_DATE = np.timedelta64(1, "h")  # passes over an area last minutes, and return after 98 at the earliest


def pair_coordinates(steps: Sequence[Step]) -> dict[str, object]:
    """Along time, where there are pairs: which they are, their second date, and how far apart both lie."""
    second = np.array([s.second for s in steps], "datetime64[ns]")
    until = np.array([s.until for s in steps], "datetime64[ns]")
    if not np.isnat(until).all():
        return {"next_date": ("time", until, {"long_name": "second date of the pairs that begin here"})}
    if np.isnat(second).all():
        return {}
    first = np.array([s.start for s in steps], "datetime64[ns]")
    days = (second - first) / np.timedelta64(1, "D")
    across = np.array([s.perpendicular_baseline for s in steps])
    channels = [s.channel for s in steps]
    orbits = [s.relative_orbit for s in steps]
    lengths = np.array([s.wavelength for s in steps])
    return {
        "pair": ("time", np.array(pair_names(first, second, channels, orbits), dtype=np.str_)),
        "secondary": ("time", second, {"long_name": "start of the second date"}),
        "temporal_baseline": ("time", np.round(days, 3), {"long_name": "days from the first date to the second"}),
        "perpendicular_baseline": ("time", across, {"long_name": "perpendicular baseline", "units": "m"}),
        "channel": ("time", np.array(channels, dtype=np.str_), {"long_name": "what was sent and received"}),
        "wavelength": ("time", lengths, {"long_name": "wavelength of the radar", "units": "m"}),
    }


def pair_names(
    first: NDArray[np.datetime64], second: NDArray[np.datetime64], channels: Sequence[str], orbits: Sequence[int]
) -> list[str]:
    """20240501_20240513 for each pair, with track and channel where dates alone do not tell pairs apart."""
    names = [f"{pd.Timestamp(a):%Y%m%d}_{pd.Timestamp(b):%Y%m%d}" for a, b in zip(first, second, strict=True)]
    for more in ([f"T{orbit:03d}" for orbit in orbits], [channel.replace(",", "") for channel in channels]):
        often = Counter(names)
        names = [f"{name}_{part}" if often[name] > 1 and part else name for name, part in zip(names, more, strict=True)]
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique


def by_pair(cube: xr.Dataset) -> xr.Dataset:
    """The cube with the axis `pair` in place of `time`; the first date is the coordinate `reference`.

    Raises
    ------
    CubeError
        The cube holds no pairs.
    """
    _check(cube)
    if "time" not in cube.dims:
        return cube
    turned = cube.swap_dims(time="pair").rename(time="reference")
    return with_grid(turned, cube)


def by_time(cube: xr.Dataset) -> xr.Dataset:
    """The cube of pairs with the axis `time`, as `open_cube` makes it, whichever of both it has.

    Raises
    ------
    CubeError
        The cube holds no pairs.
    """
    _check(cube)
    if "time" in cube.dims:
        return cube
    return with_grid(cube.rename(reference="time").swap_dims(pair="time"), cube)


def _check(cube: xr.Dataset) -> None:
    if "secondary" not in cube.coords or "pair" not in cube.coords or not {"time", "pair"} & set(cube.dims):
        raise CubeError(
            "the cube holds no pairs of dates; open a store of interferograms, or name their collection (collection=)"
        )


@dataclass(frozen=True, eq=False)
class Network:
    """Dates and which of them make pairs.

    Attributes
    ----------
    dates : (dates,) datetime64[ns]
        In the order of time; one of each overflight.
    first, second : (pairs,) int
        Places in `dates`.
    names : tuple of str
        Of the pairs.
    """

    dates: NDArray[np.datetime64]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    names: tuple[str, ...]

    @cached_property
    def parts(self) -> NDArray[np.intp]:
        """Of each date the number of the part of the network that it belongs to; all 0 where it is connected."""
        part = np.arange(len(self.dates))
        for a, b in zip(self.first, self.second, strict=True):
            part[part == part[b]] = part[a]
        return np.unique(part, return_inverse=True)[1]

    def check_connected(self) -> None:
        """CubeError, with the parts, where no chain of pairs leads from some dates to others."""
        count = int(self.parts.max(initial=0)) + 1
        if count == 1:
            return
        told = []
        for number in range(count):
            days = [str(day)[:10] for day in self.dates[self.parts == number]]
            told.append(", ".join(days[:4]) + (f" and {len(days) - 4} more" if len(days) > 4 else ""))
        raise CubeError(
            f"the network of pairs falls into {count} parts that no pair connects: {'; '.join(told[:5])}"
            f"{'; ...' if count > 5 else ''}. Make pairs between them, or select the dates of one part with dates="
        )


def network_of(cube: xr.Dataset) -> Network:
    """The network that the pairs of a cube make.

    Raises
    ------
    CubeError
        The cube holds no pairs, or one whose second date is not known.
    """
    cube = by_time(cube)
    first, second = (cube[name].values.astype("datetime64[ns]") for name in ("time", "secondary"))
    if np.isnat(second).any():
        names = cube["pair"].values[np.isnat(second)]
        raise CubeError(f"steps {', '.join(map(str, names[:3]))} of the cube are no pairs; open pairs alone")
    dates: list[np.datetime64] = []
    for time in np.sort(np.concatenate([first, second])):
        if not dates or time - dates[-1] > _ONE_DATE:
            dates.append(time)
    known = np.array(dates)

    def place(times: NDArray[np.datetime64]) -> NDArray[np.intp]:
        return np.searchsorted(known, times, side="right") - 1

    return Network(known, place(first), place(second), tuple(map(str, cube["pair"].values)))


def network_table(cube: xr.Dataset, *, coherence: bool = False) -> pd.DataFrame:
    """One row per pair: both dates, days and metres between them; with `coherence` its mean over all pixels.

    Raises
    ------
    CubeError
        The cube holds no pairs, or, with `coherence`, has no layer of that name.
    """
    cube = by_time(cube)
    columns = {
        "reference": cube["time"].values,
        "secondary": cube["secondary"].values,
        "days": cube["temporal_baseline"].values,
        "perpendicular": cube["perpendicular_baseline"].values,
        "channel": cube["channel"].values if "channel" in cube.coords else "",
        "track": cube["relative_orbit"].values if "relative_orbit" in cube.coords else 0,
    }
    table = pd.DataFrame(columns, index=pd.Index(cube["pair"].values, name="pair"))
    if coherence:
        if "coherence" not in cube:
            raise CubeError('the cube has no coherence; open it with layers=[..., "coherence"]')
        table["coherence"] = cube["coherence"].mean(("y", "x"), dtype=np.float64).values
    return table
