"""Sentinel-3 SLSTR as the agency wrote it: level 1B radiances and brightness temperatures (SL_1_RBT)."""
