"""What the workflow makes of two dates."""

from __future__ import annotations

from sarcube.engines.optical.burned import NOT_SEEN, SEVERITY_NAMES
from sarcube.products.kinds import Fact, Layer, MaskClass, ProductKind, Rate, Shown, mask_layer
from sarcube.workflows.sentinel2.kinds import PROVIDERS

RGB = ("B12", "B11", "B8A")
_COLOURS = (
    (122, 135, 55),
    (172, 190, 77),
    (10, 224, 66),
    (255, 247, 11),
    (255, 175, 56),
    (255, 100, 27),
    (164, 31, 214),
)
_RATIO = Shown(-0.5, 1.0, colours="RdYlGn")
_CHANGE = Shown(-0.25, 1.0, colours="inferno")
INVALID, VALID = 0, 1
SEVERITY = mask_layer(
    "severity",
    "Severity after Key and Benson",
    (
        MaskClass(NOT_SEEN, "not_seen", "not seen on both dates", (0, 0, 0, 0), rank=8, blind=True),
        *(
            MaskClass(i + 1, name, name.replace("_", " "), (*_COLOURS[i], 255), rank=7 - i)
            for i, name in enumerate(SEVERITY_NAMES)
        ),
    ),
    NOT_SEEN,
)
VALID_LAYER = mask_layer(
    "valid",
    "Seen on both dates",
    (
        MaskClass(INVALID, "hidden", "cloud, shadow, snow, water, or nothing seen", (0, 0, 0, 0), rank=1, blind=True),
        MaskClass(VALID, "seen", "seen on both dates", (0, 160, 0, 255)),
    ),
    INVALID,
)


def _rgb(when: str, text: str) -> tuple[Layer, ...]:
    return tuple(
        Layer(f"{band}_{when}", f"Reflectance of {band}, {text}", "uint16", 0.0, shown=Shown(0.0, 0.5), scale=1e-4)
        for band in RGB
    )


BURNED_AREA = ProductKind(
    "BURNED_AREA",
    "burned_area",
    (
        Layer("dnbr", "dNBR: NBR before less NBR after", shown=_CHANGE),
        Layer("rbr", "Relativized burn ratio", shown=_CHANGE),
        Layer("rdnbr", "Relative dNBR", shown=_CHANGE),
        Layer("nbr_pre", "NBR before", shown=_RATIO),
        Layer("nbr_post", "NBR after", shown=_RATIO),
        SEVERITY,
        VALID_LAYER,
        *_rgb("pre", "before"),
        *_rgb("post", "after"),
    ),
    "Burned area from Sentinel-2",
    "What burned between two dates: differences of the normalized burn ratio, severity classes, their hectares and "
    "perimeters.",
    "burned area",
    Rate(1.2, 14.0, 60.0, 600_000_000, 1_600_000_000),
    facts=(Fact("grid:code", summarized=True), Fact("sarcube:burned_hectares", "number")),
    keywords=("Sentinel-2", "burned area", "NBR", "fire"),
    providers=PROVIDERS,
    browse=("dnbr",),
    level="L3",
)
