"""Fargate and EC2 from `up` to `down` against a simulated AWS whose containers are real local processes."""

from __future__ import annotations

import json
import os
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


def namesakes(aws: Cloud) -> dict[str, Any]:
    """Makers of what has a name that `up` would use, and is somebody else's; and what it looks like afterwards."""
    iam, ssm, logs, ecs, ec2 = (aws.client(s) for s in ("iam", "ssm", "logs", "ecs", "ec2"))
    anything = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})

    def role(name: str) -> Any:
        def make() -> None:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=anything)
            iam.put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=anything)

        def look() -> Any:
            return iam.get_role(RoleName=name)["Role"], iam.list_role_policies(RoleName=name)["PolicyNames"]

        def remove() -> None:
            iam.delete_role_policy(RoleName=name, PolicyName="theirs")
            iam.delete_role(RoleName=name)

        return make, look, remove

    def parameter() -> Any:
        name = "/sarcube/taken/THEIRS"
        make = lambda: ssm.put_parameter(Name=name, Value="theirs", Type="String")  # noqa: E731
        return make, lambda: ssm.get_parameter(Name=name)["Parameter"], lambda: ssm.delete_parameter(Name=name)

    def group() -> Any:
        def look() -> Any:
            named = [{"Name": "group-name", "Values": ["sarcube-taken"]}, {"Name": "vpc-id", "Values": [aws.vpc]}]
            return ec2.describe_security_groups(Filters=named)["SecurityGroups"]

        def make() -> None:
            ec2.create_security_group(GroupName="sarcube-taken", Description="x", VpcId=aws.vpc)

        return make, look, lambda: ec2.delete_security_group(GroupId=look()[0]["GroupId"])

    def log_group() -> Any:
        def look() -> Any:
            return logs.describe_log_groups(logGroupNamePrefix="/sarcube/taken")["logGroups"]

        name = "/sarcube/taken"
        return lambda: logs.create_log_group(logGroupName=name), look, lambda: logs.delete_log_group(logGroupName=name)

    def containers() -> Any:
        def look() -> Any:
            return ecs.describe_clusters(clusters=["sarcube-taken"], include=["TAGS"])["clusters"]

        name = "sarcube-taken"
        return lambda: ecs.create_cluster(clusterName=name), look, lambda: ecs.delete_cluster(cluster=name)

    def definition() -> Any:
        family = "sarcube-taken-worker"
        container = {"name": "x", "image": "x", "memory": 100}

        def look() -> Any:
            return ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]

        def remove() -> None:
            for arn in look():
                ecs.deregister_task_definition(taskDefinition=arn)
                ecs.delete_task_definitions(taskDefinitions=[arn])

        return lambda: ecs.register_task_definition(family=family, containerDefinitions=[container]), look, remove

    return {
        "role sarcube-taken-worker": role("sarcube-taken-worker"),
        "role sarcube-taken-scheduler-execution": role("sarcube-taken-scheduler-execution"),
        "parameter /sarcube/taken/THEIRS": parameter(),
        "security group sarcube-taken": group(),
        "log group /sarcube/taken": log_group(),
        "ECS cluster sarcube-taken": containers(),
        "task definition sarcube-taken-worker": definition(),
    }


@pytest.mark.parametrize(
    "what",
    [
        "role sarcube-taken-worker",
        "role sarcube-taken-scheduler-execution",
        "parameter /sarcube/taken/THEIRS",
        "security group sarcube-taken",
        "log group /sarcube/taken",
        "ECS cluster sarcube-taken",
        "task definition sarcube-taken-worker",
    ],
)
def test_a_namesake_without_the_tag_is_refused_and_stays_as_it_is(what: str, aws: Cloud) -> None:
    from sarcube.cluster.aws_down import down

    mine = small(aws).model_copy(update={"name": "taken"})
    make, look, remove = namesakes(aws)[what]
    make()
    try:
        before = look()
        with pytest.raises(ClusterError, match=rf"{what}.* without the tag"):
            up(mine)
        assert look() == before
        assert left(mine) == [], "what is refused has changed nothing"
        assert down(mine) == []
        assert look() == before
    finally:
        remove()


def test_up_again_undoes_what_others_have_opened(aws: Cloud) -> None:
    from sarcube.cluster.aws_down import down

    profile = small(aws, kind="ec2", aws={"client": "203.0.113.4/32"})
    group = up(profile).security_group
    ec2, iam = aws.client("ec2"), aws.client("iam")
    (before,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    other = ec2.create_security_group(GroupName="other", Description="x", VpcId=aws.vpc)["GroupId"]
    tcp = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    for rule in (
        {**tcp, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
        {**tcp, "IpRanges": [{"CidrIp": "203.0.113.4/32"}]},  # the client's address, at another port
        {**tcp, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
        {**tcp, "UserIdGroupPairs": [{"GroupId": other}]},
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": other}]},
    ):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="sarcube-small-worker", PolicyName="more", PolicyDocument=json.dumps(anything))
    up(profile)
    (after,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert sorted(map(str, after["IpPermissions"])) == sorted(map(str, before["IpPermissions"]))
    assert iam.list_role_policies(RoleName="sarcube-small-worker")["PolicyNames"] == ["sarcube"]
    down(profile)
    assert left(profile) == []
    (theirs,) = ec2.describe_security_groups(GroupIds=[other])["SecurityGroups"]
    assert theirs["GroupName"] == "other"


def statements(aws: Cloud, role: str) -> list[Any]:
    client = aws.client("iam")
    policy = client.get_role_policy(RoleName=f"sarcube-small-{role}", PolicyName="sarcube")["PolicyDocument"]
    return list(policy["Statement"])


def test_each_role_may_do_what_its_work_needs(aws: Cloud) -> None:
    from sarcube.cluster.aws_down import down

    down(small(aws))
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/sarcube:0.2"
    up(small(aws, image=image), buckets=["store"], read=["scenes"])
    up(small(aws, image=image), read=["dem"])
    worker = statements(aws, "worker")
    readable = {str(s["Resource"]) for s in worker if "s3:GetObject" in s["Action"]}
    assert readable == {f"arn:aws:s3:::{bucket}/*" for bucket in ("store", "scenes", "dem")}
    assert {str(s["Resource"]) for s in worker if "s3:PutObject" in s["Action"]} == {"arn:aws:s3:::store/*"}
    scheduler = statements(aws, "scheduler")
    assert not [s for s in scheduler if any(a.startswith("s3:") for a in s["Action"])]
    start = statements(aws, "scheduler-execution")
    for part in (scheduler, start):
        secrets = [str(s["Resource"]) for s in part if any(a.startswith("ssm:") for a in s["Action"])]
        assert [r.rsplit(":", 1)[1].removesuffix("/*") for r in secrets] == ["parameter/sarcube/small/tls"]
    for role in ("execution", "scheduler-execution"):
        images = {a: s["Resource"] for s in statements(aws, role) for a in s["Action"] if a.startswith("ecr:")}
        assert images.pop("ecr:GetAuthorizationToken") == "*"
        assert set(images.values()) == {"arn:aws:ecr:eu-west-1:123456789012:repository/team/sarcube"}
    definitions = {
        role: aws.client("ecs").describe_task_definition(taskDefinition=f"sarcube-small-{role}")["taskDefinition"]
        for role in ("scheduler", "worker")
    }
    assert definitions["scheduler"]["taskRoleArn"].endswith(":role/sarcube-small-scheduler")
    assert definitions["worker"]["taskRoleArn"].endswith(":role/sarcube-small-worker")


def _secrets_here() -> list[str]:
    return sorted(name for name in os.environ if name.startswith(("DASK_DISTRIBUTED__COMM__TLS__", "EARTHDATA")))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("aws", ["eu-north-1"], indirect=True)
def test_a_scheduler_on_a_machine_of_its_own_fetches_certificates_alone(
    aws: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", CANARY)
    wanted = {"kind": "ec2", "memory": 3.0, "workers": 1, "pass_environment": ("EARTHDATA_TOKEN",)}
    profile = small(aws, **wanted, aws={"start_s": 200})
    up(profile)
    with connect(profile, Demand(tasks=1)) as client:
        assert "EARTHDATA_TOKEN" in client.submit(_secrets_here).result(200)
        of_scheduler = client.run_on_scheduler(_secrets_here)
    assert len(of_scheduler) == 7 and "EARTHDATA_TOKEN" not in of_scheduler
    assert aws.faults == []


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
