"""A first run file: commented, so that every other choice is one line away."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sarcube.config import RunConfig
from sarcube.errors import ConfigError
from sarcube.terrain.geoid import EGM2008

REMOTE = ("asf", "cdse")
ORBITS = ("aws", "asf", "cdse")
Bbox = tuple[float, float, float, float]


@dataclass(frozen=True)
class RunFileOptions:
    """What a first run file says.

    Attributes
    ----------
    bbox : (west, south, east, north)
        Degrees.
    dates : (first, last), optional
        ISO days; None takes all that the source has.
    source : str
        "asf", "cdse", or the folder (or s3:// or https:// address) of the SAFEs.
    orbits : str, optional
        Provider ("aws", "asf", "cdse"), or folder of orbit files; None: fetched, or for local scenes the annotation's.
    dem : str, optional
        Raster of heights; None: Copernicus GLO-30.
    heights : str
        What the raster's heights refer to: "ellipsoid" or "egm2008".
    store : str
    burst_ids : tuple of str
        Only these; empty: all that meet the area.
    """

    bbox: Bbox
    dates: tuple[str, str] | None = None
    source: str = "asf"
    orbits: str | None = None
    dem: str | None = None
    heights: str = "ellipsoid"
    store: str = "./store"
    burst_ids: tuple[str, ...] = ()


def archive_options(archive: str | Path, store: str = "./store", *, relative_to: Path | None = None) -> RunFileOptions:
    """Options for a simulated archive, from its description.

    Parameters
    ----------
    archive : path
        Folder that `sarcube simulate` wrote.
    store : str
    relative_to : Path, optional
        Folder of the run file: paths inside of it are written relative to it.

    Raises
    ------
    ConfigError
        The folder holds no simulated archive.
    """
    folder = Path(archive)
    try:
        facts = json.loads((folder / "simulation.json").read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{folder} holds no simulated archive (simulation.json): {error}; make one with `sarcube simulate {folder}`"
        ) from error
    base = folder.resolve()
    if relative_to is not None and base.is_relative_to(relative_to.resolve()):
        base = base.relative_to(relative_to.resolve())
    dates = sorted(facts["dates"])
    west, south, east, north = (float(v) for v in facts["bbox"])
    return RunFileOptions(
        bbox=(west, south, east, north),
        dates=(dates[0], dates[-1]),
        source=(base / "scenes").as_posix(),
        orbits=(base / "orbits").as_posix() if any((folder / "orbits").glob("*")) else None,
        dem=(base / "dem.tif").as_posix(),
        store=store,
        # A real scene's metadata tells of more bursts than were filled.
        burst_ids=tuple(facts["burst_ids"]) if facts["options"]["template"] else (),
    )


def parse_place(text: str) -> Bbox:
    """A bounding box from `west,south,east,north`, or about 20 km around `longitude,latitude`.

    Raises
    ------
    ConfigError
        Neither four nor two numbers, or numbers that are no place.
    """
    try:
        numbers = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) == 2:
        longitude, latitude = numbers
        half = 0.1
        numbers = [round(v, 9) for v in (longitude - half, latitude - half, longitude + half, latitude + half)]
    if len(numbers) != 4 or not (-90 <= numbers[1] < numbers[3] <= 90):
        raise ConfigError(
            f"{text!r} is no place: give west,south,east,north in degrees, or longitude,latitude for about 20 km around"
        )
    west, south, east, north = numbers
    return west, south, east, north


def parse_source(text: str, folder: Path) -> str:
    """A provider, an address, or a folder: one that is there, or that is written as a path (`./scenes`).

    Parameters
    ----------
    text : str
    folder : Path
        Of the run file, to which paths are relative.

    Raises
    ------
    ConfigError
        It is none of these.
    """
    text = text.strip()
    if text.lower() in REMOTE:
        return text.lower()
    return _path(text, folder, "source", REMOTE)


def parse_orbits(text: str, folder: Path) -> str | None:
    """A provider of orbit files or a folder; None for an empty text. Errors are those of `parse_source`."""
    text = text.strip()
    if not text:
        return None
    return text.lower() if text.lower() in ORBITS else _path(text, folder, "provider of orbits", ORBITS)


def parse_dem(text: str, folder: Path) -> str | None:
    """A raster of heights; None for `cop_glo30` and an empty text. Errors are those of `parse_source`."""
    text = text.strip()
    return None if text.lower() in ("", "cop_glo30") else _path(text, folder, "DEM", ("cop_glo30",))


def parse_heights(text: str) -> str:
    """What a DEM's heights refer to; ConfigError where it is neither of what a first run file can say."""
    if text.strip().lower() not in ("ellipsoid", "egm2008"):
        raise ConfigError(f"heights are above the ellipsoid or egm2008, not {text!r}; egm96 is for the run file itself")
    return text.strip().lower()


def _path(text: str, folder: Path, what: str, names: Sequence[str]) -> str:
    written = any(mark in text for mark in ("/", "\\")) or text.startswith(("~", "."))
    if text and (written or Path(text).suffix or (folder / text).exists() or Path(text).exists()):
        return text
    near = difflib.get_close_matches(text.lower(), names, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ConfigError(
        f"{text!r} is no {what}: there is {', '.join(names)}, and nothing of that name is here; {hint}"
        f"A path that is still to come is written ./{text or 'folder'}"
    )


def run_file_text(options: RunFileOptions) -> str:
    """The run file: what was chosen, and as comments what could be.

    Raises
    ------
    ConfigError
        The choices do not make a valid run.
    """
    box = ", ".join(_number(v) for v in options.bbox)
    dates = f"dates: [{options.dates[0]}, {options.dates[1]}]" if options.dates else "# dates: [2024-05-01, 2024-05-31]"
    text = "\n".join(
        [
            "# What to make, and of what. Look before you run: sarcube plan <this file>",
            "",
            '# west, south, east, north in degrees; or geojson: area.geojson, or wkt: "POLYGON ((...))"',
            f"aoi: {{bbox: [{box}]}}",
            f"{dates:<40}# both included; without it all that the source has",
            "",
            *_source(options),
            "",
            *_orbits(options),
            "",
            *_dem(options),
            "",
            "# One burst ID has one grid for ever. auto: UTM, polar stereographic beyond 75 degrees; or an EPSG code",
            "grid: {resolution: 20, crs: auto}",
            "",
            f"store: {_quoted(options.store):<33} # or s3://bucket/prefix",
            "",
            "# What follows are the defaults; take the # away to change them.",
            "# workflow: rtc                        # its own keys stand in the section of its name",
            "# rtc:",
            "#   engine: native                     # or isce3, where installed (sarcube doctor)",
            "#   backscatter: gamma0                # gamma0 | sigma0 | beta0",
            "#   polarizations: auto                # or a list: [VV, VH]",
            "#   corrections: {thermal_noise: true, bistatic_delay: true, static_troposphere: true,",
            "#                 shadow_masking: true}",
            "#   geometry: reuse                    # reuse static geometry for further dates | exact",
            "#   product: RTC_S1                    # RTC_S1_STATIC: only the static layers",
            "# cluster: local                       # a profile's name, or tcp://scheduler:8786",
            "",
        ]
    )
    _check(text)
    return text


def _source(options: RunFileOptions) -> Sequence[str]:
    kinds = (
        "# local (path) | asf | cdse | stac (url, collection); may narrow: orbit_direction, relative_orbits, burst_ids"
    )
    if options.source in REMOTE:
        return [kinds, f"source: {{kind: {options.source}}}"]
    narrowed = f", burst_ids: [{', '.join(options.burst_ids)}]" if options.burst_ids else ""
    return [kinds, f"source: {{kind: local, path: {_quoted(options.source)}{narrowed}}}"]


def _orbits(options: RunFileOptions) -> Sequence[str]:
    comment = "# a folder of .EOF files (path), or kind: aws | asf | cdse; precise before restituted"
    if options.orbits in ORBITS:
        return [comment, f"orbits: {{kind: {options.orbits}}}"]
    if options.orbits is not None:
        return [comment, f"orbits: {{path: {_quoted(options.orbits)}}}"]
    if options.source in REMOTE:
        return [comment, "orbits: {kind: aws}"]
    return [
        comment,
        "# orbits: {path: ./orbits}              # none: the orbit of the annotation, and the items say so",
    ]


def _dem(options: RunFileOptions) -> Sequence[str]:
    geoid = f', geoid: "{EGM2008}"' if options.heights == "egm2008" else ""
    if options.dem is not None:
        return [
            "# heights: ellipsoid | egm2008 | egm96 (these two with geoid: file); or kind: cop_glo30",
            f"dem: {{path: {_quoted(options.dem)}, heights: {options.heights}{geoid}}}",
        ]
    return [
        "# Copernicus GLO-30 by tile, and the grid of EGM2008 undulations (an address, or a file fetched from it);",
        "# or path: dem.tif, heights: ellipsoid",
        f'dem: {{kind: cop_glo30, geoid: "{EGM2008}"}}',
    ]


def _quoted(text: str) -> str:
    """A text as YAML reads it back, plain where nothing in it could mean something else."""
    import yaml

    from sarcube.yaml_text import load_yaml

    plain = bool(text) and all(c.isalnum() or c in "./_-~" for c in text) and load_yaml(text) == text
    return text if plain else str(yaml.safe_dump(text, default_style='"', width=math.inf, allow_unicode=True)).strip()


def _number(value: float) -> str:
    """Every digit of a number, without an exponent."""
    digits = format(Decimal(repr(value)), "f")
    return digits.removesuffix(".0")


def _check(text: str) -> None:
    from sarcube.yaml_text import load_yaml

    RunConfig.from_dict(load_yaml(text), origin="the run file")
