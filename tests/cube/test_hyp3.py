"""HyP3 products: names, files, types, units, signs, parameters; and that MintPy takes them as they are."""

from __future__ import annotations

import datetime as dt
import io
import re
import shutil
import zipfile
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image

from sarcube.cube.hyp3 import export
from sarcube.cube.hyp3.facts import BurstPair, Processing, looks, pairs_of, parameter_text, product_name
from sarcube.cube.hyp3.merge import MergeOptions, merge_products
from sarcube.cube.hyp3.pictures import write_kmz
from sarcube.cube.hyp3.product import Hyp3Pair, rasters, write_product
from sarcube.cube.hyp3.reading import Hyp3Burst, check_mergeable
from sarcube.errors import CubeError, PassedOverWarning
from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.geo2rdr import geo2rdr
from sarcube.geometry.grid import GeoGrid
from sarcube.instants import utc_ns
from sarcube.simulate.options import SimulationOptions
from sarcube.simulate.timeline import plan_scenes
from tests.cube import osgeo_by_rasterio
from tests.documented import carry_out

PLACE, DAYS = (53.45, 27.66), (dt.date(2020, 6, 4), dt.date(2020, 6, 16))
ON_THE_MAP = {
    "unw_phase": "float32", "wrapped_phase": "float32", "amp": "float32", "corr": "float32", "conncomp": "float32",
    "dem": "float32", "lv_theta": "float32", "lv_phi": "float32", "water_mask": "uint8",
}  # fmt: skip
BY_RADAR = {"wrapped_phase_rdr": "complex64", "lat_rdr": "float32", "lon_rdr": "float32", "los_rdr": "float32"}
# What MintPy looks for (mintpy.load.*File of its template for HyP3).
LOADED = ("unw_phase", "corr", "conncomp", "dem", "lv_theta", "lv_phi", "water_mask")
PICTURES = ("unw_phase.png", "unw_phase.png.aux.xml", "unw_phase.kmz", "wrapped_phase.kmz", "amp.kmz")
KEYS = """Reference Granule, Secondary Granule, Reference Pass Direction, Reference Orbit Number,
Secondary Pass Direction, Secondary Orbit Number, Baseline, UTC time, Heading, Spacecraft height, Earth radius at nadir,
Slant range near, Slant range center, Slant range far, Range looks, Azimuth looks, INSAR phase filter,
Phase filter parameter, Range bandpass filter, Azimuth bandpass filter, DEM source, DEM resolution (m), Unwrapping type,
Speckle filter, Water mask"""
KEYS_OF_ONE = """Radar n lines, Radar n samples, Radar first valid line, Radar n valid lines, Radar first valid sample,
Radar n valid samples, Multilook azimuth time interval, Multilook range pixel size, Radar sensing stop"""


def keys(text: str) -> list[str]:
    return [key.strip() for key in text.replace("\n", " ").split(",")]


def item(number: int = 136231, swath: str = "IW2", **more: Any) -> Any:
    """As an INSAR_S1 item, of the simulator's orbit over the place of HyP3's own example."""
    options = SimulationOptions(center=PLACE, dates=DAYS, swaths=("IW2",), bursts=1, polarizations=("VV",))
    first, second = plan_scenes(options)
    orbit, burst = first.orbit, first.swaths[0].bursts[0]
    times = orbit.epoch + np.round(orbit.time * 1e6).astype("timedelta64[us]")
    vectors = np.hstack([orbit.position, orbit.velocity])
    begun = first.utc(burst.first_line_time)
    name = "S1A_IW_SLC__1SDV_20200604T022251_20200604T022318_032861_03CE65_7C85"
    told = {
        "sarcube:burst_id": f"t064_{number:06d}_{swath.lower()}",
        "sarcube:source_scenes": [{"scene": name}, {"scene": name.replace("0604", "0616").replace("7C85", "5D11")}],
        "insar:reference_datetime": f"{begun}Z",
        "insar:secondary_datetime": f"{second.utc(burst.first_line_time)}Z",
        "sat:absolute_orbit": 32861,
        "sarcube:secondary_absolute_orbit": 33036,
        "sat:orbit_state": "descending",
        "sat:relative_orbit": 64,
        "sat:orbit_state_vectors": {f"{t}Z": list(v) for t, v in zip(times, vectors, strict=True)},
        "sarcube:platform_heading": 192.6,
        "insar:perpendicular_baseline": 60.0,
        "sar:polarizations": ["VV"],
        "sarcube:dem": "Copernicus GLO-30 2021 + egm2008 us_nga_egm08_25.tif",
        "gsd": 80.0,
        "sarcube:radar_image": {
            "first_line": f"{begun}Z", "line_interval": 2.0555563e-3, "near_range": 872_000.0,
            "sample_spacing": 2.329562, "lines": 1520, "samples": 2000, "first_valid_line": 20,
            "last_valid_line": 1490, "first_valid_sample": 10, "last_valid_sample": 1980,
        },
        **more,
    }  # fmt: skip
    return SimpleNamespace(id=f"{number}", properties=told)


@pytest.fixture(scope="module")
def bursts() -> tuple[BurstPair, ...]:
    return pairs_of([item()])


GRID = GeoGrid(32639, 732_480.0, 3_074_880.0, 80.0, 220, 300)


@pytest.fixture(scope="module")
def pair(bursts: tuple[BurstPair, ...]) -> Hyp3Pair:
    """A ramp of uplift-free phase over a slope, a lake, a strip that was not seen."""
    rows, columns = np.mgrid[: GRID.height, : GRID.width].astype(np.float32)
    true = columns / 12.0
    seen = np.exp(1j * true).astype(np.complex64) * 0.04
    seen[:, :9] = np.nan
    blind = ~np.isfinite(seen)
    mask = np.ones(GRID.shape, np.uint8)
    mask[100:120, 60:90] = 0
    layers: dict[str, NDArray[Any]] = {
        "interferogram": seen,
        "filtered_phase": np.where(mask == 0, np.nan, np.angle(seen)).astype(np.float32),
        "coherence": np.where(blind, np.nan, 0.7).astype(np.float32),
        "unwrapped_phase": np.where(blind, np.nan, true).astype(np.float32),
        "connected_components": np.where(blind, 65535, 1).astype(np.uint16),
        "water_mask": mask,
        "los_east": np.full(GRID.shape, 0.62, np.float32),
        "los_north": np.full(GRID.shape, -0.11, np.float32),
        "los_up": np.full(GRID.shape, np.sqrt(1 - 0.62**2 - 0.11**2), np.float32),
        "digital_elevation_model": (300.0 + 0.5 * rows).astype(np.float32),
    }
    return Hyp3Pair(layers, GRID, bursts, Processing(water="lakes.geojson", water_masked=True))


@pytest.fixture(scope="module")
def product(pair: Hyp3Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product's folder, unzipped."""
    folder = tmp_path_factory.mktemp("hyp3")
    made = write_product(pair, folder)
    with zipfile.ZipFile(made) as archive:
        archive.extractall(folder)
    return folder / made.stem


def read(product: Path, end: str) -> NDArray[Any]:
    with rasterio.open(product / f"{product.name}_{end}.tif") as file:
        return np.asarray(file.read(1))


def test_the_files_of_a_burst_are_hyp3s(product: Path) -> None:
    name = product.name
    assert re.fullmatch(r"S1_136231_IW2_20200604_20200616_VV_INT80_[0-9A-F]{4}", name)
    expected = {f"{name}_{end}.tif" for end in (*ON_THE_MAP, *BY_RADAR)} | {f"{name}_{end}" for end in PICTURES}
    assert {path.name for path in product.iterdir()} == expected | {f"{name}.txt", f"{name}_README.md.txt"}
    for end, dtype in (ON_THE_MAP | BY_RADAR).items():
        with rasterio.open(product / f"{name}_{end}.tif") as file:
            assert file.dtypes[0] == dtype and file.nodata == (None if end == "water_mask" else 0), end
            assert file.count == (2 if end == "los_rdr" else 1)
            if end in ON_THE_MAP:  # all of one size and place
                assert file.shape == GRID.shape and file.crs.to_epsg() == GRID.epsg
                assert file.transform.to_gdal() == rasterio.Affine(*GRID.transform).to_gdal()
            else:
                assert file.shape == (1520 // 4, 2000 // 20)
    with zipfile.ZipFile(product / f"{name}_wrapped_phase.kmz") as overlay:
        assert b"<north>27.7" in overlay.read("doc.kml") and len(overlay.namelist()) == 2
    text = (product / f"{name}_README.md.txt").read_text()
    assert "lakes.geojson, was left out" in text and "S1_136231_IW2_20200604T022335_VV_7C85-BURST" in text
    assert all(f"{name}_{end}.tif: " in text for end in (*ON_THE_MAP, *BY_RADAR))


def test_signs_and_units_are_hyp3s(product: Path, pair: Hyp3Pair) -> None:
    unwrapped, wrapped = read(product, "unw_phase"), read(product, "wrapped_phase")
    assert (unwrapped[100:120, 60:90] == 0).all() and (unwrapped[:, :9] == 0).all()
    assert unwrapped[50, 200] > unwrapped[50, 20] > 0  # away from the sensor is positive, as it is here
    assert np.allclose(wrapped[105, 70], np.angle(pair.layers["interferogram"][105, 70])), "water keeps its phase"
    assert read(product, "corr")[50, 50] == np.float32(0.7) and read(product, "amp")[50, 50] == pytest.approx(0.04)
    assert set(np.unique(read(product, "conncomp"))) == {0.0, 1.0}
    assert (
        read(product, "water_mask")[110, 75] == 0
        and read(product, "water_mask").sum() == GRID.height * GRID.width - 600
    )
    # theta is the elevation above the horizontal, phi counter-clockwise from east, both of the vector to the sensor.
    theta, phi = read(product, "lv_theta")[0, 0], read(product, "lv_phi")[0, 0]
    assert np.cos(theta) * np.cos(phi) == pytest.approx(0.62, abs=1e-5)
    assert np.cos(theta) * np.sin(phi) == pytest.approx(-0.11, abs=1e-5)
    west = replace(pair, layers={**pair.layers, "los_east": -pair.layers["los_east"]})
    assert rasters(west)["lv_phi"][0, 0] == pytest.approx(np.pi + np.arctan2(0.11, 0.62), abs=1e-5)


def test_radar_geometry_is_that_of_the_burst(product: Path, pair: Hyp3Pair) -> None:
    """Every look lies where its time and range say, and has the phase of that place."""
    (burst,) = pair.bursts
    lat, lon, seen = (read(product, f"{name}_rdr") for name in ("lat", "lon", "wrapped_phase"))
    there = lat != 0
    assert there.mean() > 0.5
    rows, columns = np.nonzero(there & (seen != 0))
    rows, columns = rows[::97], columns[::97]
    place = rasterio.warp.transform("EPSG:4326", GRID.crs, lon[rows, columns], lat[rows, columns])
    x, y = (np.asarray(v) for v in place)
    height = 300.0 + 0.5 * ((GRID.top - y) / 80.0 - 0.5)
    orbit = burst.orbit()
    points = np.asarray(geodetic_to_ecef(lon[rows, columns], lat[rows, columns], height))
    time, slant = geo2rdr(orbit, points if points.shape[-1] == 3 else np.moveaxis(points, 0, -1))
    begun = float((burst.radar.first_line - orbit.epoch) / np.timedelta64(1, "ns")) * 1e-9
    line, sample = (time - begun) / burst.radar.line_interval, (slant - 872_000.0) / 2.329562
    assert (
        np.abs(line - (4 * (rows + 0.5) - 0.5)).max() < 0.1 and np.abs(sample - (20 * (columns + 0.5) - 0.5)).max() < 1
    )
    phase = ((x - GRID.left) / 80.0 - 0.5) / 12.0
    assert np.abs(np.angle(seen[rows, columns] * np.exp(-1j * phase))).max() < 0.01
    with rasterio.open(product / f"{product.name}_los_rdr.tif") as file:
        incidence, azimuth = file.read()
    assert np.median(incidence[there]) == pytest.approx(np.degrees(np.arccos(pair.layers["los_up"][0, 0])), abs=0.01)
    # ISCE2's azimuth and HyP3's lv_phi: phi = 90 degrees + azimuth.
    assert np.median(azimuth[there]) + 90.0 == pytest.approx(np.degrees(read(product, "lv_phi")[0, 0]), abs=0.01)


def test_parameters_have_hyp3s_keys_in_hyp3s_order(product: Path) -> None:
    rows = [line.split(": ", 1) for line in (product / f"{product.name}.txt").read_text().splitlines()]
    assert [key for key, _ in rows] == keys(KEYS) + keys(KEYS_OF_ONE)
    told = dict(rows)
    assert told["Reference Granule"] == "S1_136231_IW2_20200604T022335_VV_7C85-BURST"
    assert told["Secondary Granule"] == "S1_136231_IW2_20200616T022335_VV_5D11-BURST"
    assert (told["Range looks"], told["Azimuth looks"]) == ("20", "4") and told["Water mask"] == "yes"
    assert (told["DEM source"], told["DEM resolution (m)"]) == ("GLO_30", "30")
    assert float(told["Heading"]) == pytest.approx(-167.4) and told["Spacecraft height"] == "693000.0"
    assert float(told["UTC time"]) == pytest.approx(2 * 3600 + 23 * 60 + 35.543 + 1.561, abs=0.01)
    assert float(told["Slant range far"]) == pytest.approx(872_000 + 1999 * 2.329562)
    assert [looks(p) for p in (80.0, 40.0, 20.0)] == [(20, 4), (10, 2), (5, 1)]


def test_many_bursts_have_one_name_and_no_radar_geometry(pair: Hyp3Pair, tmp_path: Path) -> None:
    many = pairs_of([item(136232), item(136231), item(136231, "IW1")])
    assert re.fullmatch(
        r"S1_064_136231s1n01-136231s2n02-000000s3n00_IW_20200604_20200616_VV_INT80_[0-9A-F]{4}",
        product_name(many, Processing()),
    )
    text = parameter_text(many, Processing(alpha=None, unwrapped_by="snaphu"))
    assert [line.split(": ")[0] for line in text.splitlines()] == keys(KEYS)
    assert text.splitlines()[0].count("-BURST, ") == 2 and "snaphu_mcf" in text and "one minus coherence" in text
    made = write_product(replace(pair, bursts=many, processing=Processing()), tmp_path)
    with zipfile.ZipFile(made) as archive:
        names = [name.rsplit("/", 1)[1] for name in archive.namelist()]
    assert len(names) == len(ON_THE_MAP) + len(PICTURES) + 2 and not any("_rdr" in name for name in names)


@pytest.mark.parametrize("ids", [(136231,), (136231, 136232)])
def test_mintpy_prepares_it_unchanged(
    ids: tuple[int, ...], pair: Hyp3Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mintpy")
    osgeo_by_rasterio.install(monkeypatch)
    from mintpy.prep_hyp3 import prep_hyp3
    from mintpy.utils import readfile

    made = write_product(replace(pair, bursts=pairs_of([item(number) for number in ids])), tmp_path)
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path)
    files = [str(tmp_path / made.stem / f"*_{end}*.tif") for end in LOADED]
    prep_hyp3(Namespace(file=files))
    for end in LOADED:
        told = readfile.read_roipac_rsc(str(tmp_path / made.stem / f"{made.stem}_{end}.tif.rsc"))
        assert (told["PROCESSOR"], told["WIDTH"], told["LENGTH"]) == ("hyp3", "220", "300"), end
        assert (told["X_FIRST"], told["Y_FIRST"], told["X_STEP"], told["Y_STEP"]) == (
            "732480.0", "3074880.0", "80.0", "-80.0",
        )  # fmt: skip
        assert told["UTM_ZONE"] == "39N" and told["EPSG"] == "32639"
        assert (told["RLOOKS"], told["ALOOKS"], told["ORBIT_DIRECTION"]) == ("20", "4", "DESCENDING")
        assert told["beam_swath"] == "2" and told["unwrap_method"] == "whirlwind"
        if end in ("unw_phase", "corr"):
            assert told["DATE12"] == "200604-200616" and float(told["P_BASELINE_TOP_HDR"]) == 60.0
        if end.startswith("lv_"):
            assert told["UNIT"] == "radian"


@pytest.mark.parametrize(
    ("items", "named"),
    [
        ([], "no bursts"),
        ([item(**{"sar:polarizations": ["VH"]})], "not VH"),
        ([item(gsd=100.0)], "two digits"),
        ([item(), item(136232, **{"sat:absolute_orbit": 32863})], "several reference orbits"),
        ([item(), item(136232, **{"insar:secondary_datetime": "2020-06-28T02:23:35Z"})], "several secondary dates"),
        ([item(**{"sarcube:radar_image": None})], "make it again"),
    ],
)
def test_what_hyp3_cannot_name_is_refused(items: list[Any], named: str) -> None:
    with pytest.raises(CubeError, match=named):
        pairs_of(items)


def test_a_pass_over_midnight_or_the_ascending_node_is_one() -> None:
    """Bursts after midnight are of another day, those of the slice after the node of another orbit."""
    times = {"insar:reference_datetime": "2020-06-04T23:59:59Z", "insar:secondary_datetime": "2020-06-16T23:59:59Z"}
    later = {"insar:reference_datetime": "2020-06-05T00:00:02Z", "insar:secondary_datetime": "2020-06-17T00:00:02Z"}
    counted = {"sat:absolute_orbit": 32862, "sarcube:secondary_absolute_orbit": 33037}
    pairs = pairs_of([item(**times), item(136232, **later, **counted)])
    assert product_name(pairs, Processing()).split("_")[4:6] == ["20200604", "20200617"]
    assert "Reference Orbit Number: 32861" in parameter_text(pairs, Processing())
    check_mergeable([Hyp3Burst(str(p.burst), Path(), {}, p, (20, 4)) for p in pairs])


def test_pairs_that_hyp3_has_none_of_are_passed_over_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    vv, vh = item(), item(136232, **{"sar:polarizations": ["VH"]})
    monkeypatch.setattr(export, "read_items", lambda *_, **__: [vv, vh])
    with pytest.warns(PassedOverWarning, match="1 of 2 products passed over: HyP3 makes no pairs of VH"):
        assert export._found("store", export.ExportOptions(), "s1_insar") == [vv]
    monkeypatch.setattr(export, "read_items", lambda *_, **__: [vh])
    with pytest.raises(CubeError, match="not VH"):
        pairs_of(export._found("store", export.ExportOptions(), "s1_insar"))


def test_pairs_that_are_not_merged_beside_others_are_said_or_exported_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first, later = item(), item(136231, **{"insar:secondary_datetime": "2020-06-28T02:23:35Z"})
    later.id = "later"
    whole = item(**{"sarcube:bursts": [{"item": first.id}], "sarcube:place": "t064_136231_136231_iw2"})
    stored = {"s1_insar": [first, later], "s1_insar_pass": [whole]}
    monkeypatch.setattr(export, "read_items", lambda _, __, collection: stored[collection])
    monkeypatch.setattr(export, "collections", lambda _: list(stored))
    monkeypatch.setattr(export, "_of_pass", lambda i, _: ("merged", i))
    monkeypatch.setattr(export, "_of_track", lambda items, _: iter([("bursts", *items)]))
    with pytest.warns(PassedOverWarning, match="1 pairs passed over.*2020-06-04 and 2020-06-28"):
        assert list(export.hyp3_pairs("store", export.ExportOptions())) == [("merged", whole)]
    asked = export.ExportOptions(days=("2020-06-04", "2020-06-28"))
    assert list(export.hyp3_pairs("store", asked)) == [("bursts", later)]
    with pytest.raises(CubeError, match="no pairs that were asked for"):
        list(export.hyp3_pairs("store", export.ExportOptions(days=("2020-06-04", "2020-07-10"))))


def test_overlays_lie_across_the_antimeridian(tmp_path: Path) -> None:
    """Taveuni: east of 180 degrees longitudes go on, as KML has it for overlays that lie on both sides."""
    grid = GeoGrid(32701, 170_000.0, 8_124_000.0, 80.0, 220, 300)
    write_kmz(tmp_path / "amp.kmz", np.tile(np.arange(1, 221, dtype=np.uint8), (300, 1)), grid)
    with zipfile.ZipFile(tmp_path / "amp.kmz") as overlay:
        box = {
            k: float(v) for k, v in re.findall(r"<(north|south|east|west)>([-\d.]+)<", overlay.read("doc.kml").decode())
        }
        picture = np.asarray(Image.open(io.BytesIO(overlay.read("amp.png"))))
    lon, lat = rasterio.warp.transform(grid.crs, "EPSG:4326", [171_000, 186_000], [8_112_000] * 2)
    assert lon[0] > 179.9 and lon[1] < -179.9 and box["west"] < lon[0] < 180.0 < lon[1] + 360.0 < box["east"]
    assert box["east"] - box["west"] < 0.2 and box["north"] - box["south"] == pytest.approx(0.2168, abs=0.01)
    for x, y, told in ((lon[0], lat[0], 12.5), (lon[1] + 360.0, lat[1], 200.0)):
        row = int((box["north"] - y) / (box["north"] - box["south"]) * picture.shape[0])
        column = int((x - box["west"]) / (box["east"] - box["west"]) * picture.shape[1])
        assert picture[row, column, 3] == 255 and picture[row, column, 0] == pytest.approx(
            (told - 1) / 254 * 255, abs=3
        )


def test_a_pair_that_lacks_a_layer_is_refused(pair: Hyp3Pair) -> None:
    with pytest.raises(CubeError, match="los_up"):
        replace(pair, layers={k: v for k, v in pair.layers.items() if k != "los_up"})
    with pytest.raises(CubeError, match="projected"):
        replace(pair, grid=GeoGrid(4326, 53.0, 28.0, 0.001, 220, 300))


def test_the_same_pair_made_alike_has_the_same_name(bursts: tuple[BurstPair, ...]) -> None:
    name = product_name(bursts, Processing())
    assert (
        name == product_name(pairs_of([item()]), Processing()) != product_name(pairs_of([item(136232)]), Processing())
    )
    assert name != product_name(bursts, Processing(alpha=0.6)), "made otherwise: beside the other, not in its place"


def _products(folder: Path, pair: Hyp3Pair, **more: Any) -> None:
    """Two bursts of one pair that overlap by 100 lines, unzipped; the second is off by 0.8 radians."""
    own = item().properties
    begun = utc_ns(own["sarcube:radar_image"]["first_line"])
    for number, first, turn in ((136231, 0, 0.0), (136232, 700, 0.8)):
        line = begun + np.timedelta64(round(first * 2.0555563e-3 * 1e9), "ns")
        radar = {**own["sarcube:radar_image"], "first_line": f"{line}Z", "lines": 800, "last_valid_line": 790}
        told = {"sarcube:radar_image": radar, "insar:reference_datetime": f"{line}Z"} | (more if first else {})
        turned = pair.layers["interferogram"] * np.complex64(np.exp(1j * turn))
        layers = {**pair.layers, "interferogram": turned, "water_mask": pair.layers["water_mask"]}
        made = write_product(replace(pair, layers=layers, bursts=pairs_of([item(number, **told)])), folder)
        with zipfile.ZipFile(made) as archive:
            archive.extractall(folder)


def test_products_of_bursts_are_merged(pair: Hyp3Pair, tmp_path: Path) -> None:
    pytest.importorskip("whirlwind")
    _products(tmp_path / "bursts", pair)
    made = merge_products(tmp_path / "bursts", tmp_path, MergeOptions(mask_water=True))
    assert made.name.startswith("S1_064_000000s1n00-136231s2n02-000000s3n00_IW_20200604_20200616_VV_INT80_")
    with zipfile.ZipFile(made) as archive:
        archive.extractall(tmp_path)
        text = archive.read(f"{made.stem}/{made.stem}.txt").decode()
    assert "Phase filter parameter: 0.6" in text and "Water mask: yes" in text and "Range looks: 20" in text
    assert "Slant range near: 872000.0" in text and "Reference Orbit Number: 32861" in text
    product = tmp_path / made.stem
    unwrapped, components = read(product, "unw_phase"), read(product, "conncomp")
    assert unwrapped.shape == GRID.shape
    seen = (unwrapped != 0) & (components == 1)
    true = pair.layers["unwrapped_phase"]
    off = (unwrapped - true)[seen]
    rows = np.nonzero(seen)[0]
    # Over both bursts: more than one of them is tall, without a step where they meet.
    assert np.ptp(rows) > 1.6 * 800 * 2.0555563e-3 * 6800 / 80 * 0.95
    assert np.ptp(off) < 0.05 and seen.sum() > 10_000
    water = pair.layers["water_mask"] == 0
    assert not unwrapped[water].any() and (read(product, "water_mask") == 0).sum() == water.sum()
    assert np.abs(read(product, "lv_phi") - rasters(pair)["lv_phi"]).max() < 1e-5
    assert np.abs(read(product, "dem") - pair.layers["digital_elevation_model"]).max() < 1e-3
    assert np.median(read(product, "corr")[seen]) == pytest.approx(0.7, abs=0.02)


def test_a_gap_between_merged_products_is_said(pair: Hyp3Pair, tmp_path: Path) -> None:
    pytest.importorskip("whirlwind")
    _products(tmp_path / "bursts", pair, **{"sarcube:burst_id": "t064_136233_iw2"})
    made = carry_out(f"sarcube insar merge {tmp_path / 'bursts'} --out {tmp_path}")
    assert made.exit_code == 0 and "note: IW2 has no burst 136232 between its first and its last" in made.output


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"insar:secondary_datetime": "2020-06-28T02:23:35Z"}, "several secondary dates.*20200628"),
        ({"sat:absolute_orbit": 32863}, "several reference orbits"),
        ({"sar:polarizations": ["HH"]}, "several polarizations.*HH"),
        ({"gsd": 40.0}, "several looks.*20x4.*10x2"),
        ({"sarcube:burst_id": "t065_138379_iw2"}, "several tracks"),
        ({"sarcube:burst_id": "t064_136231_iw2"}, "same burst"),
    ],
)
def test_products_that_are_not_of_one_pair_are_not_merged(
    more: dict[str, Any], named: str, pair: Hyp3Pair, tmp_path: Path
) -> None:
    _products(tmp_path, pair, **more)
    with pytest.raises(CubeError, match=named):
        merge_products(tmp_path, tmp_path / "out")


def test_folders_without_whole_products_are_named(product: Path, tmp_path: Path) -> None:
    for folder, named in ((tmp_path / "none", "no folder"), (tmp_path, "no unzipped product")):
        with pytest.raises(CubeError, match=named):
            merge_products(folder, tmp_path)
    copied = tmp_path / product.name
    shutil.copytree(product, copied)
    (copied / f"{product.name}_lat_rdr.tif").unlink()
    with pytest.raises(CubeError, match=r"lat_rdr\.tif, which merging needs"):
        merge_products(tmp_path, tmp_path)
    shutil.copy(product / f"{product.name}_lat_rdr.tif", copied)
    (copied / f"{product.name}.txt").write_text("Range looks: many\n")
    with pytest.raises(CubeError, match=f"{product.name}.txt does not tell"):
        merge_products(tmp_path, tmp_path)
    shutil.copy(product / f"{product.name}.txt", copied)
    (copied / f"{product.name}_corr.tif").write_bytes(b"II*\0garbage")
    with pytest.raises(CubeError, match=r"corr\.tif cannot be read"):
        merge_products(tmp_path, tmp_path)
