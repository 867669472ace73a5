"""Passes as places: which bursts, which gaps, which rules; and the whole way of one."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pystac
import pytest
import shapely

from sarcube.config import RunConfig
from sarcube.engines.insar.merge import Alignment
from sarcube.engines.insar.whole import Whole, WholeOptions
from sarcube.errors import ConfigError, DemError, MergeError, ProductError
from sarcube.production.plan.plan import plan
from sarcube.products.unwrapped import LAND
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, SceneSearch
from sarcube.testing.workflow import WorkflowSuite
from sarcube.workflows.insar import find as finding
from sarcube.workflows.insar import pairs as pairing
from sarcube.workflows.insar.checks import NO_WATER
from sarcube.workflows.insar.merging import check_mergeable, read_piece
from sarcube.workflows.insar.pass_items import PassContext, pass_facts
from sarcube.workflows.insar.passes import absent_between, gaps, is_pass, parts_of, pass_place
from sarcube.workflows.insar.run import run as run_task
from sarcube.workflows.insar.workflow import WORKFLOW
from sarcube.workflows.workflow import Context
from tests.catalog.verdicts import judge_alike
from tests.once import once

DATES = ("2023-01-01", "2023-01-13", "2023-01-25")


def found(day: str, number: int, swath: int = 1, **more: Any) -> FoundBurst:
    """An acquisition as a search finds it, 20 km along the track for each number."""
    start = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC) + dt.timedelta(hours=6, seconds=2.76 * (number % 9))
    west, south = 8.0 + swath, 48.0 - 0.18 * (number % 9)
    ring = ((west, south), (west + 1.1, south + 0.2), (west + 1.1, south + 0.4), (west, south + 0.2), (west, south))
    return FoundBurst(
        f"t052_{number:06d}_iw{swath}", f"S1A_{day}", "/nowhere", f"IW{swath}", number % 9, start,
        start + dt.timedelta(seconds=3), "S1A", "descending", 52, ("VV", "VH"), ring, **more,
    )  # fmt: skip


def config(folder: Path, **section: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "workflow": "insar",
            "source": {"kind": "local", "path": str(folder)},
            "dem": {"path": str(folder / "dem.tif"), "heights": "ellipsoid"},
            "store": str(folder / "store"),
            "insar": {"merge": True, "unwrap": "none", **section},
        }
    )


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Units of passes, of a run whose source has these bursts."""

    def run(*bursts: FoundBurst, **section: Any) -> Any:
        monkeypatch.setattr(finding, "find_scenes", lambda _, **__: SceneSearch(bursts))
        monkeypatch.setattr(pairing.Baselines, "__call__", lambda *_: None)
        units = finding.find(config(tmp_path, **section)).units
        return [unit for unit in units if unit.kind == "INSAR_S1_PASS"], units

    return run


def test_a_pass_waits_for_the_pairs_of_its_bursts(search: Any) -> None:
    bursts = [found(day, n, s) for day in DATES for n in (110431, 110432) for s in (1, 2)]
    passes, units = search(*bursts)
    assert [u.place for u in passes] == ["t052_110431_110432_iw12"] * 2
    assert [u.tag for u in passes] == ["20230113T060002Z", "20230125T060002Z"]
    assert passes[0].footprint == passes[1].footprint
    pairs = {u.key for u in units if u.kind == "INSAR_S1"}
    assert set(passes[0].waits) | set(passes[1].waits) == pairs and len(passes[0].waits) == 4
    grids = [WORKFLOW.grid(config(Path("/nowhere")), u.place, u.footprint) for u in (passes[0], units[0])]
    assert grids[0].resolution == 80 and grids[0].right > grids[1].right and grids[0].epsg in (32632, 32633)
    assert not search(*bursts, merge=False, unwrap="whirlwind")[0]


def test_all_pairs_of_a_track_are_one_place_also_where_one_lacks_a_burst(search: Any) -> None:
    bursts = [found(day, n) for day in DATES for n in (110431, 110432, 110433)]
    passes, _ = search(*(b for b in bursts if (b.scene, b.burst_id) != ("S1A_2023-01-25", "t052_110433_iw1")))
    assert {u.place for u in passes} == {"t052_110431_110433_iw1"} and len({u.footprint for u in passes}) == 1
    assert [len(parts_of(u)) for u in passes] == [3, 2]


def test_gaps_are_told(search: Any, tmp_path: Path) -> None:
    passes, _ = search(*(found(day, n) for day in DATES[:2] for n in (110431, 110433)))
    gap, water = WORKFLOW.remarks(config(tmp_path), passes)[0]
    assert "t052_110432_iw1 between others of IW1" in gap and water == NO_WATER


@pytest.mark.parametrize(
    ("bursts", "says"),
    [
        (("000001_iw1", "000002_iw1", "000002_iw2"), ""),
        (("000001_iw1", "000003_iw1"), "t052_000002_iw1 between others"),
        (("000001_iw1", "000001_iw3"), "nothing of IW2"),
        (("000001_iw1", "000003_iw2", "000002_iw1"), "begin and end together"),
    ],
)
def test_what_hangs_together(bursts: tuple[str, ...], says: str) -> None:
    text = "; ".join(gaps(f"t052_{b}" for b in bursts))
    assert says in text and bool(says) == bool(text)


def test_bursts_that_both_dates_lack_and_those_that_failed_are_gaps() -> None:
    ids = [f"t052_{b}" for b in ("000001_iw1", "000004_iw1", "000001_iw2", "000002_iw2")]
    assert absent_between(ids) == ("t052_000002_iw1", "t052_000003_iw1")
    told = [
        {
            "sarcube:burst_id": name, "sar:beam_ids": [name[-3:].upper()], "start_datetime": "2024-05-01T05:00:00Z",
            "end_datetime": "2024-05-01T05:00:03Z", "insar:reference_datetime": "2024-05-01T05:00:00Z",
            "insar:secondary_datetime": "2024-05-13T05:00:00Z",
        }
        for name in ids
    ]  # fmt: skip
    items = [SimpleNamespace(id=str(k), properties=properties) for k, properties in enumerate(told)]
    whole = Whole(np.zeros((2, 2), np.float32), None, None, 40.0)
    failed = ("t052_000003_iw1", "t052_000003_iw2")
    about = PassContext(items, Alignment((0.0,) * 4, (), 0.0), WholeOptions(), whole, "not told", failed, ())  # type: ignore[arg-type]
    product: Any = SimpleNamespace(
        name=SimpleNamespace(kind="INSAR_S1_PASS", place="t052", processed=dt.datetime(2024, 6, 1), version="1")
    )
    run: Any = SimpleNamespace(metadata=SimpleNamespace(properties={}))
    static: Any = None
    assert pass_facts(product, about, static, run).properties["sarcube:gaps"] == 3


def test_names_of_passes() -> None:
    assert pass_place(["t052_000001_iw3", "t052_000004_iw1"]) == "t052_000001_000004_iw13"
    assert is_pass("t052_000001_000004_iw13") and not is_pass("t052_000001_iw1")


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"merge": False, "unwrap": "none"}, "unwrap without merge"),
        ({"filter": 1.5}, "1.5 is no alpha"),
        ({"filter": "lee"}, "baran"),
        ({"unwrap": "mcf"}, "whirlwind"),
    ],
)
def test_the_section_is_strict(tmp_path: Path, section: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        config(tmp_path, **section)


def test_paths_of_water_count_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    raw = config(tmp_path).model_dump(mode="json", exclude_none=True)
    raw["insar"] |= {"water": "lakes.geojson", "unwrap": None, "filter": "baran"}
    file.write_text(json.dumps(raw))
    section = RunConfig.from_file(file).model_dump()["insar"]
    assert section["water"] == tmp_path / "lakes.geojson" and section["unwrap"] == "none"


def item(burst: str, **more: Any) -> pystac.Item:
    """What a burst's item says, as far as merging asks."""
    properties = {
        "sarcube:burst_id": burst, "sat:relative_orbit": 52, "sar:polarizations": ["VV"],
        "insar:reference_datetime": "2023-01-01T06:00:00.000000Z",
        "insar:secondary_datetime": "2023-01-13T06:00:00.000000Z",
        "proj:transform": [80.0, 0, 0, 0, -80.0, 0], "sarcube:azimuth_timing": {"applied": True, "shift_s": 1e-6},
    } | more  # fmt: skip
    return pystac.Item(f"PRODUCT-{burst}", None, None, dt.datetime(2023, 1, 1), properties)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"sat:relative_orbit": 81}, "tracks"),
        ({"insar:reference_datetime": "2023-01-25T06:00:00Z"}, "first dates"),
        ({"insar:secondary_datetime": "2023-01-25T06:00:00Z"}, "second dates"),
        ({"sar:polarizations": ["VH"]}, "polarizations cannot be merged: VV of PRODUCT-t052_000001_iw1; VH of"),
        ({"proj:transform": [40.0, 0, 0, 0, -40.0, 0]}, "pixel sizes cannot be merged: 80.0 of"),
        ({"sarcube:azimuth_timing": {"applied": False}}, "azimuth timings"),
        ({"sarcube:burst_id": "t052_000001_iw1"}, "merged once"),
    ],
)
def test_each_broken_rule_names_the_products(second: dict[str, Any], says: str) -> None:
    first, good = item("t052_000001_iw1"), item("t052_000002_iw1")
    check_mergeable([first, good], contiguous=True)
    other = item("t052_000002_iw1", **second)
    with pytest.raises(MergeError, match=says) as error:
        check_mergeable([first, other])
    assert "PRODUCT-t052_000002_iw1" in str(error.value)


def test_gaps_are_refused_where_that_is_asked_for() -> None:
    items = [item("t052_000001_iw1"), item("t052_000003_iw1")]
    check_mergeable(items)
    with pytest.raises(MergeError, match="t052_000002_iw1 between others"):
        check_mergeable(items, contiguous=True)


def test_timing_is_looked_for_where_bursts_meet_unless_orbits_know_it_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Precise orbits of one platform: only for the seams, and only where overlaps tell it well."""
    from sarcube.engines.insar.options import InsarOptions
    from sarcube.engines.insar.timing import Timing
    from sarcube.workflows.insar import timing

    burst: Any = SimpleNamespace(platform="S1A", orbit_type="POEORB", radar=SimpleNamespace(line_interval=0.002))
    restituted: Any = SimpleNamespace(**{**vars(burst), "orbit_type": "RESORB"})
    overlaps = finding.Overlaps((((None, None), (None, None)),))  # type: ignore[arg-type]

    def of(pair: tuple[Any, Any], deviation: float, over: Any = overlaps, **section: Any) -> timing.Found:
        known = Timing(1e-6, deviation, 2e-4, 0.0005, (), 0.1, 3)
        monkeypatch.setattr(timing, "find_timing", lambda *_: timing.Found(known))
        return timing.timing_of(pair, over, config(tmp_path, **section), InsarOptions())

    assert of((burst, burst), 1e-6).timing is not None
    doubtful = of((burst, burst), 3e-6)
    assert doubtful.timing is None and "precise orbits know it better" in doubtful.warnings[-1]
    assert of((burst, restituted), 3e-6).timing is not None
    assert of((burst, burst), 1e-6, finding.Overlaps(())) == timing.Found()
    assert of((burst, burst), 1e-6, timing="off") == timing.Found()
    assert of((burst, burst), 3e-6, timing="esd").timing is not None


# --- the whole way


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corner at which bursts of two sub-swaths meet, two dates, a fault across it; the second orbit is told 6 cm
    ahead along the track, so that uncorrected bursts would differ by 0.2 rad."""  # fmt: skip
    from sarcube.simulate.archive import simulate
    from sarcube.simulate.options import SimulationOptions

    def make(folder: Path) -> str:
        lon, lat = 8.2, 48.0
        simulate(
            folder,
            SimulationOptions(
                center=(lon, lat), dates=(dt.date(2024, 5, 1), dt.date(2024, 5, 13)), bursts=2, polarizations=("VV",),
                aoi=(lon - 0.022, lat - 0.03, lon + 0.022, lat + 0.03), crop=True, truth="constant", relief=60.0,
                coherent=True, baselines=(0.0, 60.0), displacement="fault", displacement_metres=0.3, coherence=(0.8,),
                along_track_error=0.06, seed=4,
            ),
        )  # fmt: skip
        return ""

    return once(tmp_path_factory, "meeting-bursts", make)[0]


def run_of(archive: Path, store: Path, **section: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "workflow": "insar",
            "source": {"kind": "local", "path": str(archive / "scenes")},
            "orbits": {"path": str(archive / "orbits")},
            "dem": {"path": str(archive / "dem.tif"), "heights": "ellipsoid"},
            "store": str(store),
            "insar": {"merge": True, **section},
        }
    )


class TestPassesOweNothing(WorkflowSuite):
    """The suite for all workflows."""

    @pytest.fixture
    def run(self, archive: Path, tmp_path: Path) -> RunConfig:
        pytest.importorskip("whirlwind")
        return run_of(archive, tmp_path / "store", posting=40, water=str(river(tmp_path)))


def river(folder: Path) -> Path:
    """From west to east across the archive, a little north of the middle."""
    path = folder / "river.geojson"
    ring = [(8.0, 48.006), (8.4, 48.006), (8.4, 48.009), (8.0, 48.009), (8.0, 48.006)]
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    return path


def truth_of(archive: Path, name: str, grid: Any) -> np.ndarray:
    """Mean of a raster of the truth over the cells of a grid."""
    import rasterio
    from rasterio.warp import Resampling, reproject

    out = np.full(grid.shape, np.nan, np.float32)
    with rasterio.open(next((archive / "truth").glob(f"*_{name}.tif"))) as source:
        reproject(
            source.read(1), out, src_transform=source.transform, src_crs=source.crs, dst_crs=grid.crs,
            dst_transform=rasterio.Affine(*grid.transform), resampling=Resampling.average, dst_nodata=np.nan,
        )  # fmt: skip
    return out


def turned_by(one: np.ndarray, other: np.ndarray) -> float:
    """Mean phase of the product of one with the conjugate of the other, where both are finite."""
    product = one * np.conj(other)
    return float(np.angle(product[np.isfinite(product)].sum()))


def test_a_merged_pair_holds_the_truth(archive: Path, official: Path | None, tmp_path: Path) -> None:
    """Right cycles, displacement and seams; a burst that is missing is told, and the product outdated once it comes."""
    pytest.importorskip("whirlwind")
    from sarcube.catalog.query import read_item
    from sarcube.geometry.burst_grid import footprint_grid
    from sarcube.products.product import read_layers
    from sarcube.store.local_store import LocalStore

    run = run_of(archive, tmp_path / "store", posting=40, water=str(river(tmp_path)))
    planned = plan(run)
    WORKFLOW.prepare(planned.config, [kind.name for kind in planned.kinds])
    for task in planned.tasks:
        made = run_task(task, Context("test", planned.config))
    assert task.kind == "INSAR_S1_PASS" and {"read", "merge", "unwrap"} <= made.stages.keys()
    store = LocalStore(tmp_path / "store")
    whole = read_item(store, made.item)
    layers = read_layers(store, whole)
    grid, values = layers.attrs["grid"], {str(name): layers[name].values for name in layers.data_vars}
    assert {"los_east", "los_up", "digital_elevation_model"} <= values.keys()
    los = np.stack([values[f"los_{axis}"] for axis in ("east", "north", "up")])
    np.testing.assert_allclose((los**2).sum(axis=0), 1.0, atol=1e-5)

    expected = truth_of(archive, "phase", grid)
    phase, components = values["unwrapped_phase"], values["connected_components"]
    known = np.isfinite(phase) & np.isfinite(expected) & (values["coherence"] > 0.3)
    assert known.sum() > 8_000 and np.ptp(expected[known]) > 6.0
    for number in (1, 2):  # a river lies between: whole cycles are unknown
        of = known & (components == number)
        off = (phase - expected)[of]
        turns = np.rint((off - np.median(off)) / (2 * np.pi))
        assert of.sum() > 2_000 and np.mean(turns != 0) <= 0.001
        metres = (off - off.mean()) * 0.05546576 / (4 * np.pi)
        assert np.sqrt(np.mean(metres**2)) < 0.005
    rows = np.flatnonzero((values["water_mask"] == 0).all(axis=1))
    north, south = components[: rows[0]], components[rows[-1] + 1 :]
    assert not set(north[(north > 0) & (north < 65535)]) & set(south[(south > 0) & (south < 65535)])

    facts = whole.properties
    assert facts["sarcube:burst_ids"] == [first.burst_id for first, _ in parts_of(task.unit)]
    assert facts["sarcube:overlaps"] >= 3 and facts["sarcube:overlaps_residual_rad"] < 0.1
    assert (
        facts["insar:temporal_baseline"] == pytest.approx(12.0, abs=0.01) and facts["sarcube:water"] == "river.geojson"
    )
    assert facts["sarcube:azimuth_timing"]["shift_lines"] == pytest.approx(0.0037, abs=0.0005)
    left = np.where(known, values["interferogram"] * np.exp(-1j * np.nan_to_num(expected)), np.nan)
    for item in (read_item(store, key) for key in store.list("s1_insar/") if key.endswith("Z.json")):
        piece, resampled = read_piece(store, item, grid)
        inside = np.zeros(grid.shape, bool)
        inside[piece.row : piece.row + piece.shape[0], piece.column : piece.column + piece.shape[1]] = piece.valid
        assert not resampled
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            edge = inside & ~np.roll(inside, -step, axis)
            near, beyond = np.where(edge, left, np.nan), np.where(edge, np.roll(left, -step, axis), np.nan)
            cells = int(np.isfinite(near * beyond).sum())
            if cells > 60:  # and as exact as these tell
                assert abs(turned_by(beyond, near)) < 0.03 + 3 * 0.3 / np.sqrt(cells)

    zone = footprint_grid(task.unit.footprint, 32633, 40.0, 20_000.0)
    piece, resampled = read_piece(store, item, zone)
    there = truth_of(archive, "phase", zone)[
        piece.row : piece.row + piece.shape[0], piece.column : piece.column + piece.shape[1]
    ]
    own = truth_of(archive, "phase", read_layers(store, item, ["mask"]).attrs["grid"])
    seen = read_layers(store, item, ["interferogram"])["interferogram"].values
    assert resampled and piece.valid.sum() == pytest.approx(np.isfinite(seen).sum(), rel=0.05)
    moved = turned_by(piece.interferogram, np.exp(1j * there))
    assert moved == pytest.approx(turned_by(seen, np.exp(1j * own)), abs=0.02)

    judge_alike(tmp_path / "store", official)
    lost = item.properties["sarcube:burst_id"]
    next(path for path in (tmp_path / "store" / "s1_insar" / lost).rglob("T*.json")).unlink()
    again = run_task(replace(task, remake=True), Context("test", planned.config))
    assert any(lost in text for text in again.warnings)
    stored = json.loads(store.read_bytes(again.item))
    assert stored["properties"]["sarcube:gaps"] == 1 and f"made without {lost}" in WORKFLOW.outdated(task.unit, stored)
    assert not WORKFLOW.outdated(task.unit, whole.to_dict())
    for path in (tmp_path / "store" / "s1_insar").rglob("T*.json"):
        path.unlink()
    with pytest.raises(ProductError, match="has no interferogram"):
        run_task(replace(task, remake=True), Context("test", planned.config))


def test_bursts_that_are_asked_for_by_name_make_a_pass_of_these(archive: Path, tmp_path: Path) -> None:
    run = run_of(archive, tmp_path / "store", unwrap="none")
    names = sorted({task.place for task in plan(run).tasks if task.kind == "INSAR_S1"})
    assert len(names) == 4
    source = run.source.model_copy(update={"places": tuple(names[:2])})
    tasks = plan(run.model_copy(update={"source": source})).tasks
    (merged,) = (task for task in tasks if task.kind == "INSAR_S1_PASS")
    assert merged.place == pass_place(names[:2]) and tasks[-1] == merged
    assert {key.split("/")[1] for key in merged.after} == {*names[:2], merged.place}


def test_water_that_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    import rasterio

    from sarcube.geometry.grid import GeoGrid
    from sarcube.workflows.insar.run_pass import _water

    with rasterio.open(
        tmp_path / "lake.tif", "w", driver="GTiff", width=2, height=2, count=1, dtype="uint8", crs="EPSG:32632",
        transform=rasterio.Affine(80, 0, 900_000, 0, -80, 5_300_000), nodata=9,
    ) as file:  # fmt: skip
        file.write(np.ones((1, 2, 2), np.uint8))
    grid = GeoGrid(32632, 500_000, 5_300_000, 80, 20, 20)
    with pytest.raises(DemError, match="does not touch the bursts"):
        _water(config(tmp_path, water=str(tmp_path / "lake.tif")), grid, None)
    with_swapped_axes = {"type": "Point", "coordinates": [47.8, 9.0]}
    lake = shapely.geometry.shape(with_swapped_axes).buffer(0.01)
    (tmp_path / "lake.geojson").write_text(shapely.to_geojson(lake))
    water, _, said = _water(config(tmp_path, water=str(tmp_path / "lake.geojson")), grid, None)
    assert (water == LAND).all() and "lake.geojson has no water on these bursts" in said[0]


def test_water_is_that_of_the_dems_own_tiles(tmp_path: Path) -> None:
    """Ocean, a river, land, and land whose heights are not public: nothing is told of its water."""
    import xarray as xr

    from sarcube.geometry.grid import GeoGrid
    from sarcube.terrain.copernicus import Tile
    from sarcube.workflows.insar.run_pass import _water
    from tests.terrain.test_water import write_tile

    tile, classes = Tile(47, 8), np.zeros((3600, 3600), np.uint8)
    classes[:, :720] = 3
    write_tile(tmp_path, tile, np.full((3600, 3600), 400, np.int16))
    write_tile(tmp_path, tile, classes, f"AUXFILES/{tile.name.replace('_DEM', '_WBM')}.tif")
    grid = GeoGrid.snapped(4326, (8.0, 46.9, 8.4, 47.1), 0.01)
    heights = np.full(grid.shape, 400.0, np.float32)
    heights[:2, -2:] = np.nan
    static = xr.Dataset({"digital_elevation_model": (("y", "x"), heights)})
    raw = config(tmp_path).model_dump(mode="json", exclude_none=True)
    run = RunConfig.from_dict(raw | {"dem": {"kind": "cop_glo30", "mirror": str(tmp_path)}})
    water, whence, said = _water(run, grid, static)
    assert (water[:9, :19] == 0).all() and (water[2:9, 21:38] == 1).all() and (water[11:] == 0).all()
    assert (water[:2, -2:] == 255).all() and "1 tiles" in whence and not said
    nowhere = RunConfig.from_dict(raw | {"insar": {"merge": True, "unwrap": "none", "water": "none"}})
    assert (_water(nowhere, grid, static)[0] == 255).all() and _water(nowhere, grid, static)[2] == (NO_WATER,)
