"""What plans, outcomes, bursts and run files show in a notebook: short, escaped, and readable in light and dark."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import sarcube
from sarcube.html import MAX_SHAPES, PlaceMap, Shape, place_map
from sarcube.production.run.produce import Failure, Outcome
from sarcube.sensors.sentinel1.open_burst import open_burst
from sarcube.sensors.sentinel1.search.scenes import find_scenes
from tests.documented import FirstRun

# Whoever comes first waits for the first run, and for kernels to be compiled where they have not been yet.
pytestmark = pytest.mark.timeout(900)


class _Balanced(HTMLParser):
    """Fails where tags do not close in order; keeps the words."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def words_of(shown: Any) -> str:
    text: str = shown._repr_html_()
    parser = _Balanced()
    parser.feed(re.sub(r"<(path|polyline)([^>]*)/>", r"<\1\2></\1>", text))
    assert parser.open == []
    assert "<script" not in text
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    # Neither text nor ground has a colour of its own that one of the themes would swallow.
    style = text[text.index("<style>") : text.index("</style>")]
    assert not re.search(r"(?<![-\w])color:#|background:#(?!000)", style)
    assert len(text) < 20_000
    return " ".join(parser.words)


def test_plan(tutorial: FirstRun, tmp_path: Path) -> None:
    path = tutorial.folder / "shown.yaml"
    path.write_text((tutorial.folder / "run.yaml").read_text().replace("./store", str(tmp_path / "new")))
    plan = sarcube.plan(path)
    said = words_of(plan)
    assert "8 tasks to do" in said
    assert "area of interest" in said
    assert said.count("backscatter") == 6
    chart = plan.map()
    assert [shape.state for shape in chart.shapes] == ["to do", "to do"]
    assert "4 to do" in words_of(chart)
    page = chart.save(tmp_path / "map.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "color-scheme:light dark" in page


def test_outcome_and_run_file(tutorial: FirstRun) -> None:
    plan = sarcube.plan(tutorial.folder / "run.yaml")
    outcome = sarcube.produce(plan)
    assert "0 done, 8 existed" in words_of(outcome)
    assert {shape.state for shape in outcome.map().shapes} == {"done"}
    said = words_of(plan.config)
    assert "8.14, 47.964, 8.26, 48.036" in said
    assert "shadow_masking" not in said  # a default


def test_failures_are_told(tutorial: FirstRun) -> None:
    failure = Failure("rtc/t1/x", "t1", "2024-05-01", "S1A", "SceneError", "<b>torn</b> zip & all")
    said = words_of(Outcome(done=1, failed=(failure,), record="store/runs/x"))
    assert "SceneError" in said
    assert "<b>torn</b> zip & all" in said
    assert "store/runs/x" in said


def test_bursts(tutorial: FirstRun) -> None:
    config = sarcube.RunConfig.from_file(tutorial.folder / "run.yaml")
    found = find_scenes(config).bursts[0]
    for shown in (found, open_burst(found, config)):
        said = words_of(shown)
        assert found.burst_id in said
        assert "descending, track" in said
        assert "VV, VH" in said


def test_map_across_the_antimeridian() -> None:
    ring = ((179.5, -17.0), (180.5, -17.0), (180.5, -16.0), (179.5, -16.0), (179.5, -17.0))
    other = tuple((x - 360, y) for x, y in ring)  # the same place on the other branch
    drawn = place_map([Shape(ring, "done", "a"), Shape(other, "to do", "b")])
    first, second = re.findall(r'polygon points="([^"]*)"', drawn)
    assert first == second
    assert "179.8°" in drawn or "-179.8°" in drawn or "180°" in drawn


def test_map_keeps_its_proportions_and_its_size() -> None:
    """A square of 100 km at 60 degrees is square; a thousand bursts stay a picture."""
    ring = ((10.0, 60.0), (11.8, 60.0), (11.8, 60.9), (10.0, 60.9), (10.0, 60.0))
    (points,) = re.findall(r'polygon points="([^"]*)"', place_map([Shape(ring, "done", "")]))
    xs, ys = zip(*(tuple(map(float, p.split(","))) for p in points.split()), strict=True)
    assert (max(xs) - min(xs)) / (max(ys) - min(ys)) == pytest.approx(1.0, abs=0.03)
    many = [Shape(tuple((x, y + i / 50) for x, y in ring), "done", "") for i in range(MAX_SHAPES + 3)]
    assert "(3 more places not drawn)" in place_map(many)
    assert place_map([]) == "<p>no place</p>"


def test_over_streets(tutorial: FirstRun) -> None:
    pytest.importorskip("folium", reason="folium is not installed")
    ring = ((8.0, 48.0), (8.1, 48.0), (8.1, 48.1), (8.0, 48.0))
    chart: Any = PlaceMap("Plan", (Shape(ring, "done", "t001"),), (ring,)).on_streets()
    assert "t001" in chart.get_root().render()
