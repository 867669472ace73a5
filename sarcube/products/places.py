"""Places: where products lie for ever. One place has one grid for ever."""

from __future__ import annotations

import re

from sarcube.errors import ProductError

_PLACE = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")


class Place(str):
    """A place by its name, which is also the name of its folder in a store and the key of its time series.

    Lower-case letters and digits, parts joined by underscores: a burst ID, a tile (`mgrs_33tuf`), a track (`t070`) or
    an area that the user has named (`etna_north`).

    Raises
    ------
    ProductError
        The name cannot be a folder's and a file name's.
    """

    __slots__ = ()

    def __new__(cls, name: str) -> Place:
        """The place of that name, whatever its case."""
        text = name.lower()
        if not _PLACE.fullmatch(text):
            raise ProductError(
                f"{name!r} cannot name a place: letters and digits, parts joined by underscores, like mgrs_33tuf"
            )
        return super().__new__(cls, text)

    @property
    def token(self) -> str:
        """The place as it stands in file names, where underscores part what is different: `MGRS-33TUF`."""
        return self.upper().replace("_", "-")

    @classmethod
    def from_token(cls, token: str) -> Place:
        """The place that a file name tells."""
        return cls(token.replace("-", "_"))
