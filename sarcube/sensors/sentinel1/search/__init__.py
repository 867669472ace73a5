"""Which bursts there are: local folders, ASF, CDSE, any STAC API."""
