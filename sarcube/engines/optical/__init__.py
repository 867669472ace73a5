"""Optical reflectance: resampling by SNAP's rules, masks of clouds and water, and burned area."""
