"""What RTC makes: backscatter of one acquisition, and the static layers of a burst ID."""

from __future__ import annotations

import datetime as dt

from sarcube.products.kinds import Fact, Layer, MaskClass, ProductKind, Rate, Shown, mask_layer
from sarcube.products.rules import Rule, angle, count, list_of, one_of, positive, text, texts

POLARIZATIONS = ("VV", "VH", "HH", "HV")
VALID, SHADOW, LAYOVER, SHADOW_LAYOVER, OUTSIDE = 0, 1, 2, 3, 255
MASK_VALUES = {
    "valid": VALID, "shadow": SHADOW, "layover": LAYOVER, "shadow_layover": SHADOW_LAYOVER, "outside": OUTSIDE,
}  # fmt: skip
# First day of Sentinel-1 acquisitions, which OPERA's static layers carry as the start of their validity.
STATIC_VALIDITY = dt.datetime(2014, 4, 3, tzinfo=dt.UTC)
TRACKS = 175  # relative orbits of Sentinel-1
_SLC_BYTES = 1500 * 22_000 * 4  # int16 complex, one polarization of an IW burst of usual size
_LEGAL_NOTICE = "https://sentinel.esa.int/documents/247904/690755/Sentinel_Data_Legal_Notice"
_PROVIDERS = ({"name": "ESA", "roles": ["producer", "licensor"], "url": "https://sentinels.copernicus.eu"},)


def _backscatter(name: str, low: float) -> Layer:
    shown = Shown(low, low + 20.0, scale="db")
    return Layer(
        name, f"{name} backscatter", roles=("backscatter",), shown=shown, weight="number_of_looks", may_round=True
    )


def _auxiliary(name: str, title: str, unit: str, *roles: str, high: float | None = None) -> Layer:
    shown = Shown(0.0 if high else None, high)
    return Layer(name, title, unit=unit, role="auxiliary", roles=roles, shown=shown)


MASK = mask_layer(
    "mask",
    "Layover and shadow mask",
    (
        MaskClass(VALID, "valid", "neither shadow nor layover", (0, 0, 0, 0)),
        MaskClass(SHADOW, "shadow", "radar shadow", (64, 64, 160, 255), rank=2, blind=True),
        MaskClass(LAYOVER, "layover", "layover", (220, 120, 20, 255), rank=1),
        MaskClass(SHADOW_LAYOVER, "shadow_layover", "shadow and layover", (160, 20, 60, 255), rank=3, blind=True),
        MaskClass(OUTSIDE, "outside", "outside the acquisition", (0, 0, 0, 0), rank=4),
    ),
    OUTSIDE,
    roles=("shadow", "layover"),
)
_BACKSCATTER = tuple(_backscatter(p, -20.0 if p in ("VV", "HH") else -27.0) for p in POLARIZATIONS)
_LOOKS = _auxiliary("number_of_looks", "Number of looks", "1", high=60.0)
_GEOMETRY = (
    _LOOKS,
    _auxiliary("incidence_angle", "Ellipsoidal incidence angle", "degree", "incidence-angle"),
    _auxiliary("local_incidence_angle", "Local incidence angle", "degree", "local-incidence-angle"),
    _auxiliary("rtc_anf_gamma0_to_beta0", "Area factor: beta0 = factor * gamma0", "1", "conversion"),
    _auxiliary("rtc_anf_gamma0_to_sigma0", "Area factor: sigma0 = factor * gamma0", "1", "conversion"),
    _auxiliary("digital_elevation_model", "Height above the WGS 84 ellipsoid", "m", "elevation"),
)
# Names under which other makers of the same layers publish them (Geoscience Australia, Planetary Computer, Indigo).
ALIASES = {
    **{p.lower(): p for p in POLARIZATIONS},
    **{f"{p.lower()}_gamma0": p for p in POLARIZATIONS},
    **{f"gamma0_{p.lower()}": p for p in POLARIZATIONS},
    "gamma0_to_beta0_ratio": "rtc_anf_gamma0_to_beta0",
    "gamma0_to_sigma0_ratio": "rtc_anf_gamma0_to_sigma0",
    "oa_layover_shadow_mask": "mask",
    "interpolated_dem": "digital_elevation_model",
    **{f"oa_{n}": n for n in ("number_of_looks", "incidence_angle", "local_incidence_angle")},
    "oa_gamma0_to_beta0_ratio": "rtc_anf_gamma0_to_beta0",
    "oa_gamma0_to_sigma0_ratio": "rtc_anf_gamma0_to_sigma0",
}
LAYERS: dict[str, Layer] = {layer.name: layer for layer in (*_BACKSCATTER, MASK, *_GEOMETRY)}
STATIC_LAYERS = (
    "incidence_angle",
    "local_incidence_angle",
    "mask",
    "number_of_looks",
    "rtc_anf_gamma0_to_beta0",
    "rtc_anf_gamma0_to_sigma0",
    "digital_elevation_model",
)
FACTS = (
    Fact("sar:instrument_mode", summarized=True),
    Fact("sar:frequency_band", summarized=True),
    Fact("sar:polarizations", "texts", summarized=True),
    Fact("sar:beam_ids", "texts"),
    Fact("sat:orbit_state", summarized=True),
    Fact("sat:absolute_orbit", "integer"),
    Fact("sat:relative_orbit", "integer", summarized=True),
    Fact("s1:orbit_source"),
    Fact("sarcube:burst_id"),
)
RULES = (
    *(Rule(n, text, "a text") for n in ("s1:orbit_source", "s1:product_identifier", "sarcube:burst_id")),
    Rule("sar:beam_ids", texts, "a list of texts"),
    Rule("sar:center_frequency", positive, "a positive number"),
    Rule("sat:absolute_orbit", count, "a positive integer"),
    Rule("sat:relative_orbit", lambda track: count(track) and track <= TRACKS, f"between 1 and {TRACKS}"),
    *(Rule(f"sarcube:incidence_angle_{n}", angle, "an angle to 90 degrees") for n in ("near", "far")),
    Rule("view:incidence_angle", angle, "an angle from 0 to 90 degrees"),
    Rule("sar:instrument_mode", one_of("IW", "EW", "SM", "WV"), "a mode of Sentinel-1"),
    Rule("sar:frequency_band", one_of("P", "L", "S", "C", "X", "Ku", "K", "Ka"), "a radar band"),
    Rule("sar:observation_direction", one_of("left", "right"), "left or right"),
    Rule("sar:polarizations", list_of(*POLARIZATIONS), "a list of polarizations"),
    Rule("sat:orbit_state", one_of("ascending", "descending", "geostationary"), "ascending or descending"),
    Rule("sarcube:measurement_type", one_of("gamma0", "sigma0", "beta0"), "gamma0, sigma0 or beta0"),
)
# Rates were measured on whole bursts at 20 m (9.3 million pixels, two polarizations) with the native engine: 7.5 s and
# 0.9 GB for static layers, 5 s for backscatter with 0.8 GB from a folder and 1.4 GB from a deflated zip; rounded up.
RTC_S1 = ProductKind(
    "RTC_S1",
    "s1_rtc_c1",
    (*_BACKSCATTER, MASK, _LOOKS),
    "Sentinel-1 RTC backscatter per burst",
    "Radiometrically terrain-corrected backscatter of Sentinel-1 bursts: linear power, one product per "
    "burst and acquisition, every acquisition of a burst on the same grid.",
    "backscatter",
    Rate(0.6, 6.5, 100.0, 600_000_000, 2 * _SLC_BYTES),
    needs=("RTC_S1_STATIC",),
    facts=FACTS,
    rules=RULES,
    keywords=("SAR", "Sentinel-1", "RTC", "backscatter", "ARD"),
    providers=_PROVIDERS,
    license_link=_LEGAL_NOTICE,
    browse=("VV", "HH", "VH", "HV"),
    aliases=ALIASES,
    since=STATIC_VALIDITY,
    formerly="rtc",
)
RTC_S1_STATIC = ProductKind(
    "RTC_S1_STATIC",
    "s1_rtc_static_c1",
    (MASK, *_GEOMETRY),
    "Sentinel-1 static layers per burst",
    "Layers that do not change from date to date, on the grid of each Sentinel-1 burst: incidence "
    "angles, layover and shadow, area factors, number of looks, elevation.",
    "static layers",
    Rate(0.9, 13.0, 55.0, 500_000_000, 30_000_000),
    timed=False,
    facts=FACTS,
    rules=RULES,
    keywords=("SAR", "Sentinel-1", "static layers"),
    providers=_PROVIDERS,
    license_link=_LEGAL_NOTICE,
    since=STATIC_VALIDITY,
    formerly="static",
)
# opera-rtc on isce3, a whole burst of 9.3 million pixels, two polarizations, its own process counted: 516 CPU s for
# static layers, 419 for backscatter, and 2.9 GB at most (3.4 GB for static layers on two threads).
ISCE3_RATES = {
    RTC_S1_STATIC.name: Rate(55.5, 13.0, 290.0, 700_000_000, 30_000_000),
    RTC_S1.name: Rate(45.1, 6.5, 240.0, 700_000_000, 2 * _SLC_BYTES),
}
