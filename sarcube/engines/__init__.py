"""What computes layers from inputs, grid and terrain: pure, no Dask, no network."""
