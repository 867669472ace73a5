"""Optional packages: imported when a profile needs them, with a word on how to get them."""

from __future__ import annotations

import importlib
from typing import Any

from sarcube.errors import ClusterError


def need(module: str, extra: str) -> Any:
    """Import a module of an extra.

    Raises
    ------
    ClusterError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ClusterError(f"{module} is not installed ({error}); pip install 'sarcube[{extra}]'") from error
