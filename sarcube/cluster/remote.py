"""Clusters that are made for a run elsewhere: AWS, a batch queue, Kubernetes, a gateway."""

from __future__ import annotations

import contextlib
import logging
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sarcube.cluster.environment import MEMORY, cluster_environment, kernel_environment
from sarcube.cluster.profiles import Profile
from sarcube.cluster.tls import security_files
from sarcube.errors import ClusterError
from sarcube.extras import need

if TYPE_CHECKING:
    from distributed import Client

    from sarcube.cluster.connect import Demand

log = logging.getLogger(__name__)
# Dask replaces a machine whose worker is gone for that long; a nanny there may be quicker, but not within Dask's 15 s.
_LOST = {"distributed.deploy.lost-worker-timeout": "60s"}
_ADAPT = {"interval": "5s", "wait_count": 12}  # a worker goes after a minute without work


class Scalable(Protocol):
    """What is asked of a cluster of whichever library: Dask's own, its gateway's or its operator's."""

    @property
    def adapt(self) -> Callable[..., object]: ...


@contextlib.contextmanager
def remote_client(profile: Profile, demand: Demand) -> Iterator[Client]:
    """A client of a cluster that is made for the time of the block and has at least one worker.

    Raises
    ------
    ClusterError
        The workers of the profile are too small for the work, or the cluster does not come.
    """
    if profile.memory and demand.memory > profile.memory * 1e9:
        raise ClusterError(
            f"the largest task needs {demand.memory / 1e9:.1f} GB, workers of cluster profile {profile.name!r} have "
            f"{profile.memory:g} GB: raise `memory` in the profile"
        )
    if profile.pass_environment and profile.kind in ("kubernetes", "gateway"):
        raise ClusterError(
            f"cluster profile {profile.name!r}: pass_environment would write values into pods for all to read; give "
            "workers a Kubernetes secret or a service account"
        )
    import dask

    with dask.config.set(_LOST), _OPENERS[profile.kind](profile) as cluster:
        import distributed

        with distributed.Client(cluster, set_as_default=False) as client:
            _scale(cluster, profile, demand)
            _await_worker(client, profile)
            yield client


def _scale(cluster: Scalable, profile: Profile, demand: Demand) -> None:
    """Between the bounds as the work asks for; never more workers than tasks, and one for a start."""
    most = profile.workers or max(profile.maximum, profile.minimum)
    most = max(1, min(most, demand.tasks or most))
    least = most if profile.workers else min(max(1, profile.minimum), most)
    options = {} if profile.kind in ("gateway", "kubernetes") else _ADAPT  # these two scale on their own side
    # Also a fixed number: workers that are taken away (spot) come again.
    cluster.adapt(minimum=least, maximum=most, **options)


def _await_worker(client: Client, profile: Profile) -> None:
    try:
        client.wait_for_workers(1, timeout=profile.aws.start_s)
    except TimeoutError as error:
        raise ClusterError(
            f"cluster profile {profile.name!r}: no worker within {profile.aws.start_s:.0f} s; look at the log of the "
            "workers, their image and their quota"
        ) from error


@contextlib.contextmanager
def _aws(profile: Profile) -> Iterator[Scalable]:
    from sarcube.cluster.aws_clusters import aws_cluster

    with aws_cluster(profile) as cluster:
        yield cluster


@contextlib.contextmanager
def _queue(profile: Profile) -> Iterator[Scalable]:
    """Jobs of Slurm, or of another queue that dask-jobqueue knows."""
    jobqueue = need("dask_jobqueue", "hpc")
    memory = int((profile.memory or 4.0) * 1e9)
    options = dict(profile.options)
    name = options.pop("class", "SLURMCluster")
    # Batch queues hand the variables of the shell on by themselves: secrets need not stand in the job script.
    environment = cluster_environment(profile)
    exports = [f"export {key}={value}" for key, value in sorted(environment.items())]
    with tempfile.TemporaryDirectory(prefix=".sarcube-cluster-", dir=Path.home()) as folder:
        own: dict[str, object] = {
            "cores": profile.threads or 1,
            "processes": 1,
            "memory": f"{memory}B",
            "nanny": True,
            "protocol": "tls://",
            # Certificates go by files; only the user may enter the folder, and it goes with the run.
            "security": security_files(Path(folder)),
            "job_script_prologue": [*options.pop("job_script_prologue", []), *exports],
            "worker_extra_args": ["--nthreads", "1", "--resources", f"{MEMORY}={memory}"],
            "scheduler_options": {"dashboard_address": "127.0.0.1:0", **options.pop("scheduler_options", {})},
        }
        try:
            make = getattr(jobqueue, name)
            cluster = make(**{**own, **options})
        except (AttributeError, OSError, RuntimeError, TypeError, ValueError) as error:
            raise ClusterError(f"cluster profile {profile.name!r}: {name} does not start: {error}") from error
        with cluster:
            yield cluster


@contextlib.contextmanager
def _kubernetes(profile: Profile) -> Iterator[Scalable]:
    """Pods, through the Dask operator."""
    operator = need("dask_kubernetes.operator", "kubernetes")
    memory = int((profile.memory or 4.0) * 1e9)
    threads = profile.threads or 1
    # dask-kubernetes writes tcp:// into its pods and speaks so with its schedulers itself.
    log.warning(
        "cluster profile %r: the Dask operator knows no TLS; whoever reaches its pods can run code as the workers: "
        "give them a namespace with a NetworkPolicy of its own",
        profile.name,
    )
    own: dict[str, object] = {
        "name": f"sarcube-{profile.name}-{secrets.token_hex(3)}",  # a name that is there would be shared
        "image": profile.image,
        "n_workers": 0,
        "env": cluster_environment(profile, encrypted=False),
        "resources": {"requests": {"cpu": str(threads), "memory": str(memory)}, "limits": {"memory": str(memory)}},
        "worker_command": ["dask", "worker", "--nthreads", "1", "--resources", f"{MEMORY}={memory}"],
    }
    try:
        cluster = operator.KubeCluster(**{**own, **profile.options})
    except Exception as error:
        # Broad, for what kr8s and httpx raise (no configuration, no permission, no server, a pod that does not start)
        # has no class in common, nor have they with what the operator raises. Nothing runs yet; the cause is kept.
        raise ClusterError(f"cluster profile {profile.name!r}: Kubernetes does not start it: {error}") from error
    with cluster:
        yield cluster


@contextlib.contextmanager
def _gateway(profile: Profile) -> Iterator[Scalable]:
    """A cluster of a Dask Gateway."""
    if not profile.address:
        raise ClusterError(f"cluster profile {profile.name!r} needs the address of the gateway")
    module = need("dask_gateway", "kubernetes")
    options = dict(profile.options)
    cluster_options = {"environment": kernel_environment(profile), **options.pop("cluster_options", {})}
    try:
        gateway = module.Gateway(address=profile.address, **options)
        known = gateway.cluster_options()
        chosen = {k: v for k, v in cluster_options.items() if k != "environment" or k in known}
        cluster = gateway.new_cluster(shutdown_on_close=True, **chosen)
    except Exception as error:
        # Broad, for what the gateway refuses, what its server says and what aiohttp meets on the way there have no
        # class in common. Nothing runs yet; the cause is kept.
        raise ClusterError(f"cluster profile {profile.name!r}: {profile.address} gives no cluster: {error}") from error
    with gateway, cluster:
        yield cluster


_OPENERS = {"fargate": _aws, "ec2": _aws, "slurm": _queue, "kubernetes": _kubernetes, "gateway": _gateway}
