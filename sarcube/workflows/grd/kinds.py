"""What the workflow grd makes: backscatter of one pass over one tile."""

from __future__ import annotations

from sarcube.products.kinds import Fact, ProductKind, Rate
from sarcube.workflows.rtc.kinds import LAYERS, POLARIZATIONS, RTC_S1

_LAYERS = tuple(
    LAYERS[name] for name in (*POLARIZATIONS, "mask", "number_of_looks", "incidence_angle", "local_incidence_angle")
)
_FACTS = (
    Fact("sar:instrument_mode", summarized=True),
    Fact("sar:frequency_band", summarized=True),
    Fact("sar:polarizations", "texts", summarized=True),
    Fact("sat:orbit_state", summarized=True),
    Fact("sat:absolute_orbit", "integer"),
    Fact("sat:relative_orbit", "integer", summarized=True),
    Fact("sarcube:measurement_type", summarized=True),
)
# Estimated from tiles of the tests, two polarizations at 20 m; a store with a history of its own goes by that.
_RATE = Rate(1.0, 9.0, 60.0, 900_000_000, 1_700_000_000)
RTC_GRD = ProductKind(
    "RTC_GRD",
    "s1_grd_rtc",
    _LAYERS,
    "Sentinel-1 GRD, terrain-flattened",
    "Backscatter of Sentinel-1 GRD scenes, radiometrically terrain-corrected by area projection: linear power, one "
    "product per pass and tile, all passes of a track on the same grid.",
    "backscatter",
    _RATE,
    facts=_FACTS,
    keywords=("SAR", "Sentinel-1", "GRD", "RTC", "backscatter", "ARD"),
    providers=RTC_S1.providers,
    license_link=RTC_S1.license_link,
    browse=("VV", "HH", "VH", "HV"),
)
GTC_GRD = ProductKind(
    "GTC_GRD",
    "s1_grd_gtc",
    _LAYERS,
    "Sentinel-1 GRD, geometrically terrain-corrected",
    "Backscatter of Sentinel-1 GRD scenes on the map, by the ellipsoid's area as their calibration has it: linear "
    "power, one product per pass and tile, all passes of a track on the same grid.",
    "backscatter",
    _RATE,
    facts=_FACTS,
    keywords=("SAR", "Sentinel-1", "GRD", "GTC", "backscatter"),
    providers=RTC_S1.providers,
    license_link=RTC_S1.license_link,
    browse=("VV", "HH", "VH", "HV"),
)
KINDS = {kind.name: kind for kind in (RTC_GRD, GTC_GRD)}
