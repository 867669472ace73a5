"""What an RTC engine is: burst + grid + DEM (+ static layers) in, layers on the grid out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

import xarray as xr

from sarcube.errors import ConfigError, EngineError
from sarcube.geometry.dem import Dem
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.model import Burst

Backscatter = Literal["gamma0", "sigma0", "beta0"]


@dataclass(frozen=True)
class RtcOptions:
    """Choices that change the result; defaults are OPERA RTC-S1's.

    `static_reuse` uses the static layers that are passed in instead of computing the geometry again. `normalization`
    says by which area backscatter is counted: that of the terrain in every radar cell, or that of the ellipsoid as the
    calibration annotation has it (geometric correction alone).
    """

    backscatter: Backscatter = "gamma0"
    normalization: Literal["terrain", "ellipsoid"] = "terrain"
    polarizations: tuple[str, ...] | None = None  # None: all present
    geocoding: Literal["area_projection", "bilinear"] = "area_projection"
    absolute_calibration: bool = True
    thermal_noise: bool = True
    bistatic_delay: bool = True
    static_troposphere: bool = True
    shadow_masking: bool = True
    valid_sample_masking: bool = True
    minimum_area_factor_db: float = -30.0
    dem_upsampling: int = 2
    static_reuse: bool = True
    threads: int = 0  # kernel threads; 0: what numba finds (production sets it per worker)
    engine_options: JsonObject = field(default_factory=dict)


class Engine(Protocol):
    """Both engines (`native`, `isce3`) behave so.

    Datasets have dims (y, x), float64 pixel-centre coordinates of the grid, one variable per layer (names,
    dtypes and nodata as in `sarcube.workflows.rtc.kinds`), and in `attrs` plain JSON values that say what was
    done: engine, engine_version, every RtcOptions field, counts (`void_dem_pixels`), `conversion` and such.
    Errors are SarcubeErrors.
    """

    name: str

    def static(self, burst: Burst, grid: GeoGrid, dem: Dem, options: RtcOptions) -> xr.Dataset:
        """The static layers of the burst ID, from the geometry of one of its acquisitions."""
        ...

    def backscatter(
        self, burst: Burst, grid: GeoGrid, dem: Dem | None, options: RtcOptions, static: xr.Dataset | None
    ) -> xr.Dataset:
        """The backscatter layers of one acquisition.

        `dem` may be None where `options.static_reuse` holds and `static` has what is needed.
        """
        ...


def get_engine(name: str, engine_options: JsonObject | None = None) -> Engine:
    """The engine of that name.

    Parameters
    ----------
    name : "native" or "isce3"
    engine_options : mapping, optional
        Those of the run: they may say where isce3 is installed.

    Raises
    ------
    EngineError
        No engine of that name, or, for isce3, what is missing and how to get it.
    ConfigError
        The engine has no such option.
    """
    check_engine_options(name, engine_options or {})
    if name == "native":
        from sarcube.engines.rtc.native.engine import NativeEngine

        return NativeEngine()
    if name == "isce3":
        from sarcube.engines.rtc.isce3.engine import make_engine

        return make_engine(engine_options or {})
    raise EngineError(f"there is no engine `{name}`; known are native and isce3")


def check_engine_options(name: str, options: JsonObject) -> None:
    """Refuse options that the engine does not have; asked by the plan, where nothing has been computed yet.

    Raises
    ------
    ConfigError
        Names the option, and the nearest one that there is.
    """
    if name == "isce3":
        from sarcube.engines.rtc.isce3.runconfig import check_options

        check_options(options)
    elif name == "native" and options:
        raise ConfigError(
            f"engine_options: engine native has no option {', '.join(map(str, options))}, it has none at all; take "
            "engine_options away, or name the engine that they are for (engine: isce3)"
        )
