"""`cube.insar`: what one does with pairs, found by pressing tab. Every method is one call of a plain function."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr


@xr.register_dataset_accessor("insar")  # type: ignore[no-untyped-call]
class PairsAccessor:
    """Methods of a dataset of pairs opened with `sarcube.open_cube`."""

    def __init__(self, cube: xr.Dataset) -> None:
        self._cube = cube

    @property
    def pairs(self) -> xr.Dataset:
        """The cube on an axis `pair`, with `reference`, `secondary` and the baselines along it."""
        from sarcube.cube.pairs.axis import by_pair

        return by_pair(self._cube)

    @property
    def dates(self) -> np.ndarray:
        """All dates that pairs are of, in the order of time."""
        from sarcube.cube.pairs.axis import network_of

        return network_of(self._cube).dates

    def network(self, *, coherence: bool = False) -> pd.DataFrame:
        """The pairs as a table: dates, days and metres between them; with `coherence` its mean over the cube."""
        from sarcube.cube.pairs.axis import network_table

        return network_table(self._cube, coherence=coherence)

    def phase(self, layer: str = "interferogram") -> xr.DataArray:
        """Phase of the interferograms, lazily, radians within -pi to pi, positive away from the sensor."""
        from sarcube.cube.pairs.phase import wrapped_phase

        return wrapped_phase(self._cube, layer)

    def closure(self, layer: str = "interferogram") -> xr.DataArray:
        """Phase around every triangle of dates; see `sarcube.cube.pairs.closure`."""
        from sarcube.cube.pairs.closure import closure

        return closure(self._cube, layer)

    def mean_coherence(self) -> xr.DataArray:
        """Coherence averaged through time, (y, x)."""
        from sarcube.cube.pairs.closure import mean_coherence

        return mean_coherence(self._cube)

    def unwrap(self, **options: object) -> Iterator[xr.Dataset]:
        """Each pair unwrapped, one after the other; options: `sarcube.cube.unwrap.UnwrapOptions`."""
        from sarcube.cube.asked import options_of
        from sarcube.cube.pairs.axis import by_time
        from sarcube.cube.unwrap import UnwrapOptions, unwrap_pairs

        return unwrap_pairs(by_time(self._cube), options_of(UnwrapOptions, options))

    def displacement(self, **options: object) -> xr.Dataset:
        """Displacement and velocity through time; options: `sarcube.cube.pairs.displacement.SeriesOptions`."""
        from sarcube.cube.asked import options_of
        from sarcube.cube.pairs.displacement import SeriesOptions, displacement

        return displacement(self._cube, options_of(SeriesOptions, options))
