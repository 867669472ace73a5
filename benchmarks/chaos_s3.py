"""An S3 server in memory that behaves badly: it fails, hangs, tears connections, loses its own answers.

It keeps conditions (If-None-Match, If-Match), tells when each object was written, and answers listings in small pages,
some of which are torn in the middle.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import random
import re
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

FAULTS = ("500", "503", "hang", "tear", "tear mid-upload", "lose the answer", "truncate")
PAGE = 7
_HANG_S = 0.5


class FaultyS3(ThreadingHTTPServer):
    """Objects by key (`/bucket/key`); each request fails with probability `rate`, as the seed says."""

    daemon_threads = True

    def __init__(self, seed: int, rate: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.written: dict[str, dt.datetime] = {}
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


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


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
            old = self.server.objects.get(self._key)
            refused = (self.headers.get("If-None-Match") == "*" and old is not None) or (
                "If-Match" in self.headers and (old is None or self.headers["If-Match"] != _etag(old))
            )
            if not refused:
                self.server.objects[self._key] = body
                self.server.written[self._key] = dt.datetime.now(dt.UTC)
        if refused:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        elif fault == "lose the answer":
            self._answer(500, b"<Error><Code>InternalError</Code></Error>")
        else:
            self._answer(200, ETag=_etag(body))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        fault = self.server.fault()
        if self._refused(fault):
            return
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            body, headers = self._list(query), {"Content-Type": "application/xml"}
        else:
            with self.server.lock:
                found = self.server.objects.get(self._key)
                when = self.server.written.get(self._key)
            if found is None or when is None:
                self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
                return
            body, headers = found, {"ETag": _etag(found), "Last-Modified": f"{when:%a, %d %b %Y %H:%M:%S GMT}"}
        status = 200
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(wanted[1]), min(int(wanted[2] or len(body)), len(body) - 1)
            status, headers["Content-Range"] = 206, f"bytes {first}-{last}/{len(body)}"
            body = body[first : last + 1]
        if fault == "truncate" and self.command == "GET":
            self._truncated(status, body, headers)
        else:
            self._answer(status, body, **headers)

    def _truncated(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Announce all of a body, send half of it, and hang up."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True
        self.connection.close()

    def _list(self, query: dict[str, list[str]]) -> bytes:
        """One page; a token says after which key, or folder, the next begins."""
        bucket = self._key.strip("/")
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        token = query.get("continuation-token", [""])[0]
        after = base64.urlsafe_b64decode(token).decode() if token else query.get("start-after", [""])[0]
        entries: dict[str, str] = {}
        with self.server.lock:
            objects = sorted((path, body, self.server.written[path]) for path, body in self.server.objects.items())
        for path, body, when in objects:
            key = path.removeprefix(f"/{bucket}/")
            if not path.startswith(f"/{bucket}/{prefix}"):
                continue
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folder = prefix + rest.split(delimiter)[0] + delimiter
                entries[folder] = f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
            else:
                entries[key] = (
                    f"<Contents><Key>{escape(key)}</Key><LastModified>{when:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
                    f"<ETag>{escape(_etag(body))}</ETag><Size>{len(body)}</Size></Contents>"
                )
        names = sorted(name for name in entries if name > after)
        more = len(names) > PAGE
        names = names[:PAGE]
        following = base64.urlsafe_b64encode(names[-1].encode()).decode() if more else ""
        next_ = f"<NextContinuationToken>{following}</NextContinuationToken>" if more else ""
        return (
            f"<ListBucketResult><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{next_}{''.join(entries[n] for n in names)}"
            "</ListBucketResult>"
        ).encode()

    def do_DELETE(self) -> None:
        if self._refused(self.server.fault()):
            return
        with self.server.lock:
            self.server.objects.pop(self._key, None)
            self.server.written.pop(self._key, None)
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
                self.server.written.pop(f"/{bucket}/{key}", None)
        gone = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode(), Content_Type="application/xml")
