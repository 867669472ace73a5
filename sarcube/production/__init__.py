"""Plan, Dask graph, running, resume, events, report: what to do and surviving it. No physics."""
