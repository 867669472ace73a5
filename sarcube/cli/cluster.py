"""Commands around clusters: what runs in a cloud rests on, made and removed."""

from __future__ import annotations

import typer

from sarcube.cli.output import JSON, echo, echo_json, echo_lines

cluster_app = typer.Typer(
    help="Make and remove what clusters in AWS rest on.\n\nFor profiles of kind fargate and ec2.",
    no_args_is_help=True,
)
_PROFILE = typer.Argument(..., metavar="PROFILE", help="a profile's name, or its file")


@cluster_app.command()
def up(
    profile: str = _PROFILE,
    bucket: list[str] = typer.Option(
        [], "--bucket", "-b", help="a bucket that workers may read and write; repeat for more"
    ),
    read: list[str] = typer.Option([], "--read", "-r", help="a bucket that workers may read; no other is open to them"),
    as_json: bool = JSON,
) -> None:
    """Make roles, a closed security group, a log group, certificates and definitions, all tagged. No machine starts.

    Say it again to bring them up to date with the profile.

    Example: sarcube cluster up fargate --bucket my-bucket
    """
    from dataclasses import asdict

    from sarcube.cluster.aws_found import UNREACHABLE
    from sarcube.cluster.aws_up import up as make
    from sarcube.cluster.profiles import find_profile

    found = find_profile(profile)
    made = make(found, buckets=bucket, read=read)
    if as_json:
        echo_json(asdict(made))
        return
    echo_lines(made.lines())
    if not (found.aws.private or found.aws.client or found.options):
        echo_lines([f"note: {UNREACHABLE}"], err=True)
    echo(f"ready: `cluster: {profile}` in a run file uses it; `sarcube cluster down {profile}` removes it")


@cluster_app.command()
def down(profile: str = _PROFILE, as_json: bool = JSON) -> None:
    """Stop and remove everything that carries the profile's tag, then look whether anything is left.

    Example: sarcube cluster down fargate
    """
    from sarcube.cluster.aws_down import down as remove
    from sarcube.cluster.aws_down import left
    from sarcube.cluster.profiles import find_profile

    found = find_profile(profile)
    gone, remaining = remove(found), left(found)
    if as_json:
        echo_json({"removed": gone, "left": remaining})
        return
    echo_lines(f"removed: {what}" for what in gone)
    echo_lines([f"left: {what}" for what in remaining] or ["left: nothing"])


@cluster_app.command()
def left(profile: str = _PROFILE, as_json: bool = JSON) -> None:
    """List what carries the profile's tag in AWS.

    Example: sarcube cluster left fargate
    """
    from sarcube.cluster.aws_down import left as look
    from sarcube.cluster.profiles import find_profile

    remaining = look(find_profile(profile))
    if as_json:
        echo_json({"left": remaining})
    else:
        echo_lines(remaining or ["nothing"])


@cluster_app.command()
def profiles(as_json: bool = JSON) -> None:
    """List the profiles that `cluster:` can name here.

    Example: sarcube cluster profiles
    """
    from sarcube.cluster.profiles import find_profile, known_profiles

    known = known_profiles()
    if as_json:
        echo_json({name: {"kind": find_profile(name).kind, "file": path} for name, path in known.items()})
    else:
        echo_lines(f"{name:<12}{find_profile(name).kind:<12}{path}" for name, path in known.items())


def register(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    app.add_typer(cluster_app, name="cluster")
