"""A store in the browser: a small local server with a page of its own; nothing comes from elsewhere."""

from __future__ import annotations

from sarcube.extras import need

need("rio_tiler.io", "view")  # before what imports it, so that who lacks it is told where to get it

from sarcube.cube.viewer.server import Viewer, ViewerOptions, open_viewer, show  # noqa: E402

__all__ = ["Viewer", "ViewerOptions", "open_viewer", "show"]
