"""A workflow of pairs, as another distribution would bring one: two inputs, types of its own, a place that is no burst.

Scenes are lines of text (`2024-01-05 30.0`: a day and the slope of a plane wave). Pairs of neighbouring days become the
conjugate product of the two waves, how often both saw the ground, and classes of land; they need the ground of it.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from sarcube.catalog.items import ItemFacts
from sarcube.config import RunConfig, Section
from sarcube.errors import SceneError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import Fact, Layer, MaskClass, ProductKind, Rate, Shown, mask_layer
from sarcube.products.product import read_layers
from sarcube.transfer.problem import Problem
from sarcube.workflows import making
from sarcube.workflows.grids import grid_around
from sarcube.workflows.making import Result, Stages
from sarcube.workflows.task import Ring, Task, Unit
from sarcube.workflows.workflow import Context, Found, Made

PI = float(np.pi)
NAME = "tests.workflows.pairs.workflow:WORKFLOW"
LAND = mask_layer(
    "land",
    "Land and water",
    (
        MaskClass(1, "land", "dry", (200, 180, 120, 255)),
        MaskClass(2, "water", "wet", (40, 80, 200, 255), rank=1),
        MaskClass(0, "unseen", "not looked at", (0, 0, 0, 0), rank=2),
    ),
    0,
)
GROUND = ProductKind(
    "TOY_GROUND", "toy_ground", (LAND,), "Ground", "Of each place.", "ground", Rate(0.1, 1.0, 4.0, 10_000_000, 0),
    timed=False,
)  # fmt: skip
PAIRS = ProductKind(
    "TOY_PAIRS",
    "toy_pairs",
    (
        Layer("fringes", "Fringes", "complex64", overview="nearest", shown=Shown(-PI, PI, "hsv", cyclic=True)),
        Layer("seen", "Views", "uint16", 65535, merge="sum", overview="nearest", shown=Shown(0, 9, "viridis")),
        LAND,
    ),
    "Pairs",
    "One of two neighbouring days.",
    "pair",
    Rate(0.1, 11.0, 40.0, 10_000_000, 0),
    needs=(GROUND.name,),
    facts=(Fact("toy:days", "integer", summarized=True),),
    browse=("fringes",),
)  # fmt: skip


class PairsSection(Section):
    """Pairs of neighbouring days."""

    apart: int = 12
    killed: Path | None = None


@dataclass(frozen=True)
class Scene:
    """One line of a file."""

    path: str
    start: dt.datetime
    slope: float


class Pairs:
    """The workflow."""

    name = "pairs"
    section = PairsSection
    kinds = (PAIRS, GROUND)

    def find(self, config: RunConfig) -> Found:
        units, problems = list[Unit](), list[Problem]()
        for path in sorted(Path(str(config.source.path)).glob("*.txt")):
            scenes = []
            for line in path.read_text().splitlines():
                day, slope = line.split()
                scenes.append(Scene(str(path), dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC), float(slope)))
            first, last = config.dates or (dt.date.min, dt.date.max)
            scenes = [s for s in scenes if first <= s.start.date() <= last]
            if len(scenes) < 2:
                problems.append(Problem(path.stem, "one day alone makes no pair"))
            for a, b in itertools.pairwise(scenes):
                if (b.start - a.start).days <= config.section(PairsSection).apart:
                    tag = f"{b.start:%Y%m%dT%H%M%SZ}"
                    ring = ring_of(path.stem)
                    units.append(Unit(PAIRS.name, path.stem, a.start, b.start, (a, b), ring, tag, path.stem))
        return Found(units, tuple(problems))

    def grid(self, config: RunConfig, place: str, footprint: Ring) -> GeoGrid:
        return grid_around(config, footprint)

    def defects(self, config: RunConfig, units: Sequence[Unit], grid: GeoGrid) -> Mapping[int, str]:
        return {i: "no wave" for i, unit in enumerate(units) if any(np.isnan(s.slope) for s in unit.inputs)}

    def remarks(self, config: RunConfig, units: Sequence[Unit]) -> Mapping[int, Sequence[str]]:
        return {}

    def outdated(self, unit: Unit, stored: Mapping[str, object]) -> str:
        return ""

    def rates(self, config: RunConfig) -> Mapping[str, Rate]:
        return {}

    def prepare(self, config: RunConfig, kinds: Iterable[str]) -> None:
        making.ensure_collections(config, kinds)

    def run(self, task: Task, context: Context) -> Made:
        die_once(context.config.section(PairsSection).killed, task)
        compute = ground if task.kind == GROUND.name else pair
        return making.make(task, context.config, lambda stages: compute(task, context.config, stages))

    def finish(self, config: RunConfig, kinds: Iterable[str]) -> None:
        making.update_catalogs(config, kinds)


def ground(task: Task, config: RunConfig, stages: Stages) -> Result:
    with stages("compute"):
        x, y = np.meshgrid(task.grid.x(), task.grid.y())
        land = np.where((x // 2000 + y // 2000) % 2, 1, 2).astype(np.uint8)
        land[:4] = 0
    start = task.inputs[0].start
    return Result(dataset(task.grid, land=land), task.grid, "TOY", lambda _: facts(start, None, {}))


def pair(task: Task, config: RunConfig, stages: Stages) -> Result:
    a, b = task.inputs
    if a.slope < 0:
        raise SceneError(f"{a.path}: a slope below zero")
    store, key = making.store_of(config, GROUND), f"{making.collection_of(config, GROUND)}/{task.place}"
    names = [n for n in store.files(key) if n.endswith("_land.tif")]
    land = read_layers(store, {"land": f"{key}/{names[0]}"}, ["land"])["land"].values
    with stages("compute"):
        fringes = truth(task.grid, a, b)
        fringes[land == 0] = np.nan
        seen = np.where(land == 0, 65535, 1).astype(np.uint16)
    days = (b.start - a.start).days
    return Result(
        dataset(task.grid, fringes=fringes, seen=seen, land=land),
        task.grid,
        "TOY-TOY",
        lambda _: facts(a.start, b.start, {"toy:days": days}),
    )


def truth(grid: GeoGrid, a: Scene, b: Scene) -> np.ndarray:
    """Reference times the conjugate of the secondary: waves of so many radians per kilometre eastwards."""
    phase = 1e-3 * (a.slope - b.slope) * (grid.x() - grid.left)
    return np.broadcast_to(np.exp(1j * phase), grid.shape).astype(np.complex64)


def dataset(grid: GeoGrid, **layers: np.ndarray) -> xr.Dataset:
    return xr.Dataset({n: (("y", "x"), v) for n, v in layers.items()}, coords={"y": grid.y(), "x": grid.x()})


def facts(start: dt.datetime, end: dt.datetime | None, properties: Mapping[str, object]) -> ItemFacts:
    return ItemFacts(start, end, {"platform": "toy", "product:type": "toy", **properties})


def ring_of(place: str) -> Ring:
    """Places of one row, a tenth of a degree apart, wider than that: neighbours overlap."""
    west = 14.8 + 0.1 * (ord(place[-1]) - ord("a"))
    return ((west, 37.6), (west + 0.14, 37.6), (west + 0.14, 37.7), (west, 37.7), (west, 37.6))


def die_once(flag: Path | None, task: Task) -> None:
    """Take the process along, the first time that a pair is to be made while the flag is there."""
    if flag is not None and task.kind == PAIRS.name and flag.exists():
        flag.unlink()
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)


WORKFLOW = Pairs()
