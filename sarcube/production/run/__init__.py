"""Doing it: Dask graph, attempts, retries, the events on the way, the record and the outcome."""
