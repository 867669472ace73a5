"""Pure numerics: ellipsoid, orbit interpolation, geo2rdr, rdr2geo, grids, DEM sampling."""
