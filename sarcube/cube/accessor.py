"""`cube.sar`: what one does with backscatter, found by pressing tab. Every method is one call of a plain function."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sarcube.cube.layers import measures
from sarcube.errors import CubeError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sarcube.cube.mosaic import Method
    from sarcube.cube.preview import RgbOptions
    from sarcube.cube.selection import Period
    from sarcube.cube.series import Where
    from sarcube.geometry.grid import GeoGrid

# What xarray writes unless it is told otherwise, and every reader of Zarr that matters takes: nothing to act on for
# whoever calls `cube.to_zarr`. Its text, since Zarr may not be installed.
warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part in the Zarr format 3")


@xr.register_dataset_accessor("sar")  # type: ignore[no-untyped-call]
class SarAccessor:
    """Backscatter methods of a dataset opened with `sarcube.open_cube`."""

    def __init__(self, cube: xr.Dataset) -> None:
        self._cube = cube

    @property
    def polarizations(self) -> tuple[str, ...]:
        """The measures that the cube has: of backscatter its polarizations."""
        return measures(self._cube)

    @property
    def grid(self) -> GeoGrid:
        """The GeoGrid that the cube lies on."""
        from sarcube.cube.grid_of import grid_of

        return grid_of(self._cube)

    def db(self) -> xr.Dataset:
        """Backscatter in decibel; what is no power, like coherence, stays as it is."""
        from sarcube.cube.cf import with_grid
        from sarcube.cube.layers import in_decibel
        from sarcube.cube.preview import to_db

        powers = [n for n in self.polarizations if in_decibel(self._cube[n])]
        return with_grid(self._cube.assign({n: to_db(self._cube[n]) for n in powers}), self._cube)

    def mask(self, *, shadow: bool = True, layover: bool = True) -> xr.Dataset:
        """Backscatter without radar shadow and layover."""
        if "mask" not in self._cube:
            raise CubeError('the cube has no mask; open it with layers=[..., "mask"]')
        from sarcube.cube.cf import classes, with_grid

        values = classes(self._cube)["mask"]
        bits = (1 if shadow else 0) | (2 if layover else 0)
        hidden = (values != 255) & ((values & np.uint8(bits)) != 0)
        left_out = [name for name, out in (("shadow", shadow), ("layover", layover)) if out]
        masked = self._cube.assign({n: self._cube[n].where(~hidden) for n in self.polarizations})
        return with_grid(masked, self._cube).assign_attrs(sarcube_left_out=" ".join(left_out))

    def rgb(self, options: RgbOptions | None = None) -> xr.DataArray:
        """Colour composite; options: `sarcube.cube.preview.RgbOptions`."""
        from sarcube.cube.preview import rgb

        return rgb(self._cube, options)

    def speckle(self, method: str = "quegan_yu", **options: object) -> xr.Dataset:
        """Speckle-filtered backscatter; options: `sarcube.cube.speckle.SpeckleOptions`."""
        from sarcube.cube.asked import options_of
        from sarcube.cube.speckle import SpeckleOptions, filter_speckle

        if "looks" in options:
            raise CubeError("there is no option 'looks'; the number of looks of one date is enl=")
        return filter_speckle(self._cube, options_of(SpeckleOptions, {"method": method, **options}))

    def timescan(self, metrics: Sequence[str] | None = None, **options: object) -> xr.Dataset:
        """Metrics over time; options: `sarcube.cube.temporal.TimescanOptions`."""
        from sarcube.cube.asked import options_of
        from sarcube.cube.temporal import TimescanOptions, timescan

        if metrics is not None:
            options["metrics"] = (metrics,) if isinstance(metrics, str) else tuple(metrics)
        return timescan(self._cube, options_of(TimescanOptions, options))

    def change(self, before: Period, after: Period, enl: float, **options: object) -> xr.Dataset:
        """Change between two periods; options: `sarcube.cube.change.ChangeOptions`."""
        from sarcube.cube.asked import options_of
        from sarcube.cube.change import ChangeOptions, detect_change

        return detect_change(self._cube, before, after, options_of(ChangeOptions, {"enl": enl, **options}))

    def mosaic(self, method: Method = "first", by: str = "pass") -> xr.Dataset:
        """Time steps merged; see `sarcube.mosaic`."""
        from sarcube.cube.mosaic import mosaic

        return mosaic(self._cube, method, by)

    def enl(self) -> xr.Dataset:
        """Equivalent number of looks of each date and polarization, over the cube's pixels: cut to uniform ground."""
        from sarcube.cube.speckle import equivalent_looks

        return xr.Dataset({n: equivalent_looks(self._cube[n]) for n in self.polarizations})

    def timeseries(self, where: Where, *, box: float | None = None) -> xr.Dataset:
        """Mean power within a polygon, at a point (longitude, latitude) or over `box` metres around it."""
        from sarcube.cube.series import timeseries

        return timeseries(self._cube, where, box=box)

    def plot_timeseries(self, where: Where, *, box: float | None = None, ax: Axes | None = None) -> Axes:
        """Plot that series, backscatter in decibel; returns matplotlib's axes."""
        from sarcube.cube.series import plot_timeseries

        return plot_timeseries(self._cube, where, box=box, ax=ax)
