"""The layers table, names, COG, the store. Knows no STAC."""
