"""What a cluster in AWS rests on: what there is of it, found by name and tag, and what AWS offers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sarcube.cluster import tls
from sarcube.cluster.aws_session import Session, aws_errors, code_of, open_session, pages
from sarcube.cluster.profiles import Profile
from sarcube.errors import ClusterError
from sarcube.extras import need

_LONGEST_RUN_DAYS = 7
UNREACHABLE = (
    "the scheduler is closed to everybody outside: say in the profile from which address you come "
    "(`aws: {client: 203.0.113.4/32}`), or that you are in its VPC (`aws: {private: true}`), and run "
    "`sarcube cluster up` again"
)
# Fargate: vCPUs of a task to the GB that may go with them: smallest, largest, step.
_FARGATE_GB = {1: (2, 8, 1), 2: (4, 16, 1), 4: (8, 30, 1), 8: (16, 60, 4), 16: (32, 120, 8)}


@dataclass(frozen=True)
class Resources:
    """What a run's cluster is started with.

    Attributes
    ----------
    name, region, vpc : str
    subnets : tuple of str
    security_group, log_group : str
    cluster_arn, scheduler_definition, worker_definition : str
        Fargate only.
    instance_profile, scheduler_profile, image_id : str
        EC2 only.
    """

    name: str
    region: str
    vpc: str
    subnets: tuple[str, ...]
    security_group: str
    log_group: str
    cluster_arn: str = ""
    scheduler_definition: str = ""
    worker_definition: str = ""
    instance_profile: str = ""
    scheduler_profile: str = ""
    image_id: str = ""

    def lines(self) -> list[str]:
        """What there is, for a terminal."""
        return [
            f"{k.replace('_', ' ')}: {', '.join(v) if isinstance(v, tuple) else v}"
            for k, v in asdict(self).items()
            if v
        ]


def find(profile: Profile) -> tuple[Session, Resources, dict[str, str]]:
    """What `up` made, and the secrets of the cluster (certificates, and variables for workers).

    Raises
    ------
    ClusterError
        It is not there; the message says how to make it.
    """
    session = open_session(profile)
    with aws_errors(f"the resources of cluster {profile.name!r} cannot be looked up"):
        secrets = read_secrets(session)
        if tls.expires_soon(secrets, _LONGEST_RUN_DAYS):
            raise _missing(profile)
        vpc, subnets = network(session, profile)
        group = security_group(session, vpc)
        if group is None:
            raise _missing(profile)
        found = Resources(session.name, session.region, vpc, subnets, group, f"/sarcube/{session.name}")
        if profile.kind == "fargate":
            return session, _find_fargate(session, profile, found), secrets
        image = image_id(session, profile.aws.image_id)
        made = {
            "instance_profile": _find_instance_profile(session, profile, ""),
            "scheduler_profile": _find_instance_profile(session, profile, "-scheduler"),
            "image_id": image,
        }
        return session, Resources(**asdict(found) | made), secrets


def _missing(profile: Profile) -> ClusterError:
    return ClusterError(
        f"AWS has not what cluster {profile.name!r} rests on, or its certificate runs out; make it with "
        f"`sarcube cluster up {profile.name}`"
    )


def _find_fargate(session: Session, profile: Profile, found: Resources) -> Resources:
    ecs = session.client("ecs")
    exceptions = need("botocore.exceptions", "aws")
    active = ecs.describe_clusters(clusters=[f"sarcube-{session.name}"])["clusters"]
    arns = [c["clusterArn"] for c in active if c["status"] == "ACTIVE"]
    try:
        scheduler, worker = (
            ecs.describe_task_definition(taskDefinition=f"sarcube-{session.name}-{role}")["taskDefinition"]
            for role in ("scheduler", "worker")
        )
    except exceptions.ClientError as error:
        if code_of(error) not in ("ClientException", "InvalidParameterException"):
            raise
        raise _missing(profile) from error
    if not arns:
        raise _missing(profile)
    made = {
        "cluster_arn": arns[0],
        "scheduler_definition": scheduler["taskDefinitionArn"],
        "worker_definition": worker["taskDefinitionArn"],
    }
    return Resources(**asdict(found) | made)


def _find_instance_profile(session: Session, profile: Profile, role: str) -> str:
    exceptions = need("botocore.exceptions", "aws")
    try:
        found = session.client("iam").get_instance_profile(InstanceProfileName=f"sarcube-{session.name}{role}")
    except exceptions.ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        raise _missing(profile) from error
    return str(found["InstanceProfile"]["Arn"])


def parameter_name(session: Session, variable: str) -> str:
    """Where a variable's value lies: certificates in a folder of their own, the only one that a scheduler may read."""
    return (
        f"{session.parameters}/tls/{variable}"
        if variable.startswith(tls.PREFIX)
        else f"{session.parameters}/{variable}"
    )


def read_secrets(session: Session) -> dict[str, str]:
    """The encrypted parameters of the cluster, by variable.

    Raises
    ------
    ClusterError
        One of them does not bear the cluster's tag: it is somebody else's.
    """
    ssm = session.client("ssm")
    tagged = {p["Name"] for p in pages(ssm, "describe_parameters", "Parameters", ParameterFilters=session.tag_filter)}
    found = pages(
        ssm, "get_parameters_by_path", "Parameters", Path=session.parameters, Recursive=True, WithDecryption=True
    )
    if foreign := sorted(p["Name"] for p in found if p["Name"] not in tagged):
        raise session.not_ours(f"parameter {foreign[0]}")
    variables = {p["Name"].rsplit("/", 1)[1]: p for p in found}
    return {name: p["Value"] for name, p in variables.items() if p["Name"] == parameter_name(session, name)}


def network(session: Session, profile: Profile) -> tuple[str, tuple[str, ...]]:
    """VPC and subnets: those of the profile, or the default ones."""
    ec2 = session.client("ec2")
    vpc = profile.aws.vpc
    if vpc is None:
        default = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        if not default:
            raise ClusterError(
                f"{session.region} has no default VPC; name one: `aws: {{vpc: vpc-..., subnets: [...]}}`"
            )
        vpc = default[0]["VpcId"]
    subnets = profile.aws.subnets or tuple(
        sorted(
            s["SubnetId"]
            for s in pages(ec2, "describe_subnets", "Subnets", Filters=[{"Name": "vpc-id", "Values": [vpc]}])
        )
    )
    if not subnets:
        raise ClusterError(f"VPC {vpc} has no subnet; name another one in the profile")
    return str(vpc), tuple(subnets)


def security_group(session: Session, vpc: str) -> str | None:
    """The group that `up` made in this VPC."""
    filters = [*session.filters, {"Name": "vpc-id", "Values": [vpc]}]
    found = session.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return str(found[0]["GroupId"]) if found else None


def image_id(session: Session, wanted: str) -> str:
    """An AMI: named, or the newest one by a public parameter."""
    if not wanted.startswith("/"):
        return wanted
    exceptions = need("botocore.exceptions", "aws")
    try:
        return str(session.client("ssm").get_parameter(Name=wanted)["Parameter"]["Value"])
    except exceptions.ClientError as error:
        raise ClusterError(
            f"{session.region} has no image {wanted}: {error}; name an AMI: `aws: {{image_id: ...}}`"
        ) from error


def fargate_memory(threads: int, memory: float | None) -> int:
    """MB of a Fargate task with so many vCPUs, at least what is asked for.

    Raises
    ------
    ClusterError
        Fargate does not sell that.
    """
    if threads not in _FARGATE_GB:
        raise ClusterError(f"Fargate has workers of {', '.join(map(str, _FARGATE_GB))} vCPUs, not of {threads}")
    low, high, step = _FARGATE_GB[threads]
    sizes = range(low, high + 1, step)
    size = next((s for s in sizes if s >= (memory or low)), None)
    if size is None:
        raise ClusterError(f"Fargate has at most {high} GB beside {threads} vCPU, not {memory:g}; ask for more threads")
    return size * 1024
