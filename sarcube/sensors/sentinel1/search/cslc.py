"""Geocoded SLCs (OPERA CSLC-S1) in a folder, on S3 or behind an address, as bursts that are found."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sarcube.config import RunConfig
from sarcube.errors import CredentialError, MissingExtraError, SarcubeError, SourceError
from sarcube.geometry.grid import GeoGrid
from sarcube.sensors.sentinel1.cslc.product import Cslc, granule_name, read_cslc
from sarcube.sensors.sentinel1.files import is_sidecar
from sarcube.sensors.sentinel1.search.local import SceneBursts, SceneIndex, to_datetime
from sarcube.sensors.sentinel1.search.provider_json import time_or_none
from sarcube.sensors.sentinel1.search.scenes import FoundBurst, no_such_scene, scene_name
from sarcube.transfer.folder import walk
from sarcube.transfer.problem import Problem
from sarcube.transfer.redact import redact

log = logging.getLogger(__name__)

_AT_ONCE = 4  # remote files opened side by side: waiting for the network, not computing
# OPERA's static layers (CSLC-S1-STATIC) and COMPASS's lie beside the products and have no samples.
_NO_SAMPLES = re.compile(r"CSLC-S1-STATIC|static_layers", re.IGNORECASE)
_ENDING = ".h5"
# A file of each source's burst IDs, as they were found last: a plan asks for the grid of each.
_files: dict[tuple[str, str], str] = {}


def search_cslc(config: RunConfig) -> tuple[list[FoundBurst], list[Problem]]:
    """Every geocoded SLC under `source.path`: a folder, one file, or the same as s3:// or (one file) https:// address.

    Raises
    ------
    SourceError
        The path is not there, or holds no HDF5 file.
    CredentialError
        Access is refused: no further file would fare better.
    MissingExtraError
        h5py is not installed.
    """
    path = str(config.source.path)
    problems: list[Problem] = []
    listed = _listed(path, problems)
    only = {scene_name(name) for name in config.source.scenes or ()}
    wanted = [name for name in listed if not only or granule_name(name) in only]
    if listed and not wanted:
        raise no_such_scene(redact(path), only, {granule_name(name) for name in listed})
    index = SceneIndex.load(f"cslc {redact(path)}")
    found: list[FoundBurst] = []
    new = []
    for name in wanted:
        key = _key(name)
        known = index.get(key, _stamp(name), name) if key else None
        if known is None:
            new.append(name)
        else:
            found += known.bursts
    with ThreadPoolExecutor(_AT_ONCE if "://" in path else 1) as pool:
        for name, result in zip(new, pool.map(_opened, new), strict=True):
            if isinstance(result, FoundBurst):
                found.append(result)
                key = _key(name)
                if key:
                    index.put(key, _stamp(name), SceneBursts((result,)))
            else:
                log.warning("%s is left out: %s", redact(name), result)
                problems.append(Problem(name, str(result), type(result).__name__))
    index.save({_key(name) for name in wanted} if not only else None)
    _files.update({(path, burst.burst_id): burst.path for burst in found})
    return found, problems


def grid_of_burst(config: RunConfig, burst_id: str) -> GeoGrid | None:
    """The grid of the samples of a burst ID's files; None where there is none."""
    path = str(config.source.path)
    last = [_files[path, burst_id]] if (path, burst_id) in _files else []
    number = re.compile(burst_id.replace("_", "[-_]"), re.IGNORECASE)
    # Names tell the burst; who has renamed files waits a little longer.
    others = () if last else sorted(_listed(path, []), key=lambda name: not number.search(granule_name(name)))
    for name in (*last, *others):
        try:
            cslc = open_cslc(name)
        except CredentialError:
            raise
        except SarcubeError:
            continue  # told where it was found
        if cslc.burst.burst_id == burst_id:
            return cslc.grid
    return None


def open_cslc(path: str) -> Cslc:
    """A geocoded SLC on this machine or behind an address; errors are those of `read_cslc`."""
    from sarcube.transfer.remote import open_remote

    return read_cslc(path, open_remote if "://" in path else None)


def _key(path: str) -> str:
    """By what a file is remembered: its path, or a granule's name, which tells when it was made; empty: not at all."""
    if "://" not in path:
        return path
    name = granule_name(path)
    return name if name.upper().startswith("OPERA_L2_CSLC-S1_") else ""  # an address may hold a signature


def _stamp(path: str) -> tuple[int, int]:
    """When a file was last changed, and its bytes."""
    if "://" in path:
        return 0, 0
    try:
        status = Path(path).stat()
    except OSError:
        return 0, -1  # gone since it was listed: opening it tells
    return status.st_mtime_ns, status.st_size


def _opened(path: str) -> FoundBurst | SarcubeError:
    try:
        return found_of(open_cslc(path), path)
    except (CredentialError, MissingExtraError):
        raise
    except SarcubeError as error:
        return error


def found_of(cslc: Cslc, path: str) -> FoundBurst:
    """A geocoded SLC as a search result."""
    burst = cslc.burst
    return FoundBurst(
        burst_id=burst.burst_id,
        scene=burst.scene,
        path=path,
        swath=burst.swath,
        index=burst.index,
        start_time=to_datetime(burst.start_time),
        end_time=to_datetime(burst.end_time),
        platform=burst.platform,
        orbit_direction=burst.orbit_direction,
        relative_orbit=burst.relative_orbit,
        polarizations=burst.polarizations,
        footprint=tuple((round(lon, 6), round(lat, 6)) for lon, lat in burst.footprint),
        size_bytes=cslc.stored,
        processed=time_or_none(burst.source_processed),
        ipf_version=burst.ipf_version,
    )


def _listed(path: str, problems: list[Problem]) -> list[str]:
    """Files of geocoded SLCs, in the order of their paths."""
    if "://" not in path:
        root = Path(path).expanduser().resolve()
        if not root.exists():
            raise SourceError(f"source.path {root} does not exist; name the folder of the CSLC-S1 files")
        names = [str(root)] if root.is_file() else sorted(_below(root, problems))
    elif path.split("?", 1)[0].lower().endswith(_ENDING):
        return [path]
    elif path.startswith("s3://"):
        names = _on_s3(path.rstrip("/"))
    else:
        raise SourceError(
            f"{redact(path)}: name one file ({_ENDING}); of many files only folders and s3:// prefixes can be listed"
        )
    kept = [name for name in names if not _NO_SAMPLES.search(granule_name(name))]
    if not kept:
        beside = f" ({len(names)} files of static layers have no samples)" if names else ""
        raise SourceError(f"{redact(path)} holds no CSLC-S1 file ({_ENDING}){beside}; check source.path")
    return kept


def _below(folder: Path, problems: list[Problem]) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        problems.append(Problem(str(error.filename), f"{error.filename} cannot be listed: {error.strerror or error}"))

    for base, folders, names in walk(folder, unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (str(base / name) for name in names if name.lower().endswith(_ENDING) and not is_sidecar(name))


def _on_s3(address: str) -> list[str]:
    import obstore

    from sarcube.transfer.aws import s3_call, s3_store

    bucket, _, prefix = address[5:].partition("/")
    store = s3_store(bucket)

    def keys() -> list[str]:
        return [str(entry["path"]) for page in obstore.list(store, prefix or None) for entry in page]

    return sorted(f"s3://{bucket}/{key}" for key in s3_call(address, keys) if key.lower().endswith(_ENDING))
