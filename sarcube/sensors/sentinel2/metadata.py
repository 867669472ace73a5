"""The metadata of a product (MTD_MSIL1C.xml, MTD_MSIL2A.xml) and of its tile (MTD_TL.xml)."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import numpy as np

from sarcube.errors import GridError
from sarcube.sensors.sentinel1.xml_tree import Node
from sarcube.sensors.sentinel2.bands import BAND_IDS
from sarcube.sensors.sentinel2.model import NODATA, RESOLUTIONS, SATURATED, Angles, Radiometry

_BASELINE = re.compile(r"\d{2}\.\d{2}")
_MOST = 1 << 15  # pixels of one side; a tile has 10,980


@dataclass(frozen=True)
class ProductFacts:
    """What MTD_MSIL1C.xml or MTD_MSIL2A.xml says."""

    level: str
    baseline: str
    platform: str
    start: dt.datetime
    datatake: str
    relative_orbit: int
    orbit_state: str
    radiometry: Radiometry
    cloud_cover: float | None
    footprint: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class TileFacts:
    """What MTD_TL.xml says."""

    tile: str
    absolute_orbit: int
    sensed: dt.datetime
    epsg: int
    left: float
    top: float
    sizes: dict[int, tuple[int, int]]
    angles: Angles


def product_facts(root: Node) -> ProductFacts:
    """Read the product's metadata; SceneError names what is missing or wrong."""
    info = root.find(next((path for path in _INFO if root.has(path)), _INFO[0]))
    level = {"Level-1C": "L1C", "Level-2A": "L2A", "Level-2Ap": "L2A"}.get(info.text("PROCESSING_LEVEL"))
    if level is None:
        raise info.fail(f"PROCESSING_LEVEL is {info.text('PROCESSING_LEVEL')[:20]!r}, neither Level-1C nor Level-2A")
    baseline = info.text("PROCESSING_BASELINE")
    if not _BASELINE.fullmatch(baseline):
        raise info.fail(f"PROCESSING_BASELINE is {baseline[:20]!r}, not like 05.11")
    datatake = info.find("Datatake")
    craft = datatake.text("SPACECRAFT_NAME")
    if not re.fullmatch(r"Sentinel-2[A-Z]", craft):
        raise datatake.fail(f"SPACECRAFT_NAME is {craft[:20]!r}")
    image = next(
        (root.find(path) for path in _IMAGE if root.has(path)),
        None,
    )
    if image is None:
        raise root.fail("no <Product_Image_Characteristics>")
    return ProductFacts(
        level,
        baseline,
        "S2" + craft[-1],
        _utc(datatake.time("DATATAKE_SENSING_START")),
        datatake.attribute("datatakeIdentifier") or "",
        datatake.integer("SENSING_ORBIT_NUMBER", 1, 200),
        datatake.text_or("SENSING_ORBIT_DIRECTION", "DESCENDING").lower(),
        _radiometry(image, level),
        _cloud_cover(root),
        _footprint(root),
    )


# Today's names first; after them those of L2A up to baseline 02.06 (Sentinel-2 Products Specification 14.2).
_INFO = ("{*}General_Info/Product_Info", "{*}General_Info/L2A_Product_Info")
_IMAGE = ("{*}General_Info/Product_Image_Characteristics", "{*}General_Info/L2A_Product_Image_Characteristics")
_QUANTIFICATION = {
    "L1C": ("QUANTIFICATION_VALUE",),
    "L2A": (
        "QUANTIFICATION_VALUES_LIST/BOA_QUANTIFICATION_VALUE",
        "L1C_L2A_Quantification_Values_List/L2A_BOA_QUANTIFICATION_VALUE",
        "QUANTIFICATION_VALUES_LIST/L2A_BOA_QUANTIFICATION_VALUE",
    ),
}
_OFFSETS = {
    "L1C": "Radiometric_Offset_List/RADIO_ADD_OFFSET",
    "L2A": "BOA_ADD_OFFSET_VALUES_LIST/BOA_ADD_OFFSET",
}


def _radiometry(image: Node, level: str) -> Radiometry:
    path = next((p for p in _QUANTIFICATION[level] if image.has(p)), _QUANTIFICATION[level][0])
    quantification = image.number(path, 1.0, 1e9)
    elements = image.find_all(_OFFSETS[level])
    offsets: dict[str, float] = {}
    for element in elements:
        index = element.attribute("band_id") or ""
        if not (index.isdecimal() and int(index) < len(BAND_IDS)):
            raise element.fail(f"band_id is {index[:20]!r}, not 0 to {len(BAND_IDS) - 1}")
        offsets[BAND_IDS[int(index)]] = element.number(".", -65535.0, 65535.0)
    special = {"NODATA": NODATA, "SATURATED": SATURATED}
    for node in image.find_all("Special_Values"):
        name = node.text("SPECIAL_VALUE_TEXT")
        if name in special:
            special[name] = node.integer("SPECIAL_VALUE_INDEX", 0, 65535)
    return Radiometry(quantification, offsets, bool(elements), special["NODATA"], special["SATURATED"])


def _cloud_cover(root: Node) -> float | None:
    path = "{*}Quality_Indicators_Info/Cloud_Coverage_Assessment"
    return root.number(path, 0.0, 100.0) if root.has(path) else None


def _footprint(root: Node) -> tuple[tuple[float, float], ...]:
    """Latitude and longitude by turns; some baselines add a height."""
    path = "{*}Geometric_Info/Product_Footprint/Product_Footprint/Global_Footprint/EXT_POS_LIST"
    if not root.has(path):
        return ()
    numbers = root.vector(path)
    points = [(float(lon), float(lat)) for lat, lon in zip(numbers[::2], numbers[1::2], strict=False)]
    if len(numbers) % 2 or len(points) < 4 or any(abs(lat) > 90 or abs(lon) > 360 for lon, lat in points):
        raise root.fail("EXT_POS_LIST is no ring of latitudes and longitudes")
    return tuple(points) if points[0] == points[-1] else (*points, points[0])


def tile_facts(root: Node) -> TileFacts:
    """Read the tile's metadata; SceneError names what is missing or wrong."""
    general = root.find("{*}General_Info")
    tile_id = general.text_or("TILE_ID", "") or general.text("TILE_ID_2A")
    match = re.search(r"_A(\d{6})_T(\d{2}[A-Z]{3})_", tile_id)
    if match is None:
        raise general.fail(f"TILE_ID is {tile_id[:60]!r}, without orbit and tile")
    coding = root.find("{*}Geometric_Info/Tile_Geocoding")
    code = coding.text("HORIZONTAL_CS_CODE").upper().removeprefix("EPSG:")
    epsg = int(code) if code.isdecimal() and len(code) == 5 else 0
    if not (32601 <= epsg <= 32660 or 32701 <= epsg <= 32760):
        raise coding.fail(f"HORIZONTAL_CS_CODE is {code[:20]!r}, no UTM zone")
    sizes, corners = {}, set()
    for node in coding.find_all("Size"):
        if node.attribute("resolution") in {str(r) for r in RESOLUTIONS}:
            sizes[int(str(node.attribute("resolution")))] = (
                node.integer("NROWS", 1, _MOST),
                node.integer("NCOLS", 1, _MOST),
            )
    for node in coding.find_all("Geoposition"):
        corners.add((node.number("ULX", -1e6, 2e6), node.number("ULY", -1e7, 2e7)))
    if set(sizes) != set(RESOLUTIONS) or len(corners) != 1:
        raise coding.fail("sizes of 10, 20 and 60 m pixels and one corner are wanted")
    ((left, top),) = corners
    return TileFacts(
        match.group(2), int(match.group(1)), _utc(general.time("SENSING_TIME")), epsg, left, top, sizes, _angles(root)
    )


def _angles(root: Node) -> Angles:
    sun = root.find("{*}Geometric_Info/Tile_Angles/Mean_Sun_Angle")
    path = "{*}Geometric_Info/Tile_Angles/Mean_Viewing_Incidence_Angle_List/Mean_Viewing_Incidence_Angle"
    views = root.find_all(path)
    zenith = [node.number("ZENITH_ANGLE", 0.0, 90.0) for node in views]
    azimuth = np.deg2rad([node.number("AZIMUTH_ANGLE", -360.0, 360.0) for node in views])
    mean = float(np.rad2deg(np.arctan2(np.sin(azimuth).mean(), np.cos(azimuth).mean())) % 360.0) if views else None
    return Angles(
        sun.number("ZENITH_ANGLE", 0.0, 180.0),
        sun.number("AZIMUTH_ANGLE", -360.0, 360.0) % 360.0,
        float(np.mean(zenith)) if views else None,
        mean,
    )


def _utc(time: np.datetime64) -> dt.datetime:
    value: object = time.astype("datetime64[us]").astype(dt.datetime)
    if not isinstance(value, dt.datetime):
        raise GridError(f"{time} is no time")
    return value.replace(tzinfo=dt.UTC)
