"""A store in the browser: a small local server with a page of its own; nothing comes from elsewhere."""

from __future__ import annotations

from sarcube.cube.viewer.server import Viewer, ViewerOptions, open_viewer, show

__all__ = ["Viewer", "ViewerOptions", "open_viewer", "show"]
