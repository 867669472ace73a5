"""Interferograms of Sentinel-1 burst pairs."""
