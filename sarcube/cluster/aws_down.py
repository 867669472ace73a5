"""Removing a cluster from AWS by its tag, and looking whether anything is left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from sarcube.cluster.aws_session import (
    RUN_TAG,
    TAG,
    AwsClient,
    Session,
    already,
    aws_errors,
    code_of,
    open_session,
    pages,
)
from sarcube.cluster.profiles import Profile
from sarcube.errors import ClusterError
from sarcube.extras import need
from sarcube.jsons import JsonObject

_WAIT_S = 300.0
_POLL_S = 3.0
_DEAD = ("terminated", "shutting-down")
_BATCH = 10  # AWS takes so many names in one call


def down(profile: Profile) -> list[str]:
    """Remove everything that carries the profile's tag: what runs, then what it rested on.

    Returns
    -------
    list of str
        What was removed.

    Raises
    ------
    ClusterError
        AWS refuses, or something is still there afterwards.
    """
    session = open_session(profile)
    with aws_errors(f"cluster {profile.name!r} cannot be removed"):
        gone = [*_stop_tasks(session), *_terminate(session)]
        gone += [*_task_definitions(session), *_clusters(session), *_parameters(session), *_roles(session)]
        gone += [*_log_groups(session), *_security_groups(session)]
        remaining = _left(session)
    if remaining:
        raise ClusterError(
            f"still there of cluster {profile.name!r}: {', '.join(remaining)}; wait a minute and run "
            f"`sarcube cluster down {profile.name}` again, or remove it by hand"
        )
    return gone


def left(profile: Profile) -> list[str]:
    """What there is in AWS with the profile's tag; an empty list is the proof that nothing is."""
    session = open_session(profile)
    with aws_errors(f"what is left of cluster {profile.name!r} cannot be listed"):
        return _left(session)


def stop_run(session: Session, run: str) -> None:
    """End what one run may have left behind: a start that failed half-way, a close that was cut short."""
    with aws_errors("what the run started cannot be stopped"):
        _stop_tasks(session, run)
        _terminate(session, run, wait=False)


def _left(session: Session) -> list[str]:
    groups = session.client("ec2").describe_security_groups(Filters=session.filters)["SecurityGroups"]
    return [
        *(f"task {arn}" for _, arns in _running(session) for arn in arns),
        *(f"machine {i}" for i in _instances(session)),
        *(f"volume {v['VolumeId']}" for v in _volumes(session)),
        *(f"task definition {arn}" for arn in _definition_arns(session)),
        *(f"ECS cluster {arn}" for arn in _cluster_arns(session)),
        *(f"parameter {name}" for name in _parameter_names(session)),
        *(f"instance profile {name}" for name in _named(session, "instance_profile")),
        *(f"role {name}" for name in _named(session, "role")),
        *(f"log group {name}" for name in _log_group_names(session)),
        *(f"security group {g['GroupId']}" for g in groups),
    ]


# --- what runs


def _running(session: Session, run: str | None = None) -> list[tuple[str, list[str]]]:
    ecs = session.client("ecs")
    found = []
    for cluster in _cluster_arns(session):
        arns: list[str] = []
        for status in ("RUNNING", "PENDING"):
            arns += pages(ecs, "list_tasks", "taskArns", cluster=cluster, desiredStatus=status)
        arns = list(dict.fromkeys(arns))
        if run is not None:
            kept = []
            for i in range(0, len(arns), 100):
                tasks = ecs.describe_tasks(cluster=cluster, tasks=arns[i : i + 100], include=["TAGS"])["tasks"]
                mine = {"key": RUN_TAG, "value": run}
                kept += [t["taskArn"] for t in tasks if mine in t.get("tags", ())]
            arns = kept
        found.append((cluster, arns))
    return found


def _stop_tasks(session: Session, run: str | None = None) -> list[str]:
    ecs = session.client("ecs")
    running = _running(session, run)
    for cluster, arns in running:
        for arn in arns:
            ecs.stop_task(cluster=cluster, task=arn, reason="sarcube cluster down" if run is None else "run ended")
    if run is None:
        _wait(lambda: not any(arns for _, arns in _running(session)))
        for cluster, _ in running:
            _untag(ecs, pages(ecs, "list_tasks", "taskArns", cluster=cluster, desiredStatus="STOPPED"))
    return [f"task {arn}" for _, arns in running for arn in arns]


def _untag(ecs: AwsClient, arns: list[str]) -> None:
    """What has ended stays in listings for a while, with its tags: only what exists is to be found by them."""
    exceptions = need("botocore.exceptions", "aws")
    for arn in arns:
        with contextlib.suppress(exceptions.ClientError):  # gone for good already, which is as well
            ecs.untag_resource(resourceArn=arn, tagKeys=[TAG, RUN_TAG])


def _instances(session: Session, run: str | None = None, *, dead: bool = False) -> list[str]:
    filters = [*session.filters, *([{"Name": f"tag:{RUN_TAG}", "Values": [run]}] if run else [])]
    reservations = pages(session.client("ec2"), "describe_instances", "Reservations", Filters=filters)
    instances = [i for r in reservations for i in r["Instances"]]
    return [i["InstanceId"] for i in instances if dead or i["State"]["Name"] not in _DEAD]


def _volumes(session: Session) -> list[JsonObject]:
    return [
        v
        for v in pages(session.client("ec2"), "describe_volumes", "Volumes", Filters=session.filters)
        if v["State"] not in ("deleting", "deleted")
    ]


def _terminate(session: Session, run: str | None = None, *, wait: bool = True) -> list[str]:
    ec2 = session.client("ec2")
    ids = _instances(session, run)
    if ids:
        ec2.terminate_instances(InstanceIds=ids)
    if not wait:
        return [f"machine {i}" for i in ids]
    _wait(lambda: not _instances(session))
    if remains := _instances(session, dead=True):  # which stay in listings for an hour, with their tags
        ec2.delete_tags(Resources=remains, Tags=[{"Key": TAG}, {"Key": RUN_TAG}])
    for volume in _volumes(session):
        if volume["State"] == "available":
            with already("InvalidVolume.NotFound"):
                ec2.delete_volume(VolumeId=volume["VolumeId"])
    _wait(lambda: not _volumes(session))
    return [f"machine {i}" for i in ids]


def _wait(done: Callable[[], bool]) -> None:
    deadline, pause = time.monotonic() + _WAIT_S, 0.2
    while not done() and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(1.5 * pause, _POLL_S)


# --- what it rests on


def _definition_arns(session: Session) -> list[str]:
    ecs = session.client("ecs")
    found = []
    for status in ("ACTIVE", "INACTIVE"):
        for role in ("scheduler", "worker"):
            prefix = f"sarcube-{session.name}-{role}"
            arns = pages(ecs, "list_task_definitions", "taskDefinitionArns", familyPrefix=prefix, status=status)
            for arn in arns:
                described = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
                if session.bears_tag(described.get("tags")):
                    found.append(arn)
    return found


def _task_definitions(session: Session) -> list[str]:
    ecs = session.client("ecs")
    arns = _definition_arns(session)
    for arn in arns:
        with already("ClientException", "InvalidParameterException"):  # deregistered before
            ecs.deregister_task_definition(taskDefinition=arn)
    for i in range(0, len(arns), _BATCH):
        ecs.delete_task_definitions(taskDefinitions=arns[i : i + _BATCH])
    return [f"task definition {arn}" for arn in arns]


def _cluster_arns(session: Session) -> list[str]:
    ecs = session.client("ecs")
    arns = pages(ecs, "list_clusters", "clusterArns")
    found = []
    for i in range(0, len(arns), 100):
        clusters = ecs.describe_clusters(clusters=arns[i : i + 100], include=["TAGS"])["clusters"]
        found += [c["clusterArn"] for c in clusters if c["status"] != "INACTIVE" and session.bears_tag(c.get("tags"))]
    return found


def _clusters(session: Session) -> list[str]:
    arns = _cluster_arns(session)
    for arn in arns:
        session.client("ecs").delete_cluster(cluster=arn)
    _untag(session.client("ecs"), arns)
    return [f"ECS cluster {arn}" for arn in arns]


def _parameter_names(session: Session) -> list[str]:
    found = pages(session.client("ssm"), "describe_parameters", "Parameters", ParameterFilters=session.tag_filter)
    return [p["Name"] for p in found]


def _parameters(session: Session) -> list[str]:
    names = _parameter_names(session)
    for i in range(0, len(names), _BATCH):
        session.client("ssm").delete_parameters(Names=names[i : i + _BATCH])
    return [f"parameter {name}" for name in names]


def _named(session: Session, what: str) -> list[str]:
    """Roles or instance profiles: `up` gives them names, the tag says that they are its."""
    iam = session.client("iam")
    names = {
        "role": [
            f"sarcube-{session.name}-{role}" for role in ("execution", "scheduler-execution", "scheduler", "worker")
        ],
        "instance_profile": [f"sarcube-{session.name}", f"sarcube-{session.name}-scheduler"],
    }[what]
    argument, key = {"role": ("RoleName", "Role"), "instance_profile": ("InstanceProfileName", "InstanceProfile")}[what]
    found = []
    for name in names:
        with already("NoSuchEntity"):
            described = getattr(iam, f"get_{what}")(**{argument: name})[key]
            if session.bears_tag(described.get("Tags")):
                found.append(name)
    return found


def _roles(session: Session) -> list[str]:
    iam = session.client("iam")
    gone = []
    for name in _named(session, "instance_profile"):
        for role in iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
        iam.delete_instance_profile(InstanceProfileName=name)
        gone.append(f"instance profile {name}")
    for name in _named(session, "role"):
        for policy in pages(iam, "list_role_policies", "PolicyNames", RoleName=name):
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        for attached in pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name):
            iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
        iam.delete_role(RoleName=name)
        gone.append(f"role {name}")
    return gone


def _log_group_names(session: Session) -> list[str]:
    logs = session.client("logs")
    groups = pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=f"/sarcube/{session.name}")
    found = []
    for group in groups:
        arn = group["arn"].removesuffix(":*")
        if session.bears_tag(logs.list_tags_for_resource(resourceArn=arn)["tags"]):
            found.append(group["logGroupName"])
    return found


def _log_groups(session: Session) -> list[str]:
    names = _log_group_names(session)
    for name in names:
        session.client("logs").delete_log_group(logGroupName=name)
    return [f"log group {name}" for name in names]


def _security_groups(session: Session) -> list[str]:
    ec2 = session.client("ec2")
    exceptions = need("botocore.exceptions", "aws")
    gone = []
    for group in ec2.describe_security_groups(Filters=session.filters)["SecurityGroups"]:
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                ec2.delete_security_group(GroupId=group["GroupId"])
                break
            except exceptions.ClientError as error:
                # Network interfaces of tasks that ended hold it for a while.
                if code_of(error) != "DependencyViolation" or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_S)
        gone.append(f"security group {group['GroupId']}")
    return gone
