"""Out to other processes and machines: Dask workers, S3, and the commands."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from typer.testing import CliRunner

import sarcube
from sarcube.cli.app import app
from sarcube.cube.export import ZarrOptions, write_cogs, write_cube, write_zarr
from sarcube.errors import CubeError, SarcubeError
from tests.cube.examples import SMALL, same, speckle, tear
from tests.servers import moto, use_server

_numbers = itertools.count()


@pytest.fixture
def items(bursts: Any) -> list[Any]:
    """Six dates of one burst: a folder of layers with names that tell all."""
    return speckle(bursts, "03", "09", "15", "21", "27", "30")


@pytest.fixture
def cube(items: list[Any]) -> xr.Dataset:
    return sarcube.open_cube(items[:3], chunks=64)


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    """Two worker processes."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_workers_write_regions_and_go_on_where_they_stopped(
    cube: xr.Dataset, workers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "cube.zarr")
    with workers.as_current():
        with monkeypatch.context() as patch, pytest.raises(OSError, match="power cut"):
            tear(patch, after=2)
            write_zarr(cube, address, SMALL)
        outcome = write_zarr(cube, address, SMALL)
    assert (outcome.regions, outcome.before, outcome.written) == (18, 8, 10)
    same(cube, xr.open_zarr(address))


def test_workers_read_and_this_process_writes_cogs(cube: xr.Dataset, workers: Any, tmp_path: Path) -> None:
    with workers.as_current():
        made = write_cogs(cube.isel(time=[1]), tmp_path / "cogs")
    same(cube.isel(time=[1]), sarcube.open_cube(made))


def test_errors_of_workers_say_what_and_where(cube: xr.Dataset, items: list[Any], workers: Any) -> None:
    href = items[1].assets["VV"].href
    Path(href).unlink()
    with workers.as_current(), pytest.raises(CubeError, match=rf"{href} .*rows \d+ to \d+.*vanished"):
        cube["VV"].compute()


def test_zarr_and_cogs_go_to_s3(cube: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    server = use_server(monkeypatch, moto())
    if not any(bucket["Name"] == "cubes" for bucket in server.client().list_buckets()["Buckets"]):
        server.make_bucket("cubes")
    place = f"s3://cubes/{next(_numbers)}"
    assert write_zarr(cube, f"{place}/cube.zarr", ZarrOptions()).written == 1
    assert write_zarr(cube, f"{place}/cube.zarr", ZarrOptions()).written == 0
    from zarr.storage import ObjectStore

    from sarcube.store.s3_store import S3Store

    same(cube, xr.open_zarr(ObjectStore(S3Store(f"{place}/cube.zarr").client(), read_only=True)))
    first = cube.isel(time=[0])
    (made,) = write_cogs(first[["VV"]], f"{place}/cogs")
    assert made.assets["VV"].href == f"{place}/cogs/{made.id}_VV.tif"
    (again,) = write_cogs(first, f"{place}/cogs")
    assert set(again.assets) == {"VV", "VH", "mask"}
    same(first, sarcube.open_cube([again]))


def test_icechunk_goes_to_s3(cube: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("icechunk")
    server = use_server(monkeypatch, moto())
    if not any(bucket["Name"] == "cubes" for bucket in server.client().list_buckets()["Buckets"]):
        server.make_bucket("cubes")
    place = f"s3://cubes/{next(_numbers)}/versions"
    assert write_zarr(cube, place, ZarrOptions(versioned=True)).written == 1
    assert write_zarr(cube, place, ZarrOptions(versioned=True)).written == 0


def test_the_suffix_tells_the_format(cube: xr.Dataset, tmp_path: Path) -> None:
    assert "1 of 1 regions" in write_cube(cube, tmp_path / "a.zarr")
    assert "9 COGs and 3 STAC items" in write_cube(cube, tmp_path / "cogs")
    with pytest.raises(CubeError, match="COGs go into a folder"):
        write_cube(cube, tmp_path / "a.tif")
    with pytest.raises(CubeError, match="local file"):
        write_cube(cube, "s3://bucket/a.nc")
    with pytest.raises(SarcubeError, match="only local folders and s3"):
        write_cube(cube, "gs://bucket/cogs")


def test_a_folder_of_another_picture_is_kept(cube: xr.Dataset, tmp_path: Path) -> None:
    write_cogs(cube, tmp_path / "cogs")
    with pytest.raises(CubeError, match=r"is of another picture \(proj:shape"):
        write_cogs(cube.isel(x=slice(0, 100)), tmp_path / "cogs")


def _run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_the_commands_write_what_python_does(items: list[Any], bursts: Any, tmp_path: Path) -> None:
    store, out = bursts.folder, tmp_path / "out"
    opened = sarcube.open_cube(store)
    done = _run(
        "cube", store, "--dates", "2022-01-03,2022-01-15", "--out", f"{out}.zarr", "--preview", out / "png", "--json"
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["dims"] == {"time": 3, "y": 130, "x": 150}
    same(opened.isel(time=slice(0, 3)), xr.open_zarr(f"{out}.zarr"))
    assert sorted(p.name for p in (out / "png").iterdir()) == [f"202201{d}T050000Z.png" for d in ("03", "09", "15")]

    done = _run("mosaic", store, "--method", "mean", "--by", "MS", "--layers", "VV,VH", "--out", out / "months")
    assert done.exit_code == 0, done.output
    (path,) = (out / "months").glob("*_VV.tif")
    with rasterio.open(path) as written:
        np.testing.assert_allclose(written.read(1), opened["VV"].mean("time"), rtol=1e-5)

    done = _run("timescan", store, "--metrics", "median,count,trend", "--scale", "db", "--out", out / "scan", "--json")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["dates"] == 6
    assert facts["layers"][:3] == ["VV_median", "VV_count", "VV_trend"]
    with rasterio.open(out / "scan" / "timescan_VV_median.tif") as written:
        np.testing.assert_allclose(written.read(1), 10 * np.log10(opened["VV"].median("time")), rtol=1e-4)
    item = json.loads((out / "scan" / "timescan.json").read_text())
    assert item["properties"]["start_datetime"] == "2022-01-03T05:00:00Z"
    assert item["properties"]["end_datetime"] == "2022-01-30T05:00:00Z"

    done = _run("timescan", store, "--metrics", "mean", "--mask", "--out", f"{out}.nc")
    assert done.exit_code == 0, done.output
    with xr.open_dataset(f"{out}.nc") as written:
        seen = opened["VV"].where(opened["mask"] == 0).mean("time")
        np.testing.assert_allclose(written["VV_mean"], seen, rtol=1e-5)
