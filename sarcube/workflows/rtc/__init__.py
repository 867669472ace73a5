"""Sentinel-1 backscatter corrected for the terrain, and its static layers."""
