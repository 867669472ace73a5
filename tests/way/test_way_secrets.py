"""Canaries: credentials wherever a user can put them, and not one of them in anything that sarcube writes or prints."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml

from tests.http_server import Reply, Request, Server, ranged
from tests.way.running import Demo

pytestmark = pytest.mark.timeout(600)

CANARY = "canary"  # letters, which every encoding leaves as they are
PASSWORD = f'{CANARY}-p"&<7/@ é'  # what JSON, HTML and URLs have to write in another way
LOGIN = f"{CANARY}user:{urllib.parse.quote(PASSWORD, safe='')}@"
SIGNED = f"X-Amz-Credential={CANARY}-id%2F2024&X-Amz-Signature={CANARY}5f1c&X-Goog-Credential={CANARY}&token={CANARY}"
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}-aws",
    "AWS_ACCESS_KEY_ID": f"{CANARY}-aws-id",
    "EARTHDATA_PASSWORD": f"{CANARY}-earth",
    "EARTHDATA_USERNAME": "someone",
    "DB_PW": f"{CANARY}-pw",
    "MY_KEY": f'{CANARY}-"key"&',
}


class Provider:
    """Serves scene and DEM to who has the right query only."""

    def __init__(self, server: Server, archive: Path, folder: Path) -> None:
        self.scene = sorted((archive / "scenes").iterdir())[0]
        packed = self.scene
        if self.scene.is_dir():
            packed = Path(shutil.make_archive(str(folder / self.scene.stem), "zip", self.scene.parent, self.scene.name))
        name = f"{self.scene.stem}.zip"
        files = {f"/{name}": packed.read_bytes(), "/dem.tif": (archive / "dem.tif").read_bytes()}
        for path, data in files.items():
            server.routes[path] = lambda request, data=data: self._serve(request, data)
        self.damaged = False
        base = server.url.replace("http://", f"http://{LOGIN}")
        self.source, self.dem = (f"{base}{path}?{SIGNED}" for path in files)

    def _serve(self, request: Request, data: bytes) -> Reply:
        if request.query.get("token") != CANARY:
            return Reply(b"signature missing", 403)
        if self.damaged and request.path.endswith(".zip"):
            return Reply(f"token={CANARY}".encode(), 500)
        return ranged(data, request)


def command(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {k: os.environ[k] for k in ("PATH", "LANG", "NUMBA_CACHE_DIR", "TMPDIR") if k in os.environ}
    environment |= SECRETS | {
        "HOME": str(home),
        "SARCUBE_HTTP_ATTEMPTS": "2",
        "SARCUBE_HTTP_PAUSE": "0.01",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.run(
        [sys.executable, "-m", "sarcube.cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=280, check=False, env=environment, cwd=home,
    )  # fmt: skip


def told(folder: Path, *texts: str) -> list[str]:
    """Every place where the canary can be heard, tags of rasters read by GDAL among them."""
    found = [f"printed: {line}" for text in texts for line in text.splitlines() if CANARY in line]
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if CANARY.encode() in path.read_bytes():
            found.append(str(path))
        if path.suffix == ".tif":
            with rasterio.open(path) as source:
                tags = {**source.tags(), **source.tags(1), **source.tags(ns="IMAGE_STRUCTURE")}
                found += [f"{path.name} {name}={text}" for name, text in tags.items() if CANARY in text]
    return found


def test_no_output_tells_a_secret(demo: Demo, server: Server, tmp_path: Path) -> None:
    home, store = tmp_path / "home", tmp_path / "store"
    home.mkdir()
    (home / ".env").write_text(f"CDSE_USERNAME=me\nCDSE_PASSWORD='{CANARY}-env'\n")
    (home / ".netrc").write_text(f"machine urs.earthdata.nasa.gov login me password {CANARY}-netrc\n")
    provider = Provider(server, demo.folder / "archive", tmp_path)
    run = yaml.safe_load((demo.folder / "run.yaml").read_text())
    run |= {
        "source": {"kind": "local", "path": provider.source, "access": "remote"},
        "orbits": {"path": str(demo.folder / "archive" / "orbits")},
        "dem": {"path": provider.dem, "heights": "ellipsoid"},
        "store": str(store),
        "cluster": "local",
        "metadata": {"properties": {"note": f"made with token={CANARY} from {provider.dem}"}},
    }
    first = json.loads((demo.folder / "archive" / "simulation.json").read_text())["burst_ids"][0]
    one = run["source"] | {"burst_ids": [first]}
    path = tmp_path / "run.yaml"

    def write(**changes: Any) -> Path:
        path.write_text(yaml.safe_dump(run | changes))
        return path

    printed: list[str] = []

    def call(code: int, *arguments: object) -> str:
        done = command(home, *arguments)
        printed.extend((done.stdout, done.stderr))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    write(source=one)
    assert "2 tasks to do" in call(0, "-v", "plan", path)
    call(0, "plan", path, "--json")
    call(0, "-v", "run", path)
    call(0, "status", path)
    call(0, "status", store, "--json")
    items = [p for p in store.rglob("T*.json") if "item_type" not in p.name]
    assert len(items) == 2
    for item in items:
        stored = json.loads(item.read_text())
        assert stored["properties"]["sarcube:dem"] == f"{server.url}/dem.tif"
        (derived,) = [link["href"] for link in stored["links"] if link["rel"] == "derived_from"]
        assert derived.startswith(f"{server.url}/S1") and derived.endswith(".zip")
    with rasterio.open(next(store.rglob("*_VV.tif"))) as source:
        assert source.tags()["DEM"] == f"{server.url}/dem.tif"
        assert np.isfinite(source.read(1)).any()
    records = sorted(store.glob("runs/*/*"))
    assert {p.name for p in records} >= {"run.yaml", "run.json", "summary.json", "report.html", "tasks-0001.jsonl"}
    for record in records:
        if record.suffix == ".json":
            json.loads(record.read_text())
    assert yaml.safe_load(next(p for p in records if p.name == "run.yaml").read_text())["store"] == str(store)

    # What fails: a server that stumbles, refused signatures, an unreadable DEM, a fault that leaks all it knows.
    provider.damaged = True
    failed = call(1, "-v", "run", write(source=one, store=str(tmp_path / "store-of-failures")))
    assert "server answered 500" in failed
    provider.damaged = False
    wrong = run["dem"]["path"].replace("token=", "other=")
    call(1, "run", write(source=one, dem={"path": wrong, "heights": "ellipsoid"}, store=str(tmp_path / "s3")))
    call(2, "plan", write(source={"kind": "stac", "url": provider.source, "collection": "c"}))
    call(2, "plan", write(store=f"s3://{LOGIN}bucket/x?{SIGNED}"))
    call(2, "plan", write(aoi=provider.source))
    call(2, "cube", f"http://{LOGIN}127.0.0.1/x?{SIGNED}")
    shutil.rmtree(home / ".cache" / "numba", ignore_errors=True)
    for folder in (store, tmp_path / "store-of-failures", tmp_path / "s3", home / ".cache"):
        assert told(folder, *printed) == []
    assert any(CANARY in str(r.query) for r in server.requests), "the canary was used"


def test_a_fault_of_the_program_is_told_without_secrets() -> None:
    program = (
        "import sys, sarcube.cli.app as a, sarcube.cli as c\n"
        "def fault(): raise ZeroDivisionError('https://me:%s@h/x?sig=%s' % (sys.argv[1], sys.argv[1]))\n"
        "a.app = fault\n"
        "c.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, CANARY], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr and "Traceback" in done.stderr
    assert CANARY not in done.stderr
