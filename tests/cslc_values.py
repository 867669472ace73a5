"""What is in files of the layout of OPERA's CSLC-S1: a burst of our own, with simulated orbit, times and place.

`LAYOUT` has the names, types and shapes of the datasets (product specification JPL D-108278), `VALUES` what is written
where a test says nothing else: nothing of it is from a file of the agency's.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from pyproj import Transformer

from sarcube.geometry.grid import GeoGrid
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.sensors.sentinel1.orbit_writer import OrbitFileName
from sarcube.simulate import swaths
from sarcube.simulate.annotation_xml import fm_polynomial, image_track
from sarcube.simulate.image import ImageId
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.timeline import plan_scenes
from sarcube.simulate.viewing import ground_point, to_geodetic

_PUBLISHED = {
    ("data/", "c8", (4917, 20622)): "VV",
    ("data/", "f8", (4917, 20622)): "azimuth_carrier_phase flattening_phase",
    ("data/", "i4", ()): "projection",
    ("data/", "f8", (20622,)): "x_coordinates",
    ("data/", "f8", ()): "x_spacing y_spacing",
    ("data/", "f8", (4917,)): "y_coordinates",
    ("identification/", "i8", ()): "absolute_orbit_number track_number",
    ("identification/", "text", ()): (
        "bounding_polygon burst_id instrument_name is_geocoded look_direction mission_id orbit_pass_direction "
        "processing_center processing_date_time product_level product_specification_version product_type "
        "product_version radar_band zero_doppler_end_time zero_doppler_start_time"
    ),
    ("metadata/calibration_information/", "text", ()): "azimuth_time",
    ("metadata/calibration_information/", "f8", ()): "beta_naught x_spacing y_spacing",
    ("metadata/calibration_information/", "f4", (983, 1031)): "dn gamma sigma_naught",
    ("metadata/calibration_information/", "i4", ()): "projection",
    ("metadata/calibration_information/", "f8", (1031,)): "x_coordinates",
    ("metadata/calibration_information/", "f8", (983,)): "y_coordinates",
    ("metadata/noise_information/", "i4", ()): "projection",
    ("metadata/noise_information/", "text", ()): "range_azimuth_time",
    ("metadata/noise_information/", "f4", (983, 1031)): "thermal_noise_lut",
    ("metadata/noise_information/", "f8", (1031,)): "x_coordinates",
    ("metadata/noise_information/", "f8", ()): "x_spacing y_spacing",
    ("metadata/noise_information/", "f8", (983,)): "y_coordinates",
    ("metadata/orbit/", "text", ()): "orbit_direction orbit_type reference_epoch",
    ("metadata/orbit/", "f8", (13,)): "position_x position_y position_z time velocity_x velocity_y velocity_z",
    ("metadata/processing_information/algorithms/", "text", ()): (
        "COMPASS_version ISCE3_version complex_data_geocoding_interpolator dem_interpolation "
        "float_data_geocoding_interpolator s1_reader_version"
    ),
    ("metadata/processing_information/input_burst_metadata/azimuth_fm_rate/", "f8", (3,)): "coeffs",
    ("metadata/processing_information/input_burst_metadata/azimuth_fm_rate/", "f8", ()): "mean std",
    ("metadata/processing_information/input_burst_metadata/azimuth_fm_rate/", "i8", ()): "order",
    ("metadata/processing_information/input_burst_metadata/", "f8", ()): (
        "azimuth_steering_rate azimuth_time_interval iw2_mid_range prf_raw_data radar_center_frequency "
        "range_bandwidth range_chirp_rate range_pixel_spacing range_sampling_rate range_window_coefficient "
        "slant_range_time starting_range wavelength"
    ),
    ("metadata/processing_information/input_burst_metadata/", "f8", (2,)): "center",
    ("metadata/processing_information/input_burst_metadata/doppler/", "f8", (3,)): "coeffs",
    ("metadata/processing_information/input_burst_metadata/doppler/", "f8", ()): "mean std",
    ("metadata/processing_information/input_burst_metadata/doppler/", "i8", ()): "order",
    ("metadata/processing_information/input_burst_metadata/", "text", ()): (
        "ipf_version platform_id polarization range_window_type sensing_start sensing_stop"
    ),
    ("metadata/processing_information/input_burst_metadata/", "i8", ()): "rank",
    ("metadata/processing_information/input_burst_metadata/", "i8", (2,)): "shape",
    ("metadata/processing_information/inputs/burst_location_parameters/", "i8", ()): (
        "burst_index first_valid_line first_valid_sample last_valid_line last_valid_sample"
    ),
    ("metadata/processing_information/inputs/burst_location_parameters/", "text", ()): "tiff_path",
    ("metadata/processing_information/inputs/", "text", ()): "calibration_files dem_source l1_slc_files noise_files",
    ("metadata/processing_information/inputs/", "text", (1,)): "orbit_files",
    ("metadata/processing_information/parameters/", "b1", ()): (
        "azimuth_fm_rate_applied azimuth_solid_earth_tides_applied bistatic_delay_applied "
        "dry_troposphere_weather_model_applied ellipsoidal_flattening_applied geometry_doppler_applied "
        "ionosphere_tec_applied los_solid_earth_tides_applied static_troposphere_applied "
        "topographic_flattening_applied wet_troposphere_weather_model_applied"
    ),
    ("metadata/processing_information/parameters/", "text", ()): "elevation_antenna_pattern_correction_applied",
    ("metadata/processing_information/timing_corrections/", "f4", (110, 475)): (
        "azimuth_fm_rate_mismatch azimuth_solid_earth_tides bistatic_delay geometry_steering_doppler "
        "los_ionospheric_delay los_solid_earth_tides"
    ),
    ("metadata/processing_information/timing_corrections/extended_coefficients/", "text", (3,)): (
        "doppler_centroid_azimuth_time fm_rate_azimuth_time"
    ),
    ("metadata/processing_information/timing_corrections/extended_coefficients/", "f8", (3, 3)): (
        "doppler_centroid_coefficients fm_rate_coefficients"
    ),
    ("metadata/processing_information/timing_corrections/extended_coefficients/", "f8", (3,)): (
        "doppler_centroid_slant_range_time fm_rate_slant_range_time"
    ),
    ("metadata/processing_information/timing_corrections/", "f8", (475,)): "slant_range",
    ("metadata/processing_information/timing_corrections/", "f8", ()): "slant_range_spacing zero_doppler_time_spacing",
    ("metadata/processing_information/timing_corrections/", "f8", (110,)): "zero_doppler_time",
}
LAYOUT: dict[str, tuple[str, tuple[int, ...]]] = {
    group + name: (dtype, shape) for (group, dtype, shape), names in _PUBLISHED.items() for name in names.split()
}
BURST = "metadata/processing_information/input_burst_metadata/"
INPUTS = "metadata/processing_information/inputs/"
APPLIED = "metadata/processing_information/parameters/"
TIME = "%Y-%m-%d %H:%M:%S.%f"
BETA = "metadata/calibration_information/beta_naught"

# The burst, in the hills north-west of Madrid, and what the makers of a file would have written of themselves.
(SCENE,) = plan_scenes(
    SimulationOptions(
        center=(-4.2, 40.7), dates=(dt.date(2024, 3, 9),), swaths=("IW2",), bursts=1, polarizations=("VV",),
        burst_size=(1460, 24_000),
    )
)  # fmt: skip
IMAGE = ImageId("VV", 2, SCENE, SCENE.swaths[0])
GROUND = 900.0  # metres above the ellipsoid
PROCESSED = dt.datetime(2025, 2, 3, 4, 5, 6, 789_000)
VERSION, PROCESSOR, DEM = "0.9", "0.0.1", "heights of a simulated landscape"


def granule_of(burst_id: str, start: np.datetime64, platform: str, processed: dt.datetime = PROCESSED) -> str:
    """A file's name as OPERA gives it."""
    begun = start.astype("datetime64[s]").item()
    return (
        f"OPERA_L2_CSLC-S1_{burst_id.upper().replace('_', '-')}_{begun:%Y%m%dT%H%M%SZ}_{processed:%Y%m%dT%H%M%SZ}_"
        f"{platform}_VV_v{VERSION}.h5"
    )


def _outline() -> np.ndarray:
    """Closed ring of the burst's edges on the ground, (n, 2) degrees, by the simulator's own geometry."""
    (burst,) = IMAGE.swath.bursts
    window = burst.window
    along, across = np.linspace(0, 1, 5), np.linspace(0, 1, 21)
    sides = ((0 * across, across), (along, 0 * along + 1), (0 * across + 1, across[::-1]), (along[::-1], 0 * along))
    line, sample = (np.concatenate([side[k] for side in sides]) for k in (0, 1))
    time = SCENE.orbit_time(burst.first_line_time) + line * (window.lines - 1) * swaths.LINE_INTERVAL
    tau = IMAGE.swath.slant_range_time + sample * (window.samples - 1) / swaths.RANGE_SAMPLING_RATE
    position, velocity, _ = image_track(IMAGE).state(time)
    lon, lat, _ = to_geodetic(ground_point(position, velocity, tau * SPEED_OF_LIGHT / 2, GROUND))
    return np.column_stack([lon, lat])


def _box(ring: np.ndarray, epsg: int) -> GeoGrid:
    """A box of the published size around a ring, at multiples of 30 m as OPERA's burst database has them."""
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(ring[:, 0], ring[:, 1])
    rows, columns = LAYOUT["data/VV"][1]
    left = 30.0 * round(((x.min() + x.max()) / 2 - 2.5 * columns) / 30)
    top = 30.0 * round(((y.min() + y.max()) / 2 + 5.0 * rows) / 30)
    assert left < x.min() and x.max() < left + 5 * columns and top > y.max() and y.min() > top - 10 * rows
    return GeoGrid(epsg, left, top, 5.0, columns, rows, 10.0)


OUTLINE = _outline()
BOX = _box(OUTLINE, 32630)
BURST_ID = f"t{SCENE.relative_orbit:03d}_{IMAGE.swath.bursts[0].number:06d}_iw2"
NAME = granule_of(BURST_ID, IMAGE.start, SCENE.platform)


def _utc(time: np.datetime64) -> str:
    return str(time.astype("datetime64[us]").item().strftime(TIME))


def _identification() -> dict[str, Any]:
    return {
        "absolute_orbit_number": SCENE.absolute_orbit,
        "bounding_polygon": wkt(OUTLINE),
        "burst_id": BURST_ID, "instrument_name": "C-SAR", "is_geocoded": "True", "look_direction": "Right",
        "mission_id": SCENE.platform, "orbit_pass_direction": SCENE.direction.capitalize(),
        "processing_center": "simulated", "processing_date_time": PROCESSED.strftime(TIME), "product_level": "L2",
        "product_specification_version": "0.0.2", "product_type": "CSLC-S1", "product_version": VERSION,
        "radar_band": "C", "track_number": SCENE.relative_orbit,
        "zero_doppler_start_time": _utc(IMAGE.start), "zero_doppler_end_time": _utc(IMAGE.stop),
    }  # fmt: skip


def _orbit() -> dict[str, Any]:
    """The vectors around the burst, told since an epoch two days before it as COMPASS does."""
    epoch = IMAGE.start.astype("datetime64[us]") - np.timedelta64(2, "D")
    orbit = SCENE.orbit
    middle = SCENE.orbit_time(IMAGE.swath.bursts[0].first_line_time)
    near = np.sort(np.argsort(np.abs(orbit.time - middle), kind="stable")[: LAYOUT["metadata/orbit/time"][1][0]])
    out: dict[str, Any] = {
        "orbit_direction": SCENE.direction.capitalize(), "orbit_type": "POEORB", "reference_epoch": _utc(epoch),
        "time": orbit.time[near] + float((orbit.epoch - epoch) / np.timedelta64(1, "ns")) * 1e-9,
    }  # fmt: skip
    for k, axis in enumerate("xyz"):
        out[f"position_{axis}"], out[f"velocity_{axis}"] = orbit.position[near, k], orbit.velocity[near, k]
    return out


def _radar() -> dict[str, Any]:
    swath, plan = IMAGE.swath.swath, IMAGE.swath
    near = 0.5 * SPEED_OF_LIGHT * plan.slant_range_time
    lon, lat = OUTLINE[:-1].mean(axis=0)
    out: dict[str, Any] = {
        "azimuth_steering_rate": np.radians(swath.steering_rate), "azimuth_time_interval": swaths.LINE_INTERVAL,
        "center": np.array([lon, lat]), "ipf_version": "003.99",
        "iw2_mid_range": 0.5 * SPEED_OF_LIGHT * plan.mid_range_time, "platform_id": SCENE.platform,
        "polarization": "VV", "prf_raw_data": swath.prf, "radar_center_frequency": swaths.RADAR_FREQUENCY,
        "range_bandwidth": swath.range_bandwidth, "range_chirp_rate": swath.range_bandwidth / 60e-6,
        "range_pixel_spacing": swaths.SAMPLE_SPACING, "range_sampling_rate": swaths.RANGE_SAMPLING_RATE,
        "range_window_coefficient": swath.range_window, "range_window_type": "Hamming", "rank": swath.rank,
        "sensing_start": _utc(IMAGE.start), "sensing_stop": _utc(IMAGE.stop),
        "shape": np.array([plan.window.lines, plan.window.samples]), "slant_range_time": plan.slant_range_time,
        "starting_range": near, "wavelength": swaths.WAVELENGTH,
    }  # fmt: skip
    for name, tau, coefficients in (
        ("azimuth_fm_rate", swath.fm_rate_range_time, _fm_rate(0.0)), ("doppler", swaths.DC_RANGE_TIME, _doppler(0.0))
    ):  # fmt: skip
        out |= {
            f"{name}/coeffs": coefficients, f"{name}/order": 2,
            f"{name}/mean": 0.5 * SPEED_OF_LIGHT * tau, f"{name}/std": 0.5 * SPEED_OF_LIGHT,
        }  # fmt: skip
    return out


def _cycle_time(cycles: float) -> float:
    """Middle of the raw burst so many burst cycles later, seconds since the node."""
    return IMAGE.swath.bursts[0].sensing_time + IMAGE.swath.swath.half_sensing + cycles * swaths.BURST_CYCLE


def _fm_rate(cycles: float) -> np.ndarray:
    swath = IMAGE.swath.swath
    time = SCENE.orbit_time(_cycle_time(cycles))
    return np.array(fm_polynomial(image_track(IMAGE), time, swath.fm_rate_range_time, swath.samples))


def _doppler(cycles: float) -> np.ndarray:
    """A centroid of some hertz that bends over the swath and drifts; a made-up one."""
    return np.array([-4.0 + 3.0 * cycles, 5e4 + 1e4 * cycles, -4e7 - 1e7 * cycles])


def _extended() -> dict[str, Any]:
    cycles = (-1.0, 0.0, 1.0)
    times = [_utc(SCENE.utc(_cycle_time(k))) for k in cycles]
    out: dict[str, Any] = {}
    for name, tau, values in (
        ("doppler_centroid", swaths.DC_RANGE_TIME, _doppler),
        ("fm_rate", IMAGE.swath.swath.fm_rate_range_time, _fm_rate),
    ):
        out[f"{name}_azimuth_time"], out[f"{name}_slant_range_time"] = times, np.full(3, tau)
        out[f"{name}_coefficients"] = np.stack([values(k) for k in cycles])
    return out


def _inputs() -> dict[str, Any]:
    day = np.datetime64(SCENE.date, "s")
    covered = (day - np.timedelta64(3600, "s"), day + np.timedelta64(25 * 3600, "s"))
    valid = IMAGE.swath.window
    place = {
        "burst_index": 0, "tiff_path": f"simulated/{IMAGE.stem}.tiff",
        "first_valid_line": valid.valid_lines[0], "last_valid_line": valid.valid_lines[1],
        "first_valid_sample": valid.valid_samples[0], "last_valid_sample": valid.valid_samples[1],
    }  # fmt: skip
    orbit = OrbitFileName(SCENE.platform, "POEORB", day + np.timedelta64(20 * 86_400, "s"), *covered)
    compact = (f"{t.astype('datetime64[s]').item():%Y%m%dT%H%M%S}" for t in (IMAGE.start, IMAGE.stop))
    return {
        "calibration_files": f"calibration-{IMAGE.stem}.xml", "noise_files": f"noise-{IMAGE.stem}.xml",
        "dem_source": DEM, "orbit_files": [f"{orbit.stem}.EOF"],
        "l1_slc_files": "_".join(
            (SCENE.platform, "IW_SLC__1SSV", *compact, f"{SCENE.absolute_orbit:06d}", f"{SCENE.data_take:06X}", "0000")
        ),
        **{f"burst_location_parameters/{key}": value for key, value in place.items()},
    }  # fmt: skip


def _values() -> dict[str, Any]:
    """Of every dataset but rasters, look-up tables and their axes."""
    applied = (
        "azimuth_fm_rate", "bistatic_delay", "ellipsoidal_flattening", "geometry_doppler", "ionosphere_tec",
        "los_solid_earth_tides", "static_troposphere", "topographic_flattening",
    )  # fmt: skip
    algorithms = {
        "COMPASS_version": PROCESSOR, "ISCE3_version": PROCESSOR, "s1_reader_version": PROCESSOR,
        "complex_data_geocoding_interpolator": "sinc of 8 samples", "float_data_geocoding_interpolator": "spline",
        "dem_interpolation": "spline",
    }  # fmt: skip
    timing = "metadata/processing_information/timing_corrections/"
    out: dict[str, Any] = {
        "data/projection": BOX.epsg, "data/x_spacing": BOX.resolution, "data/y_spacing": -BOX.step,
        BETA: 237.0, "metadata/calibration_information/azimuth_time": _utc(IMAGE.start),
        "metadata/noise_information/range_azimuth_time": _utc(IMAGE.start),
        timing + "slant_range_spacing": 120.0, timing + "zero_doppler_time_spacing": 0.028,
        APPLIED + "elevation_antenna_pattern_correction_applied": "ESA",
    }  # fmt: skip
    for table in ("calibration", "noise"):
        group = f"metadata/{table}_information/"
        out |= {group + "projection": BOX.epsg, group + "x_spacing": 100.0, group + "y_spacing": -50.0}
    for group, values in (
        ("identification/", _identification()), ("metadata/orbit/", _orbit()), (BURST, _radar()), (INPUTS, _inputs()),
        ("metadata/processing_information/algorithms/", algorithms), (timing + "extended_coefficients/", _extended()),
    ):  # fmt: skip
        out |= {group + key: value for key, value in values.items()}
    flags = [name for name, (dtype, _) in LAYOUT.items() if dtype == "b1"]
    out |= {name: name.removeprefix(APPLIED).removesuffix("_applied") in applied for name in flags}
    return out


def wkt(ring: Any) -> str:
    return "POLYGON ((" + ", ".join(f"{lon} {lat}" for lon, lat in ring) + "))"


VALUES = _values()
