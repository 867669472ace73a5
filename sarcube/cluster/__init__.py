"""From a profile's name to a Dask client: this machine, an existing scheduler, or a cluster made for the run."""

from __future__ import annotations

from sarcube.cluster.connect import Demand, connect
from sarcube.cluster.profiles import Profile, find_profile, known_profiles

__all__ = ["Demand", "Profile", "connect", "find_profile", "known_profiles"]
