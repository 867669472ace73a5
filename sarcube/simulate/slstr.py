"""A simulated SL_1_RBT granule of SLSTR with planted fires, hot desert, glint and clouds, and the truth beside it."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sarcube.engines.fire import planck
from sarcube.errors import ConfigError
from sarcube.geometry.longitudes import wrap_longitude

_SATURATION = 311.0  # kelvin, S7
_E0_MIR = 10.6  # W m-2 um-1, solar irradiance at 3.74 um
# Solar irradiance at the top of the atmosphere, W m-2 um-1 as mW m-2 nm-1 (SLSTR quality files).
_E0 = {"S1": 1837.4, "S2": 1525.9, "S3": 956.2, "S4": 365.9, "S5": 248.3, "S6": 78.3}
_FACTORS = {"S1": 0.97, "S2": 0.98, "S3": 0.98, "S4": 1.0, "S5": 1.11, "S6": 1.13}
_GROUND = {"S1": 0.08, "S2": 0.09, "S3": 0.25, "S4": 0.01, "S5": 0.22, "S6": 0.15}
_DESERT = {"S1": 0.15, "S2": 0.22, "S3": 0.30, "S4": 0.02, "S5": 0.40, "S6": 0.38}
_LAND, _OCEAN, _DUPLICATE, _COSMETIC, _DAY = 8, 2, 512, 256, 1024


@dataclass(frozen=True)
class SlstrOptions:
    """What is simulated.

    Attributes
    ----------
    shape : (rows, columns)
        Of the 1 km grid.
    center : (longitude, latitude)
    collection : str
        "003" (F1 on the grid of the other channels) or "004" (on its own).
    day : bool
    fires : int
        Planted one to a pixel, far apart, fractions and temperatures drawn.
    traps : bool
        Hot desert, glint on water and cloud edges in the lower half (by day).
    repeated : bool
        Beside each fire a pixel that repeats its measurement, flagged duplicate or cosmetic, and the same measurement
        once more among the orphans, which have no pixel.
    hottest : (low, high)
        Kelvin, from which temperatures of fires are drawn.
    start : datetime, optional
        UTC; None: 22 August 2023, at 9 by day and at 20 by night.
    platform, timeliness : str
        "S3A" to "S3D"; "NR" or "NT".
    seed : int
    """

    shape: tuple[int, int] = (240, 300)
    center: tuple[float, float] = (24.5, 41.0)
    collection: str = "004"
    day: bool = True
    fires: int = 60
    traps: bool = True
    repeated: bool = False
    hottest: tuple[float, float] = (750.0, 1150.0)
    start: dt.datetime | None = None
    platform: str = "S3B"
    timeliness: str = "NT"
    seed: int = 1


@dataclass(frozen=True)
class SimulatedGranule:
    """A granule and its truth: for each fire row, column, fraction, temperature (K) and power (MW)."""

    path: Path
    fires: list[dict[str, float]] = field(default_factory=list)


def simulate_slstr(directory: str | Path, options: SlstrOptions | None = None) -> SimulatedGranule:
    """Write a SEN3 folder and `<name>_truth.json` beside it.

    Raises
    ------
    ConfigError
        netCDF4 is not installed, the granule is there already, or options do not fit.
    """
    o = options or SlstrOptions()
    if min(o.shape) < 60 or o.collection not in ("003", "004"):
        raise ConfigError("a granule has at least 60 x 60 pixels, and is of collection 003 or 004")
    try:
        import netCDF4  # noqa: F401 - asked for before anything is written
    except ImportError as error:
        raise ConfigError("simulating SLSTR needs netCDF4: pip install 'sarcube[netcdf]'") from error
    hour = 9 if o.day else 20
    start = o.start or dt.datetime(2023, 8, 22, hour, 3, 9, tzinfo=dt.UTC)
    stop = start + dt.timedelta(seconds=0.15 * o.shape[0])
    stamps = "_".join(f"{t:%Y%m%dT%H%M%S}" for t in (start, stop, start + dt.timedelta(days=1)))
    length = f"{int(0.15 * o.shape[0]):04d}"
    name = f"{o.platform}_SL_1_RBT____{stamps}_{length}_083_121_2160_PS2_O_{o.timeliness}_{o.collection}.SEN3"
    folder = Path(directory, name)
    if folder.exists():
        raise ConfigError(f"{folder} is there already; choose another folder")
    folder.mkdir(parents=True)
    try:
        world = _world(o)
        _write(folder, o, world, (start, stop))
        Path(directory, f"{name}_truth.json").write_text(json.dumps(world.fires, indent=1))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return SimulatedGranule(folder, world.fires)


@dataclass(frozen=True)
class _World:
    """On the 1 km grid: radiance of the channels (W m-2 sr-1 um-1), reflectance, flags, the sun's angle; the fires."""

    light: dict[str, NDArray[np.float64]]
    reflectance: dict[str, NDArray[np.float64]]
    flags: NDArray[np.integer]
    sun: NDArray[np.float64]
    fires: list[dict[str, float]]
    rng: np.random.Generator


def _world(o: SlstrOptions) -> _World:
    from scipy.ndimage import gaussian_filter

    rng, (rows, columns) = np.random.default_rng(o.seed), o.shape
    r, c = np.mgrid[0:rows, 0:columns].astype(np.float64)
    smooth = gaussian_filter(rng.normal(size=o.shape), 6)
    smooth /= smooth.std()
    ground = 300.0 + 0.5 * smooth if o.day else 290.0 + 0.5 * smooth
    emissivity = np.full(o.shape, 1.0)
    reflectance = {n: np.full(o.shape, v) for n, v in _GROUND.items()}
    water, cover = np.zeros(o.shape, bool), np.zeros(o.shape)
    sun_zenith = np.full(o.shape, 32.0 if o.day else 120.0)
    mirrored = np.zeros(o.shape)
    if o.day and o.traps:
        third = columns // 3
        desert = (r > 0.6 * rows) & (c < third)
        ground = np.where(desert, 320.0 + 1.0 * smooth, ground)
        # Bright sand reflects the sun at 3.7 um: brightness temperature well above the surface's.
        emissivity = np.where(desert, 0.66 + 0.02 * smooth, emissivity)
        for n, v in _DESERT.items():
            reflectance[n] = np.where(desert, v, reflectance[n])
        water = (r > 0.6 * rows) & (c >= third) & (c < 2 * third)
        ground = np.where(water, 295.0, ground)
        mirrored = np.where(water, 2.0 * np.exp(-(((c - 1.5 * third) / 12) ** 2) - ((r - 0.8 * rows) / 12) ** 2), 0.0)
        cover = np.where(
            (r > 0.6 * rows) & (c >= 2 * third), np.clip(0.5 + 0.35 * np.sin(r / 7) + 0.3 * smooth, 0, 1), 0
        )
    sunlit = _E0_MIR * np.cos(np.radians(sun_zenith)) / np.pi if o.day else np.zeros(o.shape)
    light = {
        "4": emissivity * planck.radiance(ground) + (1 - emissivity) * sunlit + mirrored,
        "11": (1 - 0.05 * (1 - emissivity)) * planck.radiance(ground, planck.S8),
        "12": (1 - 0.05 * (1 - emissivity)) * planck.radiance(ground - 1.0, planck.S9),
    }
    fires = _plant(o, rng, light)
    cold = {"4": planck.radiance(255.0) + 0.25 * sunlit, "11": planck.radiance(258.0, planck.S8),
            "12": planck.radiance(257.0, planck.S9)}  # fmt: skip
    for key, values in cold.items():
        light[key] = (1 - cover) * light[key] + cover * values
    for n, clear in reflectance.items():
        reflectance[n] = (1 - cover) * clear + cover * 0.7
        reflectance[n] = np.where(water, 0.03 + 0.3 * mirrored / 2.0 + cover * 0.7, reflectance[n])
    flags = np.where(water, _OCEAN, _LAND) | (_DAY if o.day else 0)
    if o.repeated:
        for i, one in enumerate(fires):
            row, column = int(one["row"]), int(one["column"])
            for values in light.values():
                values[row, column + 1] = values[row, column]
            flags[row, column + 1] |= _DUPLICATE if i % 2 else _COSMETIC
    return _World(light, reflectance, flags, sun_zenith, fires, rng)


def _plant(o: SlstrOptions, rng: np.random.Generator, light: dict[str, NDArray[np.float64]]) -> list[dict[str, float]]:
    """Mixes fires into pixels of the upper half: L = (1 - f) L(ground) + f B(T); power s f A T^4 (Stefan-Boltzmann)."""
    rows, columns = o.shape
    spots = [(i, j) for i in range(15, int(0.5 * rows), 13) for j in range(20, columns - 20, 13)]
    fires = []
    for k in rng.permutation(len(spots))[: o.fires]:
        (row, column), hot = spots[k], float(rng.uniform(*o.hottest))
        power = float(10.0 ** rng.uniform(1.05, 2.5))
        share = power * 1e6 / (planck.STEFAN_BOLTZMANN * hot**4 * 1e6)
        for key, wavelength in (("4", planck.S7), ("11", planck.S8), ("12", planck.S9)):
            light[key][row, column] += share * (planck.radiance(hot, wavelength) - light[key][row, column])
        fires.append({"row": row, "column": column, "fraction": share, "temperature": hot, "power": power})
    return fires


def _write(folder: Path, o: SlstrOptions, world: _World, times: tuple[dt.datetime, dt.datetime]) -> None:
    rows, columns = o.shape
    rng, light = world.rng, world.light
    r, c = np.mgrid[0:rows, 0:columns].astype(np.float64)
    own = o.collection == "004"
    t7, t8, t9 = (planck.temperature(light[k], w) for k, w in (("4", planck.S7), ("11", planck.S8), ("12", planck.S9)))
    f1 = t7 + rng.normal(0.0, 0.05, o.shape)
    t8, t9 = t8 + rng.normal(0.0, 0.03, o.shape), t9 + rng.normal(0.0, 0.03, o.shape)
    full = t7 >= _SATURATION
    s7 = np.where(full, np.nan, t7 + rng.normal(0.0, 0.05, o.shape))
    for key, values in (("S7", s7), ("S8", t8), ("S9", t9), ("F2", t8)):
        exception = np.where(full, 16, 0) if key == "S7" else np.zeros(o.shape)
        _nc(folder, f"{key}_BT_in.nc", times, "in", {
            f"{key}_BT_in": (values, "bt"), f"{key}_exception_in": (exception, "u1"),
            **_orphans(f"{key}_BT", values, o, world)})  # fmt: skip
    suffix = "fn" if own else "in"
    # The grid of its own lies three columns aside, less a third of a pixel: each measurement stays where it was made.
    shift = 3 if own else 0
    moved = np.full(o.shape, np.nan)
    moved[:, : columns - shift] = f1[:, shift:]
    _nc(folder, f"F1_BT_{suffix}.nc", times, suffix, {f"F1_BT_{suffix}": (moved, "bt"),
        f"F1_exception_{suffix}": (np.zeros(o.shape), "u1")})  # fmt: skip
    flags = world.flags
    grids = {"in": (r, c, flags)} | ({"fn": (r, c + shift - 0.3, np.roll(flags, -shift, axis=1))} if own else {})
    fine = np.mgrid[0 : 2 * rows, 0 : 2 * columns] / 2.0 - 0.25
    grids["an"] = (fine[0], fine[1], np.kron(flags, np.ones((2, 2), int)))
    for grid, (gr, gc, marks) in grids.items():
        lon, lat = _lonlat(o, gr, gc)
        _nc(folder, f"geodetic_{grid}.nc", times, grid, {
            f"longitude_{grid}": (lon, "degrees"), f"latitude_{grid}": (lat, "degrees"),
            f"elevation_{grid}": (np.zeros(gr.shape), "f4")})  # fmt: skip
        _nc(folder, f"cartesian_{grid}.nc", times, grid, {
            f"x_{grid}": ((columns / 2 - gc) * 1000.0, "f8"), f"y_{grid}": (gr * 1000.0, "f8")})  # fmt: skip
        _nc(folder, f"indices_{grid}.nc", times, grid, {
            f"scan_{grid}": (np.floor(gr), "u2"), f"pixel_{grid}": (np.clip(np.floor(gc), 0, None), "u2"),
            f"detector_{grid}": (np.zeros(gr.shape), "u1")})  # fmt: skip
        _nc(folder, f"flags_{grid}.nc", times, grid, {
            f"confidence_{grid}": (marks, "u2"), f"cloud_{grid}": (np.zeros(gr.shape), "u2"),
            f"pointing_{grid}": (np.zeros(gr.shape), "u1"), f"bayes_{grid}": (np.zeros(gr.shape), "u1")})  # fmt: skip
    _write_solar(folder, o, world, times)
    _nc(folder, "viscal.nc", times, "q", {
        f"{key}_solar_irradiances": (np.full((4, 2), value), "f4") for key, value in _E0.items()},
        ("detectors", "views"))  # fmt: skip
    tr, tc = np.meshgrid(np.arange(rows), np.arange(-16, columns + 17, 16), indexing="ij")
    _nc(folder, "cartesian_tx.nc", times, "tx", {
        "x_tx": ((columns / 2 - tc) * 1000.0, "f8"), "y_tx": (tr * 1000.0, "f8")})  # fmt: skip
    lon, lat = _lonlat(o, tr, tc)
    _nc(folder, "geodetic_tx.nc", times, "tx", {"longitude_tx": (lon, "degrees"), "latitude_tx": (lat, "degrees")})
    sun = float(world.sun.flat[0])
    # Nadir throughout: pixels are 1 km2, so that planted power is what a formula gives.
    angles = {"solar_zenith": sun, "solar_azimuth": 130.0, "sat_zenith": 0.0, "sat_azimuth": 280.0}
    _nc(folder, "geometry_tn.nc", times, "tn", {f"{n}_tn": (np.full(tr.shape, v), "f8") for n, v in angles.items()})


def _orphans(
    name: str, values: NDArray[np.generic], o: SlstrOptions, world: _World
) -> dict[str, tuple[NDArray[np.generic], str]]:
    """Measurements that found no pixel: here those of the fires once more, in the rows that they were made in."""
    out = np.full((o.shape[0], o.shape[1] // 13), np.nan)
    for one in world.fires if o.repeated else ():
        row = out[int(one["row"])]
        row[int(np.isfinite(row).sum())] = values[int(one["row"]), int(one["column"])]
    return {f"{name}_orphan_in": (out, "bt")}


def _write_solar(folder: Path, o: SlstrOptions, world: _World, times: tuple[dt.datetime, dt.datetime]) -> None:
    for key, reflectance in world.reflectance.items() if o.day else ():
        stored = reflectance * _E0[key] * np.cos(np.radians(world.sun)) / (np.pi * _FACTORS[key])
        fine = np.kron(stored, np.ones((2, 2)))
        _nc(folder, f"{key}_radiance_an.nc", times, "an", {
            f"{key}_radiance_an": (fine, "radiance"), f"{key}_exception_an": (np.zeros(fine.shape), "u1")})  # fmt: skip
        _nc(
            folder,
            f"{key}_quality_an.nc",
            times,
            "q",
            {f"{key}_solar_irradiance_an": (np.full((4,), _E0[key]), "f4")},
            ("detectors",),
        )


def _lonlat(
    o: SlstrOptions, row: NDArray[np.generic], column: NDArray[np.generic]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A plane of 1 km pixels, flown from north-north-east to south-south-west."""
    turn = np.radians(12.0)
    east, south = np.asarray(column) - o.shape[1] / 2, np.asarray(row) - o.shape[0] / 2
    x, y = east * np.cos(turn) - south * np.sin(turn), -(south * np.cos(turn) + east * np.sin(turn))
    latitude = o.center[1] + y / 111.2
    return wrap_longitude(o.center[0] + x / (111.2 * np.cos(np.radians(latitude)))), latitude


# Type, scale, offset and fill of packed variables, as ESA packs them.
_PACKED: dict[str, tuple[str, float, float, int]] = {
    "bt": ("i2", 0.01, 283.73, -32768), "radiance": ("i2", 0.012, 246.0, -32768),
    "degrees": ("i4", 1e-6, 0.0, -2147483648),
}  # fmt: skip


def _nc(
    folder: Path,
    name: str,
    times: tuple[dt.datetime, dt.datetime],
    grid: str,
    variables: dict[str, tuple[NDArray[np.generic], str]],
    dimensions: tuple[str, ...] = ("rows", "columns"),
) -> None:
    import netCDF4

    with netCDF4.Dataset(folder / name, "w") as data:
        data.start_time, data.stop_time = (f"{t:%Y-%m-%dT%H:%M:%S.%fZ}" for t in times)
        data.source, data.institution = "simulated", "simulated"
        data.track_offset, data.start_offset = 0.0, 0.0
        data.resolution = {"an": "[ 500 500 ]"}.get(grid, "[ 1000 1000 ]")
        if grid == "tn":  # what satpy reads of tie points: along the track each row, across each sixteenth column
            data.al_subsampling_factor, data.ac_subsampling_factor = np.int32(1), np.int32(16)
        for key, (values, kind) in variables.items():
            names = ("rows", "orphan_pixels") if "_orphan_" in key else dimensions
            for dimension, size in zip(names, values.shape, strict=True):
                if dimension not in data.dimensions:
                    data.createDimension(dimension, size)
            kind_, scale, offset, fill = _PACKED.get(kind, (kind, 1.0, 0.0, 0))
            packed = kind in _PACKED
            stored = data.createVariable(key, kind_, names, zlib=True, complevel=1, fill_value=fill if packed else None)
            if packed:
                stored.scale_factor, stored.add_offset = scale, offset
                stored[:] = np.ma.array(np.nan_to_num(values), mask=~np.isfinite(values))
            else:
                stored[:] = np.asarray(values)
            stored.units = {"bt": "K", "radiance": "mW.m-2.sr-1.nm-1", "degrees": "degrees"}.get(kind, "1")
            name_ = key.removesuffix(f"_{grid}")
            stored.standard_name = name_ if name_ in ("longitude", "latitude") else key.lower()
