"""What the workflow makes: the fires of one granule within the run's area, and rasters beside them."""

from __future__ import annotations

from sarcube.engines.fire.detect import CLOUD_CLASSES
from sarcube.products.kinds import Attached, Fact, Layer, MaskClass, ProductKind, Rate, Shown, mask_layer
from sarcube.workflows.active_fire.land_cover import LAND_COVER

NOT_SEEN = 255
MEASURED = ("S6", "S5", "S3", "S2", "S1")
BRIGHT = 0.5  # reflectance that is full colour
_COLOURS = {0: (0, 0, 0, 0), 1: (255, 255, 255, 255), 2: (200, 200, 200, 255), 3: (150, 150, 200, 255)}
CLOUD_MASK = mask_layer(
    "cloud_mask",
    "Clouds as the method took them",
    [
        MaskClass(
            value, text.replace(" ", "_"), text, _COLOURS.get(value, (0, 0, 0, 0)), rank=i, blind=value == NOT_SEEN
        )
        for i, (value, text) in enumerate(CLOUD_CLASSES.items())
    ],
    NOT_SEEN,
    roles=("cloud",),
)
GEOJSON = Attached("hotspots", "Hotspots", "hotspots.geojson", "application/geo+json")
PARQUET = Attached("hotspots_parquet", "Hotspots as GeoParquet", "hotspots.parquet", "application/vnd.apache.parquet")
RGB = Attached("rgb", "Picture of the day", "rgb.tif", "image/tiff; application=geotiff; profile=cloud-optimized",
               ("visual",))  # fmt: skip


def reflectance(name: str) -> Layer:
    """The layer of a channel."""
    title = f"Reflectance of {name} at the top of the atmosphere"
    return Layer(f"reflectance_{name}", title, shown=Shown(0.0, BRIGHT))


ACTIVE_FIRE = ProductKind(
    "ACTIVE_FIRE",
    "active_fire",
    (CLOUD_MASK, *(reflectance(name) for name in MEASURED), LAND_COVER),
    "Active fires from Sentinel-3",
    "Hotspots of SLSTR with temperatures, radiative power and confidence, one product per granule and area; cloud "
    "mask, by day reflectance, and the user's land cover on the area's grid.",
    "active fires",
    # Measured on a whole granule at full size (benchmarks/fire.py); the grid had 2.5 million pixels.
    Rate(3.6, 6.0, 80.0, 1_000_000_000, 400_000_000),
    facts=(
        Fact("platform", summarized=True),
        Fact("sat:relative_orbit", "integer", summarized=True),
        Fact("sarcube:hotspots", "integer"),
        Fact("sarcube:frp", "number"),
        Fact("sarcube:timeliness", summarized=True),
    ),
    keywords=("Sentinel-3", "SLSTR", "active fire", "fire radiative power"),
    providers=({"name": "ESA", "roles": ["producer", "licensor"], "url": "https://sentinels.copernicus.eu"},),
    license_link="https://sentinel.esa.int/documents/247904/690755/Sentinel_Data_Legal_Notice",
    browse=("reflectance_S6", "reflectance_S3", "cloud_mask"),
    attached=(GEOJSON, PARQUET, RGB),
)
