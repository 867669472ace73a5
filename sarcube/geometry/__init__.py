"""Pure numerics: ellipsoid, orbit interpolation, geo2rdr, grid, DEM sampling, facet areas."""
