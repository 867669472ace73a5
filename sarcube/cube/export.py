"""Out of the cube: Cloud-optimised GeoTIFFs with STAC, Zarr, NetCDF, previews."""

from __future__ import annotations

from sarcube.cube.cog_export import CogOptions, write_cogs, write_raster

__all__ = ["CogOptions", "write_cogs", "write_raster"]
