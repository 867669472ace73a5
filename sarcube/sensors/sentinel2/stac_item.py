"""A product that a STAC API describes: its bands as rasters that are read over the network, window by window.

Known are the forms of Earth Search (assets `red`, `nir08`, `scl`, `earthsearch:boa_offset_applied`), of the Planetary
Computer (`B04`, `SCL`, signed addresses) and of CDSE (`B04_10m`). What the numbers mean is, in this order: what the
provider says that it has done to them, the product's own metadata, scale and offset of the asset.
"""

from __future__ import annotations

import os
import re
import threading
import time
import urllib.parse
from collections.abc import Mapping

from sarcube.errors import SarcubeError, SceneError
from sarcube.geometry.mgrs import tile_corner
from sarcube.instants import utc_time
from sarcube.jsons import JsonObject
from sarcube.raster_facts import offset_removed, raster_facts
from sarcube.sensors.sentinel2.bands import BAND_IDS, BANDS
from sarcube.sensors.sentinel2.metadata import product_facts
from sarcube.sensors.sentinel2.model import RESOLUTIONS, Angles, Radiometry, Scene
from sarcube.sensors.sentinel2.names import SceneName, parse_name
from sarcube.transfer.http import read_small, request
from sarcube.transfer.raster import gdal_path
from sarcube.transfer.redact import redact

PREFIX = "stac:"  # before the address of an item, where other products have a path
_NAMES = {band.common_name: band.name for band in BANDS.values()} | {
    "rededge1": "B05", "rededge2": "B06", "rededge3": "B07", "scl": "SCL",
}  # fmt: skip
_KEY = re.compile(r"(B\d\d|B8A|SCL)(?:_(10|20|60)m)?$", re.IGNORECASE)
_METADATA = ("product_metadata", "product-metadata", "Product-metadata")
_DATATAKE = re.compile(r"G(S2[A-Z])_(\d{8}T\d{6})_(\d{6})_N(\d\d\.\d\d)")
_MOST_XML = 4 << 20
_SIGNERS = "https://planetarycomputer.microsoft.com/api/sas/v1/token"
_SLACK_S = 300.0
_tokens: dict[tuple[str, str], tuple[float, str]] = {}
_lock = threading.Lock()


def name_in(item: JsonObject) -> SceneName | None:
    """What the name of the SAFE tells that an item was made of; None where it tells none."""
    told = item.get("properties") or {}
    for text in (told.get("s2:product_uri"), told.get("title"), item.get("id")):
        if found := parse_name(str(text or "")):
            return found
    return None


def band_assets(item: JsonObject) -> dict[tuple[str, int], str]:
    """Addresses of band and class rasters, by name and pixel size; GeoTIFFs before JPEG 2000."""
    found: dict[tuple[str, int], str] = {}
    for key, asset in sorted(item["assets"].items(), key=lambda pair: "jp2" in str(pair[1].get("href", "")).lower()):
        href = str(asset.get("href", ""))
        path = href.partition("?")[0].lower()
        if not (href.startswith(("https://", "http://", "s3://")) and path.endswith((".tif", ".tiff", ".jp2"))):
            continue
        plain = key.removesuffix("-jp2").removesuffix("_jp2")
        match = _KEY.fullmatch(plain)
        band = match[1].upper() if match else _NAMES.get(plain.lower())
        if band is None:
            continue
        size = (
            int(match[2])
            if match and match[2]
            else round(_pixel(asset, 20 if band == "SCL" else BANDS[band].resolution))
        )
        if size in RESOLUTIONS:
            found.setdefault((band, size), href)
    return found


def _pixel(asset: JsonObject, native: int) -> float:
    transform = asset.get("proj:transform")
    told = [transform[0]] if isinstance(transform, list) and transform else []
    told += [raster_facts(asset).get("spatial_resolution"), asset.get("gsd"), native]
    return float(next(v for v in told if isinstance(v, int | float) and v > 0))


def open_item(address: str) -> Scene:
    """What a STAC item says of its product; no image is opened.

    Parameters
    ----------
    address : str
        `stac:https://...`.

    Raises
    ------
    SceneError
        It is no item of Sentinel-2, has no bands, or does not tell what the numbers mean.
    SourceError, TransferError, CredentialError
        It cannot be fetched.
    """
    where = redact(address.removeprefix(PREFIX))
    with request("GET", address.removeprefix(PREFIX)) as answer:
        try:
            item = answer.json()
        except ValueError as error:
            raise SceneError(f"{where} is no STAC item; the API may be down, try again") from error
    try:
        return _scene(item, address)
    except SarcubeError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SceneError(
            f"{where} is no item of Sentinel-2 that can be read ({type(error).__name__}: {error})"
        ) from error


def _scene(item: JsonObject, address: str) -> Scene:
    where, told = redact(address.removeprefix(PREFIX)), item["properties"]
    name = name_in(item)
    if name is None:
        raise SceneError(f"{where} does not tell the product that it was made of (s2:product_uri)")
    images = band_assets(item)
    if not images:
        raise SceneError(f"{where} has no bands as GeoTIFF or JPEG 2000 behind an address")
    radiometry, warnings = _radiometry(item, name, where)
    datatake = str(told.get("s2:datatake_id") or told.get("eopf:datatake_id") or "")
    orbit = match[3] if (match := _DATATAKE.search(datatake)) else "0"
    epsg, left, top, sizes = _grid(item, name.tile, images)
    return Scene(
        path=address,
        name=str(told.get("s2:product_uri") or item["id"]).removesuffix(".SAFE"),
        platform=name.platform,
        level=name.level,
        baseline=name.baseline,
        tile=name.tile,
        start=name.start,
        sensed=utc_time(str(told["datetime"])),
        datatake=datatake,
        relative_orbit=name.relative_orbit,
        absolute_orbit=int(told.get("sat:absolute_orbit") or orbit),
        orbit_state=str(told.get("sat:orbit_state") or "descending").lower(),
        epsg=epsg,
        left=left,
        top=top,
        sizes=sizes,
        radiometry=radiometry,
        angles=_angles(told),
        cloud_cover=_number(told.get("eo:cloud_cover")),
        footprint=ring_in(item),
        images=images,
        masks={},
        warnings=tuple(warnings),
    )


def ring_in(item: JsonObject) -> tuple[tuple[float, float], ...]:
    """The outer ring of an item's geometry."""
    from sarcube.sensors.sentinel1.search.provider_json import ring_of

    return ring_of(item["geometry"])


def _radiometry(item: JsonObject, name: SceneName, where: str) -> tuple[Radiometry, list[str]]:
    """From numbers to reflectance, and what is doubtful of it."""
    told, assets = item["properties"], item["assets"]
    stated = _of_assets(assets)
    if offset_removed(told):
        warnings = []
        if stated is not None and any(stated.offsets.values()):
            warnings.append(
                "the API says that it has removed the offset, and states one all the same: it is taken for removed"
            )
        return Radiometry(10_000.0, {}, True), warnings
    href = next((str(assets[key]["href"]) for key in _METADATA if key in assets), "")
    if href.startswith(("https://", "http://")):
        from sarcube.sensors.sentinel1.xml_tree import parse_xml

        facts = product_facts(parse_xml(read_small(signed(href), _MOST_XML), f"{where}: MTD_MSI{name.level}.xml"))
        return facts.radiometry, []
    if stated is not None:
        return stated, []
    raise SceneError(
        f"{where} tells neither scale and offset of its bands (raster:bands) nor the product's metadata: what the "
        "numbers mean is not known; take another API or the SAFE"
    )


def _of_assets(assets: JsonObject) -> Radiometry | None:
    """Scale and offset as the assets state them, as offset and quantification of the numbers."""
    offsets: dict[str, float] = {}
    scales = set[float]()
    for key, asset in assets.items():
        match = _KEY.fullmatch(key)
        band = match[1].upper() if match else _NAMES.get(key.lower())
        scale = _number(raster_facts(asset).get("scale"))
        if band in BAND_IDS and scale:
            scales.add(scale)
            offsets[str(band)] = round((_number(raster_facts(asset).get("offset")) or 0.0) / scale, 3)
    if not scales:
        return None
    if len(scales) > 1:
        raise ValueError(f"bands have different scales: {sorted(scales)}")
    return Radiometry(round(1.0 / scales.pop(), 3), offsets, True)


def _grid(
    item: JsonObject, tile: str, images: Mapping[tuple[str, int], str]
) -> tuple[int, float, float, dict[int, tuple[int, int]]]:
    """Zone, upper left corner and sizes: as assets state them, else those of the tile."""
    epsg, left, top = tile_corner(tile)
    sizes = {size: (109_800 // size, 109_800 // size) for size in RESOLUTIONS}
    for asset in item["assets"].values():
        shape, transform = asset.get("proj:shape"), asset.get("proj:transform")
        if str(asset.get("href")) in images.values() and shape and transform and round(transform[0]) in RESOLUTIONS:
            step = round(transform[0])
            sizes[step] = (int(shape[0]), int(shape[1]))
            left, top = float(transform[2]), float(transform[5])
    whole = max(size * rows for size, (rows, _) in sizes.items() if any(s == size for _, s in images))
    return (
        epsg,
        left,
        top,
        {s: sizes[s] if any(r == s for _, r in images) else (whole // s, whole // s) for s in RESOLUTIONS},
    )


def _angles(told: JsonObject) -> Angles:
    elevation = _number(told.get("view:sun_elevation"))
    zenith = _number(told.get("s2:mean_solar_zenith"))
    azimuth = _number(told.get("s2:mean_solar_azimuth"))
    return Angles(
        zenith if zenith is not None else None if elevation is None else 90.0 - elevation,
        azimuth if azimuth is not None else _number(told.get("view:sun_azimuth")),
        _number(told.get("view:incidence_angle")),
        _number(told.get("view:azimuth")),
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def item_path(href: str) -> str:
    """A raster of an item as GDAL opens it."""
    return gdal_path(signed(href))


def signed(href: str) -> str:
    """The address with what the Planetary Computer wants for its containers; others as they are.

    Raises
    ------
    SourceError, TransferError
        No token is given.
    """
    parts = urllib.parse.urlsplit(href)
    host = parts.hostname or ""
    if not host.endswith(".blob.core.windows.net") or "sig=" in parts.query:
        return href
    key = host.split(".")[0], parts.path.strip("/").split("/")[0]
    with _lock:
        until, token = _tokens.get(key, (0.0, ""))
        if until < time.time() + _SLACK_S:
            base = os.environ.get("SARCUBE_PC_SAS_URL", _SIGNERS).rstrip("/")
            with request("GET", f"{base}/{key[0]}/{key[1]}") as answer:
                raw = answer.json()
            token = str(raw["token"])
            until = utc_time(str(raw["msft:expiry"])).timestamp()
            _tokens[key] = until, token
    return f"{href}{'&' if parts.query else '?'}{token}"
