"""`sarcube scene`: one scene, with the options that operators of the AWS pipeline know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from sarcube.cli.output import JSON, echo


def _names(name: str) -> tuple[str, str]:
    """The option as the AWS pipeline spells it, and with dashes."""
    return f"--{name.replace('_', '-')}", f"--{name}"


def scene(
    scene: str = typer.Option(..., "--scene", help="scene (SLC product) name"),
    burst_id_list: list[str] = typer.Option(
        [], *_names("burst_id_list"), help="burst IDs, one or more, or a .txt file; none: all of the scene"
    ),
    more_bursts: list[str] = typer.Argument(None, metavar="[BURST_ID]...", help="further burst IDs"),
    resolution: int = typer.Option(20, "--resolution", help="pixel size, metres"),
    output_crs: str = typer.Option(
        "",
        *_names("output_crs"),
        help="EPSG code like 3031; empty: UTM of the burst, polar beyond 75 degrees",
    ),
    dem: str = typer.Option("cop_glo30", "--dem", help="cop_glo30 (see also --dem-path)"),
    product: str = typer.Option("RTC_S1", "--product", help="RTC_S1 or RTC_S1_STATIC"),
    s3_bucket: str = typer.Option("deant-data-public-dev", *_names("s3_bucket"), help="bucket of the store"),
    s3_project_folder: str = typer.Option("experimental", *_names("s3_project_folder"), help="its prefix"),
    collection: str = typer.Option("s1_rtc_c1", "--collection", help="collection of the product"),
    link_static_layers: bool = typer.Option(
        False, *_names("link_static_layers"), help="link existing static layers, refuse bursts without them"
    ),
    linked_static_layers_s3_bucket: str = typer.Option(
        "deant-data-public-dev", *_names("linked_static_layers_s3_bucket"), help="bucket of static layers"
    ),
    linked_static_layers_s3_project_folder: str = typer.Option(
        "experimental", *_names("linked_static_layers_s3_project_folder"), help="its prefix"
    ),
    linked_static_layers_collection: str = typer.Option(
        "s1_rtc_static_c1", *_names("linked_static_layers_collection"), help="collection of static layers"
    ),
    source: str = typer.Option(None, "--source", help="folder or address that holds the SAFE; none: ASF"),
    orbits: Path = typer.Option(None, "--orbits", help="folder of orbit files; none: AWS open data"),
    dem_path: str = typer.Option(None, "--dem-path", help="a DEM of your own"),
    dem_heights: str = typer.Option(
        "ellipsoid", "--dem-heights", help="heights of --dem-path: ellipsoid, egm2008 or egm96"
    ),
    geoid: str = typer.Option(
        None,
        "--geoid",
        help="geoid grid, for heights above a geoid; none: SARCUBE_GEOID, else EGM2008 over the network",
    ),
    store: str = typer.Option(None, "--store", help="folder or S3 prefix instead of --s3-bucket/--s3-project-folder"),
    static_store: str = typer.Option(None, "--static-store", help="where static layers live, if elsewhere"),
    engine: str = typer.Option("native", "--engine", help="native or isce3"),
    cluster: str = typer.Option("local", "--cluster", help="profile name or tcp://scheduler"),
    remake: bool = typer.Option(False, "--make-existing-products", help="make again what exists"),
    as_json: bool = JSON,
) -> None:
    """Make the products of one scene, some or all of its bursts.

    Takes the options of Geoscience Australia's AWS pipeline (underscores or dashes) and puts files where it does.
    Bursts fail one by one; what exists is skipped. Exit codes: 0 done, 1 some failed, 2 an option is wrong,
    100 all products exist, 101 static layers missing, 102 a download timed out.

    Example: sarcube scene --scene S1A_IW_SLC__1SSH_20220101T124744_20220101T124814_041267_04E7A2_1DAD
    --burst_id_list t070_149815_iw3 --output_crs 3031 --s3_bucket my-bucket --s3_project_folder nrb
    """
    from sarcube.cli.runs import Saying, carry_out
    from sarcube.errors import DownloadTimeoutError
    from sarcube.production.run.scene import (
        EXIT_DOWNLOAD_TIMED_OUT,
        SceneOptions,
        absent_bursts,
        scene_config,
        scene_exit_code,
    )

    options = SceneOptions(
        scene=scene,
        burst_id_list=(*burst_id_list, *(more_bursts or ())),
        resolution=resolution,
        output_crs=output_crs,
        dem=dem,
        product=product,
        s3_bucket=s3_bucket,
        s3_project_folder=s3_project_folder,
        collection=collection,
        link_static_layers=link_static_layers,
        linked_static_layers_s3_bucket=linked_static_layers_s3_bucket,
        linked_static_layers_s3_project_folder=linked_static_layers_s3_project_folder,
        linked_static_layers_collection=linked_static_layers_collection,
        source=source,
        orbits=orbits,
        dem_path=dem_path,
        dem_heights=dem_heights,
        geoid=geoid,
        store=store,
        static_store=static_store,
        engine=engine,
        cluster=cluster,
    )
    try:
        plan, outcome = carry_out(scene_config(options), Saying(as_json), remake=remake)
    except DownloadTimeoutError as error:  # while looking for the scene
        echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_DOWNLOAD_TIMED_OUT) from error
    if absent := absent_bursts(plan):
        there = ", ".join(place.place for place in plan.places)
        for burst_id in absent:
            echo(f"error: the scene has no burst {burst_id}; of those asked for it has {there}", err=True)
    raise typer.Exit(scene_exit_code(plan, outcome))


class _Scene(TyperCommand):
    """The scene command, which takes the flags of the AWS pipeline with a value, too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [word for arg in args for word in _flag(arg)])


def _flag(arg: str) -> list[str]:
    """`--link_static_layers=false` as no word, `=true` as the flag alone; other words as they are.

    Raises
    ------
    ConfigError
        The value is neither.
    """
    from sarcube.errors import ConfigError

    name, mark, value = arg.partition("=")
    if not mark or name not in (*_names("link_static_layers"), "--make-existing-products", "--json"):
        return [arg]
    if value.strip().lower() in ("true", "1", "yes", "on"):
        return [name]
    if value.strip().lower() in ("false", "0", "no", "off", ""):
        return []
    raise ConfigError(f"{name} is true or false, not {value!r}")


def register(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command(cls=_Scene)(scene)
