"""The local server: the page, what the store holds, tiles, series, items. Reading only, this machine only."""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sarcube.cube.viewer.passes import Content, read_content
from sarcube.cube.viewer.tiles import Stretch, read_series, render_tile, shows_stretch
from sarcube.errors import ClusterError, CubeError, OpenToOthersWarning, SarcubeError

log = logging.getLogger(__name__)
# Digits are counted: numbers without end are no tiles.
_TILE = re.compile(r"/tiles/(\d{1,6})/([A-Za-z0-9_]{1,40})/(\d{1,2})/(\d{1,8})/(\d{1,8})\.png")
_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/map.js": ("map.js", "text/javascript; charset=utf-8"),
    "/viewer.js": ("viewer.js", "text/javascript; charset=utf-8"),
    "/viewer.css": ("viewer.css", "text/css; charset=utf-8"),
}
_HEADER = re.compile(r"[ -~]+")
_KEPT_TILES = 2000
_PATIENCE = 30.0  # seconds that a connection may be silent
_LONGEST = 40  # letters of a number
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
# Should a title ever hold markup, it still could not load or send anything.
_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'"


@dataclass(frozen=True)
class ViewerOptions:
    """Where the viewer listens; port 0 takes a free one."""

    port: int = 8642
    host: str = "127.0.0.1"


class Viewer:
    """A running viewer.

    Attributes
    ----------
    url : str
    content : Content
    """

    def __init__(self, content: Content, options: ViewerOptions) -> None:
        self.content = content
        handler = type("Handler", (_Handler,), {"content": content, "tiles": _Kept(_KEPT_TILES), "host": options.host})
        try:
            self._server = _Server((options.host, options.port), handler)
        except OSError as error:
            raise ClusterError(
                f"the viewer cannot listen on {options.host}:{options.port}: {error.strerror}; "
                "choose another --port (0 takes a free one)"
            ) from error
        if options.host not in _THIS_MACHINE:
            warnings.warn(
                f"the viewer listens on {options.host}: whoever reaches this machine sees the store, without a login",
                OpenToOthersWarning,
                stacklevel=3,
            )
        self.url = f"http://{options.host}:{self._server.server_address[1]}/"

    def serve(self) -> None:
        """Answer until interrupted."""
        self._server.serve_forever()

    def _repr_html_(self) -> str:
        # In a notebook: the page itself, to move and to click. Only where the notebook runs on this machine.
        return f'<iframe src="{self.url}" width="100%" height="560" style="border:0" title="sarcube view"></iframe>'

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def open_viewer(store: str, options: ViewerOptions | None = None) -> Iterator[Viewer]:
    """Serve a store in the background for as long as the block lasts.

    Parameters
    ----------
    store : str
        Folder, s3:// address, or a folder of OPERA RTC-S1 files.
    options : ViewerOptions, optional

    Raises
    ------
    CubeError
        There is nothing to show.
    ClusterError
        The port is taken.
    """
    viewer = Viewer(read_content(store), options or ViewerOptions())
    thread = threading.Thread(target=viewer.serve, daemon=True)
    thread.start()
    try:
        yield viewer
    finally:
        viewer.close()
        thread.join(timeout=5)


def show(store: str) -> Viewer:
    """Show a store within a notebook that runs on this machine; answers until the notebook's kernel ends.

    Parameters
    ----------
    store : str
        Folder, s3:// address, or a folder of OPERA RTC-S1 files.

    Raises
    ------
    CubeError
        There is nothing to show.
    """
    viewer = Viewer(read_content(store), ViewerOptions(port=0))
    threading.Thread(target=viewer.serve, daemon=True).start()
    return viewer


class _Kept:
    """The answers given last, by path."""

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, threading.Lock()
        self._values: OrderedDict[str, bytes] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: str, value: bytes) -> None:
        with self._lock:
            self._values[key] = value
            if len(self._values) > self._size:
                self._values.popitem(last=False)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went elsewhere before it had its answer, or between two questions."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    content: Content
    tiles: _Kept
    host: str
    timeout = _PATIENCE
    protocol_version = "HTTP/1.1"  # connections stay open, and with them each thread's rasters

    def do_GET(self) -> None:
        """Answer one question."""
        if not self._is_for_us():
            self._send(HTTPStatus.FORBIDDEN, b"not for this name", "text/plain")
            return
        try:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query, max_num_fields=20).items()}
        except ValueError:
            self._send_json({"error": "this is no address"}, HTTPStatus.BAD_REQUEST)
            return
        try:
            self._answer(parts.path, query)
        except SarcubeError as error:
            self._send_json({"error": str(error)}, HTTPStatus.BAD_REQUEST)

    def _answer(self, path: str, query: dict[str, str]) -> None:
        if path in _PAGE:
            name, kind = _PAGE[path]
            self._send(HTTPStatus.OK, files("sarcube.cube.viewer").joinpath("page", name).read_bytes(), kind)
        elif path == "/api/store":
            self._send_json(self.content.describe())
        elif path == "/api/points":
            self._send_json(self.content.points())
        elif path == "/api/series":
            series = read_series(
                self.content, _number(query, "lon"), _number(query, "lat"), int(_number(query, "box", 5))
            )
            self._send_json([reading.as_dict() for reading in series.readings], unread=series.unread)
        elif match := _TILE.fullmatch(path):
            self._tile(match, query)
        elif path.startswith("/item/"):
            self._item(unquote(path.removeprefix("/item/")))
        else:
            self._send_json({"error": f"there is nothing at {path[:200]}"}, HTTPStatus.NOT_FOUND)

    def _tile(self, match: re.Match[str], query: dict[str, str]) -> None:
        step, layer, place = int(match[1]), match[2], (int(match[3]), int(match[4]), int(match[5]))
        stretch = Stretch(round(_number(query, "low", -20), 1), round(_number(query, "high", 0), 1))
        # What is drawn, and not what is asked: parameters that change nothing make no second tile.
        key = repr((step, layer, place, stretch if shows_stretch(self.content, layer) else None))
        kept = self.tiles.get(key)
        if kept is not None:
            self._send(HTTPStatus.OK, kept, "image/png", "max-age=300")
            return
        tile = render_tile(self.content, step, layer, place, stretch)
        if not tile.unread:  # what could not be read now may be readable later
            self.tiles.put(key, tile.png)
        cache = "no-store" if tile.unread else "max-age=300"
        self._send(HTTPStatus.OK, tile.png, "image/png", cache, tile.unread)

    def _item(self, item_id: str) -> None:
        item = self.content.items.get(item_id)
        if item is None:
            self._send_json({"error": f"there is no item {item_id[:200]}"}, HTTPStatus.NOT_FOUND)
        else:
            self._send_json(item.to_dict(transform_hrefs=False))

    def _is_for_us(self) -> bool:
        # A page from elsewhere may point a name of its own at this machine; its requests carry that name.
        name = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host", "")
        return name in (*_LOCAL, self.host) or self.host not in _THIS_MACHINE

    def _send_json(self, value: Any, status: HTTPStatus = HTTPStatus.OK, unread: Sequence[str] = ()) -> None:
        self._send(status, json.dumps(value, default=str).encode(), "application/json", unread=unread)

    def _send(
        self, status: HTTPStatus, body: bytes, kind: str, cache: str = "no-store", unread: Sequence[str] = ()
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", cache)
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if unread:
            log.warning("cannot be read: %s", ", ".join(unread))
            self.send_header("Sarcube-Unread", ", ".join(name[:120] for name in unread[:10] if _HEADER.fullmatch(name)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """To the log, not to standard error."""
        log.debug(format, *args)


def _number(query: dict[str, str], name: str, default: float | None = None) -> float:
    text = query.get(name)
    if text is None and default is not None:
        return float(default)
    try:
        value = float(text or "") if len(text or "") <= _LONGEST else math.nan
    except ValueError as error:
        raise CubeError(f"{name}={text} is not a number") from error
    if not math.isfinite(value):
        raise CubeError(f"{name}={(text or '')[:_LONGEST]} is no place or size: it is not a finite number")
    return value
