"""Values that people look at. A value imports no view of itself: its views are found by name when one is asked for."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar


class Shown:
    """Base of a value with views: functions of a module that take the value first."""

    _views: ClassVar[str] = ""

    def _view(self, name: str, **options: object) -> Any:
        return getattr(importlib.import_module(self._views), name)(self, **options)

    def __repr__(self) -> str:
        """What it says, and what one does with it next."""
        return str(self._view("told"))

    def _repr_html_(self) -> str:
        """In a notebook."""
        return str(self._view("notebook"))
