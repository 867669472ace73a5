"""Making what a cluster in AWS rests on, from the definitions in `cluster/aws`.

dask-cloudprovider would make roles, a security group, a log group and task definitions itself, with wide
permissions, a scheduler open to the world, and most of it left behind. Here they are made once per profile, closed,
tagged, and handed to it by ARN.
"""

from __future__ import annotations

import json
import os
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

import yaml

from sarcube.cluster import tls
from sarcube.cluster.aws_found import (
    Resources,
    fargate_memory,
    image_id,
    network,
    parameter_name,
    read_secrets,
    security_group,
)
from sarcube.cluster.aws_session import Session, already, aws_errors, open_session, pages
from sarcube.cluster.environment import cluster_environment
from sarcube.cluster.profiles import Profile, definitions_file
from sarcube.errors import ClusterError
from sarcube.jsons import JsonObject
from sarcube.yaml_text import read_yaml

SCHEDULER_PORT = 8786
_POLICY = "sarcube"


def up(profile: Profile, *, buckets: Iterable[str] = (), read: Iterable[str] = ()) -> Resources:
    """Make, or bring up to date, everything that the profile's clusters rest on.

    Parameters
    ----------
    profile : Profile
        Of kind fargate or ec2.
    buckets : iterable of str
        Buckets that workers may read and write, beside those of the profile and of earlier calls.
    read : iterable of str
        Buckets that workers may only read, likewise. No other bucket can be read.

    Raises
    ------
    ClusterError
        AWS refuses, the profile asks for what AWS does not have, or something of that name is not sarcube's.
    """
    session = open_session(profile)
    with aws_errors(f"the resources of cluster {profile.name!r} cannot be made"):
        return _Maker(session, profile).make(tuple(buckets), tuple(read))


class _Maker:
    """Makes one thing after another; whatever is there already is brought up to date."""

    def __init__(self, session: Session, profile: Profile) -> None:
        self.session, self.profile = session, profile
        self._fill = {
            "name": session.name,
            "region": session.region,
            "account": session.account,
            "partition": session.partition,
            "idle": profile.aws.idle,
            "repository": _repository(profile.image) or "",
        }
        path = definitions_file(profile)
        try:
            found = read_yaml(path)
        except (OSError, yaml.YAMLError) as error:
            raise ClusterError(f"{path} cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise ClusterError(f"{path} must hold keys and values, as the file that sarcube comes with")
        self.definitions: JsonObject = found

    def make(self, buckets: tuple[str, ...], read: tuple[str, ...]) -> Resources:
        """All of it, in the order in which one rests on the other."""
        session, profile = self.session, self.profile
        vpc, subnets = network(session, profile)
        fargate = profile.kind == "fargate"
        memory = fargate_memory(profile.threads or 1, profile.memory) if fargate else 0
        image = "" if fargate else image_id(session, profile.aws.image_id)
        self._refuse_namesakes(vpc)  # all of them first: what is refused has changed nothing
        secrets = self._secrets()
        found = Resources(session.name, session.region, vpc, subnets, self._group(vpc), self._log_group())
        worker_role = self._role("worker_role", self._bucket_statements(buckets, read))
        scheduler_role = self._role("scheduler_role")
        if not fargate:
            made = {
                "instance_profile": self._instance_profile("instance_profile", "worker_role"),
                "scheduler_profile": self._instance_profile("scheduler_instance_profile", "scheduler_role"),
                "image_id": image,
            }
            return Resources(**asdict(found) | made)
        worker_roles = {"executionRoleArn": self._role("execution_role"), "taskRoleArn": worker_role}
        roles = {"executionRoleArn": self._role("scheduler_execution_role"), "taskRoleArn": scheduler_role}
        scheduler_size = {"cpu": str(profile.aws.scheduler_cpu), "memory": str(profile.aws.scheduler_memory)}
        worker_size = {
            "cpu": str(1024 * (profile.threads or 1)),
            "memory": str(memory),
            "ephemeralStorage": {"sizeInGiB": profile.aws.disk},
        }
        made = {
            "cluster_arn": self._cluster(),
            "scheduler_definition": self._task("scheduler", {**roles, **scheduler_size}, secrets),
            "worker_definition": self._task("worker", {**worker_roles, **worker_size}, secrets),
        }
        return Resources(**asdict(found) | made)

    def _refuse_namesakes(self, vpc: str) -> None:
        """Whatever has a name that is to be used must bear the cluster's tag."""
        s, fargate = self.session, self.profile.kind == "fargate"
        iam = s.client("iam")
        roles = ["worker_role", "scheduler_role", *(("execution_role", "scheduler_execution_role") if fargate else ())]
        for section in roles:
            name = self._defined(section)["RoleName"]
            with already("NoSuchEntity"):
                if not s.bears_tag(iam.get_role(RoleName=name)["Role"].get("Tags")):
                    raise s.not_ours(f"role {name}")
        for section in () if fargate else ("instance_profile", "scheduler_instance_profile"):
            name = self._defined(section)["InstanceProfileName"]
            with already("NoSuchEntity"):
                found = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
                if not s.bears_tag(found.get("Tags")):
                    raise s.not_ours(f"instance profile {name}")
        name = self._defined("log_group")["logGroupName"]
        logs = s.client("logs")
        for group in pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=name):
            arn = group["arn"].removesuffix(":*")
            if group["logGroupName"] == name and not s.bears_tag(logs.list_tags_for_resource(resourceArn=arn)["tags"]):
                raise s.not_ours(f"log group {name}")
        name = self._defined("security_group")["GroupName"]
        named = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [vpc]}]
        for found in s.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"]:
            if not s.bears_tag(found.get("Tags")):
                raise s.not_ours(f"security group {name} ({found['GroupId']})")
        if fargate:
            self._refuse_containers()

    def _refuse_containers(self) -> None:
        s = self.session
        ecs = s.client("ecs")
        name = self._defined("cluster")["clusterName"]
        for found in ecs.describe_clusters(clusters=[name], include=["TAGS"])["clusters"]:
            if found["status"] != "INACTIVE" and not s.bears_tag(found.get("tags")):
                raise s.not_ours(f"ECS cluster {name}")
        for section in ("scheduler", "worker"):
            family = self._defined(section)["family"]
            with already("ClientException", "InvalidParameterException"):
                latest = ecs.describe_task_definition(taskDefinition=family, include=["TAGS"])
                if not s.bears_tag(latest.get("tags")):
                    raise s.not_ours(f"task definition {family}")

    def _defined(self, section: str, **more: str) -> JsonObject:
        names = {**self._fill, **more}
        return {key: _filled(value, names) for key, value in self.definitions[section].items()}

    def _secrets(self) -> dict[str, str]:
        """Write what is secret into encrypted parameters; returns the ARN of each by variable."""
        ssm = self.session.client("ssm")
        known = read_secrets(self.session)
        wanted = {name: os.environ[name] for name in self.profile.pass_environment if os.environ.get(name)}
        if lacking := sorted({*self.profile.pass_environment} - {*wanted, *known}):
            raise ClusterError(
                f"pass_environment: {', '.join(lacking)} not set here; set it, or take it out of the profile"
            )
        if tls.expires_soon(known):
            wanted |= tls.make_certificate()
        s = self.session
        for variable, value in wanted.items():
            if variable not in known:  # with its tags, so that it is never there without
                ssm.put_parameter(Name=parameter_name(s, variable), Value=value, Type="SecureString", Tags=s.tag_list())
            elif known[variable] != value:
                ssm.put_parameter(Name=parameter_name(s, variable), Value=value, Type="SecureString", Overwrite=True)
        kept = {*wanted, *self.profile.pass_environment, *(v for v in known if v.startswith(tls.PREFIX))}
        names = {parameter_name(s, variable) for variable in kept}
        for found in pages(ssm, "describe_parameters", "Parameters", ParameterFilters=s.tag_filter):
            if found["Name"] not in names:
                ssm.delete_parameter(Name=found["Name"])
        start = f"arn:{s.partition}:ssm:{s.region}:{s.account}:parameter"
        return {v: start + parameter_name(s, v) for v in sorted({*known, *wanted} & kept)}

    def _log_group(self) -> str:
        logs, defined = self.session.client("logs"), self._defined("log_group")
        name = str(defined["logGroupName"])
        with already("ResourceAlreadyExistsException"):
            logs.create_log_group(logGroupName=name, tags=self.session.tags)
        logs.put_retention_policy(logGroupName=name, retentionInDays=defined["retentionInDays"])
        return name

    def _group(self, vpc: str) -> str:
        ec2 = self.session.client("ec2")
        group = security_group(self.session, vpc)
        if group is None:
            tags = [{"ResourceType": "security-group", "Tags": self.session.tag_list()}]
            group = str(
                ec2.create_security_group(**self._defined("security_group"), VpcId=vpc, TagSpecifications=tags)[
                    "GroupId"
                ]
            )
        wanted = [{"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": group}]}]
        if client := self.profile.aws.client:
            key, field = ("Ipv6Ranges", "CidrIpv6") if ":" in client else ("IpRanges", "CidrIp")
            port = {"IpProtocol": "tcp", "FromPort": SCHEDULER_PORT, "ToPort": SCHEDULER_PORT}
            wanted.append({**port, key: [{field: client}]})
        # Nobody else comes in, whoever let them: other addresses and ports, other groups, lists of prefixes.
        present = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
        there = [rule for permission in present for rule in _single_rules(permission)]
        if gone := [rule for rule in there if rule not in wanted]:
            ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=gone)
        for rule in wanted:
            if rule not in there:
                self._allow(group, rule)
        return group

    def _allow(self, group: str, rule: JsonObject) -> None:
        with already("InvalidPermission.Duplicate"):
            self.session.client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    def _bucket_statements(self, asked: tuple[str, ...], read: tuple[str, ...]) -> list[JsonObject]:
        """For buckets asked for now, in the profile, or before (the role's policy remembers)."""
        written, only_read = {*asked, *self.profile.aws.buckets}, {*read, *self.profile.aws.read}
        role = self._defined("worker_role")["RoleName"]
        with already("NoSuchEntity"):
            policy = self.session.client("iam").get_role_policy(RoleName=role, PolicyName=_POLICY)["PolicyDocument"]
            for statement in policy["Statement"]:
                bucket = str(statement["Resource"]).rpartition(":::")[2].removesuffix("/*")
                if "s3:PutObject" in statement["Action"]:
                    written.add(bucket)
                elif "s3:GetObject" in statement["Action"] and bucket != "*":
                    only_read.add(bucket)
        statements = []
        for bucket in sorted(written):
            statements += self._defined("worker_role", bucket=bucket)["bucket_statements"]
        for bucket in sorted(only_read - written):
            statements += self._defined("worker_role", bucket=bucket)["read_statements"]
        return statements

    def _role(self, section: str, more: Iterable[JsonObject] = ()) -> str:
        iam, defined = self.session.client("iam"), self._defined(section)
        name = defined["RoleName"]
        trust = {"Effect": "Allow", "Principal": {"Service": defined["principals"]}, "Action": "sts:AssumeRole"}
        statements = [*defined["statements"], *more]
        if self._fill["repository"]:
            statements += defined.get("image_statements", ())
        with already("EntityAlreadyExists"):
            iam.create_role(
                RoleName=name,
                Description=defined["Description"],
                AssumeRolePolicyDocument=_policy([trust]),
                Tags=self.session.tag_list(),
            )
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=_policy([trust]))
        iam.put_role_policy(RoleName=name, PolicyName=_POLICY, PolicyDocument=_policy(statements))
        # The definitions say all that it may do.
        for policy in pages(iam, "list_role_policies", "PolicyNames", RoleName=name):
            if policy != _POLICY:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
        for attached in pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name):
            iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
        return str(iam.get_role(RoleName=name)["Role"]["Arn"])

    def _instance_profile(self, section: str, of_role: str) -> str:
        iam = self.session.client("iam")
        name = self._defined(section)["InstanceProfileName"]
        role = self._defined(of_role)["RoleName"]
        with already("EntityAlreadyExists"):
            iam.create_instance_profile(InstanceProfileName=name, Tags=self.session.tag_list())
        found = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        if role not in [r["RoleName"] for r in found["Roles"]]:
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
        return str(found["Arn"])

    def _cluster(self) -> str:
        made = self.session.client("ecs").create_cluster(
            **self._defined("cluster"), tags=self.session.tag_list(upper=False)
        )
        return str(made["cluster"]["clusterArn"])

    def _task(self, section: str, more: JsonObject, secrets: Mapping[str, str]) -> str:
        defined = self._defined(section)
        (container,) = defined["containerDefinitions"]
        container["image"] = self.profile.image
        container |= {"cpu": int(more["cpu"]), "memory": int(more["memory"])}
        environment = cluster_environment(self.profile) | {"AWS_DEFAULT_REGION": self.session.region}
        container["environment"] = [{"name": k, "value": v} for k, v in sorted(environment.items())]
        # A scheduler needs its certificate, but none of the credentials that tasks use.
        names = [s for s in secrets if section == "worker" or s.startswith(tls.PREFIX)]
        container["secrets"] = [{"name": s, "valueFrom": secrets[s]} for s in names]
        made = self.session.client("ecs").register_task_definition(
            **defined, **more, tags=self.session.tag_list(upper=False)
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])


def _repository(image: str) -> str | None:
    """ARN of the repository of an image in ECR; None for other registries."""
    match = re.fullmatch(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)(?:[:@].*)?", image)
    if match is None:
        return None
    account, region, name = match.groups()
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
    return f"arn:{partition}:ecr:{region}:{account}:repository/{name}"


def _single_rules(permission: JsonObject) -> Iterator[JsonObject]:
    """A permission of a security group as rules of one origin each, without descriptions."""
    base: JsonObject = {k: permission[k] for k in ("IpProtocol", "FromPort", "ToPort") if k in permission}
    fields = {
        "IpRanges": "CidrIp",
        "Ipv6Ranges": "CidrIpv6",
        "PrefixListIds": "PrefixListId",
        "UserIdGroupPairs": "GroupId",
    }
    for key, field in fields.items():
        for origin in permission.get(key, ()):
            yield {**base, key: [{field: origin[field]}]}


def _policy(statements: list[JsonObject]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _filled(value: object, names: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return string.Template(value).safe_substitute(names)
    if isinstance(value, dict):
        return {k: _filled(v, names) for k, v in value.items()}
    return [_filled(v, names) for v in value] if isinstance(value, list) else value
