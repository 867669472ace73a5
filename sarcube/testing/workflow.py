"""What every workflow owes to plan, store, catalog and cube: found, planned, made in a plain loop, and opened."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pytest

from sarcube import plugins
from sarcube.catalog.query import find_stored
from sarcube.catalog.selection import Selection
from sarcube.catalog.validate import validate
from sarcube.config import RunConfig, Section
from sarcube.errors import ConfigError, SarcubeError
from sarcube.production.plan.plan import plan
from sarcube.products.names import ItemName, ProductName
from sarcube.products.places import Place
from sarcube.workflows.making import collection_of, store_of
from sarcube.workflows.registry import load_workflow, makers
from sarcube.workflows.workflow import Context

_SMALL = 20_000  # bytes of a pickled task


class WorkflowSuite:
    """`class TestMine(WorkflowSuite)`, with a fixture `run`: a RunConfig with a little input and an empty store."""

    def test_it_is_found_by_its_name(self, run: RunConfig) -> None:
        """Its name is that of its section, its kinds are well-formed, and what they need is made by somebody."""
        work = load_workflow(run.workflow)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", work.name)
        assert issubclass(work.section, Section)
        assert work.name in RunConfig.from_dict(run.model_dump(mode="json", exclude_none=True)).model_dump()
        assert len({kind.name for kind in work.kinds}) == len(work.kinds) > 0
        for kind in work.kinds:
            assert re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)*", kind.name)
            assert kind.layers and len(kind.table) == len(kind.layers)
            assert set(kind.browse) <= set(kind.table)
        assert {kind.name for kind in work.kinds} <= makers(run).keys()

    def test_its_section_is_strict(self, run: RunConfig) -> None:
        """A key that it has not is refused by name."""
        name = load_workflow(run.workflow).name
        raw = run.model_dump(mode="json", exclude_none=True)
        with pytest.raises(ConfigError, match=f"unknown key `{name}.no_such_key`"):
            RunConfig.from_dict(raw | {name: {**raw.get(name, {}), "no_such_key": 1}})

    def test_two_plans_are_alike_and_tasks_are_small(self, run: RunConfig) -> None:
        """Planned twice is planned alike; what crosses a process is small."""
        first, second = plan(run), plan(run)
        assert first.tasks and first.tasks == second.tasks
        keys = [task.key for task in first.tasks]
        assert len(set(keys)) == len(keys)
        for task in first.tasks:
            assert Place(task.place) == task.place
            assert len(pickle.dumps(task)) < _SMALL and pickle.loads(pickle.dumps(task)) == task
            assert all(key in keys[: keys.index(task.key)] for key in task.after)

    def test_what_it_makes_is_found_whole_and_not_made_again(self, run: RunConfig) -> None:
        """In a plain loop, without a cluster: items valid, files there, and a second plan empty."""
        planned = plan(run)
        makers_of = planned.makers({task.kind for task in planned.tasks})
        for work, kinds in makers_of:
            work.prepare(planned.config, kinds)
        for task in planned.tasks:
            made = makers(run)[task.kind].run(task, Context("suite", planned.config))
            assert not made.existed and made.item
        for work, kinds in makers_of:
            work.finish(planned.config, kinds)
        assert plan(run).tasks == ()
        for kind in planned.kinds:
            store, collection = store_of(run, kind), collection_of(run, kind)
            for key, stored in find_stored(store, collection, Selection()):
                assert validate(stored, rules=kind.rules).problems == ()
                assert stored["properties"]["sarcube:kind"] == kind.name
                name, item = ProductName.parse(stored["id"]), ItemName.parse(key.rsplit("/", 1)[1])
                assert name.kind == kind.name and name.item == item
                folder = key.rsplit("/", 1)[0]
                own = [a["href"][2:] for a in stored["assets"].values() if a["href"].startswith("./")]
                assert own and all(store.exists(f"{folder}/{file}") for file in own)
                assert json.loads(store.read_bytes(f"{collection}/collection.json"))["sarcube:kind"] == kind.name

    def test_a_cube_opens_without_it(self, run: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
        """By what its items say, as where the workflow is not installed."""
        from sarcube.cube import layers as cube_layers
        from sarcube.cube.open_cube import open_cube

        self.test_what_it_makes_is_found_whole_and_not_made_again(run)
        kinds = [(kind, collection_of(run, kind)) for kind in plan(run).kinds if kind.timed]
        monkeypatch.setattr(cube_layers, "known", dict)
        monkeypatch.setattr(cube_layers, "_aliases", dict)
        monkeypatch.setattr(plugins, "load", _nothing_is_installed)
        for kind, collection in kinds:
            cube = open_cube(run.store, collection=collection, group="acquisition")
            for name, variable in cube.data_vars.items():
                layer = kind.layer(str(name))
                assert variable.dtype == layer.dtype
                assert cube_layers.layer_of(variable).role == layer.role
                values = variable.isel(time=0).values
                assert not np.asarray(layer.missing(values)).all(), name


def _nothing_is_installed(name: str) -> object:
    raise SarcubeError(f"{name} is not installed here")
