"""Sentinel-1 GRD: detected images in ground range, read as ESA wrote them."""
