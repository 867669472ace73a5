"""Making what a cluster in AWS rests on, from the definitions in `cluster/aws`.

dask-cloudprovider would make roles, a security group, a log group and task definitions itself, with wide
permissions, a scheduler open to the world, and most of it left behind. Here they are made once per profile, closed,
tagged, and handed to it by ARN.
"""

from __future__ import annotations

import json
import os
import string
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import yaml

from sarcube.cluster import tls
from sarcube.cluster.aws_found import Resources, fargate_memory, image_id, network, read_secrets, security_group
from sarcube.cluster.aws_session import Session, already, aws_errors, open_session
from sarcube.cluster.environment import cluster_environment
from sarcube.cluster.profiles import Profile, definitions_file
from sarcube.errors import ClusterError
from sarcube.yaml_text import read_yaml

SCHEDULER_PORT = 8786
_POLICY = "sarcube"


def up(profile: Profile, *, buckets: Iterable[str] = ()) -> Resources:
    """Make, or bring up to date, everything that the profile's clusters rest on.

    Parameters
    ----------
    profile : Profile
        Of kind fargate or ec2.
    buckets : iterable of str
        Buckets that workers may write to, beside those of the profile and of earlier calls.

    Raises
    ------
    ClusterError
        AWS refuses, or the profile asks for what AWS does not have.
    """
    session = open_session(profile)
    with aws_errors(f"the resources of cluster {profile.name!r} cannot be made"):
        return _Maker(session, profile).make(tuple(buckets))


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
        }
        path = definitions_file(profile)
        try:
            self.definitions: dict[str, Any] = read_yaml(path)
        except (OSError, yaml.YAMLError) as error:
            raise ClusterError(f"{path} cannot be read: {error}") from error

    def make(self, buckets: tuple[str, ...]) -> Resources:
        """All of it, in the order in which one rests on the other."""
        session, profile = self.session, self.profile
        vpc, subnets = network(session, profile)
        fargate = profile.kind == "fargate"
        memory = fargate_memory(profile.threads or 1, profile.memory) if fargate else 0
        image = "" if fargate else image_id(session, profile.aws.image_id)
        secrets = self._secrets()
        found = Resources(session.name, session.region, vpc, subnets, self._group(vpc), self._log_group())
        worker_role = self._role("worker_role", self._buckets(buckets))
        if not fargate:
            made = {"instance_profile": self._instance_profile(), "image_id": image}
            return Resources(**asdict(found) | made)
        execution_role = self._role("execution_role")
        roles = {"executionRoleArn": execution_role, "taskRoleArn": worker_role}
        scheduler_size = {"cpu": str(profile.aws.scheduler_cpu), "memory": str(profile.aws.scheduler_memory)}
        worker_size = {
            "cpu": str(1024 * (profile.threads or 1)),
            "memory": str(memory),
            "ephemeralStorage": {"sizeInGiB": profile.aws.disk},
        }
        made = {
            "cluster_arn": self._cluster(),
            "scheduler_definition": self._task("scheduler", {**roles, **scheduler_size}, secrets),
            "worker_definition": self._task("worker", {**roles, **worker_size}, secrets),
        }
        return Resources(**asdict(found) | made)

    def _defined(self, section: str, **more: str) -> Any:
        return _filled(self.definitions[section], {**self._fill, **more})

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
        for variable, value in wanted.items():
            if known.get(variable) != value:
                name = f"{self.session.parameters}/{variable}"
                ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
                ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=self.session.tag_list())
        for variable in {*known} - {*wanted, *self.profile.pass_environment}:
            if not variable.startswith(tls.PREFIX):
                ssm.delete_parameter(Name=f"{self.session.parameters}/{variable}")
                del known[variable]
        s = self.session
        return {
            v: f"arn:{s.partition}:ssm:{s.region}:{s.account}:parameter{s.parameters}/{v}"
            for v in sorted({*known, *wanted})
        }

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
        members: dict[str, Any] = {
            "IpProtocol": "tcp",
            "FromPort": 0,
            "ToPort": 65535,
            "UserIdGroupPairs": [{"GroupId": group}],
        }
        self._allow(group, members)
        present = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
        client = self.profile.aws.client
        for rule in present:  # nobody from outside but the client that the profile names now
            outside = [r for r in rule.get("IpRanges", ()) if r["CidrIp"] != client]
            outside6 = [r for r in rule.get("Ipv6Ranges", ()) if r["CidrIpv6"] != client]
            if outside or outside6:
                gone = {k: rule[k] for k in ("IpProtocol", "FromPort", "ToPort") if k in rule}
                gone |= {"IpRanges": outside} if outside else {}
                gone |= {"Ipv6Ranges": outside6} if outside6 else {}
                ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[gone])
        if client:
            key, field = ("Ipv6Ranges", "CidrIpv6") if ":" in client else ("IpRanges", "CidrIp")
            port = {"IpProtocol": "tcp", "FromPort": SCHEDULER_PORT, "ToPort": SCHEDULER_PORT}
            self._allow(group, {**port, key: [{field: client}]})
        return group

    def _allow(self, group: str, rule: Mapping[str, Any]) -> None:
        with already("InvalidPermission.Duplicate"):
            self.session.client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    def _buckets(self, asked: tuple[str, ...]) -> list[str]:
        """Buckets to write to: asked for now, in the profile, or before (the role's policy remembers)."""
        buckets = {*asked, *self.profile.aws.buckets}
        role = self._defined("worker_role")["RoleName"]
        with already("NoSuchEntity"):
            policy = self.session.client("iam").get_role_policy(RoleName=role, PolicyName=_POLICY)["PolicyDocument"]
            for statement in policy["Statement"]:
                if "s3:ListBucket" in statement["Action"]:
                    buckets.add(str(statement["Resource"]).rsplit(":", 1)[1])
        return sorted(buckets)

    def _role(self, section: str, buckets: Iterable[str] = ()) -> str:
        iam, defined = self.session.client("iam"), self._defined(section)
        name = defined["RoleName"]
        trust = {"Effect": "Allow", "Principal": {"Service": defined["principals"]}, "Action": "sts:AssumeRole"}
        statements = list(defined["statements"])
        for bucket in buckets:
            statements += self._defined(section, bucket=bucket)["bucket_statements"]
        with already("EntityAlreadyExists"):
            iam.create_role(
                RoleName=name,
                Description=defined["Description"],
                AssumeRolePolicyDocument=_policy([trust]),
                Tags=self.session.tag_list(),
            )
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=_policy([trust]))
        iam.put_role_policy(RoleName=name, PolicyName=_POLICY, PolicyDocument=_policy(statements))
        return str(iam.get_role(RoleName=name)["Role"]["Arn"])

    def _instance_profile(self) -> str:
        iam = self.session.client("iam")
        name = self._defined("instance_profile")["InstanceProfileName"]
        role = self._defined("worker_role")["RoleName"]
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

    def _task(self, section: str, more: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
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


def _policy(statements: list[Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return string.Template(value).safe_substitute(names)
    if isinstance(value, dict):
        return {k: _filled(v, names) for k, v in value.items()}
    return [_filled(v, names) for v in value] if isinstance(value, list) else value
