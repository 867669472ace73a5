"""A store in the browser: a small local server with a page of its own; nothing comes from elsewhere."""

from __future__ import annotations

from sarcube.cube.viewer.server import ViewerOptions, open_viewer

__all__ = ["ViewerOptions", "open_viewer"]
