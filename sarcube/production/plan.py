"""What a run has to do, known from the source and the store before anything is downloaded or computed."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from sarcube.config import RunConfig
from sarcube.errors import DownloadTimeoutError, SarcubeError, SourceError, StaticLayersMissingError
from sarcube.geometry.grid import GeoGrid
from sarcube.html import BurstMap
from sarcube.production.estimates import Rate, estimate, rates_of
from sarcube.production.outdated import find_outdated
from sarcube.products.names import item_key
from sarcube.store.protocol import Store, open_store
from sarcube.transfer.redact import redact
from sarcube.workflows.rtc.grids import burst_grid, check_grid, static_grid
from sarcube.workflows.task import Estimate, Task, task_key, utc_second
from sarcube.workflows.workflow import DEFAULT, Problem, Workflow, load_workflow

_SAME_ACQUISITION_S = 2.0  # slices of one datatake repeat bursts; real repeats are days apart
_STATIC_CANDIDATES = 5
_REQUESTS = 16  # look-ups in a remote store at a time


@dataclass(frozen=True)
class BurstSummary:
    """One burst ID in a plan.

    Attributes
    ----------
    burst_id : str
    footprint : tuple of (longitude, latitude)
    grid : GeoGrid or None
        None where it cannot be made (see the plan's problems).
    has_static : bool
        Static layers exist already.
    dates_done, dates_to_do : int
    """

    burst_id: str
    footprint: tuple[tuple[float, float], ...]
    grid: GeoGrid | None
    has_static: bool
    dates_done: int
    dates_to_do: int


@dataclass(frozen=True)
class Totals:
    """Sums over the tasks of a plan."""

    tasks: int
    bytes_in: int
    bytes_out: int
    cpu_s: float
    memory: int
    money_usd: float | None


@dataclass(frozen=True)
class Plan:
    """The tasks still to do for a run.

    Attributes
    ----------
    config : RunConfig
    tasks : tuple of Task
        Burst by burst, static layers before the dates that need them.
    done : tuple of str
        Keys of what exists already.
    problems : tuple of Problem
        What cannot be done, and why; the rest is.
    bursts : tuple of BurstSummary
    workflow : str
        Name of what carries the tasks out.
    warnings : tuple of Problem
        What is done all the same, and how it will differ from what might be expected: by task key or by the source's
        own words.
    outdated : tuple of Problem
        Products (by task key) of input of which the source has a later version, and which.
    """

    config: RunConfig
    tasks: tuple[Task, ...]
    done: tuple[str, ...]
    problems: tuple[Problem, ...]
    bursts: tuple[BurstSummary, ...]
    workflow: str = DEFAULT
    warnings: tuple[Problem, ...] = ()
    outdated: tuple[Problem, ...] = ()

    @property
    def impossible(self) -> bool:
        """Nothing of what was asked for exists or can be made: the user must change something."""
        static_only = self.config.product == "RTC_S1_STATIC"
        there = any(b.dates_done or (static_only and b.has_static) for b in self.bursts)
        return bool(self.problems) and not self.tasks and not there

    def __len__(self) -> int:
        return len(self.tasks)

    @cached_property
    def totals(self) -> Totals:
        """What the tasks are expected to take together; memory is that of the largest."""
        cpu = sum(t.estimate.cpu_s for t in self.tasks)
        memory = max((t.estimate.memory for t in self.tasks), default=0)
        return Totals(
            tasks=len(self.tasks),
            bytes_in=sum(t.estimate.bytes_in for t in self.tasks),
            bytes_out=sum(t.estimate.bytes_out for t in self.tasks),
            cpu_s=cpu,
            memory=memory,
            money_usd=_money(self.config.cluster, cpu),
        )

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """Days that the tasks cover."""
        return tuple(sorted({t.start.date() for t in self.tasks if t.start}))

    def table(self) -> str:
        """A table for a terminal."""
        from sarcube.production.plan_views import table

        return table(self)

    def to_json(self) -> str:
        """Everything, as JSON text."""
        from sarcube.production.plan_views import to_json

        return to_json(self)

    def to_geojson(self) -> str:
        """The bursts as a GeoJSON FeatureCollection."""
        from sarcube.production.plan_views import to_geojson

        return to_geojson(self)

    def to_html(self) -> str:
        """A page of its own with a map."""
        from sarcube.production.plan_views import to_html

        return to_html(self)

    def map(self) -> BurstMap:
        """The bursts on a map, with the area of interest: for a notebook, or to `save` as a page."""
        from sarcube.production.maps import plan_map

        return plan_map(self)

    def _repr_html_(self) -> str:
        from sarcube.production.plan_views import to_html

        return to_html(self, whole_page=False)

    def __repr__(self) -> str:
        return (
            f"<Plan: {len(self.tasks)} to do, {len(self.done)} done, {len(self.problems)} problems, "
            f"{len(self.bursts)} bursts>"
        )


def plan(
    config: RunConfig | Mapping[str, Any] | str | Path,
    *,
    workflow: str = DEFAULT,
    remake: bool | Literal["outdated"] = False,
) -> Plan:
    """Find what a run has to do.

    Parameters
    ----------
    config : RunConfig, path of a run file, or mapping with a run file's keys
    workflow : str
        What carries the tasks out, as `module:attribute`.
    remake : bool or "outdated"
        Plan products that exist too, to replace them; "outdated": those of input of which there is a later version.

    Raises
    ------
    SourceError
        The source has nothing that the run asks for, or cannot be reached.
    """
    if isinstance(config, Mapping):
        config = RunConfig.from_dict(dict(config))
    elif not isinstance(config, RunConfig):
        config = RunConfig.from_file(config)
    # Paths made absolute: workers stand in other folders, and the record must be readable from anywhere.
    config = RunConfig.from_dict(config.model_dump(mode="json", exclude_none=True), base=Path.cwd())
    work = load_workflow(workflow)
    found = work.find(config)
    groups = _by_burst(found.units)
    problems = list(found.problems)
    if not groups:
        late = any(p.error == DownloadTimeoutError.__name__ for p in problems)
        raise (DownloadTimeoutError if late else SourceError)(_nothing(config, problems, found.explanation))
    store = open_store(config.store)
    static_store = open_store(config.static_store) if config.static_store else store
    rates = rates_of(store, config.engine, workflow)
    builder = _Builder(config, store, static_store, rates, remake, problems, list(found.warnings))
    builder.look_up(groups)
    try:
        builder.outdated = find_outdated(work, store, config.collections.rtc, {b: groups[b] for b in builder.begun})
    except SarcubeError as error:
        problems.append(Problem(store.url, f"which products are of older scenes cannot be told: {error}"))
    for rank, (burst_id, units) in enumerate(groups.items()):
        builder.add(rank, burst_id, units, work)
    return Plan(
        config,
        tuple(builder.tasks),
        tuple(builder.done),
        tuple(problems),
        tuple(builder.bursts),
        workflow,
        tuple(builder.warnings),
        tuple(Problem(key, text) for key, text in sorted(builder.outdated.items())),
    )


class _Builder:
    """Collects tasks burst by burst; one object so that estimates and look-ups are shared."""

    def __init__(
        self,
        config: RunConfig,
        store: Store,
        static_store: Store,
        rates: dict[str, Rate],
        remake: bool | Literal["outdated"],
        problems: list[Problem],
        warnings: list[Problem],
    ) -> None:
        self.config, self.store, self.static_store, self.rates = config, store, static_store, rates
        self.remake, self.problems, self.warnings = remake, problems, warnings
        self.tasks: list[Task] = []
        self.done: list[str] = []
        self.bursts: list[BurstSummary] = []
        self._estimates: dict[tuple[str, int, int, int], Estimate] = {}
        self._grids: dict[str, GeoGrid | SarcubeError | None] = {}
        self.begun: set[str] = set()
        self.outdated: dict[str, str] = {}

    def look_up(self, groups: dict[str, list[Any]]) -> None:
        """Ask the stores, many questions at a time, for static grids and burst folders of all burst IDs."""
        names = self.config.collections
        known = set(self.static_store.folders(names.static))
        wanted = [b for b in groups if b in known]

        def grid(burst_id: str) -> GeoGrid | SarcubeError | None:
            try:
                return static_grid(self.static_store, names.static, burst_id)
            except SarcubeError as error:
                return error

        if wanted:
            with ThreadPoolExecutor(_REQUESTS) as pool:
                self._grids.update(zip(wanted, pool.map(grid, wanted), strict=True))
        self.begun = set(self.store.folders(names.rtc)) & set(groups)

    def add(self, rank: int, burst_id: str, units: list[Any], work: Workflow) -> None:
        """Plan one burst ID."""
        known = self._grids.get(burst_id)
        grid: GeoGrid | None = None
        done = to_do = 0
        try:
            grid = self._grid(burst_id, known, units[0].footprint)
            done, to_do = self._plan_burst(rank, burst_id, units, grid, work)
        except SarcubeError as error:
            self.problems.append(Problem(burst_id, str(error), type(error).__name__))
        has_static = isinstance(known, GeoGrid)
        self.bursts.append(BurstSummary(burst_id, tuple(units[0].footprint), grid, has_static, done, to_do))

    def _grid(
        self, burst_id: str, known: GeoGrid | SarcubeError | None, footprint: Sequence[tuple[float, float]]
    ) -> GeoGrid:
        if isinstance(known, SarcubeError):
            raise known
        if known is not None:
            check_grid(known, self.config, burst_id)
            return known
        if self.config.link_static_layers:
            raise StaticLayersMissingError(
                f"no static layers of {burst_id} in {self.static_store.url}/{self.config.collections.static}, "
                "and link_static_layers asks for existing ones: make them first (product: RTC_S1_STATIC)"
            )
        return burst_grid(self.config, burst_id, footprint)

    def _plan_burst(self, rank: int, burst_id: str, units: list[Any], grid: GeoGrid, work: Workflow) -> tuple[int, int]:
        has_static = isinstance(self._grids.get(burst_id), GeoGrid)
        static_only = self.config.product == "RTC_S1_STATIC"
        to_do, done = ([], []) if static_only else self._missing(burst_id, units)
        if not to_do and not static_only:
            # Whole time series present: static layers are only made for what is to come.
            self.done.extend(done)
            if has_static:
                self.done.append(task_key("static", burst_id, None))
            return len(done), 0
        usable = units if static_only else [unit for unit, _, _ in to_do]
        bad = work.defects(self.config, usable, grid) if usable else {}
        self.problems.extend(
            Problem(f"{burst_id} {getattr(usable[i], 'scene', '')}".strip(), message)
            for i, message in sorted(bad.items())
        )
        good = [unit for i, unit in enumerate(usable) if i not in bad]
        after = None
        remake_static = self.remake is True and static_only
        if has_static:
            self.done.append(task_key("static", burst_id, None))
        if good and (not has_static or remake_static):
            reason = "static layers exist: made again" if has_static else "no static layers"
            candidates = tuple(good[:_STATIC_CANDIDATES])
            task = Task(
                "static",
                burst_id,
                None,
                candidates,
                grid,
                reason,
                None,
                self._estimate("static", grid),
                rank,
                has_static,
            )
            self._plan_task(task, work.remarks(self.config, "static", candidates[:1]).get(0, ()))
            after = task.key if not has_static else None
        said = work.remarks(self.config, "rtc", [unit for unit, _, _ in to_do]) if to_do else {}
        for i, (unit, start, exists) in enumerate(to_do):
            if i not in bad:
                reason = "item exists: made again" if exists else "no item"
                expected = self._estimate("rtc", grid, getattr(unit, "size_bytes", 0))
                task = Task("rtc", burst_id, start, (unit,), grid, reason, after, expected, rank, exists)
                self._plan_task(task, said.get(i, ()))
        self.done.extend(done)
        return len(done), len(to_do) - (len(bad) if not static_only else 0)

    def _plan_task(self, task: Task, warnings: Iterable[str]) -> None:
        self.tasks.append(task)
        self.warnings.extend(Problem(task.key, message) for message in warnings)

    def _missing(self, burst_id: str, units: list[Any]) -> tuple[list[tuple[Any, dt.datetime, bool]], list[str]]:
        collection = self.config.collections.rtc
        starts = [utc_second(unit.start_time) for unit in units]
        exist = [False] * len(units)
        if burst_id in self.begun:
            keys = [item_key(collection, burst_id, start) for start in starts]
            if "://" in self.store.url and len(keys) > 1:
                with ThreadPoolExecutor(_REQUESTS) as pool:
                    exist = list(pool.map(self.store.exists, keys))
            else:
                exist = [self.store.exists(key) for key in keys]
        to_do, done = [], []
        for unit, start, there in zip(units, starts, exist, strict=True):
            key = task_key("rtc", burst_id, start)
            if there and not (key in self.outdated if self.remake == "outdated" else self.remake):
                done.append(key)
            else:
                to_do.append((unit, start, there))
        return to_do, done

    def _estimate(self, kind: str, grid: GeoGrid, samples: int = 0) -> Estimate:
        key = (kind, grid.width, grid.height, samples)
        if key not in self._estimates:
            self._estimates[key] = estimate(self.rates[kind], grid, samples)
        return self._estimates[key]


def _by_burst(units: Iterable[Any]) -> dict[str, list[Any]]:
    """Units by burst ID in order of time, each acquisition once."""
    groups: defaultdict[str, list[Any]] = defaultdict(list)
    for unit in units:
        groups[unit.burst_id].append(unit)
    return {burst_id: _distinct(groups[burst_id]) for burst_id in sorted(groups)}


def _distinct(units: list[Any]) -> list[Any]:
    units.sort(key=lambda u: (u.start_time, getattr(u, "scene", "")))
    kept: list[Any] = []
    for unit in units:
        if kept and _seconds(unit.start_time - kept[-1].start_time) < _SAME_ACQUISITION_S:
            kept[-1] = max(kept[-1], unit, key=_rank)
        else:
            kept.append(unit)
    return kept


def _rank(unit: Any) -> tuple[Any, ...]:
    """More polarizations, then the version processed last, then the scene that sorts last."""
    return len(getattr(unit, "polarizations", ())), getattr(unit, "version", ()), getattr(unit, "scene", "")


def _seconds(delta: Any) -> float:
    if isinstance(delta, dt.timedelta):
        return delta.total_seconds()
    return float(delta.astype("timedelta64[ns]").astype("int64")) / 1e9


def _nothing(config: RunConfig, problems: Sequence[Problem], explanation: str) -> str:
    where = redact(str(config.source.path or config.source.url or config.source.kind))
    text = explanation or f"the source {where} has no burst in the AOI and dates; check aoi, dates and source"
    if problems:
        listed = "; ".join(f"{p.subject}: {p.message}" for p in problems[:3])
        text += f" (and {len(problems)} problem{'s' if len(problems) > 1 else ''}: {listed})"
    return text


def _money(profile: str, cpu_s: float) -> float | None:
    from sarcube.cluster.profiles import find_profile

    try:
        price = find_profile(profile).usd_per_core_hour
    except SarcubeError:
        return None  # a wrong profile is reported when the cluster is made
    return None if price is None else cpu_s / 3600.0 * price
