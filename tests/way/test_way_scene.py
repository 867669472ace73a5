"""`sarcube scene` and the container's entry point: the options, paths and exit codes that operators of the AWS
pipeline know, and the three steps of its documentation (static layers, backscatter linked to them, a look at the
links) on a real S3 server."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import rasterio

from sarcube.catalog.schemas import shared_schemas
from sarcube.catalog.validate import validate
from sarcube.errors import ConfigError
from sarcube.production.run.scene import SceneOptions, absent_bursts, burst_ids, scene_config, scene_exit_code
from sarcube.simulate.archive import simulate
from sarcube.simulate.options import SimulationOptions
from sarcube.store.protocol import open_store
from tests.catalog.whole import Objects, faults
from tests.http_server import Reply, Request, Server
from tests.servers import S3Server, seaweedfs, use_server

ROOT = Path(__file__).parents[2]
SCENE = "S1A_IW_SLC__1SSH_20220101T124744_20220101T124814_041267_04E7A2_1DAD"
BURST = "t070_149815_iw3"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene of the documentation, as far as a simulation goes: its burst, its orbit, its name."""
    folder = tmp_path_factory.mktemp("ross") / "archive"
    options = SimulationOptions(
        center=(169.4, -76.924),
        dates=(dt.date(2022, 1, 1),),
        swaths=("IW3",),
        bursts=1,
        polarizations=("HH",),
        burst_size=(300, 2000),
        posting=30.0,
    )
    made = simulate(folder, options)
    assert made.burst_ids == (BURST,)
    made.scenes[0].rename(folder / "scenes" / f"{SCENE}.SAFE")
    return folder


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a command `sarcube`, as the container has it."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "sarcube"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sarcube.cli "$@"\n')
    command.chmod(0o755)
    return folder


def entry_point(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """What the container does with its arguments."""
    return subprocess.run(
        ["sh", str(ROOT / "docker" / "entrypoint.sh"), *map(str, arguments)],
        env={**os.environ, "PATH": f"{program}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def local_inputs(archive: Path) -> tuple[object, ...]:
    return ("--source", archive / "scenes", "--orbits", archive / "orbits", "--dem-path", archive / "dem.tif")


def test_the_three_steps_across_two_buckets(
    archive: Path, program: Path, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = use_server(monkeypatch, seaweedfs())
    for bucket in ("deant-static", "deant-data"):
        server.make_bucket(bucket, public=True)
    linked = (
        "--scene", SCENE, "--burst_id_list", BURST, "--output_crs", 3031, "--product", "RTC_S1",
        "--s3_bucket", "deant-data", "--collection", "s1_rtc_c1", "--s3_project_folder", "experimental/nrb",
        "--link_static_layers", "--linked_static_layers_s3_bucket", "deant-static",
        "--linked_static_layers_collection", "s1_rtc_static_c1",
        "--linked_static_layers_s3_project_folder", "experimental/static-layers", *local_inputs(archive),
    )  # fmt: skip

    early = entry_point(program, *linked)
    assert early.returncode == 101, early.stderr
    assert f"no static layers of {BURST} in s3://deant-static/experimental/static-layers" in early.stdout
    assert _keys(server, "deant-data") == []

    first = entry_point(
        program,
        "--scene", SCENE, "--burst_id_list", BURST, "--output_crs", 3031, "--product", "RTC_S1_STATIC",
        "--s3_bucket", "deant-static", "--collection", "s1_rtc_static_c1",
        "--s3_project_folder", "experimental/static-layers", *local_inputs(archive),
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    folder = f"experimental/static-layers/s1_rtc_static_c1/{BURST}/"
    assert f"{folder}T070-149815-IW3_STATIC.json" in _keys(server, "deant-static")

    second = entry_point(program, *linked)
    assert second.returncode == 0, second.stderr
    keys = _keys(server, "deant-data")
    [key] = [key for key in keys if key.endswith(".json") and "/T070-149815-IW3_2022" in key]
    assert key.startswith(f"experimental/nrb/s1_rtc_c1/{BURST}/2022/01/01/T070-149815-IW3_20220101T12")

    stored = json.loads(server.client().get_object(Bucket="deant-data", Key=key)["Body"].read())
    hrefs = {name: asset["href"] for name, asset in stored["assets"].items()}
    # "HH data belongs to RTC_S1 and number_of_looks belongs to RTC_S1_STATIC"
    assert hrefs["HH"].startswith("./SARCUBE_L2_RTC-S1_T070-149815-IW3_20220101T12")
    for layer in ("number_of_looks", "local_incidence_angle", "incidence_angle", "digital_elevation_model"):
        assert hrefs[layer].startswith(f"s3://deant-static/{folder}SARCUBE_L2_RTC-S1-STATIC_T070-149815-IW3_")
    [link] = [link for link in stored["links"] if link["rel"] == "static-layers"]
    assert link["href"] == f"s3://deant-static/{folder}T070-149815-IW3_STATIC.json"
    assert stored["properties"]["proj:epsg"] == 3031 and stored["properties"]["sat:relative_orbit"] == 70
    schemas = shared_schemas(str(shared_data / "schemas"))
    assert validate(stored, schemas).problems == ()
    root = "s3://deant-data/experimental/nrb"
    assert faults(root, Objects(server.client()), elsewhere=("s3://deant-static/",)) == []
    assert faults("s3://deant-static/experimental/static-layers", Objects(server.client())) == []
    # The server is named outright: GDAL remembers the one of an earlier test in this process.
    with rasterio.Env(**(open_store(root).gdal_options() | {"AWS_NO_SIGN_REQUEST": "YES"})):
        for address in (f"s3://deant-data/{Path(key).parent}/{hrefs['HH'][2:]}", hrefs["number_of_looks"]):
            with rasterio.open(address.replace("s3://", "/vsis3/")) as data:
                assert data.shape == tuple(stored["assets"]["HH"]["proj:shape"])

    again = entry_point(program, *linked)
    assert again.returncode == 100, again.stderr
    assert _keys(server, "deant-data") == keys

    # Burst IDs from a file; one that the scene does not have is no reason to leave out the other.
    bursts = tmp_path / "bursts.txt"
    bursts.write_text(f"{BURST}\nt070_149816_iw3\n")
    dashes = [a.replace("_", "-") if str(a).startswith("--") else a for a in map(str, linked)]
    dashes[dashes.index(BURST)] = str(bursts)
    by_file = entry_point(program, *dashes)
    assert by_file.returncode == 1, by_file.stderr
    said = f"the scene has no burst t070_149816_iw3; of those asked for it has {BURST}"
    assert said in by_file.stderr and f"no burst {BURST}" not in by_file.stderr


def _keys(server: S3Server, bucket: str) -> list[str]:
    return [entry["Key"] for entry in server.client().list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_the_defaults_are_those_of_the_aws_pipeline() -> None:
    from typer.main import get_command

    from sarcube.cli.app import app

    theirs = {
        "scene": None, "burst_id_list": (), "resolution": 20, "output_crs": "", "dem": "cop_glo30",
        "product": "RTC_S1", "s3_bucket": "deant-data-public-dev", "s3_project_folder": "experimental",
        "collection": "s1_rtc_c1", "link_static_layers": False,
        "linked_static_layers_s3_bucket": "deant-data-public-dev",
        "linked_static_layers_s3_project_folder": "experimental",
        "linked_static_layers_collection": "s1_rtc_static_c1",
    }  # fmt: skip
    command = get_command(app).commands["scene"]  # type: ignore[attr-defined]
    options = {option: parameter for parameter in command.params for option in parameter.opts}
    for name, value in theirs.items():
        assert options[f"--{name}"] is options[f"--{name.replace('_', '-')}"]
        if name != "scene":
            assert getattr(SceneOptions("x"), name) == value
            assert (options[f"--{name}"].default or value) == value
    assert options["--scene"].required
    config = scene_config(SceneOptions(SCENE))
    assert config.store == "s3://deant-data-public-dev/experimental" and config.static_store is None
    assert config.collections == {"RTC_S1": "s1_rtc_c1", "RTC_S1_STATIC": "s1_rtc_static_c1"}
    assert (config.source.kind, config.source.scenes) == ("asf", (SCENE,))
    assert config.dem.kind == "cop_glo30" and str(config.dem.geoid).endswith("us_nga_egm2008_1_4326__agisoft.tif")
    assert config.grid.crs == "auto" and config.grid.resolution == 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--resolution", "20"), "--scene"),
        (("--scene", SCENE, "--dem", "srtm"), "cop_glo30"),
        (("--scene", SCENE, "--product", "RTC"), "RTC_S1_STATIC"),
        (("--scene", SCENE, "--output_crs", "polar"), "3031"),
        (("--scene", SCENE, "--burst_id_list", "absent.txt"), "absent.txt"),
        (("--scene", SCENE, "--no_such_option"), "no_such_option"),
    ],
)
def test_what_is_wrong_is_named(arguments: tuple[str, ...], words: str) -> None:
    from typer.testing import CliRunner

    from sarcube.cli.app import app

    done = CliRunner().invoke(app, ["scene", *arguments])
    assert done.exit_code == 2 or isinstance(done.exception, ConfigError)  # of which the program makes a 2
    assert words in done.output + str(done.exception)


def test_the_entry_point(program: Path, tmp_path: Path) -> None:
    """Options alone are a scene's; anything else is a command."""
    echo = tmp_path / "sarcube"
    echo.write_text('#!/bin/sh\necho "$@"\n')
    echo.chmod(0o755)
    assert entry_point(tmp_path, "--scene", "X", "--dem", "y").stdout == "scene --scene X --dem y\n"
    assert entry_point(tmp_path, "--resolution=10", "--scene", "X").stdout == "scene --resolution=10 --scene X\n"
    assert entry_point(tmp_path, "run", "run.yaml").stdout == "run run.yaml\n"
    assert entry_point(tmp_path, "--help").stdout == "--help\n" and entry_point(tmp_path).stdout == "\n"
    wrong = entry_point(program, "--scene", SCENE, "--dem", "srtm")
    assert wrong.returncode == 2 and "cop_glo30" in wrong.stderr


def test_burst_ids_in_any_spelling(tmp_path: Path) -> None:
    listed = tmp_path / "bursts.txt"
    listed.write_text("T070_149815_IW3\nt070_149816_iw3\n\n")
    expected = (BURST, "t070_149816_iw3")
    assert burst_ids((str(listed),)) == expected
    assert burst_ids((BURST, "t070_149816_iw3")) == expected
    assert burst_ids((f"{BURST} t070_149816_iw3, {BURST}",)) == expected
    assert burst_ids(("T070-149815-IW3", "T070-149816-IW3")) == expected


@pytest.mark.parametrize("text", ["", " \n\n", ","])
def test_a_list_without_burst_ids_is_not_all_of_them(tmp_path: Path, text: str) -> None:
    listed = tmp_path / "bursts.txt"
    listed.write_text(text)
    with pytest.raises(ConfigError, match="names no burst"):
        burst_ids((str(listed),))
    with pytest.raises(ConfigError, match="not a burst ID"):
        burst_ids(("t070_149815",))


def test_a_server_that_falls_silent(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 102: trying again later may help."""
    for name, value in (("TIMEOUT", "0.3"), ("ATTEMPTS", "2"), ("PAUSE", "0.01")):
        monkeypatch.setenv(f"SARCUBE_HTTP_{name}", value)
    server, released = Server(), threading.Event()

    def silent(request: Request) -> Reply:
        released.wait(20)
        return Reply()

    server.routes["/"] = silent
    try:
        done = entry_point(
            program, "--scene", SCENE, "--source", f"{server.url}/{SCENE}.zip", "--dem-path", "dem.tif",
            "--store", tmp_path / "store",
        )  # fmt: skip
    finally:
        released.set()
        server.close()
    assert done.returncode == 102 and "timed out" in done.stderr
    assert not (tmp_path / "store").exists()


def test_exit_codes_of_outcomes() -> None:
    from sarcube.production.plan.value import Plan
    from sarcube.production.run.produce import Failure, Outcome
    from sarcube.transfer.problem import Problem

    config = scene_config(SceneOptions(SCENE, link_static_layers=True))
    plan = Plan(config, (), ("rtc/x",), (), (), "w")
    assert absent_bursts(plan) == ()
    failed = Failure("rtc/x", BURST, "", SCENE, "DownloadTimeoutError", "x: gone")
    other = Problem(BURST, "no static layers of it are of use: timed out", "GridError")
    assert scene_exit_code(plan, Outcome(problems=(other,))) == 1, "what a message says decides nothing"
    assert scene_exit_code(plan, Outcome(problems=(Problem(SCENE, "zu spät", "DownloadTimeoutError"),))) == 102
    cases = {
        100: Outcome(skipped=1),
        101: Outcome(problems=(Problem(BURST, "make them first", "MissingProductError"),)),
        102: Outcome(failed=(failed,)),
        1: Outcome(done=1, failed=(Failure("rtc/x", BURST, "", SCENE, "SceneError", "broken"),)),
    }
    assert {code: scene_exit_code(plan, outcome) for code, outcome in cases.items()} == {c: c for c in cases}
