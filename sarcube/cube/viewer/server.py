"""The local server: the page, what the store holds, tiles, series, items. Reading only, this machine only."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from urllib.parse import parse_qs, unquote, urlsplit

from sarcube.cube.viewer.answers import ANSWERS, asked_stretch, page_file
from sarcube.cube.viewer.passes import Content, read_content
from sarcube.cube.viewer.tiles import render_tile
from sarcube.errors import ClusterError, CubeError, OpenToOthersWarning, SarcubeError
from sarcube.jsons import finite
from sarcube.transfer.redact import redact

log = logging.getLogger(__name__)
# Digits are counted: numbers without end are no tiles.
_TILE = re.compile(r"/tiles/(\d{1,6})/([^/]{1,400})/(\d{1,2})/(\d{1,8})/(\d{1,8})\.png")
_KINDS = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
_HEADER = re.compile(r"[ -~]+")
_KEPT_TILES = 2000
_PATIENCE = 30.0  # seconds that a connection may be silent
_AT_ONCE = 8  # tiles and series that are read; further ones wait
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
# Should a title ever hold markup, it still could not load or send anything.
_POLICY = "default-src 'self'; img-src 'self' data:{maps}; object-src 'none'; base-uri 'none'; form-action 'none'"
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?/[^\s\"'<>;,]*")


@dataclass(frozen=True)
class ViewerOptions:
    """Where the viewer listens, and what it shows beneath the data.

    Attributes
    ----------
    port : int
        0 takes a free one.
    host : str
    basemap : str
        Address of map tiles, with {z}, {x} and {y}; empty: none, and nothing leaves this machine.
    attribution : str
        Whose map it is, shown in its corner.

    Raises
    ------
    CubeError
        The basemap is no such address.
    """

    port: int = 8642
    host: str = "127.0.0.1"
    basemap: str = ""
    attribution: str = ""

    def __post_init__(self) -> None:
        whole = all(part in self.basemap for part in ("{z}", "{x}", "{y}"))
        if self.basemap and not (whole and _ADDRESS.fullmatch(self.basemap)):
            raise CubeError(
                f"a basemap is an address with {{z}}, {{x}} and {{y}}, like "
                f"https://tile.openstreetmap.org/{{z}}/{{x}}/{{y}}.png, not {self.basemap[:200]!r}"
            )

    @property
    def policy(self) -> str:
        """What the page may load: from its own server, and pictures of the basemap."""
        parts = urlsplit(self.basemap)
        return _POLICY.format(maps=f" {parts.scheme}://{parts.netloc}" if self.basemap else "")


class Viewer:
    """A running viewer.

    Attributes
    ----------
    url : str
    content : Content
    """

    def __init__(self, content: Content, options: ViewerOptions) -> None:
        content = replace(content, basemap={"address": options.basemap, "attribution": options.attribution})
        self.content = content
        handler = type(
            "Handler",
            (_Handler,),
            {
                "content": content,
                "tiles": _Kept(_KEPT_TILES),
                "host": options.host,
                "policy": options.policy,
                "turns": threading.BoundedSemaphore(_AT_ONCE),
            },
        )
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

    def __repr__(self) -> str:
        return f"Viewer of {self.content.title} at {self.url}\nnext: open that address in a browser; .close() ends it"

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
    request_queue_size = 128  # connections that wait to be taken: a map asks for many tiles at once

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        """Say nothing of a browser that went elsewhere before it had its answer, or between two questions."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    content: Content
    tiles: _Kept
    host: str
    policy: str
    turns: threading.BoundedSemaphore
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
            self._send_json({"error": redact(str(error))}, HTTPStatus.BAD_REQUEST)
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            # A fault of ours or of a library: the page is told, and the trace goes where logs go, without secrets.
            log.error("%s cannot be answered\n%s", parts.path[:200], redact(traceback.format_exc()))
            self._send_json(
                {"error": "this cannot be answered; the viewer's log says why"}, HTTPStatus.INTERNAL_SERVER_ERROR
            )

    def _answer(self, path: str, query: dict[str, str]) -> None:
        if page := page_file(path):
            self._send(HTTPStatus.OK, page.read_bytes(), _KINDS[path.rpartition(".")[2] if "." in path else "html"])
        elif answer := ANSWERS.get(path):
            with self.turns:
                said = answer(self.content, query)
            self._send(HTTPStatus.OK, said.body, said.kind, unread=said.unread, name=said.name)
        elif match := _TILE.fullmatch(path):
            self._tile(match, query)
        elif path.startswith("/item/"):
            self._item(unquote(path.removeprefix("/item/")))
        else:
            self._send_json({"error": f"there is nothing at {path[:200]}"}, HTTPStatus.NOT_FOUND)

    def _tile(self, match: re.Match[str], query: dict[str, str]) -> None:
        step, layer, place = int(match[1]), unquote(match[2]), (int(match[3]), int(match[4]), int(match[5]))
        stretch = asked_stretch(self.content, layer, query)
        # What is drawn, and not what is asked: parameters that change nothing make no second tile.
        key = repr((step, layer, place, stretch))
        kept = self.tiles.get(key)
        if kept is not None:
            self._send(HTTPStatus.OK, kept, "image/png", "max-age=300")
            return
        with self.turns:
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

    def _send_json(self, value: object, status: HTTPStatus = HTTPStatus.OK, unread: Sequence[str] = ()) -> None:
        self._send(status, json.dumps(finite(value), default=str).encode(), "application/json", unread=unread)

    def _send(
        self,
        status: HTTPStatus,
        body: bytes,
        kind: str,
        cache: str = "no-store",
        unread: Sequence[str] = (),
        name: str = "",
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", cache)
        self.send_header("Content-Security-Policy", self.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if name:  # to be kept as a file
            self.send_header("Content-Disposition", f'attachment; filename="{name}"')
        if unread:
            log.warning("cannot be read: %s", ", ".join(unread))
            self.send_header("Sarcube-Unread", ", ".join(name[:120] for name in unread[:10] if _HEADER.fullmatch(name)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """To the log, not to standard error."""
        log.debug(format, *args)
