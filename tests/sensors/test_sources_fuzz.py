"""Damaged and hostile input: a typed error or a valid answer, soon, and nothing else.

Readers of files try 2,000 cases each, what parses answers already read fewer; `SARCUBE_FUZZ_CASES` changes both.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin

from sarcube.config import Aoi, DemConfig, RunConfig
from sarcube.errors import SarcubeError
from sarcube.geometry.aoi import load_aoi
from sarcube.sensors.sentinel1.burst_database import grid_from_database
from sarcube.sensors.sentinel1.orbits import OrbitIndex
from sarcube.sensors.sentinel1.search import asf, cdse
from sarcube.terrain.dem import load_dem
from sarcube.terrain.geoid import load_geoid
from tests.bounded import within
from tests.sensors.test_providers import asf_feature, cdse_entry

LIMIT = 2.0  # s of CPU time: other work on the machine does not count


def cases(number: int) -> settings:
    return settings(
        max_examples=int(os.environ.get("SARCUBE_FUZZ_CASES", number)),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


every_file, some = cases(2000), cases(150)

# Where a file is damaged, as fractions of its length, and with what; or where it ends.
damage = st.tuples(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    st.one_of(st.just(1.0), st.floats(0, 1)),
    st.booleans(),  # near the beginning, where directories and headers are
)


def damaged(data: bytes, plan: Any) -> bytes:
    changes, keep, early = plan
    out = bytearray(data)
    span = min(len(out), 600) if early else len(out)
    for place, value in changes:
        out[min(int(place * span), span - 1)] = value
    return bytes(out[: int(len(out) * keep)])


def within_limits(call: Any) -> None:
    def once() -> None:
        try:
            call()
        except SarcubeError as error:
            assert len(str(error)) < 5000

    within(LIMIT, once)


@pytest.fixture(scope="module")
def tiff(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("tiff") / "dem.tif"
    heights = np.random.default_rng(1).normal(0, 50, (64, 64)).astype(np.float32)
    with rasterio.open(
        path, "w", driver="GTiff", width=64, height=64, count=1, dtype="float32", crs="EPSG:4326", nodata=-9999,
        transform=from_origin(10, 46, 0.01, 0.01), compress="deflate", tiled=True, blockxsize=32, blockysize=32,
    ) as target:  # fmt: skip
        target.write(heights, 1)
    return path.read_bytes()


@every_file
@given(damage)
def test_damaged_dems(tiff: bytes, tmp_path: Path, plan: Any) -> None:
    path = tmp_path / "dem.tif"
    path.unlink(missing_ok=True)
    path.write_bytes(damaged(tiff, plan))
    within_limits(lambda: load_dem(DemConfig(path=str(path), heights="ellipsoid"), (10.1, 45.5, 10.5, 45.9)))


@every_file
@given(damage)
def test_damaged_geoids(tiff: bytes, tmp_path: Path, plan: Any) -> None:
    path = tmp_path / "geoid.tif"
    path.unlink(missing_ok=True)
    path.write_bytes(damaged(tiff, plan))
    within_limits(lambda: load_geoid(str(path), (10.1, 45.5, 10.5, 45.9)))


@every_file
@given(damage)
def test_damaged_geoids_of_the_gtx_kind(shared_data: Path, tmp_path: Path, plan: Any) -> None:
    head = (shared_data / "data" / "geoid" / "egm96_15.gtx").read_bytes()[:40]
    path = tmp_path / "geoid.gtx"
    path.write_bytes(damaged(head + bytes(4 * 1440 * 24), plan))  # the southern rows, which come first
    within_limits(lambda: load_geoid(str(path), (10.1, -85.5, 10.5, -85.1)))


@every_file
@given(damage)
def test_damaged_orbit_files(shared_data: Path, tmp_path: Path, plan: Any) -> None:
    name = "S1A_OPER_AUX_POEORB_OPOD_20210318T120818_V20200510T225942_20200512T005942.excerpt.EOF"
    path = tmp_path / name
    path.write_bytes(damaged((shared_data / "data" / "orbits" / name).read_bytes(), plan))
    index = OrbitIndex.of_folders([tmp_path])
    burst = np.datetime64("2020-05-11T13:51:30", "ns"), np.datetime64("2020-05-11T13:51:33", "ns")
    within_limits(lambda: index.find("S1A", *burst))


@some
@given(damage)
def test_damaged_burst_databases(tmp_path: Path, plan: Any) -> None:
    path = tmp_path / "bursts.sqlite"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE burst_id_map (burst_id_jpl TEXT, epsg INT, xmin, ymin, xmax, ymax)")
        connection.execute("INSERT INTO burst_id_map VALUES ('t071_151202_iw2', 32611, 0, 0, 1e5, 5e4)")
    connection.close()
    path.write_bytes(damaged(path.read_bytes(), plan))
    within_limits(lambda: grid_from_database(path, "t071_151202_iw2", 20.0))


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)


def changed(entry: dict[str, Any], path: list[float], value: Any) -> Any:
    """An entry in which one value, found by walking down `path`, is another."""
    copy = json.loads(json.dumps(entry))
    node: Any = copy
    for step, place in enumerate(path):
        keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        if not keys:
            break
        key = keys[min(int(place * len(keys)), len(keys) - 1)]
        if step == len(path) - 1 or not isinstance(node[key], dict | list):
            node[key] = value
            break
        node = node[key]
    return copy


walk = st.lists(st.floats(0, 0.999), min_size=1, max_size=5)


def accepted(parse: Any, entry: Any) -> None:
    """What the searches survive, entry by entry, as they do it."""
    with contextlib.suppress(KeyError, TypeError, ValueError, IndexError, AttributeError, SarcubeError):
        parse(entry)


@some
@given(walk, anything)
def test_what_asf_may_describe(path: list[float], value: Any) -> None:
    accepted(asf._channel, changed(asf_feature(0, "VV"), path, value))


@some
@given(walk, anything)
def test_what_cdse_may_describe(path: list[float], value: Any) -> None:
    accepted(cdse._channel, changed(cdse_entry(0, "VV"), path, value))


@some
@given(walk, anything)
def test_what_a_geojson_may_hold(tmp_path: Path, path: list[float], value: Any) -> None:
    polygon = {"type": "Polygon", "coordinates": [[[10.0, 45.0], [11.0, 45.0], [11.0, 46.0], [10.0, 45.0]]]}
    collection = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": polygon}]}
    file = tmp_path / "a.geojson"
    file.write_text(json.dumps(changed(collection, path, value)))
    within_limits(lambda: load_aoi(Aoi(geojson=file)))


@some
@given(st.binary(max_size=300))
def test_a_geojson_of_any_bytes(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "a.geojson"
    file.write_bytes(data)
    within_limits(lambda: load_aoi(Aoi(geojson=file)))


def test_a_run_of_a_damaged_answer_ends_with_problems_not_with_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    features = [changed(asf_feature(n, "VV"), [0.99, 0.5], value) for n, value in enumerate((None, [], "x", 5, {}))]
    monkeypatch.setattr(asf, "ask", lambda query: features)
    config = RunConfig.from_dict(
        {"source": {"kind": "asf"}, "aoi": {"bbox": [-9, 31, -7, 32]}, "dem": {"path": "d", "heights": "ellipsoid"}}
    )
    found, problems = asf.search_asf(config, load_aoi(config.aoi))
    assert len(found) + len(problems) >= 1
