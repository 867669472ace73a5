"""What the name of an SL_1_RBT product says (Sentinel-3 PDGS file naming convention)."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

_NAME = re.compile(
    r"(?P<platform>S3[A-D])_SL_1_RBT_{4}(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})_(?P<created>\d{8}T\d{6})_"
    r"(?P<duration>\d{4})_(?P<cycle>\d{3})_(?P<orbit>\d{3})_(?P<frame>[\d_]{4})_(?P<centre>\w{3})_(?P<mode>\w)_"
    r"(?P<timeliness>NR|ST|NT)_(?P<collection>\d{3})(\.SEN3)?(\.zip)?"
)


@dataclass(frozen=True)
class GranuleName:
    """A name taken apart.

    Attributes
    ----------
    text : str
        Without suffix.
    platform : str
        "S3A" to "S3D".
    start, stop, created : datetime
        UTC.
    relative_orbit : int
    timeliness : str
        "NR", "ST" or "NT".
    collection : str
        "003" and before: F1 on the grid of the other thermal channels; "004": on its own.
    """

    text: str
    platform: str
    start: dt.datetime
    stop: dt.datetime
    created: dt.datetime
    relative_orbit: int
    timeliness: str
    collection: str


def parse_name(text: str) -> GranuleName | None:
    """The parts of a folder's or zip's name; None where it is no SL_1_RBT product."""
    match = _NAME.fullmatch(text.rstrip("/").rsplit("/", 1)[-1])
    if match is None:
        return None
    try:
        start, stop, created = (
            dt.datetime.strptime(match[key], "%Y%m%dT%H%M%S").replace(tzinfo=dt.UTC)
            for key in ("start", "stop", "created")
        )
    except ValueError:  # no day of the calendar
        return None
    plain = match[0].removesuffix(".zip").removesuffix(".SEN3")
    return GranuleName(
        plain, match["platform"], start, stop, created, int(match["orbit"]), match["timeliness"], match["collection"]
    )
