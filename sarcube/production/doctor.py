"""What works here and what is missing: the facts behind `sarcube doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from sarcube import __version__
from sarcube.errors import CredentialError, SarcubeError

_PACKAGES = (
    "numpy",
    "numba",
    "rasterio",
    "xarray",
    "dask",
    "distributed",
    "stackstac",
    "pystac",
    "rioxarray",
    "obstore",
)
_OPTIONAL = {
    "rio-tiler": "the viewer: pip install 'sarcube[view]'",
    "zarr": "Zarr export: pip install 'sarcube[zarr]'",
    "pystac-client": "scene search at STAC APIs: pip install 'sarcube[search]'",
    "dask-cloudprovider": "Fargate and EC2 clusters: pip install 'sarcube[aws]'",
    "netCDF4": "NetCDF export: pip install 'sarcube[netcdf]'",
    "icechunk": "versioned cubes: pip install 'sarcube[icechunk]'",
    "whirlwind-insar": "phase unwrapping: pip install 'sarcube[unwrap]'",
    "jupytext": "notebooks: pip install 'sarcube[notebooks]'",
}


@dataclass(frozen=True)
class Check:
    """One fact.

    Attributes
    ----------
    name : str
    ok : bool or None
        None: optional and not there.
    detail : str
    advice : str
        What to do where it is not ok.
    """

    name: str
    ok: bool | None
    detail: str
    advice: str = ""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def examine() -> tuple[Check, ...]:
    """Look at interpreter, packages, engines, drivers, machine and credentials (present or not, never their values)."""
    return (
        Check("sarcube", True, __version__),
        Check("python", sys.version_info >= (3, 11), platform.python_version(), "use Python 3.11 or later"),
        *(_package(name) for name in _PACKAGES),
        *(_package(name, advice) for name, advice in _OPTIONAL.items()),
        _gdal(),
        _native(),
        _isce3(),
        _machine(),
        *_credentials(),
    )


def _package(name: str, advice: str | None = None) -> Check:
    try:
        return Check(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        if advice is None:
            return Check(name, False, "not installed", "pip install --force-reinstall sarcube")
        return Check(name, None, "not installed (optional)", advice)


def _gdal() -> Check:
    import rasterio
    from rasterio.drivers import raster_driver_extensions

    drivers = set(raster_driver_extensions().values())
    missing = {"GTiff"} - drivers
    return Check(
        "GDAL",
        not missing,
        rasterio.__gdal_version__,
        f"drivers missing: {', '.join(missing)}" if missing else "",
    )


def _native() -> Check:
    from sarcube.engines.rtc.engine import get_engine

    get_engine("native")
    return Check("engine native", True, "usable")


def _isce3() -> Check:
    from sarcube.engines.rtc.isce3.engine import describe

    try:
        versions = describe({})
    except SarcubeError as error:
        return Check("engine isce3", None, "not usable here", str(error))
    return Check("engine isce3", True, ", ".join(f"{name} {version}" for name, version in versions.items()) or "usable")


def _machine() -> Check:
    import psutil

    memory = psutil.virtual_memory().total / 2**30
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    detail = f"{os.cpu_count()} cores, {memory:.0f} GiB memory, {free:.0f} GiB free here"
    return Check(
        "machine",
        memory >= 4,
        detail,
        "a full burst needs 2 GiB per worker; use a machine with 4 GiB or more",
    )


def _credentials() -> tuple[Check, ...]:
    from sarcube.transfer.credentials import find_login

    checks = []
    for provider, name, purpose in (
        ("earthdata", "Earthdata login", "scenes from ASF"),
        ("cdse", "CDSE login", "scenes from Copernicus Data Space"),
    ):
        try:
            checks.append(Check(name, True, f"from {find_login(provider).origin}"))
        except CredentialError as error:
            checks.append(Check(name, None, f"not there (for {purpose})", str(error)))
    variables = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    if all(os.environ.get(v) for v in variables):
        checks.append(Check("AWS keys", True, "from environment"))
    elif (Path.home() / ".aws").exists():
        checks.append(Check("AWS keys", True, "possibly from ~/.aws"))
    else:
        advice = f"set {' and '.join(variables)}, or what boto3 takes"
        checks.append(Check("AWS keys", None, "not set (for S3 stores)", advice))
    return tuple(checks)
