"""What lies below `dem.path` and is no height: masks, errors, pictures, sidecars, voids that nobody declared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from sarcube.config import DemConfig
from sarcube.errors import DemError
from sarcube.terrain.dem import load_dem
from sarcube.terrain.files import dem_paths
from sarcube.terrain.geoid import load_geoid

BOUNDS = (10.1, 45.8, 10.3, 45.9)


def write(path: Path, values: NDArray[np.generic], step: float = 0.001, crs: str = "EPSG:4326") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=columns, height=rows, count=1, dtype=values.dtype, crs=crs,
        transform=from_origin(10.0, 46.0, step, step),
    ) as target:  # fmt: skip
        target.write(values, 1)
    return str(path)


def flat(height: float, dtype: str = "float32") -> NDArray[np.generic]:
    return np.full((300, 400), height, dtype)


DELIVERIES = {
    # As the Copernicus DEM is delivered (GLO-30, DGED).
    "copernicus": (
        "{t}/DEM/{t}.tif",
        "Copernicus_DSM_10_N45_00_E010_00_DEM",
        {
            "{t}/AUXFILES/Copernicus_DSM_10_N45_00_E010_00_EDM.tif": ("uint8", 1),
            "{t}/AUXFILES/Copernicus_DSM_10_N45_00_E010_00_FLM.tif": ("uint8", 5),
            "{t}/AUXFILES/Copernicus_DSM_10_N45_00_E010_00_HEM.tif": ("float32", 0.4),
            "{t}/AUXFILES/Copernicus_DSM_10_N45_00_E010_00_WBM.tif": ("uint8", 0),
            "{t}/PREVIEW/Copernicus_DSM_10_N45_00_E010_00_DEM_QL.tif": ("uint8", 200),
        },
    ),
    # As TanDEM-X 90 m.
    "tandem-x": (
        "{t}/DEM/TDM1_DEM__30_N45E010_DEM.tif",
        "TDM1_DEM__30_N45E010_V01_C",
        {
            "{t}/AUXFILES/TDM1_DEM__30_N45E010_HEM.tif": ("float32", 0.7),
            "{t}/AUXFILES/TDM1_DEM__30_N45E010_WAM.tif": ("uint8", 1),
            "{t}/AUXFILES/TDM1_DEM__30_N45E010_AMP.tif": ("uint16", 90),
            "{t}/PREVIEW/TDM1_DEM__30_N45E010_DEM_QL.tif": ("uint8", 3),
        },
    ),
    # Side by side in one folder.
    "flat": (
        "Copernicus_DSM_10_N45_00_E010_00_DEM.tif",
        "",
        {
            "Copernicus_DSM_10_N45_00_E010_00_EDM.tif": ("uint8", 1),
            "Copernicus_DSM_10_N45_00_E010_00_HEM.tif": ("float32", 0.4),
        },
    ),
    "alos": (
        "N045E010/ALPSMLC30_N045E010_DSM.tif",
        "",
        {
            "N045E010/ALPSMLC30_N045E010_MSK.tif": ("uint8", 1),
            "N045E010/ALPSMLC30_N045E010_STK.tif": ("int16", 9),
        },
    ),
}


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_of_a_delivery_the_heights_are_taken(tmp_path: Path, delivery: str) -> None:
    heights, name, others = DELIVERIES[delivery]
    wanted = write(tmp_path / heights.format(t=name), flat(812.0))
    for other, (dtype, value) in others.items():
        write(tmp_path / other.format(t=name), flat(value, dtype))
    for path in (wanted, str(tmp_path), f"{tmp_path}/**/*.tif"):
        assert dem_paths(path) == [wanted]
        dem = load_dem(DemConfig(path=path, heights="ellipsoid"), BOUNDS)
        assert (dem.heights == 812.0).all() and not dem.warnings  # version 0.1: 1 m


def test_sidecars_are_no_part_of_anything(tmp_path: Path) -> None:
    wanted = write(tmp_path / "a.tif", flat(812.0))
    (tmp_path / "._a.tif").write_bytes(b"\0\5\x16\7")
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (tmp_path / "__MACOSX" / "deeper").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "deeper" / "a.tif").write_bytes(b"\0\5\x16\7")
    assert dem_paths(str(tmp_path)) == dem_paths(f"{tmp_path}/**/*.tif") == [wanted]
    with pytest.raises(DemError, match="without rasters of heights"):
        dem_paths(str(tmp_path / "__MACOSX"))


@pytest.mark.parametrize(
    ("dtype", "says"),
    [("uint8", r"mask\.tif holds bytes"), ("complex64", r"complex"), ("complex128", "complex"), ("int8", "bytes")],
)
def test_what_is_no_height_by_its_type_is_refused(tmp_path: Path, dtype: str, says: str) -> None:
    path = write(tmp_path / "mask.tif", flat(1, dtype))
    with pytest.raises(DemError, match=says):
        load_dem(DemConfig(path=path, heights="ellipsoid"), BOUNDS)


@pytest.mark.parametrize("step", [0.001, 0.0007])
def test_rasters_that_contradict_each_other_are_refused(tmp_path: Path, step: float) -> None:
    write(tmp_path / "a_heights.tif", flat(812.0))
    rows = 300 if step == 0.001 else 430
    write(tmp_path / "b_error.tif", np.full((rows, rows + 140), 0.4, np.float32), step)
    with pytest.raises(DemError, match=r"b_error\.tif contradicts .* more than 81[12] m"):
        load_dem(DemConfig(path=str(tmp_path), heights="ellipsoid"), BOUNDS)
    # What differs as two surveys do is no contradiction.
    write(tmp_path / "b_error.tif", np.full((rows, rows + 140), 805.0, np.float32), step)
    assert load_dem(DemConfig(path=str(tmp_path), heights="ellipsoid"), BOUNDS).heights.min() == pytest.approx(812.0)


@pytest.mark.parametrize("void", [-32768, -32767, -9999, 9999, 1e38, -3.4028235e38, np.inf])
@pytest.mark.parametrize("way", ["copied", "warped", "averaged"])
def test_voids_that_the_file_does_not_declare(tmp_path: Path, void: float, way: str) -> None:
    values = np.full((300, 400), 800.0, np.float32)
    rng = np.random.default_rng(4)
    rows, columns = rng.integers(110, 190, 100), rng.integers(110, 290, 100)
    values[rows, columns] = void
    path = write(tmp_path / "dem.tif", values)
    if way == "warped":  # a second raster with other pixels, elsewhere
        write(tmp_path / "fine.tif", np.full((40, 40), 800.0, np.float32), 0.0004)
    posting = 4000.0 if way == "averaged" else None
    dem = load_dem(DemConfig(path=str(tmp_path), heights="ellipsoid"), BOUNDS, posting)
    known = dem.heights[np.isfinite(dem.heights)]
    assert known == pytest.approx(800.0, abs=1e-3)
    count = len(np.unique(rows * 400 + columns))
    assert any(Path(path).name in text and f"{count} values outside" in text for text in dem.warnings)
    if way == "copied":
        assert int(np.isnan(dem.heights).sum()) == count


def test_the_dead_sea_and_everest_are_heights(tmp_path: Path) -> None:
    values = flat(-432.0).astype(np.float32)
    values[100:, :] = 8849.0
    dem = load_dem(DemConfig(path=write(tmp_path / "dem.tif", values), heights="ellipsoid"), BOUNDS)
    assert not dem.warnings and np.isfinite(dem.heights).all()


@pytest.mark.parametrize(
    ("crs", "says"),
    [("EPSG:4326+5773", "egm96"), ("EPSG:4326+3855", "egm2008"), ("EPSG:4979", "ellipsoid"), ("EPSG:4326", "")],
)
def test_heights_that_contradict_the_files_own_crs_are_told(
    tmp_path: Path, shared_data: Path, crs: str, says: str
) -> None:
    path = write(tmp_path / "dem.tif", flat(800.0), crs=crs)
    geoid = str(shared_data / "data" / "geoid" / "egm96_15.gtx")
    for heights in ("ellipsoid", "egm96", "egm2008"):
        dem = load_dem(DemConfig(path=path, heights=heights, geoid=geoid), BOUNDS)
        if says in ("", heights):
            assert not dem.warnings
        else:
            (text,) = dem.warnings
            assert f"refer to {says}" in text and f"says {heights}" in text


@pytest.mark.parametrize(
    ("crs", "unit", "metres"),
    [
        ("EPSG:4326", "ft", 0.3048),
        ("EPSG:4326", "US survey foot", 1200 / 3937),
        ("EPSG:4326", "cm", 0.01),
        ("EPSG:4326", "metre", 1.0),
        ("EPSG:4326+6360", "", 1200 / 3937),  # NAVD88 height (ftUS)
        ("EPSG:4326+8228", "", 0.3048),  # NAVD88 height (ft)
        ("EPSG:4326+5703", "", 1.0),
    ],
)
@pytest.mark.parametrize("way", ["copied", "averaged"])
def test_heights_in_feet_become_metres(tmp_path: Path, crs: str, unit: str, metres: float, way: str) -> None:
    path = write(tmp_path / "dem.tif", flat(800.0), crs=crs)
    if unit:
        with rasterio.open(path, "r+") as target:
            target.units = (unit,)
    dem = load_dem(DemConfig(path=path, heights="ellipsoid"), BOUNDS, 4000.0 if way == "averaged" else None)
    assert dem.heights == pytest.approx(800.0 * metres, rel=1e-6)
    assert any("units of" in text for text in dem.warnings) == (metres != 1.0)


def test_heights_in_a_strange_unit_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "dem.tif", flat(800.0))
    with rasterio.open(path, "r+") as target:
        target.units = ("furlong",)
    dem = load_dem(DemConfig(path=path, heights="ellipsoid"), BOUNDS)
    assert (dem.heights == 800.0).all() and "'furlong', which is not known" in dem.warnings[0]


def test_folders_behind_links_are_part_of_a_delivery(tmp_path: Path) -> None:
    """As archives are put together of links, also of such that lead back up."""
    wanted = Path(write(tmp_path / "elsewhere" / "deeper" / "a.tif", flat(812.0)))
    (tmp_path / "dem").mkdir()
    (tmp_path / "dem" / "north").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "dem" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "dem" / "up").symlink_to(tmp_path)
    (wanted.parent / "round").symlink_to(tmp_path / "elsewhere")
    found = dem_paths(str(tmp_path / "dem"))
    assert len(found) == 1 and Path(found[0]).resolve() == wanted


def test_a_geoid_grid_with_voids_that_it_does_not_declare(tmp_path: Path) -> None:
    grid = np.full((41, 41), 47.0, np.float32)
    path = tmp_path / "geoid.tif"

    def save() -> None:
        with rasterio.open(
            path, "w", driver="GTiff", width=41, height=41, count=1, dtype="float32", crs="EPSG:4326",
            transform=from_origin(9.9875, 46.0125, 0.025, 0.025),
        ) as target:  # fmt: skip
            target.write(grid, 1)

    grid[5, 8] = -32767.0
    save()
    dem = load_dem(DemConfig(path=write(tmp_path / "dem.tif", flat(100.0)), heights="egm2008", geoid=str(path)), BOUNDS)
    assert np.isnan(dem.heights).any()
    assert dem.heights[np.isfinite(dem.heights)] == pytest.approx(147.0, abs=1e-3)
    assert any("1 of " in text and "no undulation" in text for text in dem.warnings)
    grid[:] = 812.0  # a DEM, named in the geoid's place
    save()
    with pytest.raises(DemError, match="has no undulation around"):
        load_geoid(str(path), BOUNDS)


def test_a_projected_crs_with_heights_of_its_own(tmp_path: Path) -> None:
    """EPSG:7415 is the Dutch grid with heights above NAP: the horizontal part places the pixels, the rest is told."""
    path = tmp_path / "dem.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=400, height=400, count=1, dtype="float32", crs="EPSG:7415",
        transform=from_origin(150_000, 470_000, 25, 25),
    ) as target:  # fmt: skip
        target.write(np.full((400, 400), 3.0, np.float32), 1)
    dem = load_dem(DemConfig(path=str(path), heights="ellipsoid"), (5.36, 52.15, 5.4, 52.18))
    assert dem.epsg == 28992 and (dem.heights == 3.0).all()
    assert "NAP" in dem.warnings[0]
