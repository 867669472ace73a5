"""From simulated scenes to a measured cube: what `make demo` promises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from sarcube.catalog.schemas import shared_schemas
from sarcube.catalog.validate import validate
from tests.catalog.whole import Files, crawl, faults, rasters
from tests.way.running import Demo, sarcube

pytestmark = pytest.mark.timeout(600)


def test_every_cover_of_every_date_is_within_a_tenth_of_a_decibel(demo: Demo) -> None:
    errors = demo.report["errors"]
    land = [e for e in errors if e["cover"] != "lake"]
    assert len({e["date"] for e in land}) == 3 and len({e["polarization"] for e in land}) == 2
    assert max(abs(e["error_db"]) for e in land) < 0.1
    # Water lies at the noise floor: what is left after noise removal must still be unbiased.
    assert max(abs(e["error_db"]) for e in errors if e["cover"] == "lake") < 0.25


def test_the_clearcut_is_found_at_its_place_and_date(demo: Demo) -> None:
    still, cut = demo.report["changes"]
    assert still["true_pixels"] == 0 and still["false"] < 0.002
    assert cut["true_pixels"] > 5000 and cut["found"] > 0.97 and cut["false"] < 0.002


def test_mosaics_have_no_seam_and_no_gap(demo: Demo) -> None:
    assert demo.report["seam_db"] < 0.1
    assert demo.report["gaps"] == 0


def test_it_leaves_pictures_and_mosaics_that_are_valid(demo: Demo) -> None:
    for name in ("demo.png", "timeseries.png"):
        assert (demo.folder / name).read_bytes()[:4] == b"\x89PNG"
    mosaics = sorted((demo.folder / "mosaics").glob("*_VV.tif"))
    assert len(mosaics) == 3
    for path in mosaics:
        assert cog_validate(path, strict=True, quiet=True)[0]


def test_a_second_run_does_nothing_and_says_so(demo: Demo) -> None:
    again = sarcube("run", demo.folder / "run.yaml")
    assert again.returncode == 0
    assert "nothing to do: all 16 products exist" in again.stdout
    assert "workers" not in again.stdout + again.stderr, "no cluster was started"


def test_the_plan_of_a_done_run_lists_what_exists(demo: Demo) -> None:
    planned = sarcube("plan", demo.folder / "run.yaml", "--json")
    facts = json.loads(planned.stdout)
    assert not facts["tasks"]
    assert len(facts["done"]) == 16


def test_status_knows_what_is_there(demo: Demo) -> None:
    of_store = sarcube("status", demo.folder / "store")
    assert of_store.returncode == 0 and "16 products of 4 places" in of_store.stdout
    of_run = json.loads(sarcube("status", demo.folder / "run.yaml", "--json").stdout)
    assert of_run["complete"] and not of_run["stale"] and not of_run["foreign"]


def test_all_dates_of_a_burst_lie_on_one_grid(demo: Demo) -> None:
    grids: dict[str, set[tuple]] = {}
    for path in (demo.folder / "store").rglob("*.tif"):
        burst = path.relative_to(demo.folder / "store").parts[1]
        with rasterio.open(path) as source:
            grids.setdefault(burst, set()).add((source.crs.to_epsg(), tuple(source.transform), source.shape))
    assert len(grids) == 4 and all(len(found) == 1 for found in grids.values())


def test_items_are_linked_and_open_after_the_store_moved(demo: Demo, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    moved.parent.mkdir(exist_ok=True)
    import shutil

    shutil.copytree(demo.folder / "store", moved)
    catalog = pystac.Catalog.from_file(str(moved / "catalog.json"))
    items = list(catalog.get_items(recursive=True))
    assert len(items) == 16
    for item in items:
        for asset in item.get_assets().values():
            href = asset.get_absolute_href()
            assert href and href.startswith(str(moved)) and Path(href).exists()
    static = {i.properties["sarcube:burst_id"] for i in items if i.collection_id == "s1_rtc_static_c1"}
    assert len(static) == 4
    backscatter = next(i for i in items if i.collection_id == "s1_rtc_c1")
    assert "local_incidence_angle" in backscatter.assets
    assert backscatter.get_single_link("static-layers") is not None


def test_the_store_is_valid_and_true(demo: Demo, shared_data: Path) -> None:
    schemas = shared_schemas(str(shared_data / "schemas"))
    store = str(demo.folder / "store")
    assert faults(store, Files()) == []
    found = [stored for _, stored in crawl(store, Files())]
    assert len(found) == 19
    for stored in found:
        outcome = validate(stored, schemas)
        assert outcome.problems == () and outcome.unchecked == ()
    files = {address for address, _ in rasters(store, Files())}
    assert len(files) == 4 * 7 + 12 * 4
    assert all(cog_validate(path, strict=True, quiet=True)[0] for path in files)


def test_cube_command_writes_what_python_opens(demo: Demo, tmp_path: Path) -> None:
    import xarray as xr

    import sarcube as package

    out = tmp_path / "cube.zarr"
    done = sarcube("cube", demo.folder / "store", "--layers", "VV", "--out", out)
    assert done.returncode == 0, done.stderr
    written = xr.open_zarr(out, consolidated=None)
    opened = package.open_cube(str(demo.folder / "store"), layers="VV")
    assert written.sizes == opened.sizes
    assert np.array_equal(written["VV"].values, opened["VV"].values, equal_nan=True)
