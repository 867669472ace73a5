"""Displacement through time of a network of unwrapped pairs, by least squares (SBAS).

Berardino, Fornaro, Lanari and Sansosti (2002), for a network that is connected: the phase of every date against the
first is what fits all pairs best, pixel by pixel. A network in parts has no such answer, and is refused. The velocity
is the slope of the least-squares line through the dates, its error that of the residuals: what neighbouring dates err
in alike, as decorrelation makes them, is not in it. Atmosphere and errors of heights are not taken off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube.cf import PRODUCTS, fingerprint, with_grid
from sarcube.cube.layers import MERGE, ROLE
from sarcube.cube.lazy import da, whole_stack
from sarcube.cube.pairs.axis import Network, by_time, network_of
from sarcube.cube.pairs.kernels import COUNT, ERROR, TEMPORAL_COHERENCE, VELOCITY, invert
from sarcube.cube.pairs.reference import Reference, find_reference
from sarcube.cube.temporal import years
from sarcube.errors import CubeError

if TYPE_CHECKING:
    from dask.array import Array

    from sarcube.cube.series import Where

Weights = Literal["none", "coherence"]
_COHERENCE, _COMPONENTS = "coherence", "connected_components"
_LEAST, _MOST = 0.05, 0.999  # coherence beyond which its estimate tells nothing of the phase's variance


@dataclass(frozen=True)
class SeriesOptions:
    """How displacement is found.

    Attributes
    ----------
    reference : (longitude, latitude), (west, south, east, north), geometry, or None
        Where it is 0, in degrees; of an area the mean. None: around the pixel of the highest mean coherence.
    weights : {"none", "coherence"}
        All pairs alike, or by the inverse of the phase's variance that their coherence tells, 2 g^2 / (1 - g^2) for
        each look (Rodriguez and Martin 1992).
    components : bool
        Take of each pair only what is in one connected component with the reference; needs the layer of that name.
    layer : str
        The unwrapped phase, radians, positive away from the sensor.
    wavelength : float, optional
        Metres; by default what the items tell.
    """

    reference: Where | None = None
    weights: Weights = "none"
    components: bool = True
    layer: str = "unwrapped_phase"
    wavelength: float | None = None

    def __post_init__(self) -> None:
        if self.weights not in ("none", "coherence"):
            raise CubeError(f"weights is none or coherence, not {self.weights!r}")


def displacement(cube: xr.Dataset, options: SeriesOptions | None = None) -> xr.Dataset:
    """Displacement of every date and velocity along the line of sight, positive towards the sensor.

    Parameters
    ----------
    cube : Dataset
        Pairs of one track and one channel, opened with the unwrapped phase, and with coherence and connected components
        as the options need them.
    options : SeriesOptions, optional

    Returns
    -------
    Dataset
        Lazy: displacement (time, y, x), metres against the first date and the reference; velocity and velocity_error
        (metres per year), temporal_coherence (0 to 1: how well the dates explain the pairs; Pepe and Lanari 2006) and
        pairs (how many a pixel has), (y, x). NaN where a pixel's own pairs do not connect all dates. Attributes say
        where the reference is. Only the reference is read at once.

    Raises
    ------
    CubeError
        The cube lacks a layer, pairs are of several tracks or channels, the network falls into parts, or the reference
        cannot be used.
    """
    options = options or SeriesOptions()
    cube = by_time(cube)
    _check(cube, options)
    net = network_of(cube)
    net.check_connected()
    metres = _wavelength(cube, options)
    phase = cube[options.layer]
    coherence = cube.get(_COHERENCE)
    components = cube[_COMPONENTS] if options.components else None
    reference = find_reference(options.reference, phase, coherence, components)
    data = whole_stack(phase)
    empty = da.zeros((0, *data.shape[1:]), chunks=((0,), *data.chunks[1:]), dtype=np.float32)
    inputs = [
        data,
        empty if components is None else da.asarray(components.data).rechunk(data.chunks),
        da.asarray(cube[_COHERENCE].data).rechunk(data.chunks) if options.weights == "coherence" else empty,
    ]
    when = years(net.dates)
    made = da.map_blocks(
        _invert, *inputs, dtype=np.float32, chunks=((len(when) + 4,), *data.chunks[1:]),
        meta=np.empty((0, 0, 0), np.float32), reference=reference, first=net.first.astype(np.int64),
        second=net.second.astype(np.int64), years=when, scale=-metres / (4 * math.pi),
    )  # fmt: skip
    return _dataset(cube, made, net, reference, options)


def write_displacement(made: xr.Dataset, address: str | Path, *, overwrite: bool = False) -> str:
    """Write what `displacement` found as `write_cube` does; returns in words what was written.

    COGs are written date by date, so for these all dates are inverted once, and held in memory.

    Raises
    ------
    CubeError
        As `write_cube`.
    """
    from sarcube.cube.export import write_cube

    if not str(address).endswith((".zarr", ".nc", ".nc4")):
        made = made.persist()
    return write_cube(made, address, prefix="displacement", overwrite=overwrite)


def _invert(
    phase: NDArray[np.float32], components: NDArray[np.integer], coherence: NDArray[np.float32], *,
    reference: Reference, first: NDArray[np.int64], second: NDArray[np.int64], years: NDArray[np.float64], scale: float,
) -> NDArray[np.float32]:  # fmt: skip
    left = np.asarray(phase - reference.phase[:, None, None], np.float32)
    if len(components) and reference.components is not None:
        left[components != reference.components[:, None, None]] = np.nan
    weight = np.zeros((0, 0, 0), np.float32)
    if len(coherence):
        squared = np.clip(coherence, _LEAST, _MOST) ** 2  # NaN stays, and is left out
        weight = np.ascontiguousarray(squared / (1 - squared), np.float32)
    made: NDArray[np.float32] = invert(np.ascontiguousarray(left), weight, first, second, years, scale)
    return made


def _check(cube: xr.Dataset, options: SeriesOptions) -> None:
    needed = [options.layer]
    needed += [_COMPONENTS] if options.components else []
    needed += [_COHERENCE] if options.weights == "coherence" else []
    if missing := [name for name in needed if name not in cube or "time" not in cube[name].dims]:
        hint = "; or do without them (components=False)" if _COMPONENTS in missing else ""
        raise CubeError(
            f"the cube has no {', '.join(missing)}; open unwrapped pairs with layers={[*needed]}{hint}. `sarcube insar "
            "unwrap` makes them"
        )
    for name, keyword in (("relative_orbit", "relative_orbits"), ("channel", "dates")):
        if name in cube.coords and len(values := np.unique(cube[name].values)) > 1:
            told = ", ".join(map(str, values))
            choose = f"one with {keyword}=" if name == "relative_orbit" else "the steps of one with .isel(time=...)"
            raise CubeError(f"the pairs are of several {name.replace('_', ' ')}s ({told}); choose {choose}")


def _wavelength(cube: xr.Dataset, options: SeriesOptions) -> float:
    if options.wavelength is not None:
        return float(options.wavelength)
    told = np.unique(cube["wavelength"].values) if "wavelength" in cube.coords else np.array([])
    if len(told) != 1 or not np.isfinite(told[0]):
        raise CubeError("the items do not tell the radar's one frequency (sar:center_frequency); give wavelength=")
    return float(told[0])


def _dataset(cube: xr.Dataset, made: Array, net: Network, reference: Reference, options: SeriesOptions) -> xr.Dataset:
    dates = len(net.dates)
    measure = {ROLE: "measure", MERGE: "first"}
    sight = "along the line of sight, positive towards the sensor"
    planes = {
        "velocity": (VELOCITY, f"velocity {sight}", "m year-1"),
        "velocity_error": (ERROR, "standard error of the velocity, from the residuals of its line", "m year-1"),
        "temporal_coherence": (TEMPORAL_COHERENCE, "how well the dates explain the pairs", "1"),
        "pairs": (COUNT, "pairs that the pixel has", "1"),
    }
    variables: dict[str, object] = {
        "displacement": (
            ("time", "y", "x"),
            made[:dates],
            {"long_name": f"displacement {sight}", "units": "m", **measure},
        )
    }
    for name, (row, title, unit) in planes.items():
        variables[name] = (("y", "x"), made[dates + row], {"long_name": title, "units": unit, **measure})
    coords = {n: c for n, c in cube.coords.items() if "time" not in c.dims}
    coords["time"] = xr.DataArray(net.dates, dims="time", attrs={"long_name": "date", "axis": "T"})
    for name in ("platform", "orbit_direction", "relative_orbit"):
        if name in cube.coords and len(values := np.unique(cube[name].values)) == 1:
            coords[name] = xr.DataArray(np.repeat(values, dates), dims="time")
    if PRODUCTS in cube.coords:
        own = fingerprint(map(str, cube[PRODUCTS].values))
        coords[PRODUCTS] = xr.DataArray(np.repeat(own, dates), dims="time", attrs=cube[PRODUCTS].attrs)
    attrs = {k: v for k, v in cube.attrs.items() if k == "Conventions"} | {
        "sarcube_reference": reference.text,
        "sarcube_reference_pixels": reference.pixels,
        "sarcube_weights": options.weights,
        "sarcube_network": f"{len(net.first)} pairs of {dates} dates",
        "sarcube_components": "those of the reference" if options.components else "not regarded",
    }
    return with_grid(xr.Dataset(variables, coords=coords, attrs=attrs), cube)
