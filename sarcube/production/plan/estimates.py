"""What tasks are expected to take: by the store's own history where it has one, else as their workflow says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sarcube.config import RunConfig
from sarcube.errors import SarcubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.production.records import RUNS
from sarcube.products.kinds import ProductKind, Rate
from sarcube.store.protocol import Store
from sarcube.workflows.task import Estimate

# CPU seconds until a worker process can begin, measured: the interpreter, what tasks import, compiled kernels loaded.
START_CPU_S = 4.0
_LAST_RUNS = 5  # how many records of the same variant are taken
_MOST_LOOKS = 50  # records that are looked at: those of rehearsals may lie before


@dataclass(frozen=True)
class Former:
    """How version 0.1 recorded a run of the same variant: the workflow, its engine, and kinds by the names of then."""

    workflow: str
    engine: str
    kinds: Mapping[str, str]


def former_records(config: RunConfig, kinds: Iterable[ProductKind]) -> Former:
    """Of a run and its kinds."""
    return Former(config.formerly, config.variant.partition(":")[2], {k.formerly: k.name for k in kinds if k.formerly})


def rates_of(store: Store, rates: Mapping[str, Rate], variant: str, former: Former | None = None) -> dict[str, Rate]:
    """Rates by kind; CPU time and output size from the latest run records of the same variant of the work."""
    defaults, rates = rates, dict(rates)
    try:
        runs = store.folders(RUNS)
    except SarcubeError:
        return rates  # a store that cannot be listed still can be written: history is a comfort
    taken = 0
    for run in reversed(runs[-_MOST_LOOKS:]):
        if taken >= _LAST_RUNS:
            break
        try:
            summary = json.loads(store.read_bytes(f"{RUNS}/{run}/summary.json"))
        except (SarcubeError, ValueError):
            continue  # killed before it was written, or not ours
        names: Mapping[str, str] = {}
        if summary.get("variant") != variant:
            if former is None or (summary.get("workflow"), summary.get("engine")) != (former.workflow, former.engine):
                continue  # a rehearsal, or another engine: its tasks cost something else
            names = former.kinds
        taken += 1
        for name, measured in summary.get("rates", {}).items():
            kind = names.get(name, name)
            if kind in rates and rates[kind] is defaults[kind] and measured.get("mpixels", 0) > 0:
                old = rates[kind]
                rates[kind] = Rate(
                    measured["cpu_s"] / measured["mpixels"],
                    measured["bytes_out"] / measured["mpixels"] / 1e6,
                    old.memory_per_pixel,
                    old.memory_base,
                    old.inputs,
                )
    return rates


def estimate(rate: Rate, grid: GeoGrid, samples: int = 0) -> Estimate:
    """The estimate of a task on a grid, that reads so many bytes of samples where that is known."""
    pixels = grid.width * grid.height
    return Estimate(
        bytes_in=samples or rate.inputs,
        bytes_out=round(pixels * rate.bytes_out_per_pixel),
        cpu_s=round(pixels / 1e6 * rate.cpu_s_per_mpixel, 3),
        memory=round(rate.memory_base + pixels * rate.memory_per_pixel),
    )
