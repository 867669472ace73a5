"""What a run has to do, known from the source and the store before anything is downloaded or computed.

The plan reads: for each place, for each kind in the order of what needs what: does it exist? is anything wrong with it?
If not, it is a task. Which kinds there are, and what a place or a unit is, is the workflow's matter alone.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, DownloadTimeoutError, MissingProductError, SarcubeError, SourceError
from sarcube.geometry.grid import GeoGrid
from sarcube.production.plan.estimates import estimate, former_records, rates_of
from sarcube.production.plan.outdated import find_outdated
from sarcube.production.plan.value import PlaceSummary, Plan
from sarcube.products.kinds import ProductKind, Rate
from sarcube.products.names import item_key
from sarcube.products.places import Place
from sarcube.store.protocol import open_store
from sarcube.transfer.problem import Problem
from sarcube.transfer.redact import redact
from sarcube.workflows.grids import check_grid, settled_grid
from sarcube.workflows.making import collection_of, store_of
from sarcube.workflows.registry import kind_of, load_workflow, makers
from sarcube.workflows.task import Estimate, Task, Unit, place_of, unit_key

_NO_TIME = dt.datetime.min.replace(tzinfo=dt.UTC)
_SECOND = dt.timedelta(seconds=1)
_CANDIDATES = 5  # units whose inputs may serve for a product that several need
_NEW_OBJECTS = 100_000  # between two looks of Python's collector while a plan is made
_REQUESTS = 16  # look-ups in a remote store at a time


def plan(config: RunConfig | Mapping[str, object] | str | Path, *, remake: bool | Literal["outdated"] = False) -> Plan:
    """Find what a run has to do.

    Parameters
    ----------
    config : RunConfig, path of a run file, or mapping with a run file's keys
    remake : bool or "outdated"
        Plan products that exist too, to replace them; "outdated": those of input of which there is a later version.

    Raises
    ------
    ConfigError
        The run file is wrong.
    SourceError
        The source has nothing that the run asks for, or cannot be reached.
    """
    if isinstance(config, Mapping):
        config = RunConfig.from_dict(dict(config))
    elif not isinstance(config, RunConfig):
        config = RunConfig.from_file(config)
    # Paths made absolute: workers stand in other folders, and the record must be readable from anywhere.
    config = RunConfig.from_dict(config.model_dump(mode="json", exclude_none=True), base=Path.cwd())
    makers(config)  # refuses what cannot be carried out before a source is asked
    with _collector_seldom():
        return _plan(config, remake)


@contextlib.contextmanager
def _collector_seldom() -> Iterator[None]:
    """A million small values that all live on: Python's collector would walk them again and again."""
    usual = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _plan(config: RunConfig, remake: bool | Literal["outdated"]) -> Plan:
    found = load_workflow(config.workflow).find(config)
    groups = _by_place(found.units, config.source.places)
    problems = list(found.problems)
    if not groups:
        late = any(p.error == DownloadTimeoutError.__name__ for p in problems)
        raise (DownloadTimeoutError if late else SourceError)(_nothing(config, problems, found.explanation))
    asked = frozenset(unit.kind for units in groups.values() for unit in units)
    wanted = _with_needed(config, asked)
    builder = _Builder(config, wanted, frozenset(found.given), remake, problems)
    builder.look_up(groups)
    builder.expect(groups)
    builder.look_for_outdated(groups)
    for rank, (place, units) in enumerate(groups.items()):
        builder.add(rank, place, units)
    return Plan(
        config,
        tuple(builder.tasks),
        tuple(builder.done),
        tuple(problems),
        tuple(builder.places),
        tuple(wanted),
        builder.given,
        asked,
        (*found.warnings, *builder.warnings),
        tuple(Problem(key, text) for key, text in sorted(builder.outdated.items())),
        found.connections,
    )


def _with_needed(config: RunConfig, names: Iterable[str]) -> list[ProductKind]:
    """Kinds and all that they need, each after what it needs."""
    ordered: dict[str, ProductKind] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ConfigError(f"kinds need each other in a circle: {', '.join((*above, name))}")
        kind = kind_of(config, name)
        for needed in kind.needs:
            add(needed, (*above, name))
        ordered.setdefault(name, kind)

    for name in sorted(names):
        add(name, ())
    return list(ordered.values())


@dataclass
class _Place:
    """What is known of one place while it is planned."""

    place: str
    rank: int
    grid: GeoGrid
    # By kind: keys of its tasks, with their start, that others may have to wait for.
    tasks: dict[str, list[tuple[dt.datetime | None, str]]]
    done: Counter[str]
    to_do: Counter[str]


class _Builder:
    """Collects tasks place by place; one object so that estimates and look-ups are shared."""

    def __init__(
        self,
        config: RunConfig,
        kinds: Sequence[ProductKind],
        given: frozenset[str],
        remake: bool | Literal["outdated"],
        problems: list[Problem],
    ) -> None:
        self.config, self.kinds, self.given, self.remake, self.problems = config, kinds, given, remake, problems
        self.tasks: list[Task] = []
        self._awaited: set[str] = set()  # keys that units wait for themselves
        self._planned: set[str] = set()  # those of them that have a task
        self.warnings: list[Problem] = []
        self.outdated: dict[str, str] = {}
        self.done: list[str] = []
        self.places: list[PlaceSummary] = []
        self._makers = makers(config)
        self._stores = {kind.name: store_of(config, kind) for kind in kinds}
        self._collections = {kind.name: collection_of(config, kind) for kind in kinds}
        self._rates = rates_of(
            open_store(config.store), self._told_rates(), config.variant, former_records(config, kinds)
        )
        self._estimates: dict[tuple[str, int, int, int], Estimate] = {}
        self._grids: dict[tuple[str, str], GeoGrid | SarcubeError | None] = {}
        self._begun: dict[str, set[str]] = {}
        self._wanted_by_others = {name for kind in kinds for name in kind.needs}

    def _told_rates(self) -> dict[str, Rate]:
        """What kinds cost as far as their makers know before anything was measured here."""
        told = {name: rate for work in self._makers.values() for name, rate in work.rates(self.config).items()}
        return {kind.name: told.get(kind.name, kind.rate) for kind in self.kinds}

    def expect(self, groups: Mapping[str, Sequence[Unit]]) -> None:
        """Note which tasks units wait for themselves, beyond what their kinds need."""
        self._awaited = {key for units in groups.values() for unit in units for key in unit.waits}

    def look_up(self, groups: Mapping[str, list[Unit]]) -> None:
        """Ask the stores, many questions at a time, for folders of all places, and grids that are settled."""

        def grid(place: str, kind: str) -> GeoGrid | SarcubeError | None:
            try:
                return settled_grid(self._stores[kind], self._collections[kind], place)
            except SarcubeError as error:
                return error

        for kind in self.kinds:
            name = kind.name
            self._begun[name] = set(self._stores[name].folders(self._collections[name])) & groups.keys()
            if not kind.timed and self._begun[name]:
                wanted = sorted(self._begun[name])
                with ThreadPoolExecutor(_REQUESTS) as pool:
                    found = pool.map(lambda place, name=name: grid(place, name), wanted)
                    self._grids.update(zip(((place, name) for place in wanted), found, strict=True))

    def look_for_outdated(self, groups: Mapping[str, list[Unit]]) -> None:
        """Ask which products that exist are of input of which there is a later version."""
        for kind in self.kinds:
            begun = self._begun[kind.name]
            units = [u for place in begun for u in groups[place] if u.versioned and u.kind == kind.name and u.start]
            store, collection = self._stores[kind.name], self._collections[kind.name]
            try:
                self.outdated |= find_outdated(self._makers[kind.name], store, collection, units)
            except SarcubeError as error:
                text = f"which products are of older input cannot be told: {error}"
                self.problems.append(Problem(store.url, text, type(error).__name__))

    def add(self, rank: int, place: str, units: list[Unit]) -> None:
        """Plan one place."""
        footprint = units[0].footprint
        found: _Place | None = None
        try:
            found = _Place(place, rank, self._grid(place, units), {}, Counter(), Counter())
            self._plan_place(found, units)
        except SarcubeError as error:
            self.problems.append(Problem(place, str(error), type(error).__name__))
        done, to_do = (found.done, found.to_do) if found else (Counter[str](), Counter[str]())
        self.places.append(PlaceSummary(place, tuple(footprint), found.grid if found else None, done, to_do))

    def _grid(self, place: str, units: list[Unit]) -> GeoGrid:
        for kind in self.kinds:
            known = self._grids.get((place, kind.name))
            if isinstance(known, SarcubeError):
                raise known
            if known is not None:
                check_grid(known, self.config, place)
                return known
        for kind in self.kinds:
            if kind.name in self.given and not kind.timed:
                raise MissingProductError(
                    f"no {kind.what} of {place} in {self._stores[kind.name].url}/{self._collections[kind.name]}, and "
                    f"the run makes none: make products of kind {kind.name} first"
                )
        return self._makers[units[0].kind].grid(self.config, place, units[0].footprint)

    def _plan_place(self, found: _Place, units: list[Unit]) -> None:
        """From the kinds that were asked for to those that they need: what is needed is known by what needs it."""
        by_kind: defaultdict[str, list[Unit]] = defaultdict(list)
        for unit in units:
            by_kind[unit.kind].append(unit)
        asked = set(by_kind)
        work: list[tuple[ProductKind, list[tuple[Unit, bool]]]] = []
        for kind in reversed(self.kinds):
            own = by_kind[kind.name]
            to_do = self._missing(kind, own, found, asked) if kind.timed else self._one(kind, own, found, asked)
            for name in kind.needs if to_do else ():
                by_kind[name].extend(self._needed(name, kind.name, [unit for unit, _ in to_do], by_kind[name], found))
            work.append((kind, to_do))
        for kind, to_do in reversed(work):
            said = self._makers[kind.name].remarks(self.config, [unit for unit, _ in to_do]) if to_do else {}
            for i, (unit, exists) in enumerate(to_do):
                self._task(kind, unit, exists, found)
                self.warnings.extend(Problem(unit.key, text) for text in said.get(i, ()))

    def _missing(self, kind: ProductKind, units: list[Unit], found: _Place, asked: set[str]) -> list[tuple[Unit, bool]]:
        """Units of a kind with a time that are to do and that nothing is wrong with, and whether there is a product."""
        if not units:
            return []
        remake = bool(self.remake) and kind.name in asked
        to_do = []
        for unit, there in zip(units, self._exist(kind, units), strict=True):
            if there and not (unit.key in self.outdated if self.remake == "outdated" else remake):
                self.done.append(unit.key)
                found.done[kind.name] += 1
            else:
                to_do.append((unit, there))
        good = self._good(kind, [unit for unit, _ in to_do], found, check=kind.name in asked)
        return to_do if good is None else [to_do[i] for i in good]

    def _one(self, kind: ProductKind, units: list[Unit], found: _Place, asked: set[str]) -> list[tuple[Unit, bool]]:
        """The one product that a place has of a kind without a time, where it is to do."""
        there = isinstance(self._grids.get((found.place, kind.name)), GeoGrid)
        if there:
            self.done.append(unit_key(kind.name, found.place, None))
            found.done[kind.name] += 1
        remake = self.remake is True and kind.name in asked
        if not units or (there and not remake):
            return []
        good = self._good(kind, units, found, check=kind.name in asked)
        chosen = units if good is None else [units[i] for i in good]
        return [(_joined(chosen[:_CANDIDATES]), there)] if chosen else []

    def _good(self, kind: ProductKind, units: list[Unit], found: _Place, *, check: bool) -> list[int] | None:
        """Which units nothing is wrong with; None for all. What is needed by others was checked with these."""
        if not units or not check:
            return None
        bad = self._makers[kind.name].defects(self.config, units, found.grid)
        self.problems.extend(
            Problem(f"{found.place} {units[i].label}".strip(), message) for i, message in sorted(bad.items())
        )
        return [i for i in range(len(units)) if i not in bad] if bad else None

    def _needed(
        self, name: str, needing: str, units: Sequence[Unit], known: Sequence[Unit], found: _Place
    ) -> list[Unit]:
        """Units of a kind that others need and that the workflow did not find itself."""
        kind = next(k for k in self.kinds if k.name == name)
        if name in self.given:
            return []
        if not kind.timed:
            derived = [
                replace(u, kind=name, start=None, end=None, tag="", bytes_in=0, waits=()) for u in units[:_CANDIDATES]
            ]
        else:
            starts = {unit.start for unit in known}
            by_start = {u.start: replace(u, kind=name, tag="") for u in reversed(units) if u.start not in starts}
            derived = [by_start[start] for start in sorted(by_start, key=str)]
        maker = self._makers[name]
        if derived and maker is not self._makers[needing]:
            bad = maker.defects(self.config, derived, found.grid)
            if len(bad) == len(derived):
                raise SourceError(f"{kind.what} of {found.place} cannot be made: {bad[min(bad)]}")
            derived = [unit for i, unit in enumerate(derived) if i not in bad]
        return derived

    def _task(self, kind: ProductKind, unit: Unit, exists: bool, found: _Place) -> None:
        after: tuple[str, ...] = ()
        for name in kind.needs:
            for start, key in found.tasks.get(name, ()):
                if start is None or start == unit.start:
                    after += (key,)
        if unit.waits:
            after += tuple(key for key in unit.waits if key in self._planned and key not in after)
        reason = "exists: made again" if exists else "no item" if kind.timed else f"no {kind.what}"
        expected = self._estimate(kind, found.grid, unit.bytes_in)
        task = Task(unit, found.grid, reason, after, expected, found.rank, exists)
        self.tasks.append(task)
        if self._awaited and task.key in self._awaited:
            self._planned.add(task.key)
        found.to_do[kind.name] += 1
        if not exists and kind.name in self._wanted_by_others:
            found.tasks.setdefault(kind.name, []).append((unit.start, task.key))

    def _exist(self, kind: ProductKind, units: list[Unit]) -> list[bool]:
        if units[0].place not in self._begun[kind.name]:
            return [False] * len(units)
        store, collection = self._stores[kind.name], self._collections[kind.name]
        keys = [item_key(collection, unit.place, unit.start, unit.tag) for unit in units]
        if "://" in store.url and len(keys) > 1:
            with ThreadPoolExecutor(_REQUESTS) as pool:
                return list(pool.map(store.exists, keys))
        return [store.exists(key) for key in keys]

    def _estimate(self, kind: ProductKind, grid: GeoGrid, bytes_in: int = 0) -> Estimate:
        key = (kind.name, grid.width, grid.height, bytes_in)
        if key not in self._estimates:
            self._estimates[key] = estimate(self._rates[kind.name], grid, bytes_in)
        return self._estimates[key]


def _joined(units: Sequence[Unit]) -> Unit:
    """One unit of candidates: their inputs in order."""
    first = units[0]
    return replace(first, start=None, end=None, inputs=tuple(i for unit in units for i in unit.inputs))


def _by_place(units: Iterable[Unit], places: Sequence[str] | None) -> dict[str, list[Unit]]:
    """Units by place in order of time, each once, of places that are wanted; last those that wait for other places."""
    wanted = None if places is None else {p.lower() for p in places}
    groups: defaultdict[str, list[Unit]] = defaultdict(list)
    late: set[str] = set()
    for unit in units:
        elsewhere = {place for key in unit.waits if (place := place_of(key)) != unit.place}
        if wanted is None or unit.place in wanted or (elsewhere and elsewhere <= wanted):
            groups[unit.place].append(unit)
            late.update([unit.place] if elsewhere else [])
    ordered = sorted(groups, key=lambda place: (place in late, place))
    return {str(Place(place)): _distinct(groups[place]) for place in ordered}


def _distinct(units: list[Unit]) -> list[Unit]:
    """In order of kind and time. Of units that would make one product with a time the last counts."""
    units.sort(key=lambda u: (u.kind, u.start or _NO_TIME, u.tag, u.label))
    kept: list[Unit] = []
    for unit in units:
        if kept and _same_product(unit, kept[-1]):
            kept[-1] = unit
        else:
            kept.append(unit)
    return kept


def _same_product(one: Unit, other: Unit) -> bool:
    # Keys name whole seconds; they are spelled only where the times are as close as that.
    if one.start is None or other.start is None or abs(one.start - other.start) >= _SECOND:
        return False
    return one.key == other.key


def _nothing(config: RunConfig, problems: Sequence[Problem], explanation: str) -> str:
    where = redact(str(config.source.path or config.source.url or config.source.kind))
    text = explanation or f"the source {where} has nothing in the AOI and dates; check aoi, dates and source"
    if problems:
        listed = "; ".join(f"{p.subject}: {p.message}" for p in problems[:3])
        text += f" (and {len(problems)} problem{'s' if len(problems) > 1 else ''}: {listed})"
    return text
