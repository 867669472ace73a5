"""DEM windows: what is read is what the file has, where it has it, and what is missing is said."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.transform import from_origin

from sarcube.config import DemConfig
from sarcube.errors import DemError
from sarcube.geometry.dem import Dem
from sarcube.terrain.dem import load_dem
from sarcube.terrain.geoid import load_geoid
from sarcube.workflows.sentinel1_checks import dem_gap

SECOND = 1 / 3600


def write(
    path: Path, values: NDArray[Any], left: float, top: float, step: float | tuple[float, float], **options: Any
) -> str:
    dx, dy = step if isinstance(step, tuple) else (step, step)
    profile = {"driver": "GTiff", "count": 1, "dtype": values.dtype, "crs": "EPSG:4326", **options}
    tags = profile.pop("tags", {})
    scale = profile.pop("scale", None)
    with rasterio.open(
        path, "w", height=values.shape[0], width=values.shape[1], transform=from_origin(left, top, dx, dy), **profile
    ) as target:
        target.write(values, 1)
        target.update_tags(**tags)
        if scale:
            target.scales, target.offsets = (scale[0],), (scale[1],)
    return str(path)


def ramp(rows: int, columns: int, left: float, top: float, step: float) -> NDArray[np.float32]:
    """Heights that say where they are: 100 m a degree east, 10 m a degree north."""
    lon = left + (np.arange(columns) + 0.5) * step
    lat = top - (np.arange(rows) + 0.5) * step
    return (100.0 * lon[None, :] + 10.0 * lat[:, None]).astype(np.float32)


def places(dem: Dem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = dem.left + (np.arange(dem.heights.shape[1]) + 0.5) * dem.dx
    y = dem.top - (np.arange(dem.heights.shape[0]) + 0.5) * dem.dy
    return np.meshgrid(x, y)


def ellipsoid(*paths: str) -> DemConfig:
    return DemConfig(path=paths[0] if len(paths) == 1 else paths, heights="ellipsoid")


def test_a_window_has_the_files_pixels_and_a_margin(tmp_path: Path) -> None:
    path = write(tmp_path / "dem.tif", ramp(400, 500, 10.0, 46.0, 0.001), 10.0, 46.0, 0.001)
    dem = load_dem(ellipsoid(path), (10.1, 45.7, 10.3, 45.9))
    assert dem.heights.shape == (216, 216)  # 200 pixels and eight on each side
    lon, lat = places(dem)
    assert np.abs(dem.heights - (100 * lon + 10 * lat)).max() < 1e-3
    assert dem.epsg == 4326 and dem.description == "dem.tif"  # published: not where it lies here


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "dem.tif", ramp(400, 500, 10.0, 46.0, 0.001), 10.0, 46.0, 0.001)
    with pytest.raises(DemError, match=r"50\.0% of the area: missing 10\.3000 to 10\.4000.* 45\.5000 to 45\.6000"):
        load_dem(ellipsoid(path), (10.3, 45.5, 10.4, 45.7))
    with pytest.raises(DemError, match="does not overlap"):
        load_dem(ellipsoid(path), (20.0, 45.5, 20.4, 45.7))
    # A footprint inside the box is what counts where it is given.
    triangle = [(10.3, 45.7), (10.4, 45.7), (10.35, 45.65), (10.3, 45.7)]
    assert load_dem(ellipsoid(path), (10.3, 45.5, 10.4, 45.7), footprint=triangle).heights.shape[0] < 120


def test_bounds_that_are_the_dem_itself_are_covered(tmp_path: Path) -> None:
    path = write(tmp_path / "dem.tif", ramp(40, 50, 10.0, 46.0, 0.01), 10.0, 46.0, 0.01)
    dem = load_dem(ellipsoid(path), (10.0, 45.6, 10.5, 46.0))
    assert dem.heights.shape == (40, 50) and not np.isnan(dem.heights).any()


@pytest.mark.parametrize("nodata", [-32768, None])
def test_voids_stay_voids(tmp_path: Path, nodata: int | None) -> None:
    values = np.full((100, 100), 7.0, np.float32)
    values[40:60, 40:60] = np.nan if nodata is None else nodata
    path = write(tmp_path / "dem.tif", values, 10.0, 46.0, 0.01, nodata=nodata)
    dem = load_dem(ellipsoid(path), (10.2, 45.2, 10.8, 45.8))
    assert np.isnan(dem.heights).sum() == 400
    assert np.nanmin(dem.heights) == 7.0


def test_integers_with_scale_and_offset(tmp_path: Path) -> None:
    values = np.arange(10_000, dtype=np.int16).reshape(100, 100)
    path = write(tmp_path / "dem.tif", values, 10.0, 46.0, 0.01, scale=(0.5, 100.0))
    dem = load_dem(ellipsoid(path), (10.0, 45.0, 11.0, 46.0))
    assert dem.heights[0, 3] == 101.5


def test_tiles_side_by_side_a_hole_between_them_and_a_void_filled_by_the_next(tmp_path: Path) -> None:
    whole = ramp(200, 200, 10.0, 46.0, 0.01)
    parts = {}
    for i in (0, 100):
        for j in (0, 100):
            parts[i, j] = write(
                tmp_path / f"t{i}_{j}.tif", whole[i : i + 100, j : j + 100], 10 + j / 100, 46 - i / 100, 0.01
            )
    bounds = (10.5, 44.5, 11.5, 45.5)
    dem = load_dem(ellipsoid(*parts.values()), bounds)
    lon, lat = places(dem)
    assert np.abs(dem.heights - (100 * lon + 10 * lat)).max() < 1e-3
    folder = load_dem(ellipsoid(str(tmp_path)), bounds)
    pattern = load_dem(ellipsoid(str(tmp_path / "t*.tif")), bounds)
    assert np.array_equal(folder.heights, dem.heights) and np.array_equal(pattern.heights, dem.heights)
    with pytest.raises(DemError, match=r"25\.0%.*11\.0000 to 11\.5000 degrees east, 44\.5000 to 45\.0000"):
        load_dem(ellipsoid(*[path for key, path in parts.items() if key != (100, 100)]), bounds)
    holed = whole.copy()
    holed[80:120, 80:120] = np.nan
    first = write(tmp_path / "holed.tif", holed, 10.0, 46.0, 0.01)
    filled = load_dem(ellipsoid(first, *parts.values()), bounds)
    assert np.array_equal(filled.heights, dem.heights)


def test_a_vrt_and_a_remote_tile_list_are_rasters_too(tmp_path: Path) -> None:
    path = write(tmp_path / "dem.tif", ramp(400, 500, 10.0, 46.0, 0.001), 10.0, 46.0, 0.001)
    vrt = tmp_path / "dem.vrt"
    vrt.write_text(
        '<VRTDataset rasterXSize="500" rasterYSize="400"><SRS>EPSG:4326</SRS>'
        "<GeoTransform>10.0, 0.001, 0, 46.0, 0, -0.001</GeoTransform>"
        '<VRTRasterBand dataType="Float32" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{path}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    bounds = (10.1, 45.7, 10.3, 45.9)
    assert np.array_equal(load_dem(ellipsoid(str(vrt)), bounds).heights, load_dem(ellipsoid(path), bounds).heights)


def test_pixel_is_point_is_not_half_a_pixel_off(tmp_path: Path) -> None:
    # One file by two conventions: written as points, its corner value lies at the tie point itself.
    values = ramp(100, 100, 10.0, 46.0, 0.01)
    area = write(tmp_path / "area.tif", values, 10.0, 46.0, 0.01)
    point = write(tmp_path / "point.tif", values, 10.0, 46.0, 0.01, tags={"AREA_OR_POINT": "Point"})
    with rasterio.open(point) as source:
        assert source.tags()["AREA_OR_POINT"] == "Point"
    bounds = (10.2, 45.2, 10.8, 45.8)
    a, b = load_dem(ellipsoid(area), bounds), load_dem(ellipsoid(point), bounds)
    for dem in (a, b):
        lon, lat = places(dem)
        assert np.abs(dem.heights - (100 * lon + 10 * lat)).max() < 1e-3


def test_across_the_antimeridian_two_files_are_one_array(shared_data: Path) -> None:
    folder = shared_data / "data" / "dem" / "sar-pipeline"
    names = ("antimeridian_S80_EAST_4326_2396_2130_4_6.tif", "antimeridian_S80_WEST_4326_0_2130_3_6.tif")
    bounds = (179.9970, -79.5930, 180.0015, -79.5920)
    dem = load_dem(ellipsoid(*(str(folder / n) for n in names)), bounds)
    east, west = (rasterio.open(folder / n).read(1) for n in names)
    assert dem.heights.shape == (6, 7)
    assert np.array_equal(dem.heights, np.hstack([east, west]))
    assert dem.left == pytest.approx(179.99625) and dem.left + 7 * dem.dx == pytest.approx(180.0020833)
    geoid = str(shared_data / "data" / "geoid" / "egm96_15.gtx")
    added = load_dem(DemConfig(path=tuple(str(folder / n) for n in names), heights="egm96", geoid=geoid), bounds)
    undulation = added.heights - dem.heights
    assert np.ptp(undulation) < 0.01 and -60 < undulation.mean() < -50


@pytest.mark.parametrize(
    ("epsg", "bounds"),
    [
        (32633, (15.5, 45.5, 15.7, 45.7)),
        (3031, (179.2, -79.7, 180.8, -79.5)),
        (3413, (20.0, 82.9, 22.0, 83.1)),
        (3413, (20.0, 85.9, 22.0, 86.1)),
        (3031, (-180.0, -90.0, 180.0, -89.9)),
    ],
)
def test_projected_dems_keep_their_pixels_and_get_the_geoid_exactly(
    shared_data: Path, tmp_path: Path, epsg: int, bounds: tuple[float, float, float, float]
) -> None:
    to_plane = Transformer.from_crs(4326, epsg, always_xy=True)
    x, y = to_plane.transform((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2 if bounds[1] > -90 else -90)
    path = write(
        tmp_path / "dem.tif", np.zeros((600, 600), np.float32), x - 30_000, y + 30_000, 100.0, crs=f"EPSG:{epsg}"
    )
    geoid = str(shared_data / "data" / "geoid" / "egm96_15.gtx")
    dem = load_dem(DemConfig(path=path, heights="egm96", geoid=geoid), bounds)
    assert dem.epsg == epsg and dem.dx == 100.0
    px, py = places(dem)
    lon, lat = Transformer.from_crs(epsg, 4326, always_xy=True).transform(px, py)
    grid = load_geoid(geoid, (-180.0, -90.0, 180.0, 90.0))
    assert np.abs(dem.heights - grid.at_points(lon, lat)).max() < 0.002


def test_rasters_of_other_pixels_are_brought_to_the_finest(tmp_path: Path) -> None:
    fine = write(tmp_path / "fine.tif", ramp(100, 100, 10.0, 46.0, 0.01), 10.0, 46.0, 0.01)
    coarse = write(tmp_path / "coarse.tif", ramp(60, 60, 10.995, 46.01, 0.02), 10.995, 46.01, 0.02)
    dem = load_dem(ellipsoid(fine, coarse), (10.5, 45.2, 11.8, 45.9))
    assert dem.dx == pytest.approx(0.01)
    lon, lat = places(dem)
    assert not np.isnan(dem.heights).any()
    assert np.abs(dem.heights - (100 * lon + 10 * lat)).max() < 0.6  # half a coarse pixel at its edge
    inner = lon > 11.03
    assert np.abs(dem.heights - (100 * lon + 10 * lat))[inner].max() < 0.01


def test_a_much_finer_dem_is_averaged_to_half_the_output_posting(tmp_path: Path) -> None:
    step = 1.0 / 111_320.0  # about one metre
    rough = np.random.default_rng(1).normal(100.0, 10.0, (2000, 2000)).astype(np.float32)
    path = write(tmp_path / "fine.tif", rough, 10.0, 46.0, step)
    bounds = (10.001, 45.985, 10.015, 45.999)
    native = load_dem(ellipsoid(path), bounds)
    coarse = load_dem(ellipsoid(path), bounds, resolution_m=20.0)
    assert native.dy == pytest.approx(step)
    assert coarse.dy == pytest.approx(10 * step)
    assert np.nanstd(coarse.heights[2:-2, 2:-2]) == pytest.approx(1.0, abs=0.1)  # 100 independent pixels each
    assert load_dem(ellipsoid(path), bounds, resolution_m=3.0).dy == pytest.approx(step)


@pytest.mark.parametrize("content", [b"", b"II*\0\x08\0\0\0" + b"\xff" * 64, b"not a raster", b"MM\0*" + bytes(2000)])
def test_a_damaged_file_is_a_dem_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.tif"
    path.write_bytes(content)
    with pytest.raises(DemError, match=r"broken\.tif"):
        load_dem(ellipsoid(str(path)), (10.0, 45.0, 11.0, 46.0))


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.tif", tmp_path / "*.tif"):
        with pytest.raises(DemError, match="does not exist"):
            load_dem(ellipsoid(str(path)), (10.0, 45.0, 11.0, 46.0))
    with pytest.raises(DemError, match="without rasters"):
        load_dem(ellipsoid(str(tmp_path)), (10.0, 45.0, 11.0, 46.0))
    with pytest.raises(DemError, match="bounds"):
        load_dem(ellipsoid("dem.tif"), (11.0, 45.0, 10.0, 46.0))


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "dem.tif"
    write(path, np.zeros((100, 100), np.float32), 10.0, 46.0, 0.01)
    assert load_dem(ellipsoid(str(path)), (10.2, 45.2, 10.8, 45.8)).dx == 0.01
    time.sleep(0.01)
    write(path, np.ones((50, 50), np.float32), 10.0, 46.0, 0.02)
    again = load_dem(ellipsoid(str(path)), (10.2, 45.2, 10.8, 45.8))
    assert again.dx == 0.02 and again.heights.min() == 1.0


def test_morocco_covers_its_burst(shared_data: Path) -> None:
    path = str(shared_data / "data" / "dem" / "morocco_iw1_b0.tif")
    dem = load_dem(ellipsoid(path), (-8.80, 31.562, -7.88, 31.87))
    assert not np.isnan(dem.heights).any()
    assert 100 < dem.heights.min() < dem.heights.max() < 1500


@pytest.mark.parametrize("crs", ["EPSG:4326+3855", "EPSG:4979", "EPSG:9518", "OGC:CRS84"])
def test_longitude_and_latitude_by_other_names(tmp_path: Path, crs: str) -> None:
    path = write(tmp_path / "dem.tif", ramp(100, 100, 10.0, 46.0, 0.01), 10.0, 46.0, 0.01, crs=crs)
    dem = load_dem(ellipsoid(path), (10.2, 45.2, 10.8, 45.8))
    assert dem.epsg == 4326 and dem.dx == pytest.approx(0.01)
    lon, lat = places(dem)
    assert np.abs(dem.heights - (100 * lon + 10 * lat)).max() < 1e-3


def test_a_compound_projected_crs_is_its_horizontal_part(tmp_path: Path) -> None:
    values = np.arange(250_000, dtype=np.float32).reshape(500, 500)
    path = write(tmp_path / "dem.tif", values, 500_000.0, 5_100_000.0, 100.0, crs="EPSG:32633+3855")
    dem = load_dem(ellipsoid(path), (15.2, 45.7, 15.4, 45.9))
    assert dem.epsg == 32633 and dem.dx == 100.0


def test_rasters_that_are_not_north_up_or_on_another_datum_are_warped(tmp_path: Path) -> None:
    from affine import Affine

    heights = ramp(200, 200, 10.0, 46.0, 0.005)
    bounds = (10.3, 45.3, 10.7, 45.7)
    upside_down = tmp_path / "south_up.tif"
    rotated = tmp_path / "rotated.tif"
    turn = (
        Affine.translation(10.5, 45.5)
        @ Affine.rotation(30)
        @ Affine.scale(0.005, -0.005)
        @ Affine.translation(-150, -150)
    )
    cols, rows = np.meshgrid(np.arange(300) + 0.5, np.arange(300) + 0.5)
    x, y = turn @ (cols, rows)
    for path, values, transform in (
        (upside_down, heights[::-1], Affine(0.005, 0, 10.0, 0, 0.005, 45.0)),
        (rotated, (100 * x + 10 * y).astype(np.float32), turn),
    ):
        with rasterio.open(
            path, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1, dtype="float32",
            crs="EPSG:4326", transform=transform,
        ) as target:  # fmt: skip
            target.write(values, 1)
    # Beyond the corners that are turned away there is none of it.
    with pytest.raises(DemError, match="does not cover"):
        load_dem(ellipsoid(str(rotated)), (9.6, 44.6, 11.4, 46.4))
    corner = (9.55, 44.55, 9.7, 44.7)
    assert dem_gap(ellipsoid(str(rotated)), [(x, y) for x, y, *_ in shapely.box(*corner).exterior.coords])
    assert not dem_gap(ellipsoid(str(rotated)), [(x, y) for x, y, *_ in shapely.box(*bounds).exterior.coords])
    nad83 = write(tmp_path / "nad83.tif", heights, 10.0, 46.0, 0.005, crs="EPSG:4269")
    for path in (str(upside_down), str(rotated), nad83):
        dem = load_dem(ellipsoid(path), bounds)
        lon, lat = places(dem)
        inside = (lon > 10.3) & (lon < 10.7) & (lat > 45.3) & (lat < 45.7)
        assert dem.epsg == 4326 and inside.sum() > 1000
        assert np.abs(dem.heights - (100 * lon + 10 * lat))[inside].max() < 0.05
