"""Where a Zarr cube is written: a folder, an S3 prefix, or an icechunk repository at either."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr

from sarcube.errors import CubeError
from sarcube.extras import need
from sarcube.transfer import aws

if TYPE_CHECKING:
    import zarr

PROGRESS = "progress"
ZarrStore: TypeAlias = Any  # a path or a store of zarr: xarray reads both, and its hints know no stores


def zarr_library() -> ModuleType:
    """zarr, where it is installed."""
    return need("zarr", "zarr")


class Target(ABC):
    """A Zarr store to write to, at an address."""

    consolidated: bool

    def __init__(self, address: str) -> None:
        self._address = address

    def __str__(self) -> str:
        return self._address

    @property
    @abstractmethod
    def _store(self) -> ZarrStore:
        """What zarr and xarray read from."""

    @abstractmethod
    def writing(self, message: str) -> AbstractContextManager[ZarrStore]:
        """A context that gives the store to write to; what it wrote stays when it ends well."""

    def exists(self) -> bool:
        """Whether writing was begun here."""
        try:
            self._written()
        except (FileNotFoundError, zarr_library().errors.NodeNotFoundError):
            return False
        except OSError as error:
            reason = error.strerror or error
            raise CubeError(f"{self} cannot be looked into: {reason}; choose another place") from error
        return True

    def open(self) -> xr.Dataset:
        """What is there, not lazily chunked."""
        return xr.open_dataset(self._store, consolidated=self.consolidated, engine="zarr", chunks=None)

    def progress(self) -> np.ndarray:
        """Regions that are written, 1 each."""
        return np.asarray(self._written()[...])

    def _written(self) -> zarr.Array[Any]:
        written: zarr.Array[Any] = zarr_library().open_array(self._store, path=f"{PROGRESS}/written", mode="r")
        return written


class PlainTarget(Target):
    """A Zarr store in a folder or at s3://; S3 through obstore, with the settings of sarcube's own stores."""

    consolidated = True

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._plain: ZarrStore = address.removeprefix("file://")
        if address.startswith("s3://"):
            from sarcube.store.s3_store import S3Store

            self._plain = need("zarr.storage", "zarr").ObjectStore(S3Store(address).client())
        elif "://" in self._plain:
            raise CubeError(f"a Zarr store is a folder or an s3:// address, not {address}")

    @property
    def _store(self) -> ZarrStore:
        return self._plain

    def writing(self, message: str) -> AbstractContextManager[ZarrStore]:
        return nullcontext(self._plain)


class IcechunkTarget(Target):
    """A versioned store: what one `writing` block wrote becomes one commit."""

    consolidated = False

    def __init__(self, address: str) -> None:
        super().__init__(address)
        try:
            import icechunk
        except ImportError as error:
            raise CubeError("versioned stores need icechunk: pip install sarcube[icechunk]") from error
        if address.startswith("s3://"):
            bucket, _, prefix = address[5:].partition("/")
            endpoint = aws.endpoint()
            storage = icechunk.s3_storage(
                bucket=bucket, prefix=prefix, from_env=True, endpoint_url=endpoint, region=aws.region(bucket),
                allow_http=bool(endpoint and endpoint.startswith("http://")), force_path_style=bool(endpoint),
            )  # fmt: skip
        else:
            storage = icechunk.local_filesystem_storage(address.removeprefix("file://"))
        try:
            self._repository = icechunk.Repository.open_or_create(storage)
        except (icechunk.IcechunkError, OSError) as error:
            raise CubeError(
                f"{address} cannot be opened as a versioned store: {error}; choose another place"
            ) from error

    @property
    def _store(self) -> ZarrStore:
        return self._repository.readonly_session("main").store

    def writing(self, message: str) -> AbstractContextManager[ZarrStore]:
        transaction: AbstractContextManager[ZarrStore] = self._repository.transaction("main", message=message)
        return transaction
