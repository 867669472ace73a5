"""A simulated Sentinel-1 archive with known truth."""
