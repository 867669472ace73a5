"""Files that users name: their folder is made, and where they cannot be written it is said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sarcube.errors import ConfigError, SarcubeError


def write_text(path: str | Path, text: str) -> Path:
    """Write a text in UTF-8; its folder is made where it is missing.

    Raises
    ------
    ConfigError
        It cannot be written there.
    """
    path = Path(path)
    with writing(path):
        path.write_text(text, encoding="utf-8")
    return path


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Make a file's folder, and tell by name where the file cannot be written; ConfigError as of `write_text`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
    except _refusals() as error:
        ours = isinstance(error, SarcubeError)
        if ours or not (type(error).__module__ == "builtins" or isinstance(error, _refusals()[1:])):
            raise  # or somebody else's, of a network say
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        reason = f"{path.parent} is no folder" if in_the_way else getattr(error, "strerror", None) or error
        raise ConfigError(f"{path} cannot be written: {reason}; choose another place") from error


def _refusals() -> tuple[type[Exception], ...]:
    # Asked for only where something has gone wrong: GDAL's own are dear to import.
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    return OSError, RasterioError, CPLE_BaseError
