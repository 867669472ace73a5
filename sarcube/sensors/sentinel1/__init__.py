"""SAFE, annotation, calibration, noise, orbit, burst: read as ESA wrote it, nothing computed."""
