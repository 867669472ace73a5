"""Stores under adversity: servers that fail, disks that are full, writers that are killed."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks import chaos_s3
from sarcube.errors import StoreConflictError, StoreError, TransferError
from sarcube.store import local_store, s3_store
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import open_store


class FaultyS3(ThreadingHTTPServer):
    """An S3 server in memory whose next answers can be scripted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.script: list[str] = []
        self.requests: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: FaultyS3
    protocol_version = "HTTP/1.1"

    def _fault(self) -> str:
        self.server.requests.append(self.command)
        return self.server.script.pop(0) if self.server.script else ""

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, fault: str) -> bool:
        if fault == "slow down":
            self._answer(503, b"<Error><Code>SlowDown</Code></Error>")
        elif fault == "internal":
            self._answer(500, b"<Error><Code>InternalError</Code></Error>")
        elif fault == "tear":
            self.close_connection = True
            self.connection.close()
        else:
            return False
        return True

    def do_PUT(self) -> None:
        fault = self._fault()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refuse(fault):
            return
        if self.headers.get("If-None-Match") == "*" and self.path in self.server.objects:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            return
        self.server.objects[self.path] = body
        if fault == "lose the answer":
            self._answer(500, b"<Error><Code>InternalError</Code></Error>")
            return
        self._answer(200, ETag='"1"')

    def do_GET(self) -> None:
        if self._refuse(self._fault()):
            return
        if self.path not in self.server.objects:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        stamp = "Mon, 01 Jan 2024 00:00:00 GMT"
        self._answer(200, self.server.objects[self.path], ETag='"1"', **{"Last-Modified": stamp})

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    server = FaultyS3()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "canary-of-a-secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_NO_SIGN_REQUEST", raising=False)
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("fault", ["slow down", "internal", "tear"])
def test_passing_faults_are_retried(faulty: FaultyS3, fault: str) -> None:
    store = open_store("s3://bucket/prefix")
    faulty.script = [fault, fault]
    store.write_bytes("a", b"data")
    faulty.script = [fault, fault]
    assert store.read_bytes("a") == b"data"
    faulty.script = [fault]
    assert store.exists("a")
    faulty.script = [fault]
    store.create_bytes("b", b"data")
    assert faulty.objects["/bucket/prefix/b"] == b"data"


def test_a_lost_answer_is_no_conflict(faulty: FaultyS3) -> None:
    store = open_store("s3://bucket/prefix")
    faulty.script = ["lose the answer"]
    store.create_bytes("item.json", b"mine")  # the retry meets what the first attempt wrote
    assert faulty.objects["/bucket/prefix/item.json"] == b"mine"
    with pytest.raises(StoreConflictError):
        store.create_bytes("item.json", b"other")


def test_lasting_faults_are_transfer_errors(faulty: FaultyS3) -> None:
    store = open_store("s3://bucket/prefix")
    faulty.script = ["slow down"] * 100
    store.retries = 1
    with pytest.raises(TransferError, match="cannot write s3://bucket/prefix/a") as caught:
        store.write_bytes("a", b"data")
    assert caught.value.transient
    assert "canary" not in repr(caught.value)
    assert faulty.objects == {}


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-of-a-secret")
    store = open_store("s3://bucket/prefix")
    store.retries = 0
    with pytest.raises(TransferError, match="AWS_ENDPOINT_URL") as caught:
        store.read_bytes("a")
    assert "canary" not in repr(caught.value)


def test_hot_paths_do_not_list(faulty: FaultyS3) -> None:
    store = open_store("s3://bucket/prefix")
    store.exists("a")
    store.write_bytes("a", b"1")
    store.create_bytes("b", b"1")
    store.exists("b")
    assert faulty.requests == ["HEAD", "PUT", "PUT", "HEAD"]


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    # Limits on file size stop a write in the middle, as a full disk does, without filling one.
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from sarcube.errors import StoreError\n"
        "from sarcube.store.local_store import LocalStore\n"
        f"store = LocalStore({str(tmp_path)!r})\n"
        "try:\n"
        "    store.write_bytes('a/big', b'1' * 1_000_000)\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=_ROOT, check=True)
    assert "cannot write" in done.stdout and "big" in done.stdout
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def _kill_while_it_writes(code: str) -> None:
    """Run code that prints when it has written once and goes on, and kill it then."""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=_ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_killed_writer_leaves_no_object(tmp_path: Path) -> None:
    code = (
        "from sarcube.store.local_store import LocalStore\n"
        f"store = LocalStore({str(tmp_path)!r})\n"
        "while True:\n"
        "    store.write_bytes('object', b'x' * 20_000_000)\n"
        "    print('written', flush=True)\n"
    )
    _kill_while_it_writes(code)
    store = LocalStore(tmp_path)
    assert store.read_bytes("object") == b"x" * 20_000_000
    assert list(store.list()) == ["object"]  # what the kill left behind is hidden
    store.write_bytes("object", b"y")
    assert store.read_bytes("object") == b"y"


def _create(root: str, number: int, barrier: object, results: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    try:
        LocalStore(root).create_bytes("race/item.json", b"%d" % number)
        results.put(number)  # type: ignore[attr-defined]
    except StoreConflictError:
        results.put(None)  # type: ignore[attr-defined]


def test_of_many_processes_one_creates(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(6), context.Queue()
    processes = [context.Process(target=_create, args=(str(tmp_path), n, barrier, results)) for n in range(6)]
    for process in processes:
        process.start()
    outcome = [results.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    winners = [n for n in outcome if n is not None]
    assert len(winners) == 1
    assert LocalStore(tmp_path).read_bytes("race/item.json") == b"%d" % winners[0]


def test_create_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: Path, target: Path, **how: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(local_store.os, "link", no_links)
    store = LocalStore(tmp_path)
    store.create_bytes("a", b"1")
    monkeypatch.setattr(store, "exists", lambda key: False)  # as if the other came in between
    with pytest.raises(StoreConflictError):
        store.create_bytes("a", b"2")
    assert store.read_bytes("a") == b"1"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_killed_creator_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "from sarcube.store.local_store import LocalStore\n"
        f"store = LocalStore({str(tmp_path)!r})\n"
        "for n in range(10**6):\n"
        "    store.create_bytes(f'object{n}', b'x' * 20_000_000)\n"
        "    print('written', flush=True)\n"
    )
    _kill_while_it_writes(code)
    assert all(path.stat().st_size == 20_000_000 for path in tmp_path.iterdir())
    if local_store._create_nameless(tmp_path / "probe", b""):
        assert all(path.name.startswith(("object", "probe")) for path in tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot write"):
        LocalStore(tmp_path / "x").write_bytes("a", b"1")


def test_a_file_where_a_folder_must_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot write"):
        LocalStore(tmp_path).write_bytes("a/b", b"1")


_ROOT = Path(__file__).parents[2]


def test_looking_at_a_file_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    store.write_bytes("a/b", b"1")
    real = Path.is_file

    def vanishing(path: Path) -> bool:
        found = real(path)
        path.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "is_file", vanishing)
    assert store.exists("a/b") in {True, False}  # whatever it says, it is no error
    assert store.stat("a/b/c") is None


def test_a_killed_replacer_keeps_nobody_out(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from sarcube.store.local_store import LocalStore\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"store = LocalStore({str(tmp_path)!r})\n"
        "store.create_bytes('item', b'first')\n"
        "store.replace_bytes('item', b'second', store.read_version('item')[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    store = LocalStore(tmp_path)
    found = store.read_version("item")
    assert found is not None and found[0] == b"first"
    store.replace_bytes("item", b"third", found[1])
    assert store.read_bytes("item") == b"third"
    assert store.files() == ("item",)


def test_who_keeps_a_file_locked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setattr(local_store, "_LOCK_S", 0.05)
    store = LocalStore(tmp_path)
    store.write_bytes("item", b"first")
    with (tmp_path / ".item.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        found = store.read_version("item")
        assert found is not None
        with pytest.raises(TransferError, match="locked by another process"):
            store.replace_bytes("item", b"second", found[1])
    store.replace_bytes("item", b"second", found[1])
    assert store.read_bytes("item") == b"second"


def test_listings_that_are_torn_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a few keys, some of which are cut short: all keys come, in order, each once."""
    server = chaos_s3.FaultyS3(1, rate=0.0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3_store, "_PAUSE_S", 0.001)
    store = open_store("s3://bucket/prefix")
    keys = [f"a/{number:02d}" for number in range(40)]
    for key in keys:
        store.write_bytes(key, key.encode() * 100)
    answers = itertools.cycle(["", "", "", "", "truncate", "", "", "", ""])
    server.fault = lambda: next(answers)  # type: ignore[method-assign]
    assert list(store.list("a")) == keys
    assert store.files("a") == tuple(key.removeprefix("a/") for key in keys)
    assert store.folders() == ("a",)
    assert store.read_bytes("a/07") == b"a/07" * 100
    server.fault = lambda: "truncate"  # type: ignore[method-assign]
    with pytest.raises(TransferError):
        list(store.list("a"))
    server.shutdown()
    server.server_close()
