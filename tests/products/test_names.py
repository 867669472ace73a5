"""Names: as the design shows them, and back."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcube.errors import ProductError
from sarcube.products.names import ItemName, ProductName, item_key
from sarcube.products.places import Place
from sarcube.workflows.rtc.kinds import RTC_S1_STATIC

PROCESSED = dt.datetime(2025, 4, 8, 2, 54, 1, tzinfo=dt.UTC)
RTC = ProductName(
    "RTC_S1", "t070_149815_iw3", dt.datetime(2022, 1, 1, 12, 47, 52, 900_000, dt.UTC), PROCESSED, "S1A", 20.0
)
STATIC = ProductName.of(RTC_S1_STATIC, "T070_149815_IW3", None, PROCESSED, "S1A", 20.0)


def test_as_the_convention_has_them() -> None:
    assert RTC.file("VV") == ("SARCUBE_L2_RTC-S1_T070-149815-IW3_20220101T124752Z_20250408T025401Z_S1A_20_v0.1_VV.tif")
    assert STATIC.file("local_incidence_angle") == (
        "SARCUBE_L2_RTC-S1-STATIC_T070-149815-IW3_20140403_20250408T025401Z_S1A_20_v0.1_local_incidence_angle.tif"
    )


def test_where_they_lie() -> None:
    assert RTC.folder("s1_rtc_c1") == "s1_rtc_c1/t070_149815_iw3/2022/01/01"
    assert STATIC.folder("s1_static") == "s1_static/t070_149815_iw3"


def test_the_item_depends_on_the_acquisition_alone() -> None:
    key = "c/t070_149815_iw3/2022/01/01/T070-149815-IW3_20220101T124752Z.json"
    assert RTC.item_key("c") == RTC.later().item_key("c") == key
    assert item_key("c", "t070_149815_iw3", dt.datetime(2022, 1, 1, 12, 47, 52, 1)) == key
    assert STATIC.item_key("c") == "c/t070_149815_iw3/T070-149815-IW3_STATIC.json"


def test_other_time_zones_count_in_utc() -> None:
    zone = dt.timezone(dt.timedelta(hours=5))
    key = item_key("c", "t070_149815_iw3", dt.datetime(2022, 1, 1, 2, 0, tzinfo=zone))
    assert key.endswith("2021/12/31/T070-149815-IW3_20211231T210000Z.json")


times = st.datetimes(dt.datetime(2014, 4, 3), dt.datetime(2099, 12, 31), timezones=st.just(dt.UTC))


@settings(deadline=None)
@given(
    kind=st.sampled_from(["RTC_S1", "RTC_S1_STATIC", "COHERENCE"]),
    track=st.integers(1, 175),
    number=st.integers(1, 375_887),
    swath=st.sampled_from(["iw1", "iw2", "iw3", "ew5"]),
    start=times,
    processed=times,
    platform=st.sampled_from(["S1A", "S1B", "S1C", "S1D"]),
    resolution=st.sampled_from([10.0, 20.0, 30.0, 0.0002, 12.5]),
    version=st.sampled_from(["0.1", "1", "2.10.3"]),
)
def test_names_come_back(  # noqa: PLR0917
    kind: str,
    track: int,
    number: int,
    swath: str,
    start: dt.datetime,
    processed: dt.datetime,
    platform: str,
    resolution: float,
    version: str,
) -> None:
    timed = not kind.endswith("_STATIC")
    if not timed:
        start = start.replace(hour=0, minute=0, second=0)
    burst_id = f"t{track:03d}_{number:06d}_{swath}"
    name = ProductName(kind, burst_id, start, processed, platform, resolution, version, timed=timed)
    assert ProductName.parse(name.stem) == name
    assert ProductName.parse(f"/any/folder/{name.file('rtc_anf_gamma0_to_beta0')}") == name


@pytest.mark.parametrize("text", ["", "scene.tif", "OPERA_L2_RTC-S1_T070-149815-IW3.tif"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ProductError, match="not a product name"):
        ProductName.parse(text)


@pytest.mark.parametrize("name", ["", "a place", "etna__north", "_pending", "../../etc", "a/b", "münchen"])
def test_what_cannot_name_a_place(name: str) -> None:
    with pytest.raises(ProductError, match="cannot name a place"):
        Place(name)


PAIR = ProductName(
    "INSAR_S1",
    "mgrs_33tuf",
    dt.datetime(2022, 1, 1, 12, 47, 52, tzinfo=dt.UTC),
    PROCESSED,
    "S1A-S1B",
    20.0,
    tag="20220113T124752Z",
)


def test_places_of_any_sort_and_pairs_of_times() -> None:
    assert PAIR.file("coherence") == (
        "SARCUBE_L2_INSAR-S1_MGRS-33TUF_20220101T124752Z_20220113T124752Z_20250408T025401Z_S1A-S1B_20_v0.1_coherence.tif"
    )
    assert PAIR.item_key("c") == "c/mgrs_33tuf/2022/01/01/MGRS-33TUF_20220101T124752Z_20220113T124752Z.json"
    assert ProductName.parse(PAIR.file("coherence")) == PAIR
    assert ItemName.parse(PAIR.item_key("c").rsplit("/", 1)[1]) == PAIR.item
    assert not PAIR.same_product(replace(PAIR, tag="20220125T124752Z"))


def test_items_tell_what_they_are_of() -> None:
    for name in (RTC, STATIC, PAIR):
        assert ItemName.parse(name.item_key("c").rsplit("/", 1)[1]) == name.item
    assert ItemName.parse("collection.json") is None
