"""The engine `isce3`: the same contract as `native`, computed by opera-rtc, isce3 and s1reader."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import xarray as xr
import yaml

from sarcube.engines.rtc.engine import RtcOptions
from sarcube.engines.rtc.isce3.gaps import continued, mask_silence, mask_voids
from sarcube.engines.rtc.isce3.outputs import read_outputs
from sarcube.engines.rtc.isce3.process import (
    DEFAULT_TIME_LIMIT,
    find_installation,
    installed_versions,
    run,
)
from sarcube.engines.rtc.isce3.runconfig import Inputs, make_runconfig
from sarcube.engines.rtc.isce3.stage import stage_safe, write_dem, write_orbit
from sarcube.errors import DemError
from sarcube.geometry.dem import Dem, sample_grid
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.model import Burst

_AREA_FACTORS = ("rtc_anf_gamma0_to_beta0", "rtc_anf_gamma0_to_sigma0")
_STATIC = (
    "incidence_angle",
    "local_incidence_angle",
    "mask",
    "number_of_looks",
    *_AREA_FACTORS,
)
STATIC_VALIDITY = 20140403  # launch of Sentinel-1A, the date that OPERA gives its static products


class Isce3Engine:
    """Runs opera-rtc once per burst, each in a scratch folder of its own that is always removed."""

    name = "isce3"

    def static(self, burst: Burst, grid: GeoGrid, dem: Dem, options: RtcOptions) -> xr.Dataset:
        """The static layers; `engine_options.static_validity` (YYYYMMDD) dates them."""
        co_polarization = burst.polarizations[:1]
        validity = int(options.engine_options.get("static_validity", STATIC_VALIDITY))
        dataset = self._produce(burst, grid, dem, options, co_polarization, _STATIC, validity)
        # opera-rtc would interpolate the DEM anew; this is the one that it was given, as `native` has it.
        dataset["digital_elevation_model"] = (("y", "x"), sample_grid(dem, grid))
        return dataset

    def backscatter(
        self, burst: Burst, grid: GeoGrid, dem: Dem | None, options: RtcOptions, static: xr.Dataset | None
    ) -> xr.Dataset:
        """The backscatter; opera-rtc computes its geometry anew, so `static` only lends its DEM.

        Raises
        ------
        DemError
            Neither a DEM nor static layers were given.
        """
        if dem is None:
            if static is None or "digital_elevation_model" not in static:
                raise DemError("engine isce3 needs a DEM or the static layers' digital_elevation_model")
            dem = _dem_of(static, grid)
        wanted = options.polarizations or burst.polarizations
        polarizations = tuple(p for p in burst.polarizations if p in wanted)
        return self._produce(
            burst, grid, dem, options, polarizations, (*polarizations, "mask", "number_of_looks"), None
        )

    def _produce(
        self,
        burst: Burst,
        grid: GeoGrid,
        dem: Dem,
        options: RtcOptions,
        polarizations: tuple[str, ...],
        layers: tuple[str, ...],
        static_validity: int | None,
    ) -> xr.Dataset:
        installation = find_installation(options.engine_options)
        with _scratch(options) as scratch:
            write_dem(continued(dem, grid), scratch / "dem.tif")
            inputs = Inputs(
                safe=stage_safe(burst, scratch),
                orbit=write_orbit(burst, scratch),
                dem=scratch / "dem.tif",
                burst_id=burst.burst_id,
                polarizations=polarizations,
                scratch=scratch,
            )
            runconfig = make_runconfig(inputs, grid, options, static_validity=static_validity)
            path = scratch / "run.yaml"
            path.write_text(yaml.safe_dump(runconfig, sort_keys=False))
            limit = float(options.engine_options.get("time_limit", DEFAULT_TIME_LIMIT))
            run(installation, path, scratch, threads=options.threads, time_limit=limit)
            dataset = read_outputs(scratch / "output" / burst.burst_id, layers, grid)
        mask_voids(dataset, grid, dem)
        if static_validity is None:
            mask_silence(dataset, burst, grid, dem, options)
        dataset.attrs |= _record(options, dataset, polarizations)
        # What was done, not what was asked for.
        noise = [burst.channels[name].noise for name in polarizations]
        dataset.attrs["thermal_noise"] = options.thermal_noise and static_validity is None and None not in noise
        dataset.attrs["void_dem_pixels"] = int(np.isnan(sample_grid(dem, grid)).sum())
        return dataset


def _record(options: RtcOptions, dataset: xr.Dataset, polarizations: tuple[str, ...]) -> dict[str, object]:
    choices = {key: value for key, value in asdict(options).items() if key not in ("threads", "engine_options")}
    choices["polarizations"] = list(polarizations)
    return {
        "engine": "isce3",
        "engine_version": str(dataset.attrs.get("version_isce3", "unknown")),
        **choices,
        "conversion": "10*log10(backscatter_linear)",
    }


def _dem_of(static: xr.Dataset, grid: GeoGrid) -> Dem:
    heights = static["digital_elevation_model"].values.astype(np.float32)
    return Dem(heights, grid.epsg, grid.left, grid.top, grid.resolution, grid.resolution, "static layers")


@contextmanager
def _scratch(options: RtcOptions) -> Iterator[Path]:
    """A folder of this run alone, removed whatever happens (opera-rtc leaves its own behind)."""
    base = options.engine_options.get("scratch")
    if base:
        Path(base).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="sarcube-isce3-", dir=base))
    try:
        yield folder
    finally:
        if not options.engine_options.get("keep_scratch"):
            shutil.rmtree(folder, ignore_errors=True)


def make_engine(engine_options: JsonObject) -> Isce3Engine:
    """The engine, where it can be started.

    Raises
    ------
    EngineError
        isce3, opera-rtc or s1reader is missing; the message says how to get them.
    """
    describe(engine_options)
    return Isce3Engine()


def describe(engine_options: JsonObject) -> dict[str, str]:
    """The versions of isce3, opera-rtc and s1reader here."""
    return installed_versions(find_installation(engine_options))
