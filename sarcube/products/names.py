"""Product and file names, and where in a store they lie.

Names follow the OPERA RTC-S1 convention (OPERA RTC-S1 product specification, JPL D-108758, section 3), the
first token naming the maker:

    SARCUBE_L2_RTC-S1_T070-149815-IW3_20220101T124752Z_20250408T025401Z_S1A_20_v0.1_VV.tif
    SARCUBE_L2_RTC-S1-STATIC_T070-149815-IW3_20140403_20250408T025401Z_S1A_20_v0.1_local_incidence_angle.tif
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace

from sarcube.errors import ProductError

MAKER = "SARCUBE"
LEVEL = "L2"
# First day of Sentinel-1 acquisitions, which OPERA's static layers carry as the start of their validity.
STATIC_VALIDITY = dt.datetime(2014, 4, 3, tzinfo=dt.UTC)
_TIME = "%Y%m%dT%H%M%SZ"
_DAY = "%Y%m%d"
_BURST = re.compile(r"t(\d{3})_(\d{6})_([a-z]{2}\d)")
_STEM = re.compile(
    r"(?P<maker>[A-Z0-9]+)_L2_(?P<kind>[A-Z0-9]+(?:-[A-Z0-9]+)*)_T(?P<burst>\d{3}-\d{6}-[A-Z]{2}\d)_"
    r"(?P<start>\d{8}(?:T\d{6}Z)?)_(?P<processed>\d{8}T\d{6}Z)_(?P<platform>[A-Z0-9]+)_"
    r"(?P<resolution>\d+(?:\.\d+)?(?:e-?\d+)?)_v(?P<version>\d+(?:\.\d+)*)"
)


def _utc(time: dt.datetime) -> dt.datetime:
    if time.tzinfo is None:
        time = time.replace(tzinfo=dt.UTC)
    return time.astimezone(dt.UTC).replace(microsecond=0)


def burst_token(burst_id: str) -> str:
    """`t070_149815_iw3` as it stands in file names, `T070-149815-IW3`."""
    if not _BURST.fullmatch(burst_id.lower()):
        raise ProductError(f"burst ID {burst_id!r} is not of the form t070_149815_iw3")
    return burst_id.upper().replace("_", "-")


_ITEM = re.compile(r"T\d{3}-\d{6}-[A-Z]{2}\d_(?:\d{8}T\d{6}Z|STATIC)\.json")


def is_item_file(name: str) -> bool:
    """Whether a file name is that of an item."""
    return _ITEM.fullmatch(name) is not None


def stem_of(name: str) -> str:
    """The stem that a product file's name begins with; empty for other names."""
    match = _STEM.match(name)
    return match.group() if match else ""


def item_file(burst_id: str, start: dt.datetime | None) -> str:
    """File name of the item of one acquisition (or, without `start`, of the static product).

    It depends on nothing that two runs could choose differently, so that an acquisition has one item at most.
    """
    return f"{burst_token(burst_id)}_{_utc(start).strftime(_TIME) if start else 'STATIC'}.json"


def item_key(collection: str, burst_id: str, start: dt.datetime | None) -> str:
    """Key of that item in the store."""
    return f"{product_folder(collection, burst_id, start)}/{item_file(burst_id, start)}"


def product_folder(collection: str, burst_id: str, start: dt.datetime | None) -> str:
    """Folder of a product: `collection/burst_id/2022/01/01`, or static `collection/burst_id`."""
    folder = f"{collection}/{burst_id.lower()}"
    return folder if start is None else f"{folder}/{_utc(start):%Y/%m/%d}"


@dataclass(frozen=True)
class ProductName:
    """What names a product.

    Attributes
    ----------
    kind : str
        "RTC_S1", or "RTC_S1_STATIC" for what does not change from date to date.
    burst_id : str
        `t070_149815_iw3`.
    start : datetime
        UTC start of the acquisition; of a static product the start of its validity. Kept to whole seconds.
    processed : datetime
        UTC time of processing, kept to whole seconds.
    platform : str
        "S1A"; of a static product the platform whose geometry was used.
    resolution : float
        Pixel size in units of the CRS.
    version : str
        Product version, "0.1".
    """

    kind: str
    burst_id: str
    start: dt.datetime
    processed: dt.datetime
    platform: str
    resolution: float
    version: str = "0.1"

    def __post_init__(self) -> None:
        burst_token(self.burst_id)
        object.__setattr__(self, "burst_id", self.burst_id.lower())
        object.__setattr__(self, "start", _utc(self.start))
        object.__setattr__(self, "processed", _utc(self.processed))

    @property
    def static(self) -> bool:
        return self.kind.endswith("_STATIC")

    @property
    def stem(self) -> str:
        """The common start of all file names, and the item's id."""
        start = self.start.strftime(_DAY if self.static else _TIME)
        tokens = (
            MAKER,
            LEVEL,
            self.kind.replace("_", "-"),
            burst_token(self.burst_id),
            start,
            self.processed.strftime(_TIME),
            self.platform,
            f"{self.resolution:g}",
            f"v{self.version}",
        )
        return "_".join(tokens)

    @property
    def acquisition(self) -> dt.datetime | None:
        """The start that folders and item names carry: None for a static product."""
        return None if self.static else self.start

    def folder(self, collection: str) -> str:
        """Folder in the store."""
        return product_folder(collection, self.burst_id, self.acquisition)

    def item_key(self, collection: str) -> str:
        """Key of the item, the product's commit."""
        return item_key(collection, self.burst_id, self.acquisition)

    def file(self, layer: str) -> str:
        """File name of a layer."""
        return f"{self.stem}_{layer}.tif"

    def later(self) -> ProductName:
        """The same name, processed one second later."""
        return replace(self, processed=self.processed + dt.timedelta(seconds=1))

    @classmethod
    def parse(cls, text: str) -> ProductName:
        """The name that `text` (stem, file name or path) starts with; ProductError where there is none."""
        name = text.rsplit("/", 1)[-1]
        match = _STEM.match(name)
        if not match:
            raise ProductError(f"{name!r} is not a product name like {MAKER}_L2_RTC-S1_T070-149815-IW3_...")
        kind = match["kind"].replace("-", "_")
        start = dt.datetime.strptime(match["start"], _DAY if kind.endswith("_STATIC") else _TIME)
        return cls(
            kind,
            "t" + match["burst"].lower().replace("-", "_"),
            start.replace(tzinfo=dt.UTC),
            dt.datetime.strptime(match["processed"], _TIME).replace(tzinfo=dt.UTC),
            match["platform"],
            float(match["resolution"]),
            match["version"],
        )
