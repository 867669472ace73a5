"""Stack, mosaic, temporal statistics, export."""
