"""A workflow that the house has never seen: pairs, at places that are no bursts, with types and masks of their own."""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sarcube.catalog.index import read_index
from sarcube.catalog.query import find_items
from sarcube.cluster import Demand, Profile, connect
from sarcube.config import RunConfig
from sarcube.cube.mosaic import mosaic
from sarcube.cube.open_cube import open_cube
from sarcube.cube.viewer.passes import read_content
from sarcube.cube.viewer.readings import read_series
from sarcube.cube.viewer.tiles import render_tile
from sarcube.production.plan.plan import plan
from sarcube.production.run.produce import produce
from sarcube.production.status import refill, status
from sarcube.store.protocol import open_store
from sarcube.testing.workflow import WorkflowSuite
from tests.workflows.pairs import workflow as toy

DAYS = {
    "etna_a": ("2024-01-05 30.0", "2024-01-17 10.0", "2024-01-29 25.0"),
    "etna_b": ("2024-01-05 12.0", "2024-01-17 4.0"),
}
TAG = "20240117T000000Z"
FIRST = f"TOY_PAIRS/etna_a/20240105T000000Z/{TAG}"


def run_of(folder: Path, store: Path, **section: Any) -> RunConfig:
    return RunConfig.from_dict(
        {
            "workflow": toy.NAME,
            "source": {"path": str(folder)},
            "grid": {"resolution": 100},
            "store": str(store),
            "pairs": section,
        }
    )


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    for place, days in DAYS.items():
        (folder / f"{place}.txt").write_text("\n".join(days))
    (folder / "lonely.txt").write_text("2024-01-05 1.0")
    return folder


@pytest.fixture(scope="module")
def workers() -> Any:
    with connect(Profile(workers=2, memory=1.0), Demand()) as client:
        yield client


@pytest.fixture(scope="module")
def made(scenes: Path, workers: Any, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A store that a run filled which lost a worker on its way."""
    folder = tmp_path_factory.mktemp("pairs")
    flag = folder / "flag"
    flag.touch()
    config = run_of(scenes, folder / "store", killed=str(flag))
    outcome = produce(plan(config), workers)
    assert not flag.exists()
    assert outcome.done == 5 and not (outcome.failed or outcome.blocked), outcome
    return config


def test_the_plan_knows_pairs_and_what_they_need(scenes: Path, tmp_path: Path) -> None:
    planned = plan(run_of(scenes, tmp_path / "store"))
    keys = [task.key for task in planned.tasks]
    assert keys[:2] == ["TOY_GROUND/etna_a", FIRST] and len(keys) == 5
    assert planned.tasks[1].after == ("TOY_GROUND/etna_a",) and planned.tasks[0].after == ()
    assert [p.subject for p in planned.problems] == ["lonely"]
    assert "pair" in planned.table() and "etna_b" in planned.to_geojson() and planned.to_html().count("<polygon") == 2
    assert json.loads(planned.to_json())["tasks"][1]["tag"] == TAG


def test_unknown_keys_of_its_section_are_refused(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown key `pairs\.apat`; did you mean `apart`"):
        run_of(scenes, tmp_path, apat=3)


def test_what_exists_is_kept_and_status_and_refill_tell_the_rest(made: RunConfig, scenes: Path, workers: Any) -> None:
    assert [task.key for task in plan(made).tasks] == []
    found = status(made)
    assert found.present == found.expected == 5
    assert {p.place: p.once for p in found.places} == {"etna_a": ("TOY_GROUND",), "etna_b": ("TOY_GROUND",)}
    item = next(Path(made.store).rglob(f"ETNA-A_20240105T000000Z_{TAG}.json"))
    item.unlink()
    found = status(made)
    missing = {p.place: p.missing for p in found.places if p.missing}
    assert missing == {"etna_a": (f"2024-01-05 {TAG}",)}
    again = refill(made, found)
    assert again is not None and again.source.places == ("etna_a",)
    assert again.dates == (dt.date(2024, 1, 5), dt.date(2024, 1, 17))
    assert [task.key for task in plan(again).tasks] == [FIRST]
    assert produce(plan(again), workers).done == 1
    assert status(str(made.store)).stale == ()


def test_a_failure_and_what_needs_it(scenes: Path, workers: Any, tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    (folder / "etna_a.txt").write_text("2024-01-05 -1.0\n2024-01-17 2.0\n2024-01-29 nan")
    outcome = produce(plan(run_of(folder, tmp_path / "store")), workers)
    assert [f.key for f in outcome.failed] == [FIRST] and "below zero" in outcome.failed[0].message
    assert [p.message for p in outcome.problems] == ["no wave"]
    assert [f.task for f in status(str(tmp_path / "store")).failures] == [FIRST]


def test_items_say_what_a_cube_and_a_viewer_need(made: RunConfig) -> None:
    pairs = find_items(made.store, "toy_pairs", places=["etna_a"])
    assert [i.properties["toy:days"] for i in pairs] == [12, 12]
    asset = pairs[0].assets["fringes"]
    assert asset.extra_fields["data_type"] == "cfloat32" and asset.extra_fields["sarcube:shown"]["cyclic"] is True
    classes = pairs[0].assets["land"].extra_fields["classification:classes"]
    assert [c["name"] for c in classes] == ["land", "water", "unseen"]
    index = read_index(open_store(made.store), "toy_pairs")
    assert index is not None and index.assets == ["fringes", "land", "seen", "thumbnail"]
    assert index.current(toy.PAIRS.facts) and not {"VV", "mask"} & set(index.assets)


def test_the_cube_holds_the_waves(made: RunConfig) -> None:
    cube = open_cube(made.store, collection="toy_pairs", group="acquisition")
    assert dict(cube.sizes)["time"] == 3 and set(cube.data_vars) == {"fringes", "seen", "land"}
    assert {n: v.dtype.name for n, v in cube.data_vars.items()} == {
        "fringes": "complex64",
        "seen": "uint16",
        "land": "uint8",
    }
    step = cube.isel(time=[str(p) for p in cube["place"].values].index("etna_b")).compute()
    item = find_items(made.store, "toy_pairs", places=["etna_b"])[0]
    left = item.properties["proj:transform"][2]
    seen = step["seen"] != 65535
    x = step["x"].values[None, :] + 0 * step["y"].values[:, None]
    true = np.exp(1j * 1e-3 * (12.0 - 4.0) * (x - left))
    assert np.abs(step["fringes"].values - true)[seen.values].max() < 1e-4
    assert np.isnan(step["fringes"].values[~seen.values]).all()
    with_ground = open_cube(made.store, collection="toy_pairs", static=True)  # of another collection of the store
    assert "static_land" in with_ground and with_ground["static_land"].dims == ("y", "x")
    series = cube.sar.timeseries((14.87, 37.65)).compute()
    assert set(series.data_vars) == {"seen", "fringes_magnitude", "fringes_phase"}
    assert float(series["fringes_magnitude"].max()) == pytest.approx(1, abs=1e-4)


def test_overlaps_are_merged_as_each_layer_says(made: RunConfig) -> None:
    apart = open_cube(made.store, collection="toy_pairs", group="acquisition", dates="2024-01-05").compute()
    both = (apart["seen"] != 65535).all("time").values
    assert both.sum() > 100
    for merged in (
        open_cube(made.store, collection="toy_pairs", dates="2024-01-05", merge="mean").compute(),
        mosaic(apart.chunk({"time": 1}), "mean", "all").compute(),
    ):
        one = merged.isel(time=0)
        assert (one["seen"].values[both] == 2).all(), "a sum"
        assert one["seen"].dtype == np.uint16 and one["fringes"].dtype == np.complex64
        mean = apart["fringes"].mean("time").values[both]
        assert np.abs(one["fringes"].values[both] - mean).max() < 1e-6, "a mean of complex numbers"
        assert (one["land"].values[both] == np.where((apart["land"] == 1).any("time"), 1, 2)[both]).all(), (
            "the best class"
        )
    first = mosaic(apart.chunk({"time": 1}), "first", "all").compute().isel(time=0)
    assert np.array_equal(first["seen"].values[both], np.ones(both.sum()))


def test_the_viewer_draws_phases_numbers_and_classes(made: RunConfig) -> None:
    content = read_content(f"{made.store}/toy_pairs/collection.json")
    assert content.layers == ("fringes", "seen", "land") and content.pair is None
    z, x, y = (
        9,
        int((14.85 + 180) / 360 * 512),
        int((1 - np.log(np.tan(np.pi / 4 + np.radians(37.65) / 2)) / np.pi) / 2 * 512),
    )
    for layer, colours in (("fringes", 20), ("seen", 1), ("land", 2)):
        png = render_tile(content, 0, layer, (z, x, y)).png
        picture = np.asarray(Image.open(io.BytesIO(png)))
        drawn = picture[picture[..., 3] > 0]
        assert len(drawn) > 100 and len(np.unique(drawn, axis=0)) >= colours, layer
    readings = [r.as_dict() for r in read_series(content, 14.87, 37.65).readings]
    assert len(readings) == 2 and set(readings[0]["values"]) == {"fringes", "seen"}
    assert readings[0]["db"] == {} and readings[0]["classes"]["land"] in (1, 2)


def test_another_layer_leaves_every_other_index_as_it_is(made: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from sarcube.catalog.collections import update_collections
    from sarcube.products.kinds import Layer

    store = open_store(made.store)
    before = {name: store.read_bytes(f"{name}/items.parquet") for name in ("toy_ground", "toy_pairs")}
    wider = replace(toy.PAIRS, layers=(*toy.PAIRS.layers, Layer("another", "Another")))
    update_collections(store, {"toy_pairs": wider, "toy_ground": toy.GROUND})
    assert {name: store.read_bytes(f"{name}/items.parquet") for name in before} == before
    assert "another" in json.loads(store.read_bytes("toy_pairs/collection.json"))["item_assets"]


class TestPairsOweNothing(WorkflowSuite):
    """The suite for all workflows."""

    @pytest.fixture
    def run(self, scenes: Path, tmp_path: Path) -> RunConfig:
        return run_of(scenes, tmp_path / "store")
