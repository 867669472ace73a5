"""Product and file names, and where in a store they lie.

One grammar for all kinds, so that a store can be read, swept and told apart without the workflow that filled it. It is
that of OPERA RTC-S1 (OPERA RTC-S1 product specification, JPL D-108758, section 3), the first token naming the maker;
what has two times carries the second after the first, and what has none the day from which it holds:

    SARCUBE_L2_RTC-S1_T070-149815-IW3_20220101T124752Z_20250408T025401Z_S1A_20_v0.1_VV.tif
    SARCUBE_L2_RTC-S1-STATIC_T070-149815-IW3_20140403_20250408T025401Z_S1A_20_v0.1_local_incidence_angle.tif
    SARCUBE_L2_<KIND>_<PLACE>_<time>_<tag>_<time of processing>_<platform>_<resolution>_v<version>_<layer>.tif
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace

from sarcube.errors import ProductError
from sarcube.products.kinds import ProductKind
from sarcube.products.places import Place

MAKER = "SARCUBE"
TIME = "%Y%m%dT%H%M%SZ"
_DAY = "%Y%m%d"
_NO_TIME = "STATIC"
_TOKEN = r"[A-Z0-9]+(?:-[A-Z0-9]+)*"
_STEM = re.compile(
    rf"(?P<maker>[A-Z0-9]+)_(?P<level>L\d[A-Z]?)_(?P<kind>{_TOKEN})_(?P<place>{_TOKEN})_"
    rf"(?P<start>\d{{8}}(?:T\d{{6}}Z)?)_(?:(?P<tag>{_TOKEN})_)?(?P<processed>\d{{8}}T\d{{6}}Z)_"
    rf"(?P<platform>[A-Z0-9]+(?:-[A-Z0-9]+)*)_(?P<resolution>\d+(?:\.\d+)?(?:e-?\d+)?)_v(?P<version>\d+(?:\.\d+)*)"
)
_INSTANT = r"\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3])[0-5]\d[0-6]\dZ"
_ITEM = re.compile(rf"(?P<place>{_TOKEN})_(?:(?P<start>{_INSTANT})(?:_(?P<tag>{_TOKEN}))?|{_NO_TIME})")


def utc_second(time: dt.datetime) -> dt.datetime:
    """A time (naive: UTC) in UTC, cut to whole seconds as file names do."""
    if time.tzinfo is None:
        time = time.replace(tzinfo=dt.UTC)
    return time.astimezone(dt.UTC).replace(microsecond=0)


def time_text(time: dt.datetime) -> str:
    """A time as it stands in names and keys, `20220101T124752Z`; a plan of a million tasks spells as many."""
    text = utc_second(time).isoformat()  # a third of the time that strftime takes
    return f"{text[:4]}{text[5:7]}{text[8:13]}{text[14:16]}{text[17:19]}Z"


def _moment(text: str, form: str) -> dt.datetime | None:
    """What digits of a name tell; None where they are no day or time: month 13, hour 25."""
    try:
        return dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def place_token(place: str) -> str:
    """`t070_149815_iw3` as it stands in file names, `T070-149815-IW3`."""
    return Place(place).token


def is_item_file(name: str) -> bool:
    """Whether a file name is that of an item."""
    return name.endswith(".json") and _ITEM.fullmatch(name.removesuffix(".json")) is not None


def stem_of(name: str) -> str:
    """The stem that a product file's name begins with; empty for other names."""
    match = _STEM.match(name)
    return match.group() if match else ""


def item_stem(place: str, start: dt.datetime | None, tag: str = "") -> str:
    """File name, without its ending, of the item of one product of a place.

    It depends on nothing that two runs could choose differently, so that a unit has one item at most.
    """
    if start is None:
        return f"{place_token(place)}_{_NO_TIME}"
    return "_".join(filter(None, (place_token(place), time_text(start), tag)))


def item_file(place: str, start: dt.datetime | None, tag: str = "") -> str:
    """File name of that item."""
    return f"{item_stem(place, start, tag)}.json"


def item_key(collection: str, place: str, start: dt.datetime | None, tag: str = "") -> str:
    """Key of that item in the store."""
    return f"{product_folder(collection, place, start)}/{item_file(place, start, tag)}"


def product_folder(collection: str, place: str, start: dt.datetime | None) -> str:
    """Folder of a product: `collection/place/2022/01/01`, or of what has no time `collection/place`."""
    folder = f"{collection}/{place.lower()}"
    return folder if start is None else f"{folder}/{utc_second(start):%Y/%m/%d}"


@dataclass(frozen=True, slots=True)
class ItemName:
    """What an item's file name tells.

    Attributes
    ----------
    place : str
    start : datetime, optional
    tag : str
    """

    place: str
    start: dt.datetime | None
    tag: str = ""

    @classmethod
    def parse(cls, text: str) -> ItemName | None:
        """Of a stem or file name; None where it is no item's."""
        match = _ITEM.fullmatch(text.removesuffix(".json"))
        if match is None:
            return None
        start = _moment(match["start"], TIME) if match["start"] else None
        if match["start"] and start is None:
            return None
        return cls(Place.from_token(match["place"]), start, match["tag"] or "")

    def key(self, collection: str) -> str:
        """Key of the item."""
        return item_key(collection, self.place, self.start, self.tag)


@dataclass(frozen=True)
class ProductName:
    """What names a product.

    Attributes
    ----------
    kind : str
        Name of the kind, "RTC_S1".
    place : str
        `t070_149815_iw3`.
    start : datetime
        UTC start of the unit; of what has no time the start of its validity. Kept to whole seconds.
    processed : datetime
        UTC time of processing, kept to whole seconds.
    platform : str
        "S1A"; of a static product the platform whose geometry was used.
    resolution : float
        Pixel size in units of the CRS.
    version : str
        Product version, "0.1".
    tag : str
        What tells units of one start apart, such as the second time of a pair.
    timed : bool
        False for what there is one of at a place.
    level : str
        Processing level.
    """

    kind: str
    place: str
    start: dt.datetime
    processed: dt.datetime
    platform: str
    resolution: float
    version: str = "0.1"
    tag: str = ""
    timed: bool = True
    level: str = "L2"

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", Place(self.place))
        object.__setattr__(self, "start", utc_second(self.start))
        object.__setattr__(self, "processed", utc_second(self.processed))
        if not _STEM.fullmatch(self.stem):
            raise ProductError(f"{self.stem!r} is no product name: capital letters and digits, parts joined by hyphens")

    @classmethod
    def of(
        cls,
        kind: ProductKind,
        place: str,
        start: dt.datetime | None,
        processed: dt.datetime,
        platform: str,
        resolution: float,
        tag: str = "",
    ) -> ProductName:
        """The name of a product of a kind."""
        time = start if kind.timed and start is not None else kind.since
        return cls(kind.name, place, time, processed, platform, resolution, tag=tag, timed=kind.timed, level=kind.level)

    @property
    def stem(self) -> str:
        """The common start of all file names, and the item's id."""
        tokens = (
            MAKER,
            self.level,
            self.kind.replace("_", "-"),
            place_token(self.place),
            self.start.strftime(TIME if self.timed else _DAY),
            self.tag,
            self.processed.strftime(TIME),
            self.platform,
            f"{self.resolution:g}",
            f"v{self.version}",
        )
        return "_".join(filter(None, tokens))

    @property
    def item(self) -> ItemName:
        """What its item is called."""
        return ItemName(self.place, self.start if self.timed else None, self.tag)

    def folder(self, collection: str) -> str:
        """Folder in the store."""
        return product_folder(collection, self.place, self.item.start)

    def item_key(self, collection: str) -> str:
        """Key of the item, the product's commit."""
        return self.item.key(collection)

    def file(self, layer: str) -> str:
        """File name of a layer."""
        return f"{self.stem}_{layer}.tif"

    def later(self) -> ProductName:
        """The same name, processed one second later."""
        return replace(self, processed=self.processed + dt.timedelta(seconds=1))

    def same_product(self, other: ProductName) -> bool:
        """Whether both are attempts at one product."""
        return (self.kind, self.place, self.start, self.tag) == (other.kind, other.place, other.start, other.tag)

    @classmethod
    def parse(cls, text: str) -> ProductName:
        """The name that `text` (stem, file name or path) starts with; ProductError where there is none."""
        name = text.rsplit("/", 1)[-1]
        match = _STEM.match(name)
        if not match:
            raise ProductError(f"{name!r} is not a product name like {MAKER}_L2_RTC-S1_T070-149815-IW3_...")
        timed = "T" in match["start"]
        start, processed = _moment(match["start"], TIME if timed else _DAY), _moment(match["processed"], TIME)
        if start is None or processed is None:
            raise ProductError(f"{name!r} names a day or a time that there is not")
        return cls(
            match["kind"].replace("-", "_"),
            Place.from_token(match["place"]),
            start,
            processed,
            match["platform"],
            float(match["resolution"]),
            match["version"],
            match["tag"] or "",
            timed,
            match["level"],
        )
