"""Composites: pictures of products by a preset, with the layers that they were made of and a legend."""
