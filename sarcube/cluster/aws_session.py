"""One way to AWS for all that makes, finds and removes clusters: region, names, tags, errors."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from sarcube.cluster.profiles import Profile
from sarcube.errors import ClusterError
from sarcube.extras import need
from sarcube.jsons import JsonObject

TAG = "sarcube-cluster"
RUN_TAG = "sarcube-run"
AwsClient: TypeAlias = Any  # botocore makes clients from AWS's descriptions while it runs: they have no types
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


class AwsError(Protocol):
    """What is read of botocore's ClientError."""

    response: JsonObject


@dataclass
class Session:
    """Where a profile's cluster lives in AWS.

    Attributes
    ----------
    name : str
        Of the profile; part of every resource's name, and the value of its tag.
    region : str
    account, partition : str
    """

    name: str
    region: str
    account: str = ""
    partition: str = "aws"
    _clients: dict[str, AwsClient] = field(default_factory=dict)

    def client(self, service: str) -> AwsClient:
        """A client of one AWS service."""
        if service not in self._clients:
            session = _botocore()
            config = need("botocore.config", "aws").Config(retries={"max_attempts": 8, "mode": "standard"})
            self._clients[service] = session.create_client(service, region_name=self.region, config=config)
        return self._clients[service]

    @property
    def tags(self) -> dict[str, str]:
        """What everything of this cluster is tagged with."""
        return {TAG: self.name}

    def tag_list(self, *, upper: bool = True) -> list[dict[str, str]]:
        """The tags as AWS's interfaces want them."""
        key, value = ("Key", "Value") if upper else ("key", "value")
        return [{key: k, value: v} for k, v in self.tags.items()]

    @property
    def parameters(self) -> str:
        """Path of the encrypted parameters: certificates, and the variables that workers need."""
        return f"/sarcube/{self.name}"

    @property
    def tag_filter(self) -> list[dict[str, object]]:
        """The parameter store's way to ask for what carries the tag."""
        return [{"Key": f"tag:{TAG}", "Values": [self.name]}]

    def bears_tag(self, tags: Mapping[str, str] | Iterable[Mapping[str, str]] | None) -> bool:
        """Whether tags, in any of AWS's forms, say that something is this cluster's."""
        if isinstance(tags, Mapping):
            return bool(tags.get(TAG) == self.name)
        pairs = ((t.get("Key", t.get("key")), t.get("Value", t.get("value"))) for t in tags or ())
        return any(pair == (TAG, self.name) for pair in pairs)

    def not_ours(self, what: str) -> ClusterError:
        """The error about a namesake: what does not bear the tag is neither used nor changed."""
        return ClusterError(
            f"{what} is there already without the tag {TAG}={self.name}, so it is not sarcube's and stays as it is; "
            "give the profile another name, or remove it"
        )

    @property
    def filters(self) -> list[dict[str, object]]:
        """EC2's way to ask for what carries the tag."""
        return [{"Name": f"tag:{TAG}", "Values": [self.name]}]


@functools.cache
def _descriptions() -> object:
    return need("botocore.loaders", "aws").create_loader()


def _botocore() -> AwsClient:
    """A fresh session, which sees today's credentials, on descriptions of AWS that are read once: they are large."""
    session = need("botocore.session", "aws").get_session()
    session.register_component("data_loader", _descriptions())
    return session


@contextlib.contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Turn what AWS and its client library say into a ClusterError.

    Raises
    ------
    ClusterError
    """
    exceptions = need("botocore.exceptions", "aws")
    try:
        yield
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        raise ClusterError(
            f"{doing}: {error}; look at your AWS credentials, region and permissions (aws sts get-caller-identity)"
        ) from error


def open_session(profile: Profile) -> Session:
    """The session of a profile of kind fargate or ec2.

    Raises
    ------
    ClusterError
        Another kind of profile, a name that AWS would not take, no region, or no valid credentials.
    """
    if profile.kind not in ("fargate", "ec2"):
        raise ClusterError(
            f"cluster profile {profile.name!r} is of kind {profile.kind}: only fargate and ec2 have resources in AWS"
        )
    if not _NAME.fullmatch(profile.name):
        raise ClusterError(
            f"cluster profile {profile.name!r}: names of resources are made of it; use small letters, digits and "
            "hyphens, at most 31, a letter first"
        )
    base = _botocore()
    region = profile.aws.region or base.get_config_variable("region") or os.environ.get("AWS_REGION")
    if not region:
        raise ClusterError("no AWS region: set AWS_REGION, or `aws: {region: ...}` in the profile")
    session = Session(profile.name, region)
    with aws_errors("AWS does not tell who you are"):
        identity = session.client("sts").get_caller_identity()
    session.account, session.partition = identity["Account"], identity["Arn"].split(":")[1]
    return session


def code_of(error: AwsError) -> str:
    """The code of an AWS ClientError."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def already(*codes: str) -> Iterator[None]:
    """Ignore that something is there already, or is gone already."""
    exceptions = need("botocore.exceptions", "aws")
    try:
        yield
    except exceptions.ClientError as error:
        if code_of(error) not in codes:
            raise


def pages(client: AwsClient, operation: str, key: str, **arguments: object) -> list[Any]:
    """Everything that a listing has, page by page."""
    found: list[Any] = []
    for page in client.get_paginator(operation).paginate(**arguments):
        found.extend(page.get(key, ()))
    return found
