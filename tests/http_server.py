"""A small HTTP server that a test fills with answers; it keeps what it was asked."""

from __future__ import annotations

import sys
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    """What a client asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What the server says; `send` bytes of the body at most, then the connection is torn."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    send: int | None = None


Answer = Callable[[Request], Reply]


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up on purpose here: they had what they wanted, or are being ended."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Server:
    """Routes by the beginning of the path; the longest that fits answers. Everything asked is kept."""

    def __init__(self) -> None:
        self.routes: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.sent = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                parts = urllib.parse.urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                request = Request(
                    self.command,
                    urllib.parse.unquote(parts.path),
                    dict(urllib.parse.parse_qsl(parts.query)),
                    {k.lower(): v for k, v in self.headers.items()},
                    self.rfile.read(length),
                )
                server.requests.append(request)
                fitting = [route for route in server.routes if request.path.startswith(route)]
                reply = server.routes[max(fitting, key=len)](request) if fitting else Reply(b"nothing here", 404)
                self.send_response(reply.status)
                body = reply.body
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in reply.headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    body = body if reply.send is None else body[: reply.send]
                    server.sent += len(body)
                    self.wfile.write(body)
                if reply.send is not None:
                    self.close_connection = True

            do_GET = do_HEAD = do_POST = _any  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def asked(self, start: str) -> list[Request]:
        return [r for r in self.requests if r.path.startswith(start)]


def ranged(data: bytes, request: Request, etag: str = '"v1"') -> Reply:
    """A file, or the range of it that is asked for, as RFC 9110 has it."""
    headers = {"ETag": etag, "Accept-Ranges": "bytes"}
    span = request.headers.get("range")
    if not span or request.headers.get("if-range", etag) != etag:
        return Reply(data, 200, headers)
    first, _, last = span.removeprefix("bytes=").partition("-")
    start, stop = int(first), min(int(last) + 1 if last else len(data), len(data))
    if start >= len(data):
        return Reply(b"", 416, {"Content-Range": f"bytes */{len(data)}"})
    return Reply(data[start:stop], 206, {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"})
