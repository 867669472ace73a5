"""Clusters of containers (Fargate) or machines (EC2), made for a run of what `sarcube cluster up` left ready."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import secrets as random_names
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sarcube.cluster import tls
from sarcube.cluster.aws_down import stop_run
from sarcube.cluster.aws_found import UNREACHABLE, Resources, fargate_memory, find
from sarcube.cluster.aws_session import RUN_TAG, Session
from sarcube.cluster.environment import MEMORY, cluster_environment
from sarcube.cluster.profiles import Profile
from sarcube.errors import ClusterError
from sarcube.extras import need

if TYPE_CHECKING:
    from distributed import Security, SpecCluster

log = logging.getLogger(__name__)
_OWN_SHARE = 256_000_000  # bytes of a worker's container that its nanny and the system take
_POLL_S = 1.0
_DEATH_S = 60  # a worker without scheduler ends itself


@contextlib.contextmanager
def aws_cluster(profile: Profile) -> Iterator[SpecCluster]:
    """A cluster object of dask-cloudprovider, without workers yet; nothing runs after the block.

    Raises
    ------
    ClusterError
        Its resources are not there, or the scheduler does not start.
    """
    need("dask_cloudprovider.aws", "aws")
    if not (profile.aws.private or profile.aws.client or profile.options):
        raise ClusterError(f"cluster profile {profile.name!r}: {UNREACHABLE}")
    session, resources, secrets = find(profile)
    run = f"{session.name}-{random_names.token_hex(4)}"
    make = _fargate if profile.kind == "fargate" else _ec2
    with _dask_config_kept(), warnings.catch_warnings():
        # It warns of a scheduler without TLS arguments; ours has its certificates from the environment.
        warnings.filterwarnings("ignore", message=".*scheduler did not have any tls configuration.*")
        warnings.filterwarnings("ignore", message="Creating your cluster is taking a surprisingly long time.*")
        try:
            try:
                cluster = make(profile, session, resources, tls.security(secrets), run)
            except _start_errors() as error:
                raise ClusterError(
                    f"cluster {profile.name!r} does not start: {error}; its log is {resources.log_group} in "
                    f"{session.region}"
                ) from error
            with cluster:
                yield cluster
        finally:
            _last_look(session, run)


def _start_errors() -> tuple[type[Exception], ...]:
    """What a cluster that does not start says: AWS, the network, Dask (RuntimeError), options that it does not know."""
    exceptions = need("botocore.exceptions", "aws")
    return exceptions.BotoCoreError, exceptions.ClientError, OSError, RuntimeError, TypeError, ValueError


def _last_look(session: Session, run: str) -> None:
    try:
        stop_run(session, run)
    except ClusterError as error:
        log.warning("%s; `sarcube cluster down %s` removes it", error, session.name)


@contextlib.contextmanager
def _dask_config_kept() -> Iterator[None]:
    """EC2Cluster writes its security into Dask's global configuration and leaves it there."""
    import dask

    before = copy.deepcopy(dask.config.config)
    try:
        yield
    finally:
        # Never empty in between: threads of Dask that are still ending read it.
        dask.config.config.update(before)
        for key in {*dask.config.config} - {*before}:
            del dask.config.config[key]


def _fargate(profile: Profile, session: Session, found: Resources, security: Security, run: str) -> SpecCluster:
    base = _with_own_containers()
    threads = profile.threads or 1
    size = fargate_memory(threads, profile.memory)
    memory = size * 2**20 - _OWN_SHARE
    options: dict[str, object] = {
        "cluster_arn": found.cluster_arn,
        "scheduler_task_definition_arn": found.scheduler_definition,
        "worker_task_definition_arn": found.worker_definition,
        # Not used, as the definitions are made already; without them it would make its own.
        "execution_role_arn": "none",
        "task_role_arn": "none",
        "cloudwatch_logs_group": found.log_group,
        "vpc": found.vpc,
        "subnets": list(found.subnets),
        "security_groups": [found.security_group],
        "fargate_use_private_ip": profile.aws.private,
        "fargate_spot": profile.spot,
        "region_name": found.region,
        "scheduler_timeout": profile.aws.idle,
        "worker_cpu": 1024 * threads,
        "worker_mem": size,
        "worker_nthreads": 1,
        # Its own limit is cut to whole GB (0 below 1024 MB): the last one given holds.
        "worker_extra_args": ["--memory-limit", str(memory), "--resources", f"{MEMORY}={memory}"],
        "environment": {},
        "tags": {**session.tags, RUN_TAG: run},
        "skip_cleanup": True,  # it would remove what other clusters rest on
        "n_workers": 0,
        "name": run,
        "security": security,
    }
    return _timely(base, profile.aws.start_s)(**{**options, **profile.options})


def _ec2(profile: Profile, session: Session, found: Resources, security: Security, run: str) -> SpecCluster:
    from dask.utils import parse_timedelta

    tags = {**session.tags, RUN_TAG: run}
    memory = int((profile.memory or 1.0) * 1e9)
    logs = f"--log-opt awslogs-region={found.region} --log-opt awslogs-group={found.log_group}"
    options: dict[str, object] = {
        "region": found.region,
        "vpc": found.vpc,
        "subnet_id": found.subnets[0],
        "security_groups": [found.security_group],
        "ami": found.image_id,
        "bootstrap": False,
        "instance_type": None,
        "scheduler_instance_type": profile.aws.scheduler_instance,
        "worker_instance_type": profile.aws.instance,
        "filesystem_size": profile.aws.disk,
        "iam_instance_profile": {"Arn": found.instance_profile},
        "docker_image": profile.image,
        "docker_args": f"--ulimit nofile=65535:65535 --log-driver=awslogs {logs}",
        "env_vars": cluster_environment(profile) | {"AWS_DEFAULT_REGION": found.region},
        "instance_tags": tags,
        "volume_tags": tags,
        "use_private_ip": profile.aws.private,
        "spot": profile.spot,
        "scheduler_options": {"idle_timeout": f"{parse_timedelta(profile.aws.idle):.0f}s"},
        "worker_options": {
            "nthreads": 1,
            "memory_limit": memory,
            "resources": {MEMORY: memory},
            "death_timeout": _DEATH_S,
        },
        "n_workers": 0,
        "security": security,
    }
    cluster = _with_own_machines(session.parameters, found.scheduler_profile)
    return _timely(cluster, profile.aws.start_s)(**{**options, **profile.options})


def _with_own_containers() -> type[SpecCluster]:
    """FargateCluster whose containers start today's Dask, and that asks how they are at a bearable pace."""
    from dask_cloudprovider.aws import ecs
    from distributed import SpecCluster

    class Container:
        task_type: str
        _overrides: dict[str, list[str]]

        def _todays_command(self) -> None:
            # It calls dask-scheduler and dask-worker, which distributed no longer has.
            self._overrides["command"] = ["dask", self.task_type, *self._overrides["command"][1:]]

        async def _update_task(self) -> None:
            await asyncio.sleep(_POLL_S)  # it asks without a pause until AWS throttles it
            await super()._update_task()  # type: ignore[misc]

    class Scheduler(Container, ecs.Scheduler):  # type: ignore[misc]
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self._todays_command()

    class Worker(Container, ecs.Worker):  # type: ignore[misc]
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self._todays_command()

    class Own(SpecCluster):
        async def _start(self) -> None:
            # FargateCluster has said by now what it would start; this comes before it does.
            self.scheduler_spec["cls"], self.new_spec["cls"] = Scheduler, Worker
            await super()._start()  # type: ignore[no-untyped-call]

    class Cluster(ecs.FargateCluster, Own):  # type: ignore[misc]
        pass

    return Cluster


def _with_own_machines(parameters: str, scheduler_profile: str) -> type[SpecCluster]:
    """EC2Cluster whose machines fetch their secrets themselves, and talk to each other by private addresses.

    The scheduler's has a role of its own, which reads the certificates alone.
    """
    from dask_cloudprovider.aws import ec2

    class Machine:
        command: str
        set_env: str
        instance: dict[str, str]
        use_private_ip: bool

        def _fetch_secrets(self, path: str) -> None:
            # In place of Dask's whole configuration, keys and all, which would stand in the user data.
            node = f"python -m sarcube.cluster.node {path} --"
            self.command = self.command.replace(self.set_env, node)

        async def configure_vm(self, client: object) -> tuple[str, str | None]:
            await super().configure_vm(client)  # type: ignore[misc]
            # It gives workers the public address of the scheduler, which the security group keeps closed to them.
            public = None if self.use_private_ip else self.instance["PublicIpAddress"]
            return self.instance["PrivateIpAddress"], public

    class Scheduler(Machine, ec2.EC2Scheduler):  # type: ignore[misc]
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **{**kwargs, "iam_instance_profile": {"Arn": scheduler_profile}})
            self._fetch_secrets(f"{parameters}/tls")

    class Worker(Machine, ec2.EC2Worker):  # type: ignore[misc]
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self._fetch_secrets(parameters)

    class Cluster(ec2.EC2Cluster):  # type: ignore[misc]
        async def _start(self) -> None:
            self.scheduler_class, self.worker_class = Scheduler, Worker
            await super()._start()

    return Cluster


def _timely(base: type[SpecCluster], seconds: float) -> type[SpecCluster]:
    """The same cluster, whose start ends in time: it would wait for ever for a scheduler that cannot come."""

    class Timely(base):  # type: ignore[misc, valid-type]
        async def _start(self) -> None:
            try:
                await asyncio.wait_for(super()._start(), seconds)
            except TimeoutError:
                raise RuntimeError(f"the scheduler did not answer within {seconds:.0f} s") from None

    return Timely
