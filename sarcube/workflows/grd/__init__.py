"""Sentinel-1 GRD scenes on fixed tiles: flattened by the terrain, or corrected geometrically alone."""
