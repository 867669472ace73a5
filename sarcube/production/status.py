"""What a store has against what it should have: completeness, failures with their cause, files that belong nowhere."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, SarcubeError
from sarcube.production.content import Content, PlaceStatus
from sarcube.production.plan.plan import plan
from sarcube.production.plan.value import Plan
from sarcube.production.records import RUNS, read_lines
from sarcube.production.said import Said, counted
from sarcube.production.shown import Shown
from sarcube.products.names import TIME
from sarcube.store.protocol import Store, open_store
from sarcube.transfer.problem import Problem
from sarcube.transfer.redact import redact
from sarcube.workflows.task import day_text


@dataclass(frozen=True)
class Failed:
    """A product that is missing, and why the last run that tried could not make it."""

    task: str
    run: str
    cause: str


@dataclass(frozen=True, repr=False)
class Status(Shown):
    """What there is and what is not.

    Attributes
    ----------
    store : str
    places : tuple of PlaceStatus
    expected, present : int
        Products of all kinds. `expected` is None where no run says what should be there.
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
    span : (date, date), optional
        First and last day of all that is missing.
    warnings : tuple of Said
        What the items of the products say of themselves, and what the plan says of its tasks.
    """

    _views: ClassVar[str] = "sarcube.production.views.status"

    store: str
    places: tuple[PlaceStatus, ...]
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
    span: tuple[dt.date, dt.date] | None = None
    warnings: tuple[Said, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is there, with all of its files, and found by queries."""
        whole = not (self.problems or self.lost or self.unindexed)
        return self.expected is not None and self.present >= self.expected and whole

    def to_json(self) -> str:
        """All of it as JSON text."""
        return json.dumps(asdict(self) | {"complete": self.complete}, indent=1, default=str)

    def table(self) -> str:
        """For a terminal."""
        return str(self._view("table"))


def status(target: RunConfig | str) -> Status:
    """Look at a store, or at a run and its store.

    Parameters
    ----------
    target : RunConfig or str
        A run (or the path of a run file, ending in .yaml or .yml): expected against present. Or a store's
        address: what is there.

    Raises
    ------
    ConfigError
        The run file is wrong, or the store does not exist.
    """
    if isinstance(target, str) and target.endswith((".yaml", ".yml")):
        target = RunConfig.from_file(target)
    if isinstance(target, str):
        return _of_store(open_store(target))
    return _of_run(target)


def refill(config: RunConfig, found: Status) -> RunConfig | None:
    """A run that makes exactly what is missing; None where nothing is.

    Places and dates are narrowed; what exists within them is skipped by the plan anyway.
    """
    missing = [p for p in found.places if p.missing or p.lacking]
    if not missing or found.complete:
        return None
    source = config.source.model_copy(update={"places": tuple(p.place for p in missing)})
    return config.model_copy(update={"source": source, "dates": found.span or config.dates})


def _of_store(store: Store) -> Status:
    content = Content(store)
    runs = _runs(store)
    if not (content.items or content.files or runs):
        raise ConfigError(f"{store.url} holds no product and no run; check the address")
    there = content.units()
    found = Status(
        store.url,
        tuple(content.places()),
        None,
        len(content.items),
        failures=tuple(f for f in _failures(store, runs) if f.task not in there),
        runs=runs,
        warnings=counted(content.warnings),
    )
    return _with_files(found, content)


def _of_run(config: RunConfig) -> Status:
    made = plan(config)
    store = open_store(config.store)
    content = Content(store)
    runs = _runs(store)
    wanted = {task.key for task in made.tasks}
    formerly = {kind.formerly: kind.name for kind in made.kinds if kind.formerly}
    ends = [task.unit for task in made.tasks if task.unit.start]
    days = [d.date() for unit in ends for d in (unit.start, unit.end or unit.start) if d]
    found = Status(
        store.url,
        tuple(_expected(made)),
        len(made.tasks) + len(made.done),
        len(made.done),
        failures=tuple(f for f in _failures(store, runs, formerly) if f.task in wanted),
        problems=made.problems,
        runs=runs,
        span=(min(days), max(days)) if days else None,
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


def _expected(made: Plan) -> Iterable[PlaceStatus]:
    present: defaultdict[str, list[str]] = defaultdict(list)
    missing: defaultdict[str, list[str]] = defaultdict(list)
    once: defaultdict[str, list[str]] = defaultdict(list)
    lacking: defaultdict[str, list[str]] = defaultdict(list)
    for key in made.done:
        kind, place, *rest = key.split("/")
        if rest:
            start = dt.datetime.strptime(rest[0], TIME)
            present[place].append(day_text(start, *rest[1:]))
        else:
            once[place].append(kind)
    for task in made.tasks:
        if task.start:
            missing[task.place].append(task.unit.day)
        else:
            lacking[task.place].append(task.kind)
    for p in (summary.place for summary in made.places):
        yield PlaceStatus(p, *(tuple(sorted(found[p])) for found in (present, missing, once, lacking)))


def _runs(store: Store) -> tuple[str, ...]:
    return tuple(store.folders(RUNS))


def _failures(store: Store, runs: Sequence[str], formerly: Mapping[str, str] | None = None) -> list[Failed]:
    """For each task the last word of the latest run that tried it, where that was no success.

    `formerly`: what version 0.1 called kinds in its records, to what they are called now.
    """

    last: dict[str, Failed | None] = {}
    for run in runs:
        # A record that is cut short, or somebody else's, says nothing about the products.
        with contextlib.suppress(SarcubeError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
            for line in read_lines(store, f"{RUNS}/{run}"):
                cause = redact(line.get("message") or line.get("cause", ""))  # a record may be of an older version
                bad = line["outcome"] in ("failed", "blocked")
                kind, _, rest = line["task"].partition("/")
                key = f"{(formerly or {}).get(kind, kind)}/{rest}"
                last[key] = Failed(key, run, cause) if bad else None
    return [failed for failed in last.values() if failed]
