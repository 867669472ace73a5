"""What every engine of a kind owes: layers of the kind's table, on the grid asked for, a record of what was done."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import xarray as xr

from sarcube.geometry.grid import GeoGrid
from sarcube.products.kinds import ProductKind


@dataclass(frozen=True)
class Rendered:
    """What an engine made.

    Attributes
    ----------
    kind : ProductKind
    grid : GeoGrid
        That was asked for.
    dataset : Dataset
    required : frozenset of str
        Layers that must be there.
    """

    kind: ProductKind
    grid: GeoGrid
    dataset: xr.Dataset
    required: frozenset[str] = frozenset()


class EngineSuite:
    """`class TestMine(EngineSuite)`, with a fixture `made` that gives a sequence of Rendered."""

    def test_layers_are_those_of_the_kind(self, made: tuple[Rendered, ...]) -> None:
        """Of their types, and none that the kind has not."""
        for one in made:
            assert one.required <= {str(name) for name in one.dataset.data_vars} <= set(one.kind.table)
            for name, values in one.dataset.data_vars.items():
                assert values.dtype == one.kind.layer(str(name)).dtype, name
                assert values.dims == ("y", "x")
                if values.dtype.kind in "fc":
                    assert not np.isinf(values.values).any(), name

    def test_the_grid_is_ours(self, made: tuple[Rendered, ...]) -> None:
        """Pixel by pixel."""
        for one in made:
            assert np.array_equal(one.dataset.x, one.grid.x()) and np.array_equal(one.dataset.y, one.grid.y())

    def test_masks_hold_their_classes_alone(self, made: tuple[Rendered, ...]) -> None:
        """And measures have no value where nothing was seen, but somewhere."""
        for one in made:
            masks = [layer for layer in one.kind.layers if layer.classes and layer.name in one.dataset]
            for layer in masks:
                values = one.dataset[layer.name].values
                assert set(np.unique(values)) <= {*(c.value for c in layer.classes), layer.nodata}
            for layer in one.kind.layers:
                if layer.role == "measure" and layer.name in one.dataset:
                    seen = ~layer.missing(one.dataset[layer.name].values)
                    assert seen.any(), layer.name
                    for mask in masks:
                        unseen = one.dataset[mask.name].values == mask.nodata
                        assert not (seen & unseen).any(), layer.name

    def test_the_record_says_what_was_done(self, made: tuple[Rendered, ...]) -> None:
        """In values that JSON has."""
        for one in made:
            attrs = json.loads(json.dumps(one.dataset.attrs))
            assert attrs.get("engine") and attrs.get("engine_version")
