"""The commit of an announced attempt, and what is tidied up after it (`sarcube.products.attempt` says why it holds)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from sarcube.errors import StoreConflictError, StoreError, TransferError
from sarcube.products.attempt import Attempt, as_item, asset_keys, remove_files, stands, withdraw
from sarcube.products.names import stem_of
from sarcube.products.sweep import outdated, outdated_parts
from sarcube.store.protocol import Store

log = logging.getLogger(__name__)


def commit(store: Store, attempt: Attempt, item: bytes, files: Sequence[str], *, overwrite: bool = False) -> bool:
    """Make an attempt's product the one that there is, unless another was quicker.

    Parameters
    ----------
    store : Store
    attempt : Attempt
    item : bytes
        The item as it is to be stored.
    files : sequence of str
        Keys of the attempt's own files.
    overwrite : bool
        Replace the item that was there when the attempt began; else any that is there is kept.

    Returns
    -------
    bool
        False where another product was committed meanwhile (or, without `overwrite`, before): it is kept, and what
        this attempt wrote is removed.

    Raises
    ------
    TransferError
        The attempt was given up while it slept, and its files are gone: it is to be made again.
    StoreError
        The store cannot be written. Files are left, since the item may have arrived.
    """
    names = store.files(attempt.name.folder(attempt.collection))
    there = {f"{attempt.name.folder(attempt.collection)}/{name}" for name in names}
    if not there.issuperset(files) or not stands(store, attempt):
        return _given_up(store, attempt, files)
    try:
        if overwrite and attempt.base:
            store.replace_bytes(attempt.item_key, item, attempt.base)
        else:
            store.create_bytes(attempt.item_key, item)
    except StoreConflictError:
        withdraw(store, attempt, files)
        return False
    _tidy(store, attempt, asset_keys(attempt.item_key, as_item(item)), names)
    return True


def _given_up(store: Store, attempt: Attempt, files: Sequence[str]) -> bool:
    """What a commit returns or raises for an attempt that somebody has taken for dead."""
    found = store.read_version(attempt.item_key)
    withdraw(store, attempt, files)
    if found is not None and found[1] != attempt.base:
        return False
    raise TransferError(
        f"{attempt.name.stem}: its files were removed before it was published, as of an attempt that had ended; "
        "it has to be made again"
    )


def _tidy(store: Store, attempt: Attempt, kept: set[str], names: Iterable[str]) -> None:
    """Remove what the commit has made useless. Failing at it costs room, never a product."""
    folder = attempt.name.folder(attempt.collection)
    old = {f"{folder}/{name}" for name in names if outdated(name, attempt.name)} | set(attempt.replaces)
    if not attempt.name.timed:
        old = {key for key in old if stem_of(PurePosixPath(key).name) not in attempt.lineage}
    remove_files(store, sorted(old - kept))
    try:
        outdated_parts(store, folder, attempt.name)
    except (OSError, StoreError) as error:
        log.warning("%s is not tidied up: %s", folder, error)
