"""Where a Zarr cube is written: a folder, an S3 prefix, or an icechunk repository at either."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import Any

import numpy as np
import xarray as xr
import zarr

from sarcube.errors import CubeError

PROGRESS = "progress"


class PlainTarget:
    """A Zarr store in a folder or at s3://; S3 through obstore, with the settings of sarcube's own stores."""

    consolidated = True

    def __init__(self, address: str) -> None:
        self._address = address
        self._store: Any = address.removeprefix("file://")
        if address.startswith("s3://"):
            from zarr.storage import ObjectStore

            from sarcube.products.s3_store import S3Store

            self._store = ObjectStore(S3Store(address).client())
        elif "://" in self._store:
            raise CubeError(f"a Zarr store is a folder or an s3:// address, not {address}")

    def __str__(self) -> str:
        return self._address

    def exists(self) -> bool:
        """Whether writing was begun here."""
        return _begun(self._store)

    def open(self) -> xr.Dataset:
        """What is there, not lazily chunked."""
        return xr.open_dataset(self._store, consolidated=True, engine="zarr", chunks=None)

    def progress(self) -> np.ndarray:
        """Regions that are written, 1 each."""
        return _written(self._store)

    def writing(self, message: str) -> Any:
        """A context that gives the store to write to."""
        return nullcontext(self._store)


class IcechunkTarget:
    """A versioned store: what one `writing` block wrote becomes one commit."""

    consolidated = False

    def __init__(self, address: str) -> None:
        try:
            import icechunk
        except ImportError as error:
            raise CubeError("versioned stores need icechunk: pip install sarcube[icechunk]") from error
        self._address = address
        if address.startswith("s3://"):
            bucket, _, prefix = address[5:].partition("/")
            endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
            storage = icechunk.s3_storage(
                bucket=bucket, prefix=prefix, from_env=True, endpoint_url=endpoint,
                region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
                allow_http=bool(endpoint and endpoint.startswith("http://")), force_path_style=bool(endpoint),
            )  # fmt: skip
        else:
            storage = icechunk.local_filesystem_storage(address.removeprefix("file://"))
        self._repository = icechunk.Repository.open_or_create(storage)

    def __str__(self) -> str:
        return self._address

    @property
    def _store(self) -> Any:
        return self._repository.readonly_session("main").store

    def exists(self) -> bool:
        """Whether writing was begun here."""
        return _begun(self._store)

    def open(self) -> xr.Dataset:
        """What the main branch holds, not lazily chunked."""
        return xr.open_dataset(self._store, consolidated=False, engine="zarr", chunks=None)

    def progress(self) -> np.ndarray:
        """Regions that are written, 1 each."""
        return _written(self._store)

    def writing(self, message: str) -> Any:
        """A context that gives the store to write to, and commits at its end."""
        return self._repository.transaction("main", message=message)


def _begun(store: Any) -> bool:
    try:
        zarr.open_array(store, path=f"{PROGRESS}/written", mode="r")
    except (FileNotFoundError, zarr.errors.NodeNotFoundError):
        return False
    return True


def _written(store: Any) -> np.ndarray:
    return np.asarray(zarr.open_array(store, path=f"{PROGRESS}/written", mode="r")[...])
