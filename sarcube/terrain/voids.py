"""Values that are no heights, declared as such or not."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sarcube.transfer.redact import public_address

# Metres. Land lies between the shore of the Dead Sea and Mount Everest; the geoid within 110 m of the ellipsoid.
HEIGHTS = (-1000.0, 9000.0)
UNDULATIONS = (-150.0, 150.0)


@dataclass
class Voids:
    """What was taken for void while rasters were read: how many values, and one of them, for each raster."""

    found: dict[str, tuple[int, float]] = field(default_factory=dict)

    def clear(
        self, values: NDArray[np.float32], path: str, limits: tuple[float, float] = HEIGHTS
    ) -> NDArray[np.float32]:
        """The values, those outside the limits made NaN in place and counted."""
        wrong = (values < limits[0]) | (values > limits[1])
        if wrong.any():
            count, example = self.found.get(path, (0, float(values[wrong][0])))
            self.found[path] = (count + int(wrong.sum()), example)
            values[wrong] = np.nan
        return values

    def remarks(self) -> tuple[str, ...]:
        """One sentence for each raster."""
        return tuple(
            f"DEM {public_address(path)}: {count} values outside {HEIGHTS[0]:.0f} to {HEIGHTS[1]:.0f} m, such as "
            f"{example:g}, are taken for void (the file does not declare them: gdal_edit -a_nodata)"
            for path, (count, example) in self.found.items()
        )
