"""Every error that a user of sarcube can cause or has to act on.

A message says what is wrong, with which file or key, and what to do. Code that calls sarcube catches
`SarcubeError`; each subclass also inherits the standard kind that fits, so ordinary handlers work too.
"""

from __future__ import annotations


class SarcubeError(Exception):
    """Base of all errors that sarcube raises on purpose.

    Attributes
    ----------
    transient : bool
        True where the same call may succeed later (network, lost worker): production retries only these.
    """

    transient: bool = False


class ConfigError(SarcubeError, ValueError):
    """A run file, option or argument is wrong."""


class MissingExtraError(ConfigError, ImportError):
    """What was asked for needs an optional package that is not installed; the message names the extra."""


class PassedOverWarning(UserWarning):
    """Something damaged or foreign among many was left out; the message says what, and why."""


class OpenToOthersWarning(UserWarning):
    """Something can be reached from other machines."""


class SceneError(SarcubeError, ValueError):
    """A SAFE (folder, zip, annotation, calibration, noise or measurement file) cannot be used."""


class BurstNotFoundError(SarcubeError, LookupError):
    """A burst ID or index is not in the scene."""


class OrbitError(SarcubeError, ValueError):
    """No usable orbit: none found, unreadable, or it does not cover the burst."""


class DemError(SarcubeError, ValueError):
    """The DEM or geoid cannot be read or does not cover the burst."""


class GridError(SarcubeError, ValueError):
    """A grid cannot be made, or two grids that must be equal differ."""


class SourceError(SarcubeError, OSError):
    """A provider of inputs cannot be reached or has not what was asked."""


class MissingProductError(SourceError, LookupError):
    """Products that others need, and that a run only links, are not in the store that it names."""


class TransferError(SourceError):
    """A transfer failed in a way that may pass: time-out, 5xx, torn connection."""

    transient = True


class DownloadTimeoutError(TransferError, TimeoutError):
    """A download took longer than allowed."""


class CredentialError(SarcubeError, PermissionError):
    """Credentials are missing or refused."""


class EngineError(SarcubeError, RuntimeError):
    """An RTC engine is not usable here or failed on a burst."""


class StoreError(SarcubeError, OSError):
    """The store cannot be read or written."""


class StoreConflictError(StoreError, FileExistsError):
    """A conditional create found the object already there."""


class ProductError(SarcubeError, ValueError):
    """A product's files are missing, damaged or not what their item says."""


class MergeError(ProductError):
    """Products that are to become one do not go together: other dates, polarization, track or pixels."""


class CatalogError(SarcubeError, ValueError):
    """A STAC item, collection or index is invalid."""


class DamagedIndexError(CatalogError):
    """A collection's index cannot be read; what it holds stands in the items too."""


class CubeError(SarcubeError, ValueError):
    """A cube or mosaic cannot be made from what was selected."""


class ClusterError(SarcubeError, RuntimeError):
    """A Dask cluster cannot be started or reached."""


class TaskTimeoutError(SarcubeError, TimeoutError):
    """A task took longer than its limit."""
