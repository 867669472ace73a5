"""What a store has against what it should have: completeness, failures with their cause, files that belong nowhere."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, SarcubeError
from sarcube.production.content import Content
from sarcube.production.estimates import RUNS
from sarcube.production.plan import Plan, plan
from sarcube.production.said import Said, counted
from sarcube.store.protocol import Store, open_store
from sarcube.transfer.redact import redact
from sarcube.workflows.workflow import DEFAULT, Problem


@dataclass(frozen=True)
class BurstStatus:
    """One burst ID.

    Attributes
    ----------
    burst_id : str
    static : bool
        Its static layers exist.
    present : tuple of str
        Days whose products exist.
    missing : tuple of str
        Days that the run asks for and that do not exist; empty where only the store was looked at.
    """

    burst_id: str
    static: bool
    present: tuple[str, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """A product that is missing, and why the last run that tried could not make it."""

    task: str
    run: str
    cause: str


@dataclass(frozen=True)
class Status:
    """What there is and what is not.

    Attributes
    ----------
    store : str
    bursts : tuple of BurstStatus
    expected, present : int
        Products (acquisitions and static layers). `expected` is None where no run says what should be there.
    failures : tuple of Failed
    problems : tuple of Problem
        What the plan cannot do at all.
    stale : tuple of str
        Keys of product files that no item names, and that no run can use any more: `sarcube clean` removes them.
    writing : tuple of str
        Keys of product files that no item names yet; a run that goes on may have announced them.
    lost : tuple of str
        Items that lack files, in words: their products have to be made again.
    unindexed : tuple of str
        Items that no query finds, or that queries find though they are gone: the next run, or `sarcube clean --yes`,
        puts the index right.
    foreign : tuple of str
        Keys that sarcube did not write.
    runs : tuple of str
        Records of runs, newest last.
    warnings : tuple of Said
        What the items of the products say of themselves, and what the plan says of its tasks.
    """

    store: str
    bursts: tuple[BurstStatus, ...]
    expected: int | None
    present: int
    failures: tuple[Failed, ...] = ()
    problems: tuple[Problem, ...] = ()
    stale: tuple[str, ...] = ()
    writing: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    unindexed: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    warnings: tuple[Said, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is there, with all of its files, and found by queries."""
        whole = not (self.problems or self.lost or self.unindexed)
        return self.expected is not None and self.present >= self.expected and whole

    def to_json(self) -> str:
        """All of it as JSON text."""
        return json.dumps(asdict(self) | {"complete": self.complete}, indent=1)

    def table(self) -> str:
        """For a terminal."""
        from sarcube.production.status_views import table

        return table(self)


def status(target: RunConfig | str, *, workflow: str = DEFAULT) -> Status:
    """Look at a store, or at a run and its store.

    Parameters
    ----------
    target : RunConfig or str
        A run (or the path of a run file, ending in .yaml or .yml): expected against present. Or a store's
        address: what is there.
    workflow : str
        What the run's tasks are carried out by.

    Raises
    ------
    ConfigError
        The run file is wrong, or the store does not exist.
    """
    if isinstance(target, str) and target.endswith((".yaml", ".yml")):
        target = RunConfig.from_file(target)
    if isinstance(target, str):
        return _of_store(open_store(target))
    return _of_run(target, workflow)


def refill(config: RunConfig, found: Status) -> RunConfig | None:
    """A run that makes exactly what is missing; None where nothing is.

    Burst IDs and dates are narrowed; what exists within them is skipped by the plan anyway.
    """
    missing = [b for b in found.bursts if b.missing or not b.static]
    if not missing or found.complete:
        return None
    days = sorted({dt.date.fromisoformat(day) for b in missing for day in b.missing})
    source = config.source.model_copy(update={"burst_ids": tuple(b.burst_id for b in missing)})
    dates = (days[0], days[-1]) if days else config.dates
    return config.model_copy(update={"source": source, "dates": dates})


def _of_store(store: Store) -> Status:
    content = Content(store)
    runs = _runs(store)
    if not (content.items or content.files or runs):
        raise ConfigError(f"{store.url} holds no product and no run; check the address")
    there = {content.task(key) for key in content.items}
    days, static = content.days()
    found = Status(
        store.url,
        tuple(BurstStatus(b, b in static, tuple(sorted(days.get(b, ())))) for b in sorted({*days, *static})),
        None,
        len(content.items),
        failures=tuple(f for f in _failures(store, runs) if f.task not in there),
        runs=runs,
        warnings=counted(content.warnings),
    )
    return _with_files(found, content)


def _of_run(config: RunConfig, workflow: str) -> Status:
    made = plan(config, workflow=workflow)
    store = open_store(config.store)
    content = Content(store)
    runs = _runs(store)
    wanted = {task.key for task in made.tasks}
    found = Status(
        store.url,
        tuple(_expected(made)),
        len(made.tasks) + len(made.done),
        len(made.done),
        failures=tuple(f for f in _failures(store, runs) if f.task in wanted),
        problems=made.problems,
        runs=runs,
        warnings=counted([*((w.subject, w.message) for w in made.warnings), *content.warnings]),
    )
    return _with_files(found, content)


def _with_files(found: Status, content: Content) -> Status:
    """A status that also tells of files."""
    leftovers = content.leftovers()
    return replace(
        found,
        stale=tuple(one.key for one in leftovers if one.why),
        writing=tuple(one.key for one in leftovers if not one.why and not one.kept),
        foreign=tuple(content.foreign),
        lost=content.lost,
        unindexed=tuple(sorted(content.unindexed)),
    )


def _expected(made: Plan) -> Iterable[BurstStatus]:
    present: defaultdict[str, list[str]] = defaultdict(list)
    missing: defaultdict[str, list[str]] = defaultdict(list)
    static: set[str] = set()
    for key in made.done:
        kind, burst_id, *start = key.split("/")
        if kind == "static":
            static.add(burst_id)
        else:
            present[burst_id].append(dt.datetime.strptime(start[0], "%Y%m%dT%H%M%SZ").date().isoformat())
    for task in made.tasks:
        if task.date:
            missing[task.burst_id].append(task.date.isoformat())
    for burst in made.bursts:
        b = burst.burst_id
        yield BurstStatus(b, b in static, tuple(sorted(present[b])), tuple(sorted(missing[b])))


def _runs(store: Store) -> tuple[str, ...]:
    return tuple(store.folders(RUNS))


def _failures(store: Store, runs: Sequence[str]) -> list[Failed]:
    """For each task the last word of the latest run that tried it, where that was no success."""
    from sarcube.production.record import read_lines

    last: dict[str, Failed | None] = {}
    for run in runs:
        try:
            lines = read_lines(store, f"{RUNS}/{run}")
        except (SarcubeError, ValueError):
            continue  # a record cut short says nothing about the products
        for line in lines:
            cause = redact(line.get("message") or line.get("cause", ""))  # a record may be of an older version
            bad = line["outcome"] in ("failed", "blocked")
            last[line["task"]] = Failed(line["task"], run, cause) if bad else None
    return [failed for failed in last.values() if failed]
