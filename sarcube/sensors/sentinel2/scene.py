"""Open a SAFE: a folder or a zip, of L1C or L2A, in the compact format (baseline 02.04 of December 2016 and later)."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from sarcube.errors import SceneError
from sarcube.sensors.sentinel1.files import FolderFiles, SafeFiles, ZipFiles
from sarcube.sensors.sentinel1.xml_tree import Node, parse_xml
from sarcube.sensors.sentinel2.bands import BANDS
from sarcube.sensors.sentinel2.metadata import product_facts, tile_facts
from sarcube.sensors.sentinel2.model import Scene
from sarcube.sensors.sentinel2.names import parse_name
from sarcube.sensors.sentinel2.stac_item import PREFIX, open_item

_PRODUCT = re.compile(r"(?:^|/)MTD_MSI(?:L1C|L2A)\.xml$")
_OLD_PRODUCT = re.compile(r"(?:^|/)S2._(?:OPER|USER)_MTD_SAF\w+\.xml$")
_IMAGE = re.compile(r"(?:^|/)IMG_DATA/(?:R\d0m/)?\w+_(B\d\d|B8A|SCL|AOT|WVP|TCI)(?:_(10|20|60)m)?\.jp2$")
_MASK = re.compile(r"(?:^|/)QI_DATA/(?:\w+_)?MSK_(\w+?)(?:_B00)?\.(?:jp2|gml)$")
_OLD_PROBABILITY = re.compile(r"(?:^|/)QI_DATA/\w+_(CLD|SNW)_(20|60)m\.jp2$")  # sen2cor until baseline 02.07
# Reprocessed on users' machines or by the ground segment's tests: their numbers say nothing of the algorithm.
_OWN_BASELINES = ("99.", "00.")


def open_files(path: str) -> SafeFiles:
    """The files of a product that lies in a folder or a zip.

    Raises
    ------
    SceneError
        There is nothing, or a damaged zip.
    """
    local = Path(path)
    if local.is_dir():
        return FolderFiles(local)
    if not local.exists():
        raise SceneError(f"{path}: there is no such file or folder; check the path of the scene")
    if local.name.startswith("MTD_MSI") and local.suffix == ".xml":  # how other programs name a product
        return FolderFiles(local.parent)
    stat = local.stat()
    return _open_zip(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=32)
def _open_zip(path: str, modified: int, size: int) -> SafeFiles:
    return ZipFiles(path)


def open_scene(path: str | Path) -> Scene:
    """Read what a product says of itself; no image is opened.

    Parameters
    ----------
    path : str or Path
        SAFE folder, zip, the MTD_MSIL1C.xml or MTD_MSIL2A.xml in a folder, or `stac:` and the address of an item.

    Raises
    ------
    SceneError
        Absent, damaged, of another kind, or more than one.
    """
    text = str(path).rstrip("/")
    if text.startswith(PREFIX):
        return open_item(text)
    files = open_files(text)
    names = files.names()
    products = [name for name in names if _PRODUCT.search(name)]
    if len(products) != 1:
        if any(_OLD_PRODUCT.search(name) for name in names):
            raise SceneError(
                f"{text}: is a product of many tiles, as made before December 2016 (baseline 02.04); fetch its "
                "Collection-1 reprocessing, one product per tile"
            )
        what = "no MTD_MSIL1C.xml or MTD_MSIL2A.xml: not a Sentinel-2 SAFE, or an incomplete one"
        raise SceneError(f"{text}: " + (f"{len(products)} products in one folder; name one" if products else what))
    root = products[0].rpartition("/")[0]
    lead = root + "/" if root else ""
    inside = [name for name in names if name.startswith(lead)]
    tiles = [name for name in inside if name.endswith("/MTD_TL.xml")]
    if len(tiles) != 1:
        raise SceneError(f"{text}: {len(tiles)} MTD_TL.xml, one is wanted; the scene is incomplete, fetch it again")
    product = product_facts(_xml(files, products[0], text, r"Level-(1C|2A|2Ap)_User_Product"))
    tile = tile_facts(_xml(files, tiles[0], text, r"Level-(1C|2A)_Tile_ID"))
    images, masks = _images(inside), _masks(inside)
    if not images:
        raise SceneError(f"{text}: holds no image; the scene is incomplete, fetch it again")
    name = parse_name(_safe_name(text, root))
    warnings = []
    if product.baseline.startswith(_OWN_BASELINES):
        warnings.append(
            f"baseline {product.baseline} is of a local processor; its offsets are taken as the metadata state them"
        )
    return Scene(
        path=text,
        name=_safe_name(text, root),
        platform=product.platform,
        level=product.level,
        baseline=product.baseline,
        tile=tile.tile,
        start=name.start if name else product.start.replace(microsecond=0),
        sensed=tile.sensed,
        datatake=product.datatake,
        relative_orbit=product.relative_orbit,
        absolute_orbit=tile.absolute_orbit,
        orbit_state=product.orbit_state,
        epsg=tile.epsg,
        left=tile.left,
        top=tile.top,
        sizes=tile.sizes,
        radiometry=product.radiometry,
        angles=tile.angles,
        cloud_cover=product.cloud_cover,
        footprint=product.footprint or _square(tile.epsg, tile.left, tile.top, tile.sizes[10]),
        images=images,
        masks=masks,
        warnings=tuple(warnings),
    )


def _xml(files: SafeFiles, name: str, where: str, root: str) -> Node:
    node = parse_xml(files.read(name), f"{where}: {name.rpartition('/')[2]}")
    if not re.fullmatch(root, node.tag):
        raise SceneError(f"{where}: {name} has the root <{node.tag[:40]}>; this is another kind of file")
    return node


def _safe_name(path: str, root: str) -> str:
    for text in (root.rpartition("/")[2], Path(path).name, Path(path).parent.name):
        if parse_name(text):
            return text.removesuffix(".zip").removesuffix(".SAFE")
    return Path(path).stem


def _images(names: list[str]) -> dict[tuple[str, int], str]:
    found = {}
    for name in names:
        match = _IMAGE.search(name)
        if match:
            band, size = match.groups()
            native = BANDS[band].resolution if band in BANDS else 10
            found[band, int(size) if size else native] = name
    return found


def _masks(names: list[str]) -> dict[str, str]:
    found = {}
    for name in names:
        match, old = _MASK.search(name), _OLD_PROBABILITY.search(name)
        if match:
            found[match.group(1)] = name
        elif old:
            found.setdefault(f"{ {'CLD': 'CLDPRB', 'SNW': 'SNWPRB'}[old.group(1)] }_{old.group(2)}m", name)
    return found


def _square(epsg: int, left: float, top: float, size: tuple[int, int]) -> tuple[tuple[float, float], ...]:
    """The tile's own corners, where the metadata give no footprint."""
    from pyproj import Transformer

    right, bottom = left + 10.0 * size[1], top - 10.0 * size[0]
    to_degrees = Transformer.from_crs(epsg, 4326, always_xy=True)
    corners = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
    return tuple((float(x), float(y)) for x, y in (to_degrees.transform(*corner) for corner in corners))
