"""Rasters of the ground as the user names them: DEM, geoid."""
