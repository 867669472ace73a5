"""Burned area from two dates of Sentinel-2."""
