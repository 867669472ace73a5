"""Geocoded SLCs as OPERA publishes them: CSLC-S1, one HDF5 file per burst and date."""
