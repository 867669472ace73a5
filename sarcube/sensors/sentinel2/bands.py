"""The bands of MSI: names, native pixel sizes, and what STAC calls them (Sentinel-2 Products Specification 14.9)."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from sarcube.errors import ConfigError


@dataclass(frozen=True)
class Band:
    """One band.

    Attributes
    ----------
    name : str
        As in file names: "B04", "B8A".
    resolution : int
        Native pixel size in metres.
    common_name : str
        As STAC's `eo:common_name`.
    wavelength, width : float
        Centre and full width at half maximum in micrometres (Sentinel-2A).
    """

    name: str
    resolution: int
    common_name: str
    wavelength: float
    width: float


# In the order of `band_id` in the metadata.
_TABLE = (
    Band("B01", 60, "coastal", 0.443, 0.027),
    Band("B02", 10, "blue", 0.490, 0.098),
    Band("B03", 10, "green", 0.560, 0.045),
    Band("B04", 10, "red", 0.665, 0.038),
    Band("B05", 20, "rededge071", 0.704, 0.019),
    Band("B06", 20, "rededge075", 0.740, 0.018),
    Band("B07", 20, "rededge078", 0.783, 0.028),
    Band("B08", 10, "nir", 0.842, 0.145),
    Band("B8A", 20, "nir08", 0.865, 0.033),
    Band("B09", 60, "nir09", 0.945, 0.026),
    Band("B10", 60, "cirrus", 1.3735, 0.075),
    Band("B11", 20, "swir16", 1.610, 0.143),
    Band("B12", 20, "swir22", 2.190, 0.242),
)
BANDS: dict[str, Band] = {band.name: band for band in _TABLE}
BAND_IDS: tuple[str, ...] = tuple(BANDS)
_PLAIN = re.compile(r"B0?(\d{1,2})(A?)", re.IGNORECASE)


def band_name(text: str) -> str:
    """The name as in file names: "B4", "b04" and "B04" are "B04"; "B8A" stays.

    Raises
    ------
    ConfigError
        There is no such band.
    """
    match = _PLAIN.fullmatch(str(text).strip())
    if match:
        number, letter = int(match.group(1)), match.group(2).upper()
        name = f"B{number}A" if letter else f"B{number:02d}"
        if name in BANDS:
            return name
    near = difflib.get_close_matches(str(text).upper(), [*BANDS], 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"Sentinel-2 has no band {str(text)[:20]!r}{hint} Its bands: {', '.join(BANDS)}")


def band_names(texts: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Names of a list, or of a text with commas, each once, in the order given; ConfigError as of `band_name`."""
    parts = texts.replace(";", ",").split(",") if isinstance(texts, str) else texts
    names = tuple(dict.fromkeys(band_name(part) for part in parts if str(part).strip()))
    if not names:
        raise ConfigError("no band is named; give some, like B2,B3,B4,B8")
    return names
