"""One scene with the options of the existing AWS pipeline of Geoscience Australia."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sarcube.config import RunConfig
from sarcube.errors import ConfigError, DownloadTimeoutError, MissingProductError
from sarcube.production.plan.value import Plan
from sarcube.production.run.outcome import Outcome
from sarcube.sensors.sentinel1.burst_id import BurstId
from sarcube.terrain.geoid import EGM2008

EXIT_DONE = 0
EXIT_SOME_FAILED = 1
EXIT_NOTHING_TO_DO = 100
EXIT_STATIC_MISSING = 101
EXIT_DOWNLOAD_TIMED_OUT = 102


@dataclass(frozen=True)
class SceneOptions:
    """The thirteen options of the AWS pipeline, with its defaults, then what sarcube adds.

    `store`, `static_store`, `source`, `orbits` and `dem_path` replace the S3 addresses and the provider by
    folders or addresses of one's own.
    """

    scene: str
    burst_id_list: tuple[str, ...] = ()
    resolution: int = 20
    output_crs: str = ""
    dem: str = "cop_glo30"
    product: str = "RTC_S1"
    s3_bucket: str = "deant-data-public-dev"
    s3_project_folder: str = "experimental"
    collection: str = "s1_rtc_c1"
    link_static_layers: bool = False
    linked_static_layers_s3_bucket: str = "deant-data-public-dev"
    linked_static_layers_s3_project_folder: str = "experimental"
    linked_static_layers_collection: str = "s1_rtc_static_c1"

    source: str | None = None
    orbits: Path | None = None
    dem_path: str | None = None
    dem_heights: str = "ellipsoid"
    geoid: str | None = None
    store: str | None = None
    static_store: str | None = None
    engine: str = "native"
    cluster: str = "local"


def burst_ids(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Burst IDs given one by one, in one text with spaces, or in a .txt file.

    Raises
    ------
    ConfigError
        The file cannot be read or names none, or something is no burst ID.
    """
    found: list[str] = []
    for entry in entries:
        if entry.endswith(".txt"):
            try:
                text = Path(entry).read_text()
            except OSError as error:
                raise ConfigError(f"--burst_id_list {entry} cannot be read: {error.strerror}") from error
        else:
            text = entry
        named = text.replace(",", " ").split()
        if not named and entry.endswith(".txt"):
            raise ConfigError(
                f"--burst_id_list {entry!r} names no burst; give burst IDs, or leave the option out for all"
            )
        found.extend(str(BurstId.parse(name)) for name in named)
    return tuple(dict.fromkeys(found))


def scene_config(options: SceneOptions) -> RunConfig:
    """The run configuration that does what the options ask.

    Raises
    ------
    ConfigError
        A value is not allowed.
    """
    if options.dem != "cop_glo30":
        raise ConfigError(f"--dem knows cop_glo30 only, not {options.dem!r}; for another DEM use --dem-path")
    if options.product not in ("RTC_S1", "RTC_S1_STATIC"):
        raise ConfigError(f"--product is RTC_S1 or RTC_S1_STATIC, not {options.product!r}")
    if options.output_crs and not options.output_crs.isdigit():
        raise ConfigError(f"--output_crs is an EPSG integer like 3031, not {options.output_crs!r}")
    static = options.product == "RTC_S1_STATIC"
    collections = {
        "RTC_S1": options.collection,
        "RTC_S1_STATIC": options.collection if static else options.linked_static_layers_collection,
    }
    source: dict[str, object] = {"kind": "local", "path": options.source} if options.source else {"kind": "asf"}
    source["scenes"] = (options.scene.removesuffix(".SAFE").removesuffix(".zip"),)
    if options.burst_id_list:
        source["burst_ids"] = burst_ids(options.burst_id_list)
    orbits: dict[str, object] = {"path": options.orbits}
    if not options.source:
        orbits["kind"] = "aws"
    dem: dict[str, object] = (
        {"path": options.dem_path, "heights": options.dem_heights} if options.dem_path else {"kind": options.dem}
    )
    dem["geoid"] = options.geoid or (None if options.dem_path else os.environ.get("SARCUBE_GEOID") or EGM2008)
    raw: dict[str, object] = {
        "source": source,
        "orbits": orbits,
        "dem": dem,
        "grid": {
            "resolution": options.resolution,
            "crs": int(options.output_crs) if options.output_crs else "auto",
        },
        "store": options.store or f"s3://{options.s3_bucket}/{options.s3_project_folder}",
        "static_store": _static_store(options),
        "collections": collections,
        "cluster": options.cluster,
        "rtc": {
            "engine": options.engine,
            "product": options.product,
            "link_static_layers": options.link_static_layers and not static,
        },
    }
    return RunConfig.from_dict(raw, base=Path.cwd(), origin="sarcube scene")


def _static_store(options: SceneOptions) -> str | None:
    if options.static_store or not options.link_static_layers:
        return options.static_store
    bucket, folder = options.linked_static_layers_s3_bucket, options.linked_static_layers_s3_project_folder
    return f"s3://{bucket}/{folder}"


def absent_bursts(plan: Plan) -> tuple[str, ...]:
    """Burst IDs that were asked for and that the scene does not have."""
    found = {place.place for place in plan.places}
    return tuple(burst_id for burst_id in plan.config.source.burst_ids or () if burst_id not in found)


def scene_exit_code(plan: Plan, outcome: Outcome | None) -> int:
    """The exit code that operators of the AWS pipeline expect."""
    if outcome is None:
        return EXIT_DONE
    errors = {problem.error for problem in outcome.problems} | {failure.error for failure in outcome.failed}
    if MissingProductError.__name__ in errors:
        return EXIT_STATIC_MISSING
    if DownloadTimeoutError.__name__ in errors:
        return EXIT_DOWNLOAD_TIMED_OUT
    if not outcome.ok or absent_bursts(plan):
        return EXIT_SOME_FAILED
    return EXIT_DONE if plan.tasks else EXIT_NOTHING_TO_DO
