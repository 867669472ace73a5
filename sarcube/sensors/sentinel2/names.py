"""What a product's name says: `S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454.SAFE`."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

_NAME = re.compile(
    r"(S2[A-Z])_MSI(L1C|L2A)_(\d{8}T\d{6})_N(\d{4})_R(\d{3})_T(\d{2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V])_(\d{8}T\d{6})"
)
TILE = re.compile(r"\d{2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V]")


@dataclass(frozen=True)
class SceneName:
    """The parts of a name.

    Attributes
    ----------
    platform : str
        "S2A".
    level : str
        "L1C" or "L2A".
    start : datetime
        UTC, start of the datatake.
    baseline : str
        "04.00".
    relative_orbit : int
    tile : str
        "29UNU".
    made : str
        Discriminator: a time about that of processing; the later of two products of one datatake is the newer.
    """

    platform: str
    level: str
    start: dt.datetime
    baseline: str
    relative_orbit: int
    tile: str
    made: str

    @property
    def place(self) -> str:
        return place_of(self.tile)


def parse_name(text: str) -> SceneName | None:
    """What a name says, wherever it stands in `text`; None where no name of a product is in it."""
    match = _NAME.search(text)
    if match is None:
        return None
    platform, level, start, baseline, orbit, tile, made = match.groups()
    try:
        when = dt.datetime.strptime(start, "%Y%m%dT%H%M%S").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return SceneName(platform, level, when, f"{baseline[:2]}.{baseline[2:]}", int(orbit), tile, made)


def place_of(tile: str) -> str:
    """The place of a tile: `29UNU` is `mgrs_29unu`."""
    return f"mgrs_{tile.lower()}"
