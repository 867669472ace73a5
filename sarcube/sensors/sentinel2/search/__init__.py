"""Where Sentinel-2 products come from."""
