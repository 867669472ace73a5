"""STAC items, collections, validation, the index. Knows products."""
