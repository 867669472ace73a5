"""Where granules of SLSTR come from."""
