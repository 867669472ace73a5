"""Simulated GRD scenes: readable as real ones are, and what the engine makes of them against truth and SLC."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr

from sarcube.engines.rtc.engine import RtcOptions
from sarcube.engines.rtc.native import NativeEngine
from sarcube.engines.rtc.native.detected import DetectedOptions, geocode_detected
from sarcube.geometry.burst_grid import footprint_grid, transformer
from sarcube.geometry.dem import Dem
from sarcube.geometry.ellipsoid import geodetic_to_ecef
from sarcube.geometry.geo2rdr import geo2rdr, geo2rdr_lonlat
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.burst import read_bursts
from sarcube.sensors.sentinel1.grd.assemble import assemble
from sarcube.sensors.sentinel1.grd.model import GrdPass
from sarcube.sensors.sentinel1.grd.reader import read_grd
from sarcube.sensors.sentinel1.safe import open_safe
from sarcube.sensors.sentinel1.samples import read_stored
from sarcube.simulate.archive import Archive, simulate
from sarcube.simulate.measurement import MeasurementFile
from sarcube.simulate.options import SimulationOptions

LON, LAT = 8.2, 48.0
OPTIONS = SimulationOptions(
    center=(LON, LAT), dates=(dt.date(2024, 5, 1),), aoi=(LON - 0.03, LAT - 0.02, LON + 0.03, LAT + 0.02),
    crop=True, truth="constant", swaths=("IW2",), relief=140.0, product="GRD",
)  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return simulate(tmp_path_factory.mktemp("grd") / "archive", OPTIONS)


def opened(archive: Archive) -> GrdPass:
    return assemble([read_grd(open_safe(archive.scenes[0], product="GRD"))])


def dem_of(archive: Archive) -> Dem:
    with rasterio.open(archive.dem) as source:
        t = source.transform
        return Dem(source.read(1).astype(np.float32), source.crs.to_epsg(), t.c, t.f, t.a, -t.e, "simulated")


def grid_of(archive: Archive) -> GeoGrid:
    west, south, east, north = archive.bbox
    return footprint_grid([(west, south), (east, south), (east, north), (west, north)], archive.epsg, 20.0)


@pytest.fixture(scope="module")
def flattened(archive: Archive) -> xr.Dataset:
    return geocode_detected(opened(archive), grid_of(archive), dem_of(archive), DetectedOptions(threads=2))


def decibel(values: np.ndarray) -> float:
    return float(10 * np.log10(values.mean()))


def test_it_reads_as_a_real_scene_does(archive: Archive) -> None:
    image = opened(archive).first
    assert image.product_type == "GRDH" and image.polarizations == ("VV", "VH") and not image.warnings
    grid = image.geolocation
    time, slant = geo2rdr_lonlat(image.orbit, grid.longitude, grid.latitude, grid.height)
    _, sample = image.radar.line_and_sample(time, slant)
    assert np.abs(time - grid.azimuth_time).max() < 1e-5
    assert np.abs(sample - grid.sample).max() < 0.01
    # Polynomials change from one to the next, as the terrain's height does in real scenes.
    assert image.radar.ground is not None and image.radar.ground.first_line.size > 3


def test_constant_gamma0_comes_back(flattened: xr.Dataset) -> None:
    good = flattened["mask"].values == 0
    assert good.mean() > 0.97
    assert abs(decibel(flattened["VV"].values[good] / 0.1)) < 0.05
    assert abs(decibel(flattened["VH"].values[good] / 0.02)) < 0.05
    angle = flattened["local_incidence_angle"].values
    steepest = np.abs(angle - flattened["incidence_angle"].values)[good].max()
    assert steepest > 30  # slopes to 35 degrees are in it
    for low in range(10, 70, 10):
        inside = good & (angle >= low) & (angle < low + 10)
        assert inside.sum() > 300, low
        assert abs(decibel(flattened["VV"].values[inside] / 0.1)) < 0.1, low


def test_slc_of_the_same_ground_agrees(archive: Archive, flattened: xr.Dataset, tmp_path: Path) -> None:
    slc = simulate(tmp_path / "slc", replace(OPTIONS, product="SLC"))
    grid, dem = grid_of(archive), dem_of(archive)
    sums = np.zeros((2, *grid.shape))
    for burst in read_bursts(open_safe(slc.scenes[0])):
        rtc = NativeEngine().backscatter(burst, grid, dem, RtcOptions(polarizations=("VV",), threads=2), None)
        seen = np.isfinite(rtc["VV"].values)
        sums[0][seen] += rtc["VV"].values[seen]
        sums[1][seen] += 1
    both = (sums[1] > 0) & (flattened["mask"].values == 0)
    assert both.mean() > 0.9
    mean = sums[0][both] / sums[1][both]
    assert abs(decibel(flattened["VV"].values[both]) - decibel(mean)) < 0.2


def test_corner_reflectors_lie_where_they_stand(archive: Archive, tmp_path: Path) -> None:
    image, dem = opened(archive), dem_of(archive)
    radar, grid = image.radar, grid_of(archive)
    flat = replace(dem, heights=np.full_like(dem.heights, 400.0))
    to_lonlat = transformer(grid.epsg, 4326)
    echo = np.full((radar.lines, radar.samples), 4.0)
    wanted = [(0.23, 0.31), (0.5, 0.52), (0.77, 0.4), (0.36, 0.74), (0.64, 0.81)]
    places = []
    for fx, fy in wanted:
        x = grid.left + fx * grid.width * grid.resolution + 3.0
        y = grid.top - fy * grid.height * grid.resolution + 7.0
        lon, lat = to_lonlat.transform(x, y)
        time, slant = geo2rdr(image.orbit, geodetic_to_ecef(lon, lat, 400.0))
        # By the annotated numbers alone: line by time, ground range by the polynomial nearest in time.
        line = (float(time) - radar.first_line_time) / radar.line_interval
        assert radar.ground is not None
        k = int(radar.ground.stretch(line))
        sample = np.polynomial.polynomial.polyval(
            float(slant) - radar.ground.origin[k], radar.ground.coefficients[k]
        ) / 10.0  # fmt: skip
        i, j = np.mgrid[-6:7, -6:7]
        at = (round(line), round(float(sample)))
        window = np.exp(-((i - line + at[0]) ** 2 + (j - float(sample) + at[1]) ** 2) / (2 * 0.9**2))
        echo[at[0] - 6 : at[0] + 7, at[1] - 6 : at[1] + 7] += 8000 * window
        places.append((x, y))
    (stored,) = (c.samples for c in [image.first.channels["VV"]])
    path = tmp_path / "m.tiff"
    file = MeasurementFile(path, radar.lines, radar.samples, [(0.0, 0.0, LON, LAT, 0.0)], detected=True)
    file.write(0, 0, np.rint(echo).astype(np.uint16))
    file.close()
    root = Path(stored.path)
    original = (root / stored.member).read_bytes()
    try:
        (root / stored.member).write_bytes(path.read_bytes())
        out = geocode_detected(
            image, grid, flat,
            DetectedOptions(polarizations=("VV",), thermal_noise=False, static_troposphere=False, correction="gtc"),
        )["VV"].values  # fmt: skip
    finally:
        (root / stored.member).write_bytes(original)
    for x, y in places:
        c, r = (x - grid.left) / grid.resolution - 0.5, (grid.top - y) / grid.resolution - 0.5
        r0, c0 = round(r), round(c)
        part = out[r0 - 3 : r0 + 4, c0 - 3 : c0 + 4].astype(float)
        part -= np.median(part)
        rows, columns = np.mgrid[r0 - 3 : r0 + 4, c0 - 3 : c0 + 4]
        assert abs((part * rows).sum() / part.sum() - r) < 0.2
        assert abs((part * columns).sum() / part.sum() - c) < 0.2


def test_the_same_options_give_the_same_bytes(archive: Archive, tmp_path: Path) -> None:
    again = simulate(tmp_path / "again", OPTIONS)
    a, b = (open_safe(x.scenes[0], product="GRD") for x in (archive, again))
    assert a.name == b.name
    for x, y in zip(read_grd(a).channels.values(), read_grd(b).channels.values(), strict=True):
        np.testing.assert_array_equal(read_stored(x.samples), read_stored(y.samples))


@pytest.mark.parametrize("year", ["2015"])  # the old noise format
def test_on_real_annotation(shared_data: Path, tmp_path: Path, year: str) -> None:
    (template,) = (shared_data / "data" / "grd").glob(f"*_1SDV_{year}*.zip")
    centre = {"2015": (22.9, 38.4)}[year]
    aoi = (centre[0] - 0.02, centre[1] - 0.015, centre[0] + 0.02, centre[1] + 0.015)
    options = SimulationOptions(template=template, product="GRD", truth="constant", aoi=aoi, relief=60.0)
    archive = simulate(tmp_path / "archive", options)
    image = opened(archive)
    assert image.first.channels["VV"].noise is not None
    out = geocode_detected(image, grid_of(archive), dem_of(archive), DetectedOptions(threads=2))
    good = out["mask"].values == 0
    assert good.mean() > 0.5
    assert abs(decibel(out["VV"].values[good] / 0.1)) < 0.05
