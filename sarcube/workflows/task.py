"""What a task is: one product to make, described by small frozen values that cross processes cheaply."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from sarcube.geometry.grid import GeoGrid

Kind = Literal["static", "rtc"]
_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a task is expected to take; tasks of one kind and grid share one value.

    Attributes
    ----------
    bytes_in, bytes_out : int
        Read from the source, written to the store.
    cpu_s : float
        Seconds of one core.
    memory : int
        Bytes that the task declares: a worker takes a task only while it has that much to give.
    """

    bytes_in: int
    bytes_out: int
    cpu_s: float
    memory: int


@dataclass(frozen=True, slots=True)
class Task:
    """One product to make.

    Attributes
    ----------
    kind : str
        "static" (once per burst ID) or "rtc" (one acquisition).
    burst_id : str
    start : datetime, optional
        UTC start of the acquisition, whole seconds; None for a static product.
    inputs : tuple
        What the source found (`sources.scenes.FoundBurst`): of an acquisition one; of a static product the
        acquisitions whose geometry may serve, tried in this order where one cannot be read.
    grid : GeoGrid
        Where the plan expects the product. Once the burst ID has static layers, theirs decides.
    reason : str
        Why it is to do.
    after : str, optional
        Key of the task of this plan that must be done before.
    estimate : Estimate
    rank : int
        Place of the burst ID in the plan: work proceeds burst by burst, so that time series finish early.
    remake : bool
        Replace a product that exists.
    """

    kind: Kind
    burst_id: str
    start: dt.datetime | None
    inputs: tuple[Any, ...]
    grid: GeoGrid
    reason: str
    after: str | None
    estimate: Estimate
    rank: int
    remake: bool = False

    @property
    def key(self) -> str:
        """Deterministic and readable: `rtc/t070_149815_iw3/20220101T124752Z`."""
        return task_key(self.kind, self.burst_id, self.start)

    @property
    def date(self) -> dt.date | None:
        return self.start.date() if self.start else None

    @property
    def scene(self) -> str:
        """Name of the (first) scene that the task reads."""
        return str(getattr(self.inputs[0], "scene", "")) if self.inputs else ""


def task_key(kind: str, burst_id: str, start: dt.datetime | None) -> str:
    """The key of a task, the same in every run."""
    return f"{kind}/{burst_id}/{start.strftime(_TIME)}" if start else f"{kind}/{burst_id}"


def utc_second(time: Any) -> dt.datetime:
    """A numpy or Python time (naive: UTC) as UTC datetime, cut to whole seconds as file names do."""
    if not isinstance(time, dt.datetime):
        seconds = int(time.astype("datetime64[s]").astype("int64"))
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    moment: dt.datetime = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC).replace(microsecond=0)
