"""Sentinel-2 as ESA wrote it: SAFE folders and zips of L1C and L2A, their metadata, bands and masks."""
