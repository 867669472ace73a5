"""Fargate and EC2 from `up` to `down` against a simulated AWS whose containers are real local processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from typer.testing import CliRunner

from sarcube.cli.app import app
from sarcube.cluster import Demand, Profile, connect, find_profile
from sarcube.cluster.aws_down import left
from sarcube.cluster.aws_session import TAG
from sarcube.cluster.aws_up import up
from sarcube.cluster.profiles import Aws
from sarcube.cube.open_cube import open_cube
from sarcube.errors import ClusterError
from tests.catalog.whole import Files, faults
from tests.cluster.cloud import Cloud, cloud
from tests.way.running import Demo, demo  # noqa: F401

CANARY = "canary-earth-5f1c9e7a"
REGIONS = {"fargate": "eu-west-3", "ec2": "eu-north-1"}


@pytest.fixture
def aws(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    region = getattr(request, "param", "us-west-2")
    with cloud(monkeypatch, tmp_path, region) as made:
        yield made


def profile_file(made: Cloud, kind: str, folder: Path, **more: Any) -> Path:
    profile = {
        "kind": kind,
        "workers": 1,
        "memory": 3.0,
        "pass_environment": ["EARTHDATA_TOKEN"],
        "aws": {
            "vpc": made.vpc,
            "subnets": [made.subnet],
            "private": True,
            "start_s": 200,
            "image_id": "ami-12c6146b",
        },
        **more,
    }
    path = folder / f"{kind}-test.yaml"
    path.write_text(yaml.safe_dump(profile))
    return path


def call(*arguments: Any) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kind", "aws"), list(REGIONS.items()), indirect=["aws"])
def test_the_demonstration_from_up_to_down(
    kind: str,
    aws: Cloud,
    demo: Demo,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run that `make demo` makes here is made there, and its store comes out the same."""
    monkeypatch.setenv("EARTHDATA_TOKEN", CANARY)
    profile = profile_file(aws, kind, tmp_path, spot=kind == "fargate")
    bucket = f"store-{kind}"
    aws.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    assert CANARY not in call("cluster", "up", profile, "--bucket", bucket)
    assert not aws.started, "nothing runs before a run"

    run = demo.folder / f"run-{kind}.yaml"  # beside the demonstration's own, whose paths are relative
    store = f"s3://{bucket}/products"
    run.write_text(
        yaml.safe_dump(
            yaml.safe_load((demo.folder / "run.yaml").read_text()) | {"store": store, "cluster": str(profile)}
        )
    )
    told = call("run", run)
    assert aws.faults == []
    assert "16 done" in told
    assert "nothing to do: all 16 products exist" in call("run", run)
    assert not aws.running, "the run left something behind"
    scheduler, *workers = (
        next(s for s in aws.started.values() if w in " ".join(s.command))
        for w in ("scheduler", "Nanny" if kind == "ec2" else "worker")
    )
    for started in (scheduler, *workers):
        assert CANARY not in " ".join(started.command)
        assert "PRIVATE KEY" not in " ".join(started.command)
        assert started.environment["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "True"
    assert CANARY not in aws.logs()
    assert "tls://" in workers[0].log.read_text()
    assert "tcp://" not in workers[0].log.read_text()
    fetched = fetch(aws, bucket, tmp_path / "fetched") / "products"
    assert not [path for path in fetched.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert faults(str(fetched), Files()) == []
    assert_same_products(fetched, demo.folder / "store")
    there, here = (open_cube(url, layers="VV", dates="2024-05-13") for url in (store, str(demo.folder / "store")))
    np.testing.assert_array_equal(there["VV"].values, here["VV"].values)

    told = json.loads(call("cluster", "down", profile, "--json"))
    assert told["removed"]
    assert told["left"] == []
    assert tagged(aws) == []
    assert "left: nothing" in call("cluster", "down", profile)


def fetch(made: Cloud, bucket: str, folder: Path) -> Path:
    """A bucket as a folder."""
    client = made.client("s3")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page["Contents"]:
            path = folder / found["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
    return folder


def assert_same_products(one: Path, other: Path) -> None:
    """The same items of the same places, and in every raster the same values."""
    items = {str(p.relative_to(other)) for p in other.rglob("T*.json")}
    assert len(items) == 16
    assert {str(p.relative_to(one)) for p in one.rglob("T*.json")} == items
    for name in items:
        pair = [json.loads((root / name).read_text()) for root in (one, other)]
        assert pair[0]["geometry"] == pair[1]["geometry"]
        assert pair[0]["assets"].keys() == pair[1]["assets"].keys()
        for asset in pair[0]["assets"]:
            paths = [
                (root / name).parent / item["assets"][asset]["href"]
                for root, item in zip((one, other), pair, strict=True)
            ]
            if paths[0].suffix == ".tif":
                with rasterio.open(paths[0]) as first, rasterio.open(paths[1]) as second:
                    assert (first.crs, first.transform, first.dtypes) == (second.crs, second.transform, second.dtypes)
                    np.testing.assert_array_equal(first.read(), second.read())


def tagged(made: Cloud) -> list[str]:
    """Whatever AWS's own index of tags still knows."""
    filters = [{"Key": TAG, "Values": []}]
    found = made.client("resourcegroupstaggingapi").get_resources(TagFilters=filters)["ResourceTagMappingList"]
    return [f["ResourceARN"] for f in found]


def small(made: Cloud, **more: Any) -> Profile:
    network = {"vpc": made.vpc, "subnets": (made.subnet,), "private": True, "image_id": "ami-12c6146b"}
    return Profile(name="small", **{"kind": "fargate", **more, "aws": Aws(**{**network, **more.get("aws", {})})})


def test_the_scheduler_is_closed_to_the_world(aws: Cloud) -> None:
    profile = small(aws, kind="ec2", aws={"client": "203.0.113.4/32"})
    first = up(profile)

    def rules() -> list[tuple[int, list[str], list[str]]]:
        (group,) = aws.client("ec2").describe_security_groups(GroupIds=[first.security_group])["SecurityGroups"]
        return [
            (r["FromPort"], [i["CidrIp"] for i in r["IpRanges"]], [g["GroupId"] for g in r["UserIdGroupPairs"]])
            for r in group["IpPermissions"]
        ]

    assert sorted(rules()) == [(0, [], [first.security_group]), (8786, ["203.0.113.4/32"], [])]
    assert up(small(aws, kind="ec2")).security_group == first.security_group
    assert rules() == [(0, [], [first.security_group])], "a client that the profile no longer names is shut out"
    with pytest.raises(ValueError, match="opens the scheduler to the world"):
        Aws(client="0.0.0.0/0")


def test_up_again_changes_nothing_but_what_was_asked(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = small(aws, pass_environment=("EARTHDATA_TOKEN",))
    with pytest.raises(ClusterError, match="EARTHDATA_TOKEN not set here"):
        up(profile)
    monkeypatch.setenv("EARTHDATA_TOKEN", CANARY)
    up(profile, buckets=["first"])
    before = left(profile)
    up(profile, buckets=["second"])
    definitions = [x for x in left(profile) if x.startswith("task definition")]
    assert [x for x in left(profile) if x not in definitions] == [x for x in before if "task definition" not in x]
    policy = aws.client("iam").get_role_policy(RoleName="sarcube-small-worker", PolicyName="sarcube")["PolicyDocument"]
    written = {str(s["Resource"]) for s in policy["Statement"] if "s3:PutObject" in s["Action"]}
    assert written == {"arn:aws:s3:::first/*", "arn:aws:s3:::second/*"}
    latest = aws.client("ecs").describe_task_definition(taskDefinition="sarcube-small-worker")["taskDefinition"]
    assert CANARY not in json.dumps(latest, default=str)
    scheduler = aws.client("ecs").describe_task_definition(taskDefinition="sarcube-small-scheduler")["taskDefinition"]
    assert "EARTHDATA_TOKEN" not in json.dumps(scheduler, default=str), "a scheduler needs no credentials"


def test_what_belongs_to_others_stays(aws: Cloud) -> None:
    from sarcube.cluster.aws_down import down

    mine, other = small(aws), small(aws).model_copy(update={"name": "small-too"})
    up(mine)
    up(other)
    there = left(other)
    down(mine)
    assert left(mine) == []
    assert left(other) == there
    down(other)
    assert tagged(aws) == []


def test_without_up_the_message_says_how(aws: Cloud) -> None:
    with pytest.raises(ClusterError, match="sarcube cluster up small"), connect(small(aws)):
        pass


def test_a_scheduler_that_nobody_could_reach_is_not_started(aws: Cloud) -> None:
    profile = small(aws, aws={"private": False})
    up(profile)
    with pytest.raises(ClusterError, match="closed to everybody outside"), connect(profile):
        pass
    assert not aws.started


def test_too_small_workers_are_refused_before_anything_starts(aws: Cloud) -> None:
    with pytest.raises(ClusterError, match=r"needs 5\.0 GB"), connect(small(aws, memory=4.0), Demand(3, 5_000_000_000)):
        pass
    assert not aws.started


def test_what_fargate_does_not_sell(aws: Cloud) -> None:
    with pytest.raises(ClusterError, match="at most 8 GB beside 1 vCPU"):
        up(small(aws, memory=9.0))
    with pytest.raises(ClusterError, match="not of 3"):
        up(small(aws, threads=3))


def test_profiles_that_come_with_sarcube_are_valid() -> None:
    for name in ("local", "address", "fargate", "ec2", "slurm", "kubernetes", "gateway"):
        assert find_profile(name).kind == name
    assert find_profile("fargate").spot
