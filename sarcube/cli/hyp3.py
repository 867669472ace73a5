"""`sarcube insar burst` and `scene`: HyP3-ISCE2's workflows, with the options that they have there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from sarcube.cli.output import JSON, echo, echo_json, echo_lines

if TYPE_CHECKING:
    from sarcube.production.plan.value import Plan
    from sarcube.production.run.hyp3 import Hyp3Options

_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_LISTS = ("--reference", "--secondary", "--swaths")
_LOOKS = typer.Option("20x4", "--looks", help="range x azimuth: 20x4 (80 m), 10x2 (40 m) or 5x1 (20 m)")
_WATER_MASK = typer.Option(False, "--apply-water-mask", help="leave water out before unwrapping")
_WATER = typer.Option(None, "--water", help="raster (water is not 0) or shapes of water; none: tiles of GLO-30")
_BUCKET = typer.Option("", "--bucket", help="S3 bucket that the zip is copied to, too")
_PREFIX = typer.Option("", "--bucket-prefix", help="its prefix")
_OUT = typer.Option(Path(), "--out", "-o", help="folder for the zip")
_SOURCE = typer.Option(None, "--source", help="folder or address that holds the SAFEs; none: ASF")
_ACCESS = typer.Option("auto", "--access", help="of scenes: remote (the bursts' bytes alone), download (whole), auto")
_ORBITS = typer.Option(None, "--orbits", help="folder of orbit files; none: AWS open data")
_DEM = typer.Option(None, "--dem-path", help="a DEM of your own; none: Copernicus GLO-30")
_HEIGHTS = typer.Option("ellipsoid", "--dem-heights", help="heights of --dem-path: ellipsoid, egm2008 or egm96")
_GEOID = typer.Option(None, "--geoid", help="geoid grid, for heights above a geoid")
_STORE = typer.Option(None, "--store", help="keep the products of bursts here; none: in a folder that goes away")
_METHOD = typer.Option("whirlwind", "--method", help="whirlwind, or snaphu: its solver is for non-commercial use only")
_ALPHA = typer.Option("0.5", "--alpha", help="Goldstein filter, 0 to 1, or baran: one minus the coherence")
_CLUSTER = typer.Option("local", "--cluster", help="profile name or tcp://scheduler")


class Hyp3Command(TyperCommand):
    """Takes several values after one option, and flags with a value, as argparse does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_spread(args)))


def _spread(args: Sequence[str]) -> Iterable[str]:
    """`--reference A B` as `--reference A --reference B`; `--apply-water-mask False` as nothing, `True` as the flag."""
    rest, option = list(args), ""
    while rest:
        word = rest.pop(0)
        name, mark, value = word.partition("=")
        if name == "--apply-water-mask":
            option = ""
            if not mark and rest and rest[0].lower() in _BOOLEANS:
                mark, value = "=", rest.pop(0)
            if mark and value.lower() not in _BOOLEANS:
                raise typer.BadParameter(f"{name} is true or false, not {value!r}")
            if not mark or _BOOLEANS[value.lower()]:
                yield name
        elif word.startswith("-"):
            option = name if name in _LISTS else ""
            yield word
            if option and rest and not mark:
                yield rest.pop(0)
        elif option:
            yield option
            yield word
        else:
            yield word


def power_of(alpha: str) -> float | None:
    """The filter's power that an option names; None for one minus the coherence."""
    from sarcube.errors import ConfigError

    try:
        return None if alpha == "baran" else float(alpha)
    except ValueError as error:
        raise ConfigError(f"--alpha wants a number from 0 to 1, or baran, not {alpha!r}") from error


def burst(
    granules: list[str] = typer.Argument(None, metavar="GRANULE GRANULE", help="two granules, the older: reference"),
    reference: list[str] = typer.Option([], "--reference", help="granules, or burst IDs with a day; one or more"),
    secondary: list[str] = typer.Option([], "--secondary", help="the same bursts on the later date"),
    looks: str = _LOOKS,
    apply_water_mask: bool = _WATER_MASK,
    water: Path = _WATER,
    polarization: str = typer.Option("auto", "--polarization", help="VV or HH, where no granule says it"),
    bucket: str = _BUCKET,
    bucket_prefix: str = _PREFIX,
    out: Path = _OUT,
    source: str = _SOURCE,
    access: str = _ACCESS,
    orbits: Path = _ORBITS,
    dem_path: str = _DEM,
    dem_heights: str = _HEIGHTS,
    geoid: str = _GEOID,
    store: str = _STORE,
    method: str = _METHOD,
    alpha: str = _ALPHA,
    cluster: str = _CLUSTER,
    as_json: bool = JSON,
) -> None:
    """HyP3's insar_tops_burst: one burst pair, or sets of bursts, as one unwrapped product in HyP3's zip.

    Bursts are named as ASF names them, or by burst ID and day. Logins are read from the environment
    (EARTHDATA_USERNAME, EARTHDATA_PASSWORD) or .netrc. Exit codes: 0 done, 1 some bursts failed, 2 an option is wrong.

    Example: sarcube insar burst --reference S1_136231_IW2_20200604T022312_VV_7C85-BURST
    --secondary S1_136231_IW2_20200616T022313_VV_5D11-BURST --looks 20x4 --source ./SAFE --dem-path dem.tif

    Example: sarcube insar burst --reference t064_136231_iw2@2020-06-04 t064_136232_iw2@2020-06-04
    --secondary t064_136231_iw2@2020-06-16 t064_136232_iw2@2020-06-16 --store s3://bucket/pairs
    """
    from sarcube.production.run.hyp3 import Hyp3Options, burst_config, gaps, named_pair, plan_bursts

    sides = named_pair(reference, secondary, granules or ())
    folder = Folder(store)
    options = Hyp3Options(
        folder.address, looks, source, orbits, dem_path, dem_heights, geoid, polarization, cluster, power_of(alpha),
        method, water, apply_water_mask, access,
    )  # fmt: skip
    ways = Delivery(out, bucket, bucket_prefix, as_json, bool(store))
    with folder:
        config = burst_config(*sides, options)
        _make(options, ways, gaps([named.burst_id for named in sides[0]]), lambda: plan_bursts(config, *sides))


def scene(
    scenes: list[str] = typer.Argument(None, metavar="SCENE SCENE", help="two SLC scenes, the older: reference"),
    reference: str = typer.Option("", "--reference", help="SLC scene"),
    secondary: str = typer.Option("", "--secondary", help="SLC scene of the later date"),
    looks: str = _LOOKS,
    apply_water_mask: bool = _WATER_MASK,
    water: Path = _WATER,
    polarization: str = typer.Option("VV", "--polarization", help="VV or HH"),
    swaths: list[int] = typer.Option([1, 2, 3], "--swaths", help="sub-swaths, one or more"),
    bucket: str = _BUCKET,
    bucket_prefix: str = _PREFIX,
    out: Path = _OUT,
    source: str = _SOURCE,
    access: str = _ACCESS,
    orbits: Path = _ORBITS,
    dem_path: str = _DEM,
    dem_heights: str = _HEIGHTS,
    geoid: str = _GEOID,
    store: str = _STORE,
    method: str = _METHOD,
    alpha: str = _ALPHA,
    cluster: str = _CLUSTER,
    as_json: bool = JSON,
) -> None:
    """HyP3's insar_tops: all bursts that two whole scenes have in common, as one unwrapped product in HyP3's zip.

    It has HyP3's name of a product of many bursts. Logins and exit codes as for `sarcube insar burst`.

    Example: sarcube insar scene --reference S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1.SAFE
    --secondary S1A_IW_SLC__1SDV_20230916T063730_20230916T063757_050349_060FCD_6814.SAFE --looks 20x4
    """
    from sarcube.production.plan.plan import plan
    from sarcube.production.run.hyp3 import Hyp3Options, of_swaths, ordered_scenes, scene_config

    names = ordered_scenes(reference, secondary, scenes or ())
    folder = Folder(store)
    options = Hyp3Options(
        folder.address, looks, source, orbits, dem_path, dem_heights, geoid, polarization, cluster, power_of(alpha),
        method, water, apply_water_mask, access,
    )  # fmt: skip
    ways = Delivery(out, bucket, bucket_prefix, as_json, bool(store))
    with folder:
        config = scene_config(*names, options)
        if sorted(swaths) != [1, 2, 3]:
            config = of_swaths(config, swaths)
        _make(options, ways, [], lambda: (plan(config), []))


def merge(
    folder: Path = typer.Argument(..., metavar="DIR", help="folder of unzipped products of single bursts"),
    filter_strength: str = typer.Option("0.6", "--filter-strength", help="Goldstein filter, 0 to 1, or baran"),
    apply_water_mask: bool = typer.Option(False, "--apply-water-mask", help="leave water out before unwrapping"),
    method: str = _METHOD,
    bucket: str = _BUCKET,
    bucket_prefix: str = _PREFIX,
    out: Path = _OUT,
    as_json: bool = JSON,
) -> None:
    """HyP3's merge_tops_bursts: unzipped products of single bursts as one, unwrapped once.

    Products that HyP3 has made, or `sarcube insar burst`: of one pair of dates, track, polarization and looks.

    Example: sarcube insar merge products --filter-strength 0.6 --out merged
    """
    from sarcube.cube.hyp3.merge import MergeOptions, merge_products
    from sarcube.cube.hyp3.reading import find_products
    from sarcube.production.run.hyp3 import gaps, upload

    options = MergeOptions(power_of(filter_strength), apply_water_mask, method)  # type: ignore[arg-type]
    remarks = gaps([str(found.pair.burst) for found in find_products(folder)])
    made = merge_products(folder, out, options)
    address = upload(made, bucket, bucket_prefix) if bucket else ""
    if as_json:
        echo_json({"product": made, "uploaded": address or None, "remarks": remarks})
        return
    echo_lines(f"note: {remark}" for remark in remarks)
    echo_lines([f"product: {made}", *([f"uploaded: {address}"] if address else [])])


class Folder:
    """The store that was named, or a folder that goes away at the end."""

    def __init__(self, store: str | None) -> None:
        self._temporary = None if store else tempfile.TemporaryDirectory(prefix="sarcube-insar-")
        self.address = store or f"{self._temporary.name}/store"  # type: ignore[union-attr]

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()


@dataclass(frozen=True)
class Delivery:
    """What becomes of a pair that was made: options that the commands share."""

    out: Path
    bucket: str
    bucket_prefix: str
    as_json: bool
    kept: bool


def _make(options: Hyp3Options, ways: Delivery, said: list[str], plan: Callable[[], tuple[Plan, list[str]]]) -> None:
    from sarcube.cli.runs import Saying, ending
    from sarcube.production.run.hyp3 import deliver, undone, upload
    from sarcube.production.run.produce import produce
    from sarcube.production.views.progress import show_progress

    planned, found = plan()
    if not ways.as_json:
        echo(planned.table())
    with show_progress(ending=ways.as_json) as show:
        outcome = produce(planned, on_event=show)
    if not ways.as_json:
        lines = ending(planned, outcome, Saying(quiet=True))
        echo_lines(line for line in lines if ways.kept or not line.startswith("report: "))
    if planned.impossible or outcome.cancelled or undone(outcome):
        if ways.as_json:
            echo_json({"product": None, "failed": [f"{f.key}: {f.message}" for f in outcome.failed]})
        raise typer.Exit(2 if planned.impossible else max(1, outcome.exit_code))
    made, otherwise = deliver(planned, ways.out, options)
    remarks = [*said, *found, *otherwise, *(map(str, outcome.warnings) if ways.as_json else ())]
    address = upload(made, ways.bucket, ways.bucket_prefix) if ways.bucket else ""
    if ways.as_json:
        echo_json({"product": made, "uploaded": address or None, "remarks": remarks, "failed": len(outcome.failed)})
    else:
        echo_lines(f"note: {remark}" for remark in remarks)
        echo_lines([f"product: {made}", *([f"uploaded: {address}"] if address else [])])
    raise typer.Exit(outcome.exit_code)
