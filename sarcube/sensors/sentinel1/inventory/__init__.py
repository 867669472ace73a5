"""What there is of an area before any run file: scenes, bursts, what of them to take, and a run file of it."""
