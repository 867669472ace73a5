"""Optional packages: imported when something needs them, with a word on how to get them."""

from __future__ import annotations

import importlib
from types import ModuleType

from sarcube.errors import MissingExtraError


def need(module: str, extra: str) -> ModuleType:
    """Import a module of an extra.

    Raises
    ------
    MissingExtraError
        It is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{module.partition('.')[0]} is not installed ({error}); pip install 'sarcube[{extra}]'"
        ) from error
