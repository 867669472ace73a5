"""The run configuration of opera-rtc 1.0: its whole schema, set from what sarcube means by each option.

Schema and defaults as published with opera-adt/RTC v1.0.4 (src/rtc/schemas/rtc_s1.yaml, defaults/rtc_s1.yaml).
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sarcube.engines.rtc.engine import RtcOptions
from sarcube.errors import ConfigError
from sarcube.geometry.grid import GeoGrid
from sarcube.jsons import JsonObject

_GRID: JsonObject = {
    "output_epsg": None,
    "x_posting": 30,
    "y_posting": 30,
    "x_snap": 30,
    "y_snap": 30,
    "top_left": {"x": None, "y": None},
    "bottom_right": {"x": None, "y": None},
}

# Everything under runconfig.groups, at opera-rtc's defaults.
_DEFAULTS: JsonObject = {
    "primary_executable": {"product_type": "RTC_S1"},
    "pge_name_group": {"pge_name": "RTC_S1_PGE"},
    "input_file_group": {
        "safe_file_path": None,
        "source_data_access": None,
        "orbit_file_path": None,
        "burst_id": None,
    },
    "dynamic_ancillary_file_group": {"dem_file": None, "dem_file_description": None},
    "static_ancillary_file_group": {"burst_database_file": None},
    "product_group": {
        "processing_type": "NOMINAL",
        "product_version": None,
        "product_path": None,
        "scratch_path": None,
        "output_dir": None,
        "product_id": None,
        "rtc_s1_static_validity_start_date": None,
        "product_data_access": None,
        "static_layers_data_access": None,
        "save_bursts": True,
        "save_mosaics": False,
        "save_browse": True,
        "output_imagery_format": "COG",
        "output_imagery_compression": "DEFLATE",
        "output_imagery_nbits": 32,
        "save_secondary_layers_as_hdf5": False,
        "save_metadata": True,
    },
    "processing": {
        "check_ancillary_inputs_coverage": True,
        "polarization": None,
        "geo2rdr": {"threshold": 1.0e-7, "numiter": 50},
        "rdr2geo": {"threshold": 1.0e-7, "numiter": 25},
        "dem_interpolation_method": "biquintic",
        "apply_absolute_radiometric_correction": True,
        "apply_thermal_noise_correction": True,
        "correction_lut_range_spacing_in_meters": 120,
        "correction_lut_azimuth_spacing_in_meters": 120,
        "apply_rtc": True,
        "apply_bistatic_delay_correction": True,
        "apply_static_tropospheric_delay_correction": True,
        "rtc": {
            "output_type": "gamma0",
            "algorithm_type": "area_projection",
            "input_terrain_radiometry": "beta0",
            "rtc_min_value_db": -30,
            "dem_upsampling": 2,
            "area_beta_mode": "auto",
        },
        "num_workers": 0,
        "geocoding": {
            "apply_valid_samples_sub_swath_masking": True,
            "apply_shadow_masking": True,
            "skip_if_output_files_exist": False,
            "algorithm_type": "area_projection",
            "memory_mode": None,
            "save_incidence_angle": False,
            "save_local_inc_angle": False,
            "save_projection_angle": False,
            "save_rtc_anf_projection_angle": False,
            "save_range_slope": False,
            "save_nlooks": False,
            "save_rtc_anf": False,
            "save_rtc_anf_gamma0_to_sigma0": False,
            "save_dem": False,
            "save_mask": True,
            "shadow_dilation_size": 0,
            "abs_rad_cal": 1,
            "clip_max": None,
            "clip_min": None,
            "upsample_radargrid": False,
            "estimated_geometric_accuracy_bias_x": None,
            "estimated_geometric_accuracy_bias_y": None,
            "estimated_geometric_accuracy_stddev_x": None,
            "estimated_geometric_accuracy_stddev_y": None,
            "bursts_geogrid": copy.deepcopy(_GRID),
        },
        "mosaicking": {"mosaic_mode": "first", "mosaic_geogrid": copy.deepcopy(_GRID)},
        "browse_image_group": {
            "browse_image_burst_height": 2048,
            "browse_image_burst_width": None,
            "browse_image_mosaic_height": 2048,
            "browse_image_mosaic_width": None,
        },
    },
}

PRODUCT_ID = "sarcube"
"""File stem that we give opera-rtc, so that its outputs are found whatever the time of processing."""

_STATIC_SWITCHES = ("save_incidence_angle", "save_local_inc_angle")


@dataclass(frozen=True)
class Inputs:
    """What one run of opera-rtc reads and where it writes.

    Attributes
    ----------
    safe, orbit, dem : Path
        SAFE folder or zip, EOF file, DEM with ellipsoidal heights.
    burst_id : str
    polarizations : tuple of str
        To process, co-polarization first.
    scratch : Path
        Folder of this run alone; outputs land in `scratch/output/<burst_id>/`.
    """

    safe: Path
    orbit: Path
    dem: Path
    burst_id: str
    polarizations: tuple[str, ...]
    scratch: Path


def make_runconfig(
    inputs: Inputs, grid: GeoGrid, options: RtcOptions, *, static_validity: int | None = None
) -> JsonObject:
    """The run configuration (the mapping that is written as YAML).

    Parameters
    ----------
    inputs : Inputs
    grid : GeoGrid
        Given in full (corners, snap, CRS), so that both engines and all dates share it.
    options : RtcOptions
        `engine_options` may override any option by its dotted path below `groups`, or as nested mappings.
    static_validity : int, optional
        YYYYMMDD; makes the static product instead of backscatter.

    Raises
    ------
    ConfigError
        `engine_options` names an option that opera-rtc does not have.
    """
    groups = copy.deepcopy(_DEFAULTS)
    static = static_validity is not None
    _update(groups, "primary_executable", product_type="RTC_S1_STATIC" if static else "RTC_S1")
    _update(
        groups,
        "input_file_group",
        safe_file_path=[str(inputs.safe)],
        orbit_file_path=[str(inputs.orbit)],
        burst_id=[inputs.burst_id],
    )
    _update(groups, "dynamic_ancillary_file_group", dem_file=str(inputs.dem))
    output = inputs.scratch / "output"
    _update(
        groups,
        "product_group",
        product_version="0.1",
        product_path=str(output),
        output_dir=str(output),
        scratch_path=str(inputs.scratch / "scratch"),
        product_id=PRODUCT_ID,
        rtc_s1_static_validity_start_date=static_validity,
        save_browse=False,  # sarcube draws its own
        output_imagery_format="GTiff",  # sarcube writes the COGs
        save_metadata=not static,
    )
    _update(
        groups,
        "processing",
        # Voids and edges are sarcube's to judge: opera-rtc would stop the burst.
        check_ancillary_inputs_coverage=False,
        polarization=_polarization_mode(inputs.polarizations),
        apply_absolute_radiometric_correction=options.absolute_calibration,
        apply_thermal_noise_correction=options.thermal_noise and not static,
        apply_bistatic_delay_correction=options.bistatic_delay and not static,
        apply_static_tropospheric_delay_correction=options.static_troposphere and not static,
        apply_rtc=static or options.backscatter != "beta0",
    )
    _update(
        groups,
        "processing.rtc",
        output_type="sigma0" if options.backscatter == "sigma0" and not static else "gamma0",
        rtc_min_value_db=options.minimum_area_factor_db,
        dem_upsampling=options.dem_upsampling,
    )
    flattened = static or options.backscatter == "gamma0"
    _update(
        groups,
        "processing.geocoding",
        apply_valid_samples_sub_swath_masking=options.valid_sample_masking,
        apply_shadow_masking=options.shadow_masking,
        algorithm_type=options.geocoding,
        save_nlooks=True,
        save_mask=True,
        save_rtc_anf=flattened,
        save_rtc_anf_gamma0_to_sigma0=flattened,
        **dict.fromkeys(_STATIC_SWITCHES, static),
    )
    left, bottom, right, top = grid.bounds
    for place in ("processing.geocoding.bursts_geogrid", "processing.mosaicking.mosaic_geogrid"):
        _update(
            groups,
            place,
            output_epsg=grid.epsg,
            x_posting=grid.resolution,
            y_posting=grid.resolution,
            x_snap=grid.resolution,
            y_snap=grid.resolution,
            top_left={"x": left, "y": top},
            bottom_right={"x": right, "y": bottom},
        )
    for path, value in _flat(options.engine_options):
        _override(groups, path, value)
    return {"runconfig": {"name": "rtc_s1_workflow_default", "groups": groups}}


def _polarization_mode(polarizations: tuple[str, ...]) -> str:
    co = any(p in ("VV", "HH") for p in polarizations)
    cross = any(p in ("VH", "HV") for p in polarizations)
    return "dual-pol" if co and cross else "co-pol" if co else "cross-pol"


def _at(groups: JsonObject, path: str) -> JsonObject:
    node = groups
    for part in path.split("."):
        node = node[part]
    return node


def _update(groups: JsonObject, path: str, **values: object) -> None:
    _at(groups, path).update(values)


def _flat(options: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    pairs: list[tuple[str, object]] = []
    for key, value in options.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{path}.")
        else:
            pairs.append((path, value))
    return pairs


def check_options(options: JsonObject) -> None:
    """Raise ConfigError where `engine_options` names what neither opera-rtc nor its adapter has."""
    for path, _ in _flat(options):
        _full_path(path)


def _override(groups: JsonObject, path: str, value: object) -> None:
    if path in OUR_OPTIONS:
        return
    place, _, name = _full_path(path).rpartition(".")
    _update(groups, place, **{name: value})


def _full_path(path: str) -> str:
    known = [name for name, _ in _flat(_DEFAULTS)]
    if path in OUR_OPTIONS:
        return path
    # Users write processing.rtc.dem_upsampling, or shorter, rtc.dem_upsampling.
    full = path if path in known else f"processing.{path}"
    if full not in known:
        near = difflib.get_close_matches(path, [*known, *OUR_OPTIONS], 1, 0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"engine_options: opera-rtc has no option {path}{hint}")
    return full


OUR_OPTIONS = ("python", "executable", "time_limit", "keep_scratch", "scratch", "static_validity")
"""Keys of engine_options that are the adapter's, not opera-rtc's."""
