"""A product: the layers of a dataset as COGs in a store, each file complete, none visible before its item."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.errors import ProductError, StoreConflictError, TransferError
from sarcube.geometry.grid import GeoGrid
from sarcube.products.attempt import Attempt, announce, withdraw
from sarcube.products.browse import LONGEST_SIDE, browse_png
from sarcube.products.browse import MEDIA_TYPE as PNG
from sarcube.products.cog import MEDIA_TYPE, CogOptions, encode_cog, read_layer
from sarcube.products.kinds import Attached, Layer, ProductKind
from sarcube.products.names import ProductName
from sarcube.products.outline import Outline, outline
from sarcube.products.summary import Statistics, scan
from sarcube.store.local_store import LocalStore
from sarcube.store.protocol import Store
from sarcube.transfer.redact import redact, secrets_of

THUMBNAIL = "thumbnail"
ATTACHED = "attached"  # in a dataset's attrs: bytes of what a kind attaches to its layers, by name
_SHA256 = "1220"  # multihash: function 0x12 (sha2-256), length 0x20


@dataclass(frozen=True)
class ProductFile:
    """One file of a product.

    Attributes
    ----------
    layer : str
        Name of the layer, or "thumbnail".
    key : str
        In the store.
    size : int
        Bytes.
    checksum : str
        Multihash (sha2-256), lower-case hexadecimal.
    media_type : str
    statistics : Statistics, optional
    lossy : str, optional
        What compression lost, in words; None where it is exact.
    """

    layer: str
    key: str
    size: int
    checksum: str
    media_type: str = MEDIA_TYPE
    statistics: Statistics | None = None
    lossy: str | None = None


@dataclass(frozen=True)
class Product:
    """A written product, small enough to cross processes. It exists for readers once its item is published.

    Attributes
    ----------
    name : ProductName
    collection : str
    kind : ProductKind
    grid : GeoGrid
    files : tuple of ProductFile
    outline : Outline
        Where there are data, polygons in the grid's CRS.
    attempt : Attempt
        Its announcement, with which it is committed or taken back.
    """

    name: ProductName
    collection: str
    kind: ProductKind
    grid: GeoGrid
    files: tuple[ProductFile, ...]
    outline: Outline
    attempt: Attempt

    @property
    def folder(self) -> str:
        return self.name.folder(self.collection)

    @property
    def item_key(self) -> str:
        """Key of the item whose creation commits the product."""
        return self.name.item_key(self.collection)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class ProductOptions:
    """How a product is written."""

    cog: CogOptions = field(default_factory=CogOptions)
    browse: bool = True
    browse_side: int = LONGEST_SIDE


class HasHref(Protocol):
    """A file that is named by its address, such as a STAC asset."""

    href: str


class HasAssets(Protocol):
    """Anything that names files by layer, such as a STAC item."""

    @property
    def assets(self) -> Mapping[str, HasHref]:
        """Objects with an absolute `href`, by layer."""
        ...


def checksum(data: bytes | memoryview) -> str:
    """Multihash (sha2-256) as the STAC file extension has it."""
    return _SHA256 + hashlib.sha256(data).hexdigest()


def file_checksum(path: Path) -> str:
    """The same of a file, however large it is."""
    with path.open("rb") as file:
        return _SHA256 + hashlib.file_digest(file, "sha256").hexdigest()


def write_product(
    store: Store,
    name: ProductName,
    dataset: xr.Dataset,
    grid: GeoGrid,
    tags: Mapping[str, str],
    collection: str,
    kind: ProductKind,
    options: ProductOptions | None = None,
) -> Product:
    """Announce a product, then write every layer as a COG, and a browse image where the kind has one.

    Parameters
    ----------
    store : Store
    name : ProductName
        Where that name is taken (two runs in one second), or not later than that of the product that is there,
        the time of processing moves on; the product returned carries the name that was used.
    dataset : Dataset
        dims (y, x) on the grid; its variables are layers of the kind, `attrs["attached"]` the bytes of files beside
        them, by the names that the kind has for these.
    grid : GeoGrid
    tags : mapping of str to str
        Metadata for every file.
    collection : str
        Folder of the collection in the store.
    kind : ProductKind
    options : ProductOptions

    Raises
    ------
    ProductError
        A variable is no layer of the kind, or there is none; a file is none that the kind attaches.
    StoreError, TransferError
        The store cannot be written. What was written of this product is removed.
    """
    options = options or ProductOptions()
    # Whatever a workflow says of its inputs: files go further than the process that made them.
    secrets = secrets_of()
    tags = {name: redact(text, secrets) for name, text in tags.items()}
    layers, beside = _layers_of(dataset, kind), _attached(dataset, kind)
    attempt = announce(store, collection, name)
    name = attempt.name
    written: list[str] = []
    try:
        files: list[ProductFile] = []
        valid: NDArray[np.uint8] | None = None
        for layer in layers:
            values = np.asarray(dataset[layer.name].values)
            statistics, coarse = scan(values, layer.nodata)
            valid = _combine(valid, coarse, layer)
            key = f"{name.folder(collection)}/{name.file(layer.name)}"
            data = encode_cog(values, grid, layer, _tags(name, layer, tags, options.cog), options.cog)
            write_file(store, key, data)
            written.append(key)
            files.append(_file(layer.name, key, data, MEDIA_TYPE, statistics, options.cog.lossy(layer)))
        for about, data in beside:
            key = f"{name.folder(collection)}/{name.stem}_{about.suffix}"
            write_file(store, key, data)
            written.append(key)
            files.append(_file(about.name, key, data, about.media_type))
        shown = [layer for name in kind.browse for layer in layers if layer.name == name][:2]
        if options.browse and shown:
            data = browse_png([dataset[layer.name].values for layer in shown], shown, options.browse_side)
            key = f"{name.folder(collection)}/{name.stem}.png"
            write_file(store, key, data)
            written.append(key)
            files.append(_file(THUMBNAIL, key, data, PNG))
        assert valid is not None  # there is at least one layer
        return Product(name, collection, kind, grid, tuple(files), outline(valid, grid, 8), attempt)
    except BaseException:  # whatever ends it, also an interrupt: what it has written so far is taken back
        withdraw(store, attempt, written)
        raise


def write_file(store: Store, key: str, data: bytes) -> None:
    """Write a file under a name that an attempt has announced.

    Raises
    ------
    TransferError
        It is there already: something that never announced it wrote it. The next attempt takes another name.
    """
    try:
        store.create_bytes(key, data)
    except StoreConflictError:
        raise TransferError(
            f"{store.href(key)} is there already, though no attempt that is known has written it; made again under "
            "another name"
        ) from None


def _file(
    layer: str, key: str, data: bytes, media_type: str, statistics: Statistics | None = None, lossy: str | None = None
) -> ProductFile:
    return ProductFile(layer, key, len(data), checksum(data), media_type, statistics, lossy)


def read_layers(
    store: Store, source: Product | HasAssets | Mapping[str, str], layers: Iterable[str] | None = None
) -> xr.Dataset:
    """Read layers of a product into memory.

    Parameters
    ----------
    store : Store
        The store that the product lies in.
    source : Product, item or mapping
        A product, an item with absolute hrefs, or keys by layer.
    layers : iterable of str, optional
        Which layers; default all rasters.

    Returns
    -------
    Dataset
        dims (y, x), pixel-centre coordinates, one variable per layer; `attrs["grid"]` is the GeoGrid.

    Raises
    ------
    ProductError
        A layer is missing or damaged, or lies on another grid than the others.
    """
    keys = _keys(store, source)
    wanted = [name for name, key in keys.items() if key.endswith(".tif")] if layers is None else list(layers)
    missing = [name for name in wanted if name not in keys]
    if missing:
        raise ProductError(f"the product has no layer {', '.join(missing)}; it has {', '.join(keys)}")
    arrays: dict[str, xr.DataArray] = {}
    grid: GeoGrid | None = None
    for name in wanted:
        # One request for the whole file: on S3 that beats hundreds of ranges, and the store retries it.
        data = store.gdal_path(keys[name]) if isinstance(store, LocalStore) else store.read_bytes(keys[name])
        array = read_layer(data)
        own = array.attrs.pop("grid")
        if grid is not None and own != grid:
            raise ProductError(f"{store.href(keys[name])} lies on {own}, the other layers on {grid}")
        grid = own
        arrays[name] = array.rename(name)
    return xr.Dataset(arrays, attrs={"grid": grid})


def _keys(store: Store, source: Product | HasAssets | Mapping[str, str]) -> dict[str, str]:
    if isinstance(source, Product):
        return {file.layer: file.key for file in source.files}
    if isinstance(source, Mapping):
        return dict(source)
    root = store.url + "/"
    hrefs = {name: str(asset.href) for name, asset in source.assets.items()}
    return {name: href.removeprefix(root) for name, href in hrefs.items() if href.startswith(root)}


def _layers_of(dataset: xr.Dataset, kind: ProductKind) -> list[Layer]:
    unknown = [str(name) for name in dataset.data_vars if name not in kind.table]
    if unknown or not dataset.data_vars:
        raise ProductError(
            f"not layers of {kind.name}: {', '.join(unknown) or 'nothing'}; it has {', '.join(kind.table)}"
        )
    return [layer for layer in kind.layers if layer.name in dataset.data_vars]


def _attached(dataset: xr.Dataset, kind: ProductKind) -> list[tuple[Attached, bytes]]:
    given: Mapping[str, bytes] = dataset.attrs.get(ATTACHED, {})
    known = {about.name: about for about in kind.attached}
    if unknown := sorted(given.keys() - known.keys()):
        raise ProductError(f"{kind.name} attaches no {', '.join(unknown)}; it attaches {', '.join(known) or 'nothing'}")
    return [(about, given[name]) for name, about in known.items() if name in given]


def _combine(valid: NDArray[np.uint8] | None, coarse: NDArray[np.uint8], layer: Layer) -> NDArray[np.uint8]:
    # A mask may say something beyond what was seen, and a DEM covers more: data are where a measure has some, or
    # where there is none the first layer.
    if valid is None:
        return coarse
    return np.maximum(valid, coarse) if layer.role == "measure" else valid


def _tags(name: ProductName, layer: Layer, tags: Mapping[str, str], options: CogOptions) -> dict[str, str]:
    own = {
        "PRODUCT_ID": name.stem,
        "PRODUCT_TYPE": name.kind,
        "PRODUCT_VERSION": name.version,
        "PLACE": name.place,
        "PLATFORM": name.platform,
        "LAYER": layer.name,
        "LAYER_TITLE": layer.title,
        "UNITS": layer.unit,
        "PROCESSING_DATETIME": name.processed.isoformat().replace("+00:00", "Z"),
    }
    if lossy := options.lossy(layer):
        own["COMPRESSION_ERROR"] = lossy
    return own | {key.upper(): str(value) for key, value in tags.items()}
