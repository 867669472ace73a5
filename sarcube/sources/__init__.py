"""Where inputs come from: scenes, orbits, DEM, geoid. All network code for inputs lives here."""
