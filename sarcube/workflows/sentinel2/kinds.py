"""What the workflow makes: the bands of one tile and date, its classes, and its clouds."""

from __future__ import annotations

from sarcube.engines.optical import masks
from sarcube.engines.optical.reflectance import NODATA, SCALE
from sarcube.products.kinds import Fact, Layer, MaskClass, ProductKind, Rate, Shown, mask_layer
from sarcube.sensors.sentinel2.bands import BANDS, Band

_SEE_THROUGH = (0, 0, 0, 0)
_LEGAL_NOTICE = "https://sentinel.esa.int/documents/247904/690755/Sentinel_Data_Legal_Notice"
PROVIDERS = ({"name": "ESA", "roles": ["producer", "licensor"], "url": "https://sentinels.copernicus.eu"},)


def _band(band: Band) -> Layer:
    facts: tuple[tuple[str, object], ...] = (
        ("eo:common_name", band.common_name),
        ("eo:center_wavelength", band.wavelength),
        ("eo:full_width_half_max", band.width),
    )
    return Layer(
        band.name,
        f"Reflectance of {band.name} ({band.wavelength * 1000:.0f} nm)",
        "uint16",
        float(NODATA),
        shown=Shown(0.0, 0.3),
        roles=("reflectance",),
        scale=SCALE,
        facts=facts,
    )


# Colours are those of ESA's own legend; the rank is how good a pixel is for a mosaic of the best.
_SCL = (
    ("no_data", "nothing seen", _SEE_THROUGH, 11),
    ("saturated", "saturated or defective", (255, 0, 0, 255), 10),
    ("dark", "dark, or in topographic shadow", (47, 47, 47, 255), 3),
    ("cloud_shadow", "shadow of clouds", (100, 50, 0, 255), 6),
    ("vegetation", "vegetation", (0, 160, 0, 255), 0),
    ("bare", "not vegetated", (255, 230, 90, 255), 0),
    ("water", "water", (0, 0, 255, 255), 0),
    ("unclassified", "unclassified", (128, 128, 128, 255), 2),
    ("cloud_medium", "clouds, medium probability", (192, 192, 192, 255), 8),
    ("cloud_high", "clouds, high probability", (255, 255, 255, 255), 9),
    ("cirrus", "thin cirrus", (100, 200, 255, 255), 5),
    ("snow", "snow or ice", (255, 150, 255, 255), 1),
)
SCL = mask_layer(
    "scl",
    "Scene classification",
    tuple(
        MaskClass(value, name, text, colour, rank=rank, blind=value in (masks.NO_DATA, masks.SATURATED))
        for value, (name, text, colour, rank) in enumerate(_SCL)
    ),
    masks.SCL_NONE,
)
CLOUD_MASK = mask_layer(
    "cloud_mask",
    "Clouds",
    (
        MaskClass(masks.CLEAR, "clear", "no cloud", _SEE_THROUGH),
        MaskClass(masks.BUFFERED, "near_cloud", "within the buffer around clouds", (150, 200, 220, 255), rank=1),
        MaskClass(masks.CLOUD_SHADOW, "shadow", "shadow of clouds", (100, 50, 0, 255), rank=2),
        MaskClass(masks.CLOUD_CIRRUS, "cirrus", "cirrus", (100, 200, 255, 255), rank=3),
        MaskClass(masks.CLOUD, "cloud", "cloud", (255, 255, 255, 255), rank=4),
        MaskClass(masks.UNKNOWN, "unknown", "nothing seen", _SEE_THROUGH, rank=5, blind=True),
    ),
    masks.UNKNOWN,
    roles=("cloud",),
)
BAND_LAYERS = tuple(_band(band) for band in BANDS.values())
FACTS = (
    Fact("platform", summarized=True),
    Fact("eo:cloud_cover", "number"),
    Fact("grid:code", summarized=True),
    Fact("sat:relative_orbit", "integer", summarized=True),
    Fact("sarcube:reflectance", summarized=True),
    Fact("sarcube:source_baseline", summarized=True),
)
# Measured on a whole tile at 10 m (120.6 million pixels), four bands and the cloud mask.
S2_ARD = ProductKind(
    "S2_ARD",
    "s2_ard",
    (*BAND_LAYERS, SCL, CLOUD_MASK),
    "Sentinel-2 reflectance per tile",
    "Reflectance of Sentinel-2, one product per tile and date, every date of a tile on the same grid: bands as numbers "
    "of 0.0001 without offset whatever the baseline, scene classification and clouds as classes.",
    "reflectance",
    Rate(0.35, 6.0, 14.0, 500_000_000, 800_000_000),
    facts=FACTS,
    keywords=("Sentinel-2", "MSI", "reflectance", "ARD"),
    providers=PROVIDERS,
    license_link=_LEGAL_NOTICE,
    browse=("B04", "B08", "B8A", "B03", "B11", "B12"),
)
