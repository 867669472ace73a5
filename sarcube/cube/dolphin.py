"""Geocoded SLCs as HDF5 files of the layout of OPERA's CSLC-S1, which dolphin and opera-utils read.

Names are those of COMPASS, `t064_136231_iw2/20200604/t064_136231_iw2_20200604.h5`; groups and datasets those of the
OPERA CSLC-S1 product specification (JPL D-108278): `/data`, `/identification`, `/metadata`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pystac

from sarcube import __version__
from sarcube.catalog.query import find_items
from sarcube.cube.selection import When, parse_dates
from sarcube.errors import CubeError
from sarcube.extras import need
from sarcube.geometry.radar import SPEED_OF_LIGHT
from sarcube.instants import utc_ns, utc_time
from sarcube.store.protocol import Store, open_store
from sarcube.transfer.atomic import written_whole

if TYPE_CHECKING:
    import h5py
    import rasterio

_COLLECTION = "s1_cslc"
_LAYER = "slc_"
_CHUNK = 128  # OPERA's
_ROWS = 1024  # read together
_TIME = "%Y-%m-%d %H:%M:%S.%f"
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class DolphinOptions:
    """Which acquisitions become files; by default all.

    Attributes
    ----------
    dates : str, date or pair, optional
    tracks : sequence of int, optional
    places : sequence of str, optional
        Burst IDs.
    collection : str
    """

    dates: When | Sequence[When] | None = None
    tracks: Sequence[int] | None = None
    places: Sequence[str] | None = None
    collection: str = _COLLECTION


def export_dolphin(store: str | Path, folder: str | Path, options: DolphinOptions | None = None) -> Iterator[Path]:
    """Write the geocoded SLCs of a store, a file per burst and date with all of its polarizations; yields each.

    Raises
    ------
    CubeError
        The store has no geocoded SLC that was asked for, or one cannot be read.
    MissingExtraError
        h5py is not installed.
    """
    need("h5py", "hdf5")
    options = options or DolphinOptions()
    place = open_store(str(store))
    span = parse_dates(options.dates)
    days = None if span is None else tuple(instant.astype("datetime64[D]").item() for instant in span)
    found: defaultdict[tuple[str, str], list[pystac.Item]] = defaultdict(list)
    for item in find_items(place, options.collection, dates=days, places=options.places):
        told = item.properties
        if options.tracks is None or told.get("sat:relative_orbit") in options.tracks:
            found[str(told["sarcube:burst_id"]), f"{utc_time(told['start_datetime']):%Y%m%d}"].append(item)
    if not found:
        raise CubeError(f"{store} has no geocoded SLCs that were asked for; `keep_slc: true` makes a run keep them")
    for (burst, day), items in sorted(found.items()):
        target = Path(folder) / burst / day / f"{burst}_{day}.h5"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(target) as part:
                _write(part, items, place)
        except OSError as error:
            raise CubeError(f"{target} cannot be written: {error.strerror or error}; choose another folder") from error
        yield target


def _write(path: Path, items: Sequence[pystac.Item], store: Store) -> None:
    import h5py
    import rasterio
    from rasterio.errors import RasterioError

    first = items[0]
    names = [(key.removeprefix(_LAYER), a.href) for i in items for key, a in i.assets.items() if key.startswith(_LAYER)]
    with h5py.File(path, "w") as file, rasterio.Env(**store.gdal_options()):
        file.attrs["Conventions"] = "CF-1.8"
        file.attrs["title"] = "geocoded SLC in the layout of OPERA CSLC-S1"
        file.attrs["institution"] = f"made by sarcube {__version__}, not by OPERA"
        for name, href in names:
            try:
                with rasterio.open(store.gdal_path(href.removeprefix(store.url + "/"))) as source:
                    _raster(file, name, source)
            except RasterioError as error:
                raise CubeError(f"{href} cannot be read: {error}; delete its item and run again") from error
        _identify(file, first)
        _metadata(file, first, [name for name, _ in names])


def _raster(file: h5py.File, name: str, source: rasterio.DatasetReader) -> None:
    """One polarization, row by row, with its axes and their projection as CF has them."""
    from rasterio.windows import Window

    data = file.require_group("data")
    if "projection" not in data:
        _axes(data, source)
    height, width = source.height, source.width
    layer = data.create_dataset(
        name, (height, width), np.complex64, chunks=(min(_CHUNK, height), min(_CHUNK, width)), compression="gzip",
        compression_opts=4, shuffle=True, fillvalue=np.complex64(complex(np.nan, np.nan)),
    )  # fmt: skip
    layer.attrs["description"] = f"{name}, flattened by the geometric slant range; root of beta nought"
    layer.attrs["grid_mapping"] = "projection"
    layer.dims[0].attach_scale(data["y_coordinates"])
    layer.dims[1].attach_scale(data["x_coordinates"])
    for row in range(0, height, _ROWS):
        rows = min(_ROWS, height - row)
        layer[row : row + rows] = source.read(1, window=Window(0, row, width, rows))


def _axes(data: h5py.Group, source: rasterio.DatasetReader) -> None:
    from pyproj import CRS

    transform, crs = source.transform, CRS.from_wkt(source.crs.to_wkt())
    for axis, count, begin, step in (
        ("x", source.width, transform.c, transform.a), ("y", source.height, transform.f, transform.e)
    ):  # fmt: skip
        values = data.create_dataset(f"{axis}_coordinates", data=begin + step * (np.arange(count) + 0.5))
        values.attrs["standard_name"] = f"projection_{axis}_coordinate"
        values.attrs["long_name"] = f"{axis} coordinate of projection"
        values.attrs["units"] = "m"
        values.make_scale(f"{axis}_coordinates")
        data.create_dataset(f"{axis}_spacing", data=float(step))
    projection = data.create_dataset("projection", data=np.int32(crs.to_epsg() or 0))
    for key, value in crs.to_cf().items():
        projection.attrs[key] = value
    projection.attrs["spatial_ref"] = crs.to_wkt("WKT1_GDAL")
    projection.attrs["epsg_code"] = int(crs.to_epsg() or 0)


def _identify(file: h5py.File, item: pystac.Item) -> None:
    from shapely.geometry import shape

    told = item.properties
    group = file.create_group("identification")
    for key, value in {
        "product_type": "CSLC_S1",
        "product_level": "L2",
        "product_version": str(told.get("processing:version", "")),
        "processing_date_time": utc_time(told["processing:datetime"]).strftime(_TIME),
        "burst_id": str(told["sarcube:burst_id"]),
        "mission_id": str(told["platform"]).replace("sentinel-", "S").upper(),
        "acquisition_mode": "Interferometric Wide (IW)",
        "look_direction": "Right",
        "orbit_pass_direction": str(told["sat:orbit_state"]).capitalize(),
        "radar_band": "C",
        "zero_doppler_start_time": utc_time(told["start_datetime"]).strftime(_TIME),
        "zero_doppler_end_time": utc_time(told["end_datetime"]).strftime(_TIME),
        "bounding_polygon": shape(item.geometry).wkt,
        "is_geocoded": "True",
    }.items():
        group[key] = np.bytes_(value)
    group["absolute_orbit_number"] = int(told["sat:absolute_orbit"])
    group["track_number"] = int(told["sat:relative_orbit"])


def _metadata(file: h5py.File, item: pystac.Item, polarizations: Sequence[str]) -> None:
    told = item.properties
    orbit = file.create_group("metadata/orbit")
    vectors = told.get("sat:orbit_state_vectors", {})
    times = np.array([utc_ns(text) for text in vectors], "datetime64[ns]")
    values = np.array(list(vectors.values()), np.float64).reshape(-1, 6)
    epoch = utc_time(told["start_datetime"]).replace(microsecond=0, second=0, tzinfo=None)
    orbit["reference_epoch"] = np.bytes_(epoch.strftime(_TIME))
    orbit["time"] = (times - np.datetime64(epoch, "ns")).astype(np.int64) * 1e-9
    for k, axis in enumerate(_AXES):
        orbit[f"position_{axis}"], orbit[f"velocity_{axis}"] = values[:, k], values[:, 3 + k]
    orbit["orbit_direction"] = np.bytes_(str(told["sat:orbit_state"]).capitalize())
    orbit["orbit_type"] = np.bytes_(str(told.get("sarcube:orbit_type", "")))
    processing = file.create_group("metadata/processing_information")
    burst = processing.create_group("input_burst_metadata")
    radar, hertz = told.get("sarcube:radar_image", {}), float(told["sar:center_frequency"]) * 1e9
    burst["radar_center_frequency"], burst["wavelength"] = hertz, SPEED_OF_LIGHT / hertz
    burst["polarization"] = np.bytes_(",".join(polarizations))
    burst["platform_id"] = np.bytes_(str(told["platform"]).replace("sentinel-", "S").upper())
    burst["sensing_start"] = np.bytes_(utc_time(told["start_datetime"]).strftime(_TIME))
    burst["sensing_stop"] = np.bytes_(utc_time(told["end_datetime"]).strftime(_TIME))
    burst["ipf_version"] = np.bytes_(str(told.get("processing:software", {}).get("Sentinel-1 IPF", "")))
    for name, key in (
        ("azimuth_time_interval", "line_interval"),
        ("starting_range", "near_range"),
        ("range_pixel_spacing", "sample_spacing"),
    ):
        if key in radar:
            burst[name] = float(radar[key])
    if radar:
        burst["shape"] = np.array([radar["lines"], radar["samples"]])
    inputs = processing.create_group("inputs")
    inputs["dem_source"] = np.bytes_(str(told.get("sarcube:dem", "")))
    inputs["l1_slc_files"] = np.bytes_(str(told.get("sarcube:source_scene", "")))
    inputs["orbit_files"] = np.bytes_(str(told.get("sarcube:orbit_file", "")))
    processing.create_group("algorithms")["sarcube_version"] = np.bytes_(__version__)
    applied = processing.create_group("parameters")
    applied["flattening_applied"] = True
    applied["topographic_flattening_applied"] = True
    for name, key in (
        ("bistatic_delay_applied", "sarcube:bistatic_delay_correction_applied"),
        ("static_troposphere_applied", "sarcube:static_tropospheric_correction_applied"),
        ("azimuth_fm_rate_applied", "sarcube:fm_rate_mismatch_correction_applied"),
    ):
        applied[name] = bool(told.get(key, False))
