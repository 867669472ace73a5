"""Clusters that are made for a run elsewhere: AWS, a batch queue, Kubernetes, a gateway."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sarcube.cluster.profiles import Profile
from sarcube.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client

    from sarcube.cluster.connect import Demand


@contextlib.contextmanager
def remote_client(profile: Profile, demand: Demand) -> Iterator[Client]:
    """A client of a cluster that is made for the time of the block."""
    raise ClusterError(f"cluster profile {profile.name!r}: kind {profile.kind} is not available here")
    yield
