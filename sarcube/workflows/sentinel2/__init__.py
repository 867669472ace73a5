"""Sentinel-2: analysis-ready reflectance per tile and date."""
