"""Pairs as HyP3-ISCE2 delivers them: its names, layers, units, signs, parameter text and README."""
