"""Bytes behind addresses: a burst of a remote zip costs little more than its own samples."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sarcube.config import RunConfig
from sarcube.errors import CredentialError, SceneError, SourceError, TransferError
from sarcube.sensors.sentinel1.bytes_source import ByteSource
from sarcube.sensors.sentinel1.open_burst import open_burst
from sarcube.sensors.sentinel1.samples import read_samples
from sarcube.sensors.sentinel1.search.scenes import find_scenes
from sarcube.transfer.http import AbsentError
from sarcube.transfer.remote import BLOCK, RemoteBytes, open_remote
from tests.http_server import Reply, Request, Server, ranged
from tests.transfer.virtual_zip import VirtualZip, expected_samples

SCENE = "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1"
DATA = bytes(range(256)) * 12_000  # 3 MB


def run(path: str, **options: Any) -> RunConfig:
    return RunConfig.from_dict(
        {"source": {"kind": "local", "path": path}, "dem": {"path": "d.tif", "heights": "ellipsoid"}, **options}
    )


def virtual(server: Server, shared_data: Path) -> VirtualZip:
    archive = VirtualZip(shared_data / "data" / "safe" / f"{SCENE}.zip")

    def answer(request: Request) -> Reply:
        first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last) + 1, archive.size)
        body = archive.read(start, stop - start)
        return Reply(body, 206, {"Content-Range": f"bytes {start}-{stop - 1}/{archive.size}"})

    server.routes[f"/{SCENE}.zip"] = answer
    return archive


def test_a_burst_of_a_remote_zip_of_seven_gigabytes_costs_little_more_than_itself(
    server: Server, shared_data: Path
) -> None:
    archive = virtual(server, shared_data)
    assert archive.size > 6.5e9
    path = f"{server.url}/{SCENE}.zip"
    search = find_scenes(run(path, aoi={"bbox": [-8.5, 31.65, -8.2, 31.8]}, polarizations=["VV"]))
    assert [b.burst_id for b in search.bursts] == ["t052_110431_iw1", "t052_110432_iw1"] and not search.problems
    planned = server.sent
    open_remote.cache_clear()  # the worker is another process than the planner
    server.sent = 0
    burst = open_burst(search.bursts[0], run(path))
    opened = server.sent
    values = read_samples(burst, "VV")
    stored = burst.channels["VV"].samples
    size = stored.lines * stored.samples * 4
    header = next(v for k, v in archive.headers.items() if k.endswith(stored.member))
    want = expected_samples(header, stored.first_line, stored.lines, stored.samples)
    assert np.array_equal(values, want)
    # Measured: 139.0 MB of samples, 143.3 MB in all, of which 3.8 MB to open; 14.3 MB to plan the whole scene.
    assert 120e6 < size < 140e6
    assert server.sent < size + 12e6 < 200e6
    assert planned < 20e6 and opened < 12e6


def test_it_is_a_byte_source_and_reads_what_a_file_reads(server: Server, tmp_path: Path) -> None:
    server.routes["/f"] = lambda r: ranged(DATA, r)
    source = open_remote(f"{server.url}/f")
    assert isinstance(source, ByteSource) and source.size == len(DATA)
    rng = np.random.default_rng(3)
    for _ in range(200):
        offset = int(rng.integers(0, len(DATA) + 1000))
        length = int(rng.integers(0, 70_000))
        assert source.read(offset, length) == DATA[offset : offset + length]
    assert len(server.requests) <= 2 + -(-len(DATA) // BLOCK)  # every block once
    whole = bytearray(len(DATA) + 10)
    assert source.read_into(5, memoryview(whole)) == len(DATA) - 5
    assert whole[: len(DATA) - 5] == DATA[5:]
    assert source.read(len(DATA), 5) == b"" and source.read(0, -1) == b""


def test_small_reads_side_by_side_are_right(server: Server) -> None:
    server.routes["/f"] = lambda r: ranged(DATA, r)
    source = RemoteBytes(f"{server.url}/f")
    wrong: list[int] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(50):
            offset = int(rng.integers(0, len(DATA)))
            if source.read(offset, 4000) != DATA[offset : offset + 4000]:
                wrong.append(offset)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_it_pickles_as_its_address_and_shares_its_cache(server: Server) -> None:
    server.routes["/f"] = lambda r: ranged(DATA, r)
    source = open_remote(f"{server.url}/f")
    source.read(0, 100)
    again = pickle.loads(pickle.dumps(source))
    assert again is source and len(pickle.dumps(source)) < 200


def test_failures_that_pass_are_tried_again(server: Server) -> None:
    failures = iter([503, 0, 500, 429])

    def shaky(request: Request) -> Reply:
        status = next(failures, 0)
        return Reply(b"", status) if status else ranged(DATA, request)

    server.routes["/f"] = shaky
    assert RemoteBytes(f"{server.url}/f").read(10, 100) == DATA[10:110]
    server.routes["/f"] = lambda r: Reply(b"", 503)
    with pytest.raises(TransferError) as error:
        RemoteBytes(f"{server.url}/f").read(10, 100)
    assert error.value.transient


def test_what_servers_may_answer_instead(server: Server) -> None:
    with pytest.raises(AbsentError, match="404"):
        RemoteBytes(f"{server.url}/none").read(0, 1)
    server.routes["/f"] = lambda r: Reply(b"", 403)
    with pytest.raises(CredentialError):
        RemoteBytes(f"{server.url}/f").read(0, 1)
    server.routes["/f"] = lambda r: Reply(DATA)  # ranges are ignored: never read 4 GB by mistake
    with pytest.raises(SourceError, match="range requests"):
        RemoteBytes(f"{server.url}/f").read(0, 1)

    def short(request: Request) -> Reply:
        whole = ranged(DATA, request)
        return Reply(whole.body[:-1] or b"x", whole.status, whole.headers)

    server.routes["/f"] = short
    with pytest.raises(TransferError, match="of 262144 bytes"):
        RemoteBytes(f"{server.url}/f").read(0, 10)
    with pytest.raises(SourceError, match="only s3"):
        open_remote("ftp://example.org/a.zip")


def test_a_remote_file_that_is_no_scene_is_a_problem_with_its_address(server: Server) -> None:
    server.routes["/S1A_x.zip"] = lambda r: ranged(DATA, r)
    search = find_scenes(run(f"{server.url}/S1A_x.zip"))
    assert search.bursts == () and len(search.problems) == 1 and "S1A_x.zip" in search.problems[0].message


def test_a_file_that_changes_while_it_is_read(server: Server) -> None:
    files = [b"a" * 3_000_000, b"b" * 3_100_000]
    server.routes["/file"] = lambda r: ranged(files[0], r)
    source = open_remote(f"{server.url}/file")
    assert source.read(0, 100) == b"a" * 100
    files.pop(0)
    with pytest.raises(SourceError, match="changed on the server while it was read"):
        source.read(2_000_000, 100)
    assert open_remote(f"{server.url}/file").read(0, 100) == b"b" * 100  # asked for again, all of it is new


def test_a_torn_connection_in_the_middle_of_a_large_read(server: Server) -> None:
    tears = iter([100_000, None])

    def answer(request: Request) -> Reply:
        whole = ranged(DATA, request)
        if len(whole.body) < 1_000_000:
            return whole
        return Reply(whole.body, 206, {**whole.headers, "Content-Length": str(len(whole.body))}, send=next(tears))

    server.routes["/f"] = answer
    assert RemoteBytes(f"{server.url}/f").read(0, len(DATA)) == DATA


def test_the_same_over_s3(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.servers import moto, use_server

    s3 = use_server(monkeypatch, moto())
    client = s3.client()
    client.create_bucket(Bucket="scenes")
    path = shared_data / "data" / "safe" / f"{SCENE}.zip"
    client.upload_file(str(path), "scenes", f"2023/{SCENE}.zip")
    client.put_object(Bucket="scenes", Key="2023/S1A_broken.zip", Body=b"no zip")
    source = RemoteBytes(f"s3://scenes/2023/{SCENE}.zip")
    data = path.read_bytes()
    assert source.size == len(data) and source.read(1000, 500_000) == data[1000:501_000]
    with pytest.raises(AbsentError):
        RemoteBytes("s3://scenes/none").read(0, 1)
    search = find_scenes(run("s3://scenes/2023", aoi={"bbox": [-8.5, 31.65, -8.2, 31.8]}))
    assert [b.burst_id for b in search.bursts] == ["t052_110431_iw1", "t052_110432_iw1"]
    assert [p.subject for p in search.problems] == ["s3://scenes/2023/S1A_broken.zip"]
    burst = open_burst(search.bursts[0], run("s3://scenes/2023"))
    assert burst.orbit_type == "annotation"
    with pytest.raises((SceneError, SourceError)):
        read_samples(burst, "VV")  # the real zip has no samples
    with pytest.raises(SourceError, match="holds no SAFE"):
        find_scenes(run("s3://scenes/2024"))
