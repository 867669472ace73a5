"""What tasks are expected to take: from the store's own history where it has one, else from a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sarcube.errors import SarcubeError
from sarcube.geometry.grid import GeoGrid
from sarcube.store.protocol import Store
from sarcube.workflows.task import Estimate
from sarcube.workflows.workflow import DEFAULT

RUNS = "runs"
_LAST_RUNS = 5  # how many records of the same workflow and engine are taken
_MOST_LOOKS = 50  # records that are looked at: those of rehearsals may lie before
_FORMER = {"sarcube.production.rtc_task:WORKFLOW": DEFAULT}  # as records of version 0.1 name it
_SLC_BYTES = 1500 * 22_000 * 4  # int16 complex, one polarization of an IW burst of usual size


@dataclass(frozen=True)
class Rate:
    """Per kind of task: linear in the pixels of the grid.

    Attributes
    ----------
    cpu_s_per_mpixel, bytes_out_per_pixel, memory_per_pixel : float
    memory_base : int
        Bytes that do not depend on the grid: interpreter, libraries, samples of one burst.
    inputs : int
        Bytes read that do not depend on the grid.
    """

    cpu_s_per_mpixel: float
    bytes_out_per_pixel: float
    memory_per_pixel: float
    memory_base: int
    inputs: int


# Measured on whole bursts at 20 m (9.3 million pixels, two polarizations) with the native engine: 7.5 s and 0.9 GB for
# static layers, 5 s for backscatter with 0.8 GB from a folder and 1.4 GB from a deflated zip; rounded up.
DEFAULT_RATES: Mapping[str, Rate] = {
    "static": Rate(0.9, 13.0, 55.0, 500_000_000, 30_000_000),
    "rtc": Rate(0.6, 6.5, 100.0, 600_000_000, 2 * _SLC_BYTES),
}


# opera-rtc on isce3, a whole burst of 9.3 million pixels, two polarizations, its own process counted: 516 CPU s for
# static layers, 419 for backscatter, and 2.9 GB at most (3.4 GB for static layers on two threads).
ENGINE_RATES: Mapping[str, Mapping[str, Rate]] = {
    "isce3": {
        "static": Rate(55.5, 13.0, 290.0, 700_000_000, 30_000_000),
        "rtc": Rate(45.1, 6.5, 240.0, 700_000_000, 2 * _SLC_BYTES),
    }
}


def rates_of(store: Store, engine: str, workflow: str) -> dict[str, Rate]:
    """Rates for each kind of task; CPU time and output size from the latest records of that workflow and engine."""
    table = ENGINE_RATES.get(engine, DEFAULT_RATES)
    rates = dict(table)
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
        if summary.get("engine") != engine or not _same_workflow(str(summary.get("workflow", "")), workflow):
            continue  # a rehearsal, or another engine: its tasks cost something else
        taken += 1
        for kind, measured in summary.get("rates", {}).items():
            if kind in rates and rates[kind] is table[kind] and measured.get("mpixels", 0) > 0:
                old = rates[kind]
                rates[kind] = Rate(
                    measured["cpu_s"] / measured["mpixels"],
                    measured["bytes_out"] / measured["mpixels"] / 1e6,
                    old.memory_per_pixel,
                    old.memory_base,
                    old.inputs,
                )
    return rates


def _same_workflow(recorded: str, workflow: str) -> bool:
    return _FORMER.get(recorded, recorded) == workflow


def estimate(rate: Rate, grid: GeoGrid, samples: int = 0) -> Estimate:
    """The estimate of a task on a grid, that reads so many bytes of samples where that is known."""
    pixels = grid.width * grid.height
    return Estimate(
        bytes_in=samples or rate.inputs,
        bytes_out=round(pixels * rate.bytes_out_per_pixel),
        cpu_s=round(pixels / 1e6 * rate.cpu_s_per_mpixel, 3),
        memory=round(rate.memory_base + pixels * rate.memory_per_pixel),
    )
