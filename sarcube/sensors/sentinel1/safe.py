"""A SAFE and what it holds: swaths, polarizations, and the members that belong to each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from sarcube.errors import SceneError
from sarcube.sensors.sentinel1.annotation import POLARIZATIONS
from sarcube.sensors.sentinel1.bytes_source import ByteOpener, is_remote
from sarcube.sensors.sentinel1.files import FolderFiles, RemoteFolderFiles, SafeFiles, ZipFiles
from sarcube.sensors.sentinel1.manifest import Manifest, parse_manifest
from sarcube.sensors.sentinel1.xml_tree import parse_xml

ProductType = Literal["SLC", "GRD"]
_MEMBER = re.compile(
    r"(?P<platform>s1[a-d])-(?P<swath>iw[1-3]?|ew[1-5]?)-(?P<type>slc|grd)-(?P<polarization>vv|vh|hh|hv)(?:-.+)?",
    re.IGNORECASE,
)
_SCENE = re.compile(r"S1[A-D]_[A-Z0-9]{2}_(SLC|GRD)[FHM_]_.{10,}", re.IGNORECASE)
_ENDINGS = re.compile(r"(_COG|\.SAFE|\.zip)+$", re.IGNORECASE)  # `_COG.SAFE`: as the Copernicus Data Space ships GRD


@dataclass(frozen=True)
class Part:
    """The members of one swath and polarization; names relative to the SAFE's root, None where absent."""

    swath: str
    polarization: str
    annotation: str
    calibration: str | None
    noise: str | None
    measurement: str | None


@dataclass(frozen=True, eq=False)
class Safe:
    """One Sentinel-1 scene, SLC or GRD.

    Attributes
    ----------
    name : str
        SAFE name without extension.
    path : str
        Folder, zip or address it was opened from.
    files : SafeFiles
        Its files.
    parts : tuple of Part
        In the order of swaths, then VV, VH, HH, HV.
    manifest : Manifest or None
    warnings : tuple of str
        What is missing or odd but not fatal.
    opener : callable, optional
        Opens remote addresses.
    """

    name: str
    path: str
    files: SafeFiles
    parts: tuple[Part, ...]
    manifest: Manifest | None
    warnings: tuple[str, ...] = ()
    opener: ByteOpener | None = field(default=None, repr=False)

    @property
    def swaths(self) -> Mapping[str, tuple[str, ...]]:
        """Polarizations of each swath: {"IW1": ("VV", "VH")}."""
        found: dict[str, list[str]] = {}
        for part in self.parts:
            polarizations = found.setdefault(part.swath, [])
            if part.polarization not in polarizations:
                polarizations.append(part.polarization)
        return {swath: tuple(polarizations) for swath, polarizations in found.items()}

    def read(self, member: str) -> bytes:
        """A whole metadata file; `member` is relative to the SAFE's root."""
        return self.files.read(self.files.root + member)


def open_files(path: str | Path, opener: ByteOpener | None = None) -> SafeFiles:
    """The files of a SAFE: a folder, a zip, or either behind an address."""
    text = str(path).rstrip("/")
    if is_remote(text):
        return _open_remote(text, opener)
    local = Path(text)
    if local.is_dir():
        return _rooted(FolderFiles(local))
    if not local.exists():
        raise SceneError(f"{text}: there is no such file or folder; check the path of the scene")
    return _open_zip(text, local.stat().st_mtime_ns, local.stat().st_size)


@lru_cache(maxsize=32)
def _open_zip(path: str, modified: int, size: int) -> SafeFiles:
    # A zip's directory is read once: every burst of a scene asks for it.
    return _rooted(ZipFiles(path))


def _open_remote(path: str, opener: ByteOpener | None) -> SafeFiles:
    if opener is None:
        raise SceneError(f"{path}: a remote scene needs a byte source (sarcube.transfer.remote)")
    name = path.rpartition("/")[2]
    if name.upper().endswith(".SAFE"):
        return _open_remote_folder(path, opener)
    if "." in name or not _SCENE.fullmatch(name):
        return _open_remote_zip(path, opener)
    try:  # a scene's name alone: mirrors have folders without an ending
        return _open_remote_folder(path, opener)
    except FileNotFoundError:
        return _open_remote_zip(path, opener)


def _open_remote_folder(path: str, opener: ByteOpener) -> SafeFiles:
    manifest = opener(f"{path}/manifest.safe")
    where = f"{path}/manifest.safe"
    names = parse_manifest(manifest.read(0, min(manifest.size, 4 << 20)), where).files
    return RemoteFolderFiles(path, ("manifest.safe", *names), opener)


def _open_remote_zip(path: str, opener: ByteOpener) -> SafeFiles:
    return _rooted(ZipFiles(path, opener))


def _rooted(files: FolderFiles | ZipFiles) -> SafeFiles:
    """Find the SAFE within: at the top, or in folders of any name around it."""
    roots = set()
    for name in files.names():
        lead, slash, rest = ("/" + name).rpartition("/annotation/")
        if slash and "/" not in rest and rest.lower().endswith(".xml"):
            roots.add(lead[1:] + "/" if lead else "")
    if len(roots) > 1:
        raise SceneError(f"{files.path}: holds {len(roots)} scenes ({', '.join(sorted(roots))[:200]}); give one SAFE")
    files.root = roots.pop() if roots else ""
    return files


def open_safe(path: str | Path, opener: ByteOpener | None = None, product: ProductType = "SLC") -> Safe:
    """Open a SAFE and see what it holds; no sample is read.

    Parameters
    ----------
    path : str or Path
        Folder (or the manifest in it), zip, or with `opener` an s3:// or https:// address of either.
    opener : callable, optional
        Gives a byte source for an address; `sarcube.transfer.remote` has one.
    product : "SLC" or "GRD"
        What the scene must be.

    Raises
    ------
    SceneError
        Not there, damaged, or no Sentinel-1 product of that type in IW or EW.
    """
    path = str(path)
    if not is_remote(path) and Path(path).name == "manifest.safe":
        path = str(Path(path).parent)
    files = open_files(path, opener)
    names = tuple(name[len(files.root) :] for name in files.names() if name.startswith(files.root))
    notes: list[str] = []
    manifest = _manifest(files, names, notes)
    parts = _parts(files, names, notes, product)
    if not parts:
        raise SceneError(
            f"{path}: holds no annotation of a Sentinel-1 IW or EW {product} "
            f"(annotation/s1?-iw{'?' if product == 'SLC' else ''}-{product.lower()}-??-*.xml); "
            "give a SAFE folder or its zip"
        )
    return Safe(_name(path, files), path, files, parts, manifest, tuple(notes), opener)


def _manifest(files: SafeFiles, names: tuple[str, ...], notes: list[str]) -> Manifest | None:
    if "manifest.safe" not in names:
        notes.append("no manifest")
        return None
    return parse_manifest(files.read(files.root + "manifest.safe"), f"{files.path}: manifest.safe")


def _parts(files: SafeFiles, names: tuple[str, ...], notes: list[str], product: ProductType) -> tuple[Part, ...]:
    found, strange = [], list[str]()
    for name in names:
        folder, _, file = name.rpartition("/")
        if folder.lower() != "annotation" or not file.lower().endswith(".xml"):
            continue
        try:
            key = _key(files, name, file, product)
        except SceneError as error:
            strange.append(str(error))
            continue
        if key is None:
            strange.append(f"{files.path}: {name}: is no annotation of an IW or EW {product}")
            continue
        stem = file[:-4]
        found.append(
            Part(
                key[0],
                key[1],
                name,
                _companion(names, "annotation/calibration", f"calibration-{stem}", key, (".xml",)),
                _companion(names, "annotation/calibration", f"noise-{stem}", key, (".xml",)),
                _companion(names, "measurement", stem, key, (".tiff", ".tif")),
            )
        )
    if strange and not found:
        raise SceneError(strange[0])
    # One strange file among known ones is worth a note, not the scene.
    notes.extend(f"passed over: {text.removeprefix(f'{files.path}: ')}" for text in strange)
    return tuple(sorted(found, key=lambda part: (part.swath, POLARIZATIONS.index(part.polarization), part.annotation)))


def _key(files: SafeFiles, name: str, file: str, product: ProductType) -> tuple[str, str] | None:
    match = _MEMBER.fullmatch(file[:-4])
    if match:
        key = match.group("swath").upper(), match.group("polarization").upper()
        return key if match.group("type").upper() == product else None
    # Extractors name files their own way: the header says what it is.
    root = parse_xml(files.read(files.root + name), f"{files.path}: {name}")
    swath, polarization = root.text_or("adsHeader/swath", ""), root.text_or("adsHeader/polarisation", "")
    right = root.tag == "product" and root.text_or("adsHeader/productType", "") == product
    return (swath, polarization) if right and swath[:2] in ("IW", "EW") and polarization in POLARIZATIONS else None


def _companion(
    names: tuple[str, ...], folder: str, stem: str, key: tuple[str, str], endings: tuple[str, ...]
) -> str | None:
    candidates = [n for n in names if n.lower().startswith(folder + "/") and n.lower().endswith(endings)]
    for name in candidates:
        if name.rpartition("/")[2].rpartition(".")[0].lower() == stem.lower():
            return name
    # Other product numbers or times in the name: swath and polarization decide where they are unique.
    prefix = stem.lower().split("-")[0] if folder.endswith("calibration") else ""
    swath, polarization = key[0].lower(), key[1].lower()
    loose = [
        name
        for name in candidates
        if (file := name.rpartition("/")[2].lower()).startswith(prefix)
        and {swath, polarization} <= set(re.split(r"[-_.]", file))
    ]
    return loose[0] if len(loose) == 1 else None


def _name(path: str, files: SafeFiles) -> str:
    inner = files.root.rstrip("/").rpartition("/")[2]
    own = path.rstrip("/").rpartition("/")[2]
    for candidate in (inner, own):
        stem = _ENDINGS.sub("", candidate)
        if _SCENE.fullmatch(stem):
            return stem
    return _ENDINGS.sub("", inner or own)
