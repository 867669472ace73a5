"""Files in the layout of OPERA's CSLC-S1, pixels apart: of the burst of `tests.cslc_values`, or of another one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pyproj import CRS

from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.sensors.sentinel1.model import Burst, Polynomial
from tests.cslc_values import BETA, BOX, BURST, INPUTS, LAYOUT, TIME, VALUES, granule_of, wkt

RASTERS = ("data/VV", "data/azimuth_carrier_phase", "data/flattening_phase")
CHUNKS = (128, 128)  # OPERA's
LEFT_OUT = object()


def write(path: Path, changes: Mapping[str, Any] | None = None) -> Path:
    """A file with `VALUES`, with other values or, `LEFT_OUT`, without some; a raster that is not given is all NaN."""
    changes = dict(changes or {})
    x, y = (changes.pop(f"data/{axis}_coordinates", getattr(BOX, axis)()) for axis in "xy")
    epsg = changes.get("data/projection", BOX.epsg)
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"], file.attrs["title"] = "CF-1.8", np.bytes_("OPERA_L2_CSLC-S1 Product")
        for axis, values in (("x", x), ("y", y)):
            scale = file.create_dataset(f"data/{axis}_coordinates", data=values)
            scale.attrs["standard_name"], scale.attrs["units"] = f"projection_{axis}_coordinate", "m"
            scale.make_scale()
        for name, (dtype, shape) in LAYOUT.items():
            value = changes.pop(name, VALUES.get(name))
            if value is LEFT_OUT or name.endswith("_coordinates"):
                continue
            if name in RASTERS:
                _raster(file, name, value, (len(y), len(x)), dtype)
            else:
                _small(file, name, value, dtype, shape)
        for name, value in changes.items():  # further polarizations
            _raster(file, name, value, (len(y), len(x)), "c8")
        crs = CRS.from_epsg(int(epsg) if int(epsg) > 1024 else BOX.epsg)
        for key, value in (("epsg_code", int(epsg)), ("spatial_ref", np.bytes_(crs.to_wkt("WKT1_GDAL")))):
            file["data/projection"].attrs[key] = value
    return path


def of_samples(
    path: Path, burst: Burst, samples: np.ndarray, grid: GeoGrid, changes: Mapping[str, Any] | None = None
) -> Path:
    """A CSLC of a burst: samples on their grid in units of the root of beta nought, written as digital numbers."""
    start, stop = (t.astype("datetime64[us]").item().strftime(TIME) for t in (burst.start_time, burst.end_time))
    orbit, radar, tops = burst.orbit, burst.radar, burst.tops
    seen = burst.first_valid_sample >= 0
    beta = float(burst.channels["VV"].calibration.beta_nought[0, 0])
    values: dict[str, Any] = {
        "data/VV": samples * np.float32(beta),
        "data/x_coordinates": grid.x(), "data/y_coordinates": grid.y(),
        "data/x_spacing": grid.resolution, "data/y_spacing": -grid.step, "data/projection": grid.epsg,
        "identification/absolute_orbit_number": burst.absolute_orbit,
        "identification/track_number": burst.relative_orbit,
        "identification/burst_id": burst.burst_id, "identification/mission_id": burst.platform,
        "identification/orbit_pass_direction": burst.orbit_direction.capitalize(),
        "identification/bounding_polygon": wkt(burst.footprint),
        "identification/zero_doppler_start_time": start, "identification/zero_doppler_end_time": stop,
        "metadata/orbit/reference_epoch": orbit.epoch.astype("datetime64[us]").item().strftime(TIME),
        "metadata/orbit/time": orbit.time, "metadata/orbit/orbit_type": burst.orbit_type,
        BETA: beta,
        BURST + "azimuth_steering_rate": np.radians(tops.azimuth_steering_rate),
        BURST + "azimuth_time_interval": radar.line_interval, BURST + "ipf_version": burst.ipf_version,
        BURST + "iw2_mid_range": 0.5 * SPEED_OF_LIGHT * burst.mid_swath_range_time,
        BURST + "platform_id": burst.platform, BURST + "prf_raw_data": 1.0 / burst.pulse_interval,
        BURST + "radar_center_frequency": burst.radar_frequency, BURST + "range_bandwidth": tops.range_bandwidth,
        BURST + "range_pixel_spacing": radar.sample_spacing, BURST + "rank": burst.rank,
        BURST + "range_sampling_rate": burst.range_sampling_rate,
        BURST + "range_window_coefficient": tops.range_window,
        BURST + "sensing_start": start, BURST + "sensing_stop": stop,
        BURST + "shape": np.array([radar.lines, radar.samples]),
        BURST + "starting_range": radar.first_sample_range, BURST + "wavelength": radar.wavelength,
        INPUTS + "orbit_files": [burst.orbit_source], INPUTS + "l1_slc_files": burst.scene,
        INPUTS + "burst_location_parameters/burst_index": burst.index,
        INPUTS + "burst_location_parameters/first_valid_line": burst.first_valid_line,
        INPUTS + "burst_location_parameters/last_valid_line": burst.last_valid_line,
        INPUTS + "burst_location_parameters/first_valid_sample": int(burst.first_valid_sample[seen].max()),
        INPUTS + "burst_location_parameters/last_valid_sample": int(burst.last_valid_sample[seen].min()),
    }  # fmt: skip
    for k, axis in enumerate("xyz"):
        values[f"metadata/orbit/position_{axis}"] = orbit.position[:, k]
        values[f"metadata/orbit/velocity_{axis}"] = orbit.velocity[:, k]
    middle = 0.5 * (radar.first_line_time + radar.last_line_time)
    for name, found in (("azimuth_fm_rate", tops.fm_rates), ("doppler", tops.doppler_centroids)):
        nearest: Polynomial = min(found, key=lambda p: abs(p.azimuth_time - middle))
        values[f"{BURST}{name}/coeffs"] = np.array(nearest.coefficients)
        values[f"{BURST}{name}/mean"] = 0.5 * SPEED_OF_LIGHT * nearest.tau0
        values[f"{BURST}{name}/std"] = 0.5 * SPEED_OF_LIGHT
    return write(path, {**values, **(changes or {})})


def granule(burst: Burst) -> str:
    """A name as OPERA gives it."""
    return granule_of(burst.burst_id, burst.start_time, burst.platform)


def _raster(file: h5py.File, name: str, value: Any, shape: tuple[int, int], dtype: str) -> None:
    raster = file.create_dataset(
        name, shape, np.dtype(dtype), chunks=tuple(map(min, CHUNKS, shape)), compression="gzip", compression_opts=1,
        shuffle=True, fillvalue=np.array(np.nan, dtype), data=None if value is None else np.asarray(value, dtype),
    )  # fmt: skip
    raster.attrs["grid_mapping"] = np.bytes_("projection")
    for k, axis in enumerate("yx"):
        raster.dims[k].attach_scale(file[f"data/{axis}_coordinates"])


def _small(file: h5py.File, name: str, value: Any, dtype: str, shape: tuple[int, ...]) -> None:
    if value is None:  # look-up tables
        file.create_dataset(name, shape, np.dtype(dtype), chunks=True)
    elif dtype == "text":
        one = [np.bytes_(text) for text in value] if isinstance(value, list) else np.bytes_(value)
        file.create_dataset(name, data=np.array(one, dtype=h5py.string_dtype()) if isinstance(one, list) else one)
    else:
        file.create_dataset(name, data=np.asarray(value, dtype))
