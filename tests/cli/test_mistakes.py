"""Mistakes of typing and of thinking that people make in their first hour: each gets a message that names the cure."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sarcube
from sarcube.errors import SarcubeError
from tests.cube.conftest import Bursts, checkerboard
from tests.cube.examples import lay_out, speckle
from tests.documented import carry_out

RUN = """\
aoi: {bbox: [8.1, 47.9, 8.3, 48.1]}
dates: [2024-05-01, 2024-05-31]
source: {kind: local, path: ./scenes}
dem: {path: dem.tif, heights: ellipsoid}
grid: {resolution: 20, crs: auto}
store: ./store
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run file, scenes of none, a small store, and something that is none; it is the working one."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "scenes").mkdir()
    (folder / "nothing").mkdir()
    (folder / "run.yaml").write_text(RUN)
    made = folder / "made"
    made.mkdir()
    lay_out(folder, speckle(Bursts(made, checkerboard), "03", "15"))
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def typed(command: str) -> str:
    """What a command says that must not go well; its exit code is that of what the user must change."""
    done = carry_out(command)
    assert done.exit_code == 2, done.output
    return done.output


def changed(old: str, new: str) -> str:
    """What `sarcube plan` says of the run file with one thing in it otherwise."""
    assert old in RUN
    Path("other.yaml").write_text(RUN.replace(old, new))
    return typed("sarcube plan other.yaml")


def called(function: Callable[..., Any], *given: Any, **named: Any) -> str:
    """What a call from a notebook says."""
    with pytest.raises(SarcubeError) as caught:
        function(*given, **named)
    return str(caught.value)


TYPING: dict[str, tuple[Callable[[], str], str]] = {
    "a command": (lambda: typed("sarcube mosiac store"), "mosaic"),
    "an option": (lambda: typed("sarcube run run.yaml --dry-rum"), "--dry-run"),
    "a key": (lambda: changed("store:", "stroe:"), "did you mean `store`"),
    "a key within": (lambda: changed("resolution", "resolutoin"), "did you mean `.*resolution`"),
    "a key of a section": (lambda: changed("store: ./store", "store: ./store\nrtc: {engin: native}"), "engine"),
    "a workflow": (lambda: changed("store: ./store", "store: ./store\nworkflow: rct"), "rtc"),
    "a source": (lambda: changed("kind: local", "kind: locall"), "local.*asf.*cdse"),
    "an engine": (lambda: changed("store: ./store", "store: ./store\nrtc: {engine: natve}"), "native"),
    "what heights are": (lambda: changed("heights: ellipsoid", "heights: elipsoid"), "ellipsoid.*egm2008"),
    "a day": (lambda: changed("2024-05-31", "2024-05-32"), "2024-05-32.*(no date|day)"),
    "a run file": (lambda: typed("sarcube plan rnu.yaml"), r"did you mean run\.yaml"),
    "a run file of no other name": (lambda: typed("sarcube plan etna-2024.yaml"), "sarcube init etna-2024.yaml"),
    "a cluster": (lambda: typed_cluster("locla"), "local"),
    "a layer": (lambda: typed("sarcube cube store --layers VB"), "did you mean VV"),
    "a metric": (lambda: typed("sarcube timescan store --metrics maen,std"), "mean"),
    "a rule": (lambda: typed("sarcube cube store --merge frist"), "first"),
    "a preset": (lambda: typed("sarcube composite store --preset snak --out x"), "snac"),
    "a keyword": (lambda: called(sarcube.open_cube, "store", colection="s1_rtc_c1"), "did you mean collection"),
    "a collection": (lambda: typed("sarcube ls store --collection s1_rtc"), "it has s1_rtc_c1"),
}


def typed_cluster(name: str) -> str:
    from sarcube.cluster import find_profile

    return called(find_profile, name)


THINKING: dict[str, tuple[Callable[[], str], str]] = {
    "west and east": (lambda: changed("8.1, 47.9, 8.3, 48.1", "8.3, 47.9, 8.1, 48.1"), "swap"),
    "south and north": (lambda: changed("8.1, 47.9, 8.3, 48.1", "8.1, 48.1, 8.3, 47.9"), "south"),
    "latitude first": (lambda: typed("sarcube timeseries store 40.64,-8.05"), "was taken as longitude"),
    "no latitude at all": (lambda: typed("sarcube timeseries store 48,-108"), "longitude comes first"),
    "three numbers": (lambda: typed("sarcube cube store --bbox=1,2,3"), "west,south,east,north"),
    "degrees for metres": (lambda: changed("resolution: 20", "resolution: 0.0002"), "metres"),
    "metres for degrees": (lambda: changed("crs: auto", "crs: 4326"), "degrees"),
    "a code that is none": (lambda: changed("crs: auto", "crs: 99999"), "EPSG:99999 .*check the code"),
    "heights of what": (lambda: changed(", heights: ellipsoid", ""), "dem.heights: ellipsoid"),
    "no ground": (lambda: changed("dem: {path: dem.tif, heights: ellipsoid}\n", ""), "dem"),
    "the last date first": (lambda: changed("2024-05-01, 2024-05-31", "2024-05-31, 2024-05-01"), "after"),
    "a folder for a run file": (lambda: typed("sarcube plan store"), "run file"),
    "a folder that is no store": (lambda: typed("sarcube status nothing"), "check the address"),
    "an empty store": (lambda: typed("sarcube cube nothing"), "sarcube run"),
    "a store for a run file": (lambda: typed("sarcube status store --refill rest.yaml"), "needs a run file"),
    "a store for a product": (lambda: typed("sarcube compare store store"), "name an item's JSON or a folder"),
    "somewhere else": (lambda: typed("sarcube cube store --bbox=100,10,101,11"), "they lie within"),
    "another time": (lambda: typed("sarcube cube store --dates 2031"), "2022-01-03"),
    "a file that is there": (lambda: typed("sarcube init run.yaml --place=8,48"), "--force"),
    "scenes that are not there": (
        lambda: changed("path: ./scenes", "path: ./scens"),
        "scens does not exist; name the folder",
    ),
    "a file for a folder": (
        lambda: typed("sarcube timeseries store -7.80,40.63 --out run.yaml/series.csv"),
        r"series\.csv cannot be written: run\.yaml is no folder",
    ),
    "a file for a picture's folder": (
        lambda: typed("sarcube timeseries store -7.80,40.63 --plot run.yaml/series.png"),
        r"series\.png cannot be written",
    ),
    "a format that is none": (lambda: typed("sarcube cube store --out cube.tiff"), r"\.zarr.*\.nc"),
}


@pytest.mark.parametrize("mistake", TYPING)
def test_of_typing(mistake: str, desk: Path) -> None:
    say, cure = TYPING[mistake]
    assert re.search(cure, said := say(), re.DOTALL), said


@pytest.mark.parametrize("mistake", THINKING)
def test_of_thinking(mistake: str, desk: Path) -> None:
    say, cure = THINKING[mistake]
    assert re.search(cure, said := say(), re.DOTALL), said
