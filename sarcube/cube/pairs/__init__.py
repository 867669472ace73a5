"""Pairs of dates in a cube: their axis and network, closures, coherence, displacement through time."""
