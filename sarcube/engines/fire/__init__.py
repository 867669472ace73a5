"""Active fires in thermal images: detection, radiative power, confidence. Arrays in, a table of hotspots out."""
