"""Downloads: resumed, checked, whole or absent, once for many, and with the right login at the right host."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from sarcube.config import RunConfig
from sarcube.errors import CredentialError, DownloadTimeoutError, SourceError, TransferError
from sarcube.sensors.sentinel1.search.ensure_scene import ensure_scene
from sarcube.sensors.sentinel1.search.scenes import FoundBurst
from sarcube.transfer.download import Expected, download, download_slot
from sarcube.transfer.sessions import check_credentials
from sarcube.workflows.rtc.workflow import WORKFLOW
from tests.http_server import Reply, Request, Server, ranged

DATA = random.Random(7).randbytes(3_000_000)
MD5 = "md5:" + hashlib.md5(DATA).hexdigest()
SCENE = "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1"


def torn(data: bytes, at: int) -> Any:
    """An answer that breaks off after `at` bytes, a given number of times."""

    def answer(request: Request) -> Reply:
        whole = ranged(data, request)
        return Reply(whole.body, whole.status, {**whole.headers, "Content-Length": str(len(whole.body))}, send=at)

    return answer


def test_a_download_that_times_out_says_so(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARCUBE_HTTP_TIMEOUT", "0.2")
    monkeypatch.setenv("SARCUBE_HTTP_ATTEMPTS", "2")
    monkeypatch.setenv("SARCUBE_HTTP_PAUSE", "0.01")
    released = threading.Event()

    def silent(request: Request) -> Reply:
        released.wait(5)
        return Reply(b"")

    server.routes["/silent"] = silent
    # All but the end comes, and the connection stays open.
    server.routes["/stalled"] = lambda request: Reply(DATA, 200, {"Content-Length": str(len(DATA) + 9)})
    try:
        for name in ("silent", "stalled"):
            with pytest.raises(DownloadTimeoutError, match=f"/{name}: timed out"):
                download(f"{server.url}/{name}", tmp_path / name, Expected())
            assert not (tmp_path / name).exists()
    finally:
        released.set()


def test_a_torn_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.routes["/file"] = torn(DATA, 700_000)
    path = download(f"{server.url}/file", tmp_path / "scene.zip", Expected(len(DATA), MD5))
    assert path.read_bytes() == DATA
    starts = [int(r.headers.get("range", "bytes=0-")[6:].split("-")[0]) for r in server.requests]
    assert len(starts) == 5 and starts == sorted(starts) and starts[1] > 0
    assert server.sent < len(DATA) * 1.3  # not five times from the start
    assert sorted(p.name for p in tmp_path.iterdir()) == [".scene.zip.lock", "scene.zip"]


def test_what_an_earlier_process_left_is_used(server: Server, tmp_path: Path) -> None:
    server.routes["/file"] = lambda r: ranged(DATA, r)
    (tmp_path / "scene.zip.part").write_bytes(DATA[:2_000_000])
    (tmp_path / ".scene.zip.part.json").write_text(json.dumps({"version": '"v1"'}))
    download(f"{server.url}/file", tmp_path / "scene.zip")
    assert (tmp_path / "scene.zip").read_bytes() == DATA and server.sent == 1_000_000
    assert server.requests[0].headers["if-range"] == '"v1"'


def test_a_part_of_another_version_is_not_continued(server: Server, tmp_path: Path) -> None:
    server.routes["/file"] = lambda r: ranged(DATA, r, '"v2"')
    (tmp_path / "scene.zip.part").write_bytes(b"x" * 2_000_000)
    (tmp_path / ".scene.zip.part.json").write_text(json.dumps({"version": '"v1"'}))
    assert download(f"{server.url}/file", tmp_path / "scene.zip").read_bytes() == DATA


def test_a_server_that_sends_the_rest_of_another_version(server: Server, tmp_path: Path) -> None:
    """Some go by `Range` alone: what comes says itself of which version it is."""

    def careless(request: Request) -> Reply:
        request.headers.pop("if-range", None)
        return ranged(DATA, request, '"v2"')

    server.routes["/file"] = careless
    (tmp_path / "scene.zip.part").write_bytes(b"x" * 2_000_000)
    (tmp_path / ".scene.zip.part.json").write_text(json.dumps({"version": '"v1"'}))
    counted: list[int] = []
    path = download(f"{server.url}/file", tmp_path / "scene.zip", Expected(len(DATA)), counted.append)
    assert path.read_bytes() == DATA and sum(counted) == len(DATA)


def test_a_part_longer_than_the_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.routes["/file"] = lambda r: ranged(DATA, r)
    (tmp_path / "scene.zip.part").write_bytes(b"x" * 4_000_000)
    (tmp_path / ".scene.zip.part.json").write_text(json.dumps({"version": '"v1"'}))
    assert download(f"{server.url}/file", tmp_path / "scene.zip").read_bytes() == DATA


def test_a_damaged_part_is_found_by_its_checksum_and_fetched_again(server: Server, tmp_path: Path) -> None:
    server.routes["/file"] = lambda r: ranged(DATA, r)
    (tmp_path / "scene.zip.part").write_bytes(b"x" * 1000)
    path = download(f"{server.url}/file", tmp_path / "scene.zip", Expected(0, MD5))
    assert path.read_bytes() == DATA


def test_a_wrong_checksum_leaves_nothing_that_looks_whole(server: Server, tmp_path: Path) -> None:
    server.routes["/file"] = lambda r: ranged(DATA, r)
    with pytest.raises(TransferError, match="md5 is"):
        download(f"{server.url}/file", tmp_path / "scene.zip", Expected(len(DATA), "md5:" + "0" * 32))
    assert not (tmp_path / "scene.zip").exists() and not (tmp_path / "scene.zip.part").exists()
    with pytest.raises(TransferError, match=r"bytes came instead of 5"):
        download(f"{server.url}/file", tmp_path / "scene.zip", Expected(5))


def test_a_server_that_never_gets_further_ends_in_a_transfer_error(server: Server, tmp_path: Path) -> None:
    server.routes["/file"] = torn(DATA, 0)
    with pytest.raises(TransferError) as error:
        download(f"{server.url}/file", tmp_path / "scene.zip")
    assert error.value.transient and not (tmp_path / "scene.zip").exists()
    server.routes["/file"] = lambda r: Reply(b"", 404)
    with pytest.raises(SourceError, match="404"):
        download(f"{server.url}/file", tmp_path / "scene.zip")


def test_without_ranges_or_tags_it_starts_over_and_still_arrives(server: Server, tmp_path: Path) -> None:
    tries = iter([1_000_000, None])
    server.routes["/file"] = lambda r: Reply(DATA, 200, {}, send=next(tries))
    assert download(f"{server.url}/file", tmp_path / "scene.zip").read_bytes() == DATA


def test_a_disk_that_is_too_small_is_said_before_it_is_full(server: Server, tmp_path: Path) -> None:
    server.routes["/file"] = lambda r: Reply(b"x", 200, {"Content-Length": str(10**15)}, send=1)
    with pytest.raises(SourceError, match="free some room"):
        download(f"{server.url}/file", tmp_path / "scene.zip")


def found(path: str, **changes: Any) -> FoundBurst:
    start = dt.datetime(2023, 9, 4, 6, 37, 31, tzinfo=dt.UTC)
    return FoundBurst(
        "t052_110431_iw1", SCENE, path, "IW1", 0, start, start, "S1A", "descending", 52, ("VV",),
        ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)), **changes,
    )  # fmt: skip


def run(kind: str, tmp_path: Path) -> RunConfig:
    source = {"kind": kind, "cache": str(tmp_path), "url": "http://x", "collection": "c"}
    return RunConfig.from_dict({"source": source, "dem": {"path": "d.tif", "heights": "ellipsoid"}})


def test_ten_bursts_of_a_scene_cost_one_download(server: Server, tmp_path: Path) -> None:
    server.routes["/file"] = lambda r: ranged(DATA, r)
    burst = found(f"{server.url}/file", checksum=MD5, file_size=len(DATA))
    paths: list[str] = []
    config = run("stac", tmp_path)
    threads = [threading.Thread(target=lambda: paths.append(ensure_scene(burst, config))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(paths) == {str(tmp_path / f"{SCENE}.zip")} and len(paths) == 10
    assert len(server.requests) == 1


def test_only_so_many_downloads_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARCUBE_DOWNLOADS", "2")
    inside, most, lock, go = 0, 0, threading.Lock(), threading.Event()

    def work() -> None:
        nonlocal inside, most
        with download_slot(tmp_path):
            with lock:
                inside += 1
                most = max(most, inside)
            go.wait(0.3)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


@pytest.fixture
def earthdata(server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[Server, Server]:
    """ASF's data host, which sends who is not signed in to Earthdata and then on to a store, as the real ones do."""
    login, store = Server(), Server()
    basic = "Basic " + __import__("base64").b64encode(b"someone:pass-9f3a").decode()

    def datapool(request: Request) -> Reply:
        if "code" in request.query:
            return Reply(b"", 302, {"Location": f"{store.url}/signed.zip?X-Amz-Signature=abc", "Set-Cookie": "s=1"})
        return Reply(b"", 302, {"Location": f"{login.url}/oauth/authorize?redirect={server.url}"})

    def authorize(request: Request) -> Reply:
        if request.headers.get("authorization") != basic:
            return Reply(b"who are you", 401)
        return Reply(b"", 302, {"Location": f"{server.url}/SLC/SA/{SCENE}.zip?code=42"})

    server.routes["/SLC/"] = datapool
    server.routes["/search"] = lambda r: Reply(
        json.dumps({"features": [{"properties": {"sceneName": SCENE, "bytes": len(DATA), "md5sum": MD5[4:]}}]}).encode()
    )
    login.routes["/oauth/authorize"] = authorize
    login.routes["/api/users/tokens"] = lambda r: Reply(b"[]", 200 if r.headers.get("authorization") == basic else 401)
    store.routes["/signed.zip"] = lambda r: ranged(DATA, r)
    monkeypatch.setenv("SARCUBE_ASF_DOWNLOAD_URL", server.url)
    monkeypatch.setenv("SARCUBE_ASF_SEARCH_URL", f"{server.url}/search")
    monkeypatch.setenv("SARCUBE_EARTHDATA_URL", login.url)
    yield login, store
    login.close()
    store.close()


def test_asf_downloads_sign_in_at_earthdata_and_nowhere_else(
    server: Server, earthdata: tuple[Server, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, store = earthdata
    burst, config = found(f"{server.url}/SLC/SA/{SCENE}.zip"), run("asf", tmp_path)
    with pytest.raises(CredentialError, match="EARTHDATA_USERNAME"):
        ensure_scene(burst, config)
    monkeypatch.setenv("EARTHDATA_USERNAME", "someone")
    monkeypatch.setenv("EARTHDATA_PASSWORD", "pass-9f3a")
    path = ensure_scene(burst, config)
    assert Path(path).read_bytes() == DATA
    assert all("authorization" not in r.headers for r in [*server.requests, *store.requests])
    assert login.asked("/oauth")[-1].headers["authorization"].startswith("Basic ")


def test_a_resumed_asf_download_keeps_its_range_through_the_redirects(
    server: Server, earthdata: tuple[Server, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHDATA_USERNAME", "someone")
    monkeypatch.setenv("EARTHDATA_PASSWORD", "pass-9f3a")
    _, store = earthdata
    store.routes["/signed.zip"] = torn(DATA, 2_000_000)
    ensure_scene(found(f"{server.url}/SLC/SA/{SCENE}.zip"), run("asf", tmp_path))
    assert [bool(r.headers.get("range")) for r in store.requests] == [False, True]


def test_credentials_are_checked_before_any_work(
    earthdata: tuple[Server, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run("asf", tmp_path)
    with pytest.raises(CredentialError, match=r"no credentials.*\.netrc"):
        check_credentials(config)
    monkeypatch.setenv("EARTHDATA_USERNAME", "someone")
    with pytest.raises(CredentialError, match="set EARTHDATA_PASSWORD, too"):
        check_credentials(config)
    monkeypatch.setenv("EARTHDATA_PASSWORD", "wrong")
    with pytest.raises(CredentialError, match="refuses the login from environment"):
        check_credentials(config)
    check_credentials(config, online=False)
    monkeypatch.setenv("EARTHDATA_PASSWORD", "pass-9f3a")
    check_credentials(config)
    check_credentials(run("stac", tmp_path))  # needs none


def test_a_run_without_a_login_ends_before_it_makes_anything(
    earthdata: tuple[Server, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CredentialError, match=r"no credentials.*\.netrc"):
        WORKFLOW.prepare(run("asf", tmp_path), {"RTC_S1"})
    assert list(tmp_path.iterdir()) == []
