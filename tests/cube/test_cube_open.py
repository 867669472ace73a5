"""Opening: selection, grouping, grids, static layers, laziness, other readers, and everything that can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import xarray as xr

import sarcube
from sarcube.cube.selection import parse_dates
from sarcube.errors import CubeError, PassedOverWarning
from sarcube.geometry.grid import GeoGrid

GRID = GeoGrid(32629, 600000, 4500000, 20, 90, 70)
EAST = GeoGrid(32629, 601400, 4499980, 20, 90, 70)
FAR = GeoGrid(32629, 700000, 4500000, 20, 90, 70)


@pytest.fixture
def items(bursts: Any) -> list[pystac.Item]:
    """Two bursts of one track on three dates, one of another track, seen from the other side."""
    made = []
    for day in ("03", "15", "27"):
        made.append(bursts.burst(GRID, "t052_001000_iw1", f"2022-01-{day}T05:00:00"))
        made.append(bursts.burst(EAST, "t052_001000_iw2", f"2022-01-{day}T05:00:01"))
    up = {"sat:orbit_state": "ascending"}
    made.append(bursts.burst(GRID, "t154_005000_iw1", "2022-01-15T18:00:00", **up))
    return made


def _bbox(grid: GeoGrid, inner: float = 0.0) -> tuple[float, float, float, float]:
    from rasterio.warp import transform_bounds

    left, bottom, right, top = grid.bounds
    return transform_bounds(grid.epsg, 4326, left + inner, bottom + inner, right - inner, top - inner)


def test_groups_make_the_time_axis(items: list[pystac.Item]) -> None:
    sizes = {g: sarcube.open_cube(items, group=g).sizes["time"] for g in ("acquisition", "pass", "day", "track")}  # type: ignore[arg-type]
    assert sizes == {"acquisition": 7, "pass": 4, "day": 3, "track": 2}
    apart = sarcube.open_cube(items, group="day", apart=["orbit_direction"])
    assert apart.sizes["time"] == 4
    passes = sarcube.open_cube(items)
    assert list(passes["orbit_direction"].values) == ["descending", "descending", "ascending", "descending"]
    assert list(passes["relative_orbit"].values) == [52, 52, 154, 52]
    assert list(passes["merged"].values) == [2, 2, 1, 2]
    singles = sarcube.open_cube(items, group="acquisition", dates="2022-01-03")
    assert list(singles["place"].values) == ["t052_001000_iw1", "t052_001000_iw2"]


def test_a_track_is_the_mean_of_its_dates(bursts: Any) -> None:
    items = [
        bursts.burst(GRID, "t052_001000_iw1", f"2022-01-{d:02d}T05:00:00", {"VV": np.full(GRID.shape, float(d))})
        for d in (1, 13, 25)
    ]
    cube = sarcube.open_cube(items, group="track", merge="mean")
    np.testing.assert_allclose(cube["VV"].values, 13.0)


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2022", "2022-01-01", "2022-12-31T23:59:59.999999999"),
        ("2022-02", "2022-02-01", "2022-02-28T23:59:59.999999999"),
        (("2022-01-03", "2022-01-04"), "2022-01-03", "2022-01-04T23:59:59.999999999"),
        ("2022-01-03/2022-02", "2022-01-03", "2022-02-28T23:59:59.999999999"),
        (np.datetime64("2022-01-03T05:00"), "2022-01-03T05:00", "2022-01-03T05:00"),
    ],
)
def test_dates_as_people_write_them(written: Any, first: str, last: str) -> None:
    assert parse_dates(written) == (np.datetime64(first, "ns"), np.datetime64(last, "ns"))


def test_what_lies_outside_is_never_touched(items: list[pystac.Item], bursts: Any) -> None:
    """A burst beside the area and a date beside the range may be gone; nobody looks."""
    beside = bursts.burst(FAR, "t052_009000_iw1", "2022-01-03T05:00:10")
    later = bursts.burst(GRID, "t052_001000_iw1", "2023-01-03T05:00:00")
    for gone in (beside, later):
        Path(gone.assets["VV"].href).unlink()
    cube = sarcube.open_cube([*items, beside, later], bbox=_bbox(GRID, 100), dates="2022")
    assert cube.sizes["time"] == 4
    assert cube.sizes["x"] <= GRID.width
    assert np.isfinite(cube["VV"].values).any()


def test_opening_reads_no_pixels(items: list[pystac.Item]) -> None:
    for item in items:
        for asset in item.assets.values():
            Path(asset.href).unlink()
    cube = sarcube.open_cube(items)
    assert cube.sizes["time"] == 4
    assert cube["VV"].chunks is not None


def test_one_task_per_chunk(items: list[pystac.Item]) -> None:
    import dask

    cube = sarcube.open_cube(items, chunks=32)
    chunks = cube["VV"].data.npartitions
    (fused,) = dask.optimize(cube["VV"].data)
    # Beside them only names of chunks (aliases), and stackstac's table entry of each time step, which is data.
    work = [t for t in dict(fused.__dask_graph__()).values() if type(t).__name__ not in ("Alias", "DataNode")]
    assert len(work) == chunks


def test_a_cut_keeps_the_lattice_and_the_pixels(items: list[pystac.Item]) -> None:
    whole = sarcube.open_cube(items, orbit_direction="ascending").compute(scheduler="sync")
    cut = sarcube.open_cube(items, bbox=_bbox(GRID, 333.0), orbit_direction="ascending")
    assert 0 < cut.sizes["x"] < whole.sizes["x"]
    np.testing.assert_array_equal(cut["VV"].values, whole["VV"].sel(x=cut["x"], y=cut["y"]).values)


def test_a_lattice_off_the_multiples_is_kept(bursts: Any) -> None:
    grid = GeoGrid(32629, 600007.5, 4500004, 20, 60, 50)
    item = bursts.burst(grid, "t052_001000_iw1", slant=0)
    cube = sarcube.open_cube([item])
    assert float(cube["x"][0]) == 600017.5
    np.testing.assert_allclose(cube["VV"][0].values, bursts.at_centres(grid), rtol=1e-6)


def test_odc_stac_gives_the_same_pixels(items: list[pystac.Item]) -> None:
    odc = pytest.importorskip("odc.stac")
    descending = [i for i in items if i.properties["sat:relative_orbit"] == 52]
    mine = sarcube.open_cube(descending, layers=["VV"], chunks=50)["VV"]
    theirs = odc.load(
        descending, bands=["VV"], groupby="solar_day", chunks={}, dtype="float32", nodata=float("nan"),
        crs="EPSG:32629", resolution=20,
    )["VV"]  # fmt: skip
    np.testing.assert_array_equal(mine["x"], theirs["x"])
    np.testing.assert_array_equal(mine["y"], theirs["y"])
    np.testing.assert_array_equal(mine.values, theirs.values)


def test_bare_stackstac_gives_the_same_pixels(items: list[pystac.Item]) -> None:
    import stackstac

    ours = sarcube.open_cube(items, group="acquisition", layers=["VV"])["VV"]
    bare = stackstac.stack(
        items, assets=["VV"], dtype=np.dtype("float32"), fill_value=np.float32(np.nan), rescale=False,
        xy_coords="center", properties=False,
    ).isel(band=0)  # fmt: skip
    np.testing.assert_array_equal(ours["x"], bare["x"])
    np.testing.assert_array_equal(ours["y"], bare["y"])
    np.testing.assert_array_equal(ours.values, bare.values)


def test_stackstac_s_graph_is_as_we_take_it_apart(items: list[pystac.Item], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails where a newer stackstac or dask makes another graph: cubes are right then, but need more memory.

    See `sarcube.cube.stack.table_of`, and "Speed" in docs/cube.md for what is lost.
    """
    from sarcube.cube import stack

    found = []
    original = stack.table_of
    monkeypatch.setattr(stack, "table_of", lambda stacked: found.append(original(stacked)) or found[-1])
    ours = sarcube.open_cube(items, chunks=50)
    assert found and None not in found
    monkeypatch.setattr(stack, "table_of", lambda stacked: None)
    public = sarcube.open_cube(items, chunks=50)
    xr.testing.assert_identical(ours.compute(), public.compute())


def test_static_layers_come_as_variables(items: list[pystac.Item], bursts: Any) -> None:
    statics = [
        bursts.burst(
            grid,
            burst,
            "2014-04-03T00:00:00",
            {"local_incidence_angle": np.full(grid.shape, angle), "mask": np.zeros(grid.shape)},
            **{"product:type": "RTC_S1_STATIC"},
        )
        for grid, burst, angle in (
            (GRID, "t052_001000_iw1", 35.0),
            (EAST, "t052_001000_iw2", 40.0),
            (GRID, "t154_005000_iw1", 45.0),
        )
    ]
    one = sarcube.open_cube([*items, *statics], static=True, relative_orbits=[52])
    assert one["local_incidence_angle"].dims == ("y", "x")
    assert one.sizes["time"] == 3
    assert float(one["local_incidence_angle"].sel(x=600030, y=4499000, method="nearest")) == 35.0
    assert one["mask"].dtype == np.uint8
    both = sarcube.open_cube([*items, *statics], static=["local_incidence_angle"])
    assert both["local_incidence_angle"].dims == ("track", "y", "x")
    assert float(both["local_incidence_angle"].sel(track=154).max()) == 45.0
    with pytest.raises(CubeError, match="no static layers of t052_001000_iw1"):
        sarcube.open_cube(items, static=True)


def test_single_polarization_dates_leave_the_other_empty(bursts: Any) -> None:
    values = np.ones(GRID.shape)
    items = [
        bursts.burst(GRID, "t052_001000_iw1", "2022-01-03T05:00:00", {"VV": values, "VH": values}),
        bursts.burst(GRID, "t052_001000_iw1", "2022-01-15T05:00:00", {"VV": values}),
    ]
    cube = sarcube.open_cube(items).compute(scheduler="sync")
    assert cube["VV"].notnull().all()
    assert cube["VH"][0].notnull().all()
    assert cube["VH"][1].isnull().all()


def test_mixed_resolutions_are_named(items: list[pystac.Item], bursts: Any) -> None:
    fine = bursts.burst(GeoGrid(32629, 600000, 4500000, 10, 60, 50), "t052_001000_iw3")
    with pytest.raises(CubeError, match=r"several resolutions: 10 \(1 rasters\), 20 \(7 rasters\); choose one"):
        sarcube.open_cube([*items, fine])
    assert sarcube.open_cube([*items, fine], resolution=20).sizes["time"] == 4


def test_empty_selections_say_what_left_nothing(items: list[pystac.Item]) -> None:
    with pytest.raises(CubeError, match=r"none of 7 items is left by dates 2030.*run from 2022-01-03 to 2022-01-27"):
        sarcube.open_cube(items, dates="2030")
    with pytest.raises(CubeError, match=r"left by bbox .*they lie within -7\.8"):
        sarcube.open_cube(items, bbox=(10, 10, 11, 11))
    with pytest.raises(CubeError, match=r"relative_orbits \[9\]; they have \['154', '52'\]"):
        sarcube.open_cube(items, relative_orbits=[9])
    with pytest.raises(CubeError, match="there are no items"):
        sarcube.open_cube([])
    with pytest.raises(CubeError, match="there is no store at /nowhere"):
        sarcube.open_cube("/nowhere")


def test_an_item_without_the_asset_is_named(items: list[pystac.Item]) -> None:
    del items[2].assets["VV"]
    items[2].assets["VH"] = items[1].assets["VV"].clone()
    with pytest.raises(CubeError, match=f"item {items[2].id} has no asset VV"):
        sarcube.open_cube(items, layers=["VV"])
    with pytest.raises(CubeError, match=r"no selected product has a layer 'VY'; did you mean VV\?"):
        sarcube.open_cube(items, layers=["VY"])


def test_an_item_without_a_grid_is_named(items: list[pystac.Item]) -> None:
    del items[0].properties["proj:transform"]
    with pytest.warns(PassedOverWarning, match=f"1 of 7 .*VV of item {items[0].id} does not tell its grid"):
        assert sarcube.open_cube(items, group="acquisition").sizes["time"] == 6
    with pytest.raises(CubeError, match=f"VV of item {items[0].id} does not tell its grid"):
        sarcube.open_cube(items[:1])


def test_a_code_without_epsg_is_understood(items: list[pystac.Item]) -> None:
    whole = sarcube.open_cube(items)["VV"].values
    for item in items:
        del item.properties["proj:epsg"]
    np.testing.assert_array_equal(sarcube.open_cube(items)["VV"].values, whole)


def test_a_file_that_vanishes_mid_read_is_named_with_its_place(items: list[pystac.Item]) -> None:
    cube = sarcube.open_cube(items, chunks=64)
    cube["VV"][0].compute()
    href = items[0].assets["VV"].href
    Path(href).unlink()
    with pytest.raises(CubeError, match=rf"{href} .*rows \d+ to \d+, columns \d+ to \d+ .*EPSG:32629.*vanished"):
        cube["VV"][0].compute(scheduler="sync")


def test_a_damaged_file_is_named(items: list[pystac.Item]) -> None:
    href = Path(items[0].assets["VV"].href)
    href.write_bytes(href.read_bytes()[:600])
    with pytest.raises(CubeError, match=f"{href}.*damaged"):
        sarcube.open_cube(items)["VV"].compute(scheduler="sync")


def test_a_file_on_another_grid_than_its_item_is_refused(items: list[pystac.Item], bursts: Any) -> None:
    other = bursts.burst(GeoGrid(32629, 600020, 4500000, 20, 90, 70), "t001_000001_iw1")
    Path(other.assets["VV"].href).replace(items[0].assets["VV"].href)
    with pytest.raises(CubeError, match="is not on the grid that item"):
        sarcube.open_cube(items)["VV"].compute(scheduler="sync")


def test_a_product_made_anew_is_read_anew(bursts: Any) -> None:
    """Handles are kept between reads; a replaced file must not be."""
    item = bursts.burst(GRID, "t052_001000_iw1", layers={"VV": np.ones(GRID.shape)})
    cube = sarcube.open_cube([item])
    assert float(cube["VV"].max().compute(scheduler="sync")) == 1
    bursts.burst(GRID, "t052_001000_iw1", layers={"VV": np.full(GRID.shape, 2.0)})
    assert float(cube["VV"].max().compute(scheduler="sync")) == 2


def test_misspelt_keywords_are_caught(items: list[pystac.Item]) -> None:
    with pytest.raises(CubeError, match="does not know 'chunk'; did you mean chunks"):
        sarcube.open_cube(items, chunk=12)  # type: ignore[call-arg]
    with pytest.raises(CubeError, match="group is one of acquisition, pass, day, track"):
        sarcube.open_cube(items, group="month")  # type: ignore[arg-type]
    with pytest.raises(CubeError, match="merge is one of first, mean, looks, centre"):
        sarcube.open_cube(items, merge="median")  # type: ignore[arg-type]
    with pytest.raises(CubeError, match=r"method 'looks' weights by number_of_looks, which the cube lacks"):
        sarcube.mosaic(sarcube.open_cube(items), "looks")
    with pytest.raises(CubeError, match="crs is an EPSG code"):
        sarcube.open_cube(items, crs="UTM")


def test_the_antimeridian_is_no_border(bursts: Any) -> None:
    """Zone 1 at 180 degrees; the AOI given across, either way of writing it."""
    bursts.epsg = 32601
    grid = GeoGrid(32601, 243000, 6660000, 20, 400, 60)  # crosses 180 degrees at 60 north... nearly
    item = bursts.burst(grid, "t052_001000_iw1", slant=0)
    west, south, east, north = item.bbox
    wrapped = [(west, south, east + 360 if east < west else east, north), tuple(item.bbox)]
    for bbox in wrapped:
        cube = sarcube.open_cube([item], bbox=bbox)
        assert cube.sizes["x"] >= 400
    with pytest.raises(CubeError, match="left by bbox"):
        sarcube.open_cube([item], bbox=(0, south, 10, north))


def test_the_cube_computes_on_a_cluster(items: list[pystac.Item]) -> None:
    """What crosses processes pickles: readers, errors and pixels."""
    import cloudpickle
    import dask

    cube = sarcube.open_cube(items, chunks=64)
    (fused,) = dask.optimize(cube["VV"].data)
    again = cloudpickle.loads(cloudpickle.dumps(fused))
    np.testing.assert_array_equal(again.compute(scheduler="sync"), cube["VV"].values)
    assert isinstance(cube, xr.Dataset)
