"""The original: opera-rtc on isce3 and s1reader, run in an environment of its own, one burst per run."""
