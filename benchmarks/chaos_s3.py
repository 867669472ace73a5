"""An S3 server in memory that behaves badly: it fails, hangs, tears connections, loses its own answers."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

FAULTS = ("500", "503", "hang", "tear", "tear mid-upload", "lose the answer")
_HANG_S = 0.5


class FaultyS3(ThreadingHTTPServer):
    """Objects by key (`/bucket/key`); each request fails with probability `rate`, as the seed says."""

    daemon_threads = True

    def __init__(self, seed: int, rate: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.lock = threading.Lock()
        self.rate = rate
        self.faults: Counter[str] = Counter()
        self._random = random.Random(seed)

    def handle_error(self, request: object, client_address: object) -> None:
        return None  # clients are killed in the middle of requests: that is what this is about

    @property
    def environment(self) -> dict[str, str]:
        host, port = self.server_address[:2]
        return {
            "AWS_ENDPOINT_URL": f"http://{host!s}:{port}",
            "AWS_ACCESS_KEY_ID": "chaos",
            "AWS_SECRET_ACCESS_KEY": "chaos-secret",
            "AWS_REGION": "us-east-1",
        }

    def quiet(self) -> None:
        """Fail no more."""
        self.rate = 0.0

    def fault(self) -> str:
        with self.lock:
            if self._random.random() >= self.rate:
                return ""
            chosen = self._random.choice(FAULTS)
            self.faults[chosen] += 1
            return chosen

    def snapshot(self) -> dict[str, bytes]:
        with self.lock:
            return dict(self.objects)


class _Handler(BaseHTTPRequestHandler):
    server: FaultyS3
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: object) -> None:
        return None

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refused(self, fault: str) -> bool:
        if fault in ("500", "503"):
            self._answer(int(fault), b"<Error><Code>SlowDown</Code></Error>")
        elif fault in ("tear", "hang"):
            time.sleep(_HANG_S if fault == "hang" else 0.0)
            self.close_connection = True
            self.connection.close()
        else:
            return False
        return True

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path)

    def do_PUT(self) -> None:
        fault, length = self.server.fault(), int(self.headers["Content-Length"])
        if fault == "tear mid-upload":
            self.rfile.read(length // 2)
            self.close_connection = True
            self.connection.close()
            return
        body = self.rfile.read(length)
        if self._refused(fault):
            return
        with self.server.lock:
            taken = self.headers.get("If-None-Match") == "*" and self._key in self.server.objects
            if not taken:
                self.server.objects[self._key] = body
        if taken:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        elif fault == "lose the answer":
            self._answer(500, b"<Error><Code>InternalError</Code></Error>")
        else:
            self._answer(200, ETag='"1"')

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self._refused(self.server.fault()):
            return
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            self._list(query)
            return
        objects = self.server.snapshot()
        if self._key not in objects:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        when = "Fri, 21 Nov 2025 00:00:00 GMT"
        self._answer(200, objects[self._key], ETag='"1"', Last_Modified=when)

    def _list(self, query: dict[str, list[str]]) -> None:
        bucket = self._key.strip("/")
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("start-after", [""])[0]
        contents, folders = [], set()
        for path, body in sorted(self.server.snapshot().items()):
            key = path.removeprefix(f"/{bucket}/")
            if not path.startswith(f"/{bucket}/{prefix}") or key <= after:
                continue
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                contents.append(
                    f"<Contents><Key>{escape(key)}</Key><LastModified>2025-11-21T00:00:00.000Z</LastModified>"
                    f"<ETag>&quot;1&quot;</ETag><Size>{len(body)}</Size></Contents>"
                )
        common = "".join(f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in sorted(folders))
        body = (
            f"<ListBucketResult><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>false</IsTruncated>"
            f"{''.join(contents)}{common}</ListBucketResult>"
        )
        self._answer(200, body.encode(), Content_Type="application/xml")

    def do_DELETE(self) -> None:
        if self._refused(self.server.fault()):
            return
        with self.server.lock:
            self.server.objects.pop(self._key, None)
        self._answer(204)

    def do_POST(self) -> None:  # deletion of many
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self._refused(self.server.fault()):
            return
        keys = [unquote(part.split("</Key>")[0]) for part in body.split("<Key>")[1:]]
        bucket = self._key.strip("/")
        with self.server.lock:
            for key in keys:
                self.server.objects.pop(f"/{bucket}/{key}", None)
        gone = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode(), Content_Type="application/xml")
