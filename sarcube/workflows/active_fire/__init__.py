"""Active fires of Sentinel-3 SLSTR: from a granule to hotspots and the rasters beside them."""
