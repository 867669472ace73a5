"""A run without scenes or pixels, to try clusters and to measure production."""
