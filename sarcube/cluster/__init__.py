"""A profile's name -> a Dask client."""
