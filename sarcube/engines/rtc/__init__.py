"""Engines: burst + grid + DEM -> layers."""
