"""What interferometry makes: the layers of a pair of dates of a burst and of a whole pass, and what a burst ID has for
ever."""  # fmt: skip

from __future__ import annotations

from sarcube.products.kinds import Fact, Layer, ProductKind, Rate, Shown
from sarcube.products.unwrapped import COMPONENTS, FILTERED, PHASE, UNWRAPPED, WATER_MASK
from sarcube.workflows.rtc.kinds import MASK, POLARIZATIONS, STATIC_VALIDITY
from sarcube.workflows.rtc.kinds import RTC_S1_STATIC as _OF_RTC

_SLC_BYTES = 1500 * 22_000 * 4  # int16 complex, one polarization of an IW burst of usual size
_RTC = _OF_RTC.table


def _auxiliary(name: str, title: str, *roles: str) -> Layer:
    return Layer(name, title, role="auxiliary", roles=roles, shown=Shown(-1.0, 1.0))


def _amplitude(name: str, title: str) -> Layer:
    return Layer(name, title, weight="number_of_looks", shown=Shown(0.0, 0.6), may_round=True)


INTERFEROGRAM = Layer(
    "interferogram",
    "First date times conjugate of second, flattened, not filtered; phase positive away from the sensor",
    "complex64",
    weight="number_of_looks",
    shown=PHASE,
)
COHERENCE = Layer("coherence", "Coherence of the samples of each pixel", shown=Shown(0.0, 1.0), may_round=True)
AMPLITUDES = (
    _amplitude("amplitude_first", "Amplitude on the first date, root of beta nought"),
    _amplitude("amplitude_second", "Amplitude on the second date, root of beta nought"),
)
LOOKS = Layer("number_of_looks", "Independent looks", role="auxiliary")
LINE_OF_SIGHT = (
    _auxiliary("los_east", "East component of the unit vector from the ground to the sensor"),
    _auxiliary("los_north", "North component of the unit vector from the ground to the sensor"),
    _auxiliary("los_up", "Up component of the unit vector from the ground to the sensor"),
)
FACTS = (
    Fact("sar:polarizations", "texts", summarized=True),
    Fact("sar:beam_ids", "texts"),
    Fact("sat:orbit_state", summarized=True),
    Fact("sat:relative_orbit", "integer", summarized=True),
    Fact("insar:secondary_datetime", "time"),
    Fact("insar:temporal_baseline", "number"),
    Fact("insar:perpendicular_baseline", "number"),
    Fact("sarcube:burst_id"),
)
_STATIC_FACTS = tuple(fact for fact in FACTS if not fact.name.startswith(("insar:", "sar:pol")))
# Measured on whole bursts of IW1 at 80 m and rounded up.
INSAR_S1 = ProductKind(
    "INSAR_S1",
    "s1_insar",
    (
        INTERFEROGRAM,
        COHERENCE,
        *AMPLITUDES,
        LOOKS,
        MASK,
    ),
    "Sentinel-1 interferograms per burst",
    "Interferogram, coherence and amplitudes of two dates of a Sentinel-1 burst, all pairs of a burst on one grid.",
    "interferogram",
    Rate(20.0, 24.0, 300.0, 1_000_000_000, 2 * _SLC_BYTES),
    needs=("INSAR_S1_STATIC",),
    facts=FACTS,
    keywords=("SAR", "Sentinel-1", "InSAR", "interferogram", "coherence"),
    providers=_OF_RTC.providers,
    license_link=_OF_RTC.license_link,
    browse=("interferogram",),
    since=STATIC_VALIDITY,
)
CSLC_S1 = ProductKind(
    "CSLC_S1",
    "s1_cslc",
    tuple(
        Layer(
            f"slc_{name}", f"{name}, flattened by the geometric slant range, root of beta nought", "complex64",
            overview="nearest", shown=PHASE,
        )
        for name in POLARIZATIONS
    ),
    "Sentinel-1 geocoded SLCs per burst",
    "Single-look complex samples of one acquisition of a Sentinel-1 burst on a grid of 5 m by 10 m that nests in that "
    "of its interferograms: the product of one date with the conjugate of another is their interferogram.",
    "geocoded SLC",
    Rate(12.0, 900.0, 4500.0, 900_000_000, _SLC_BYTES),
    needs=("INSAR_S1_STATIC",),
    facts=tuple(fact for fact in FACTS if not fact.name.startswith("insar:")),
    keywords=("SAR", "Sentinel-1", "SLC", "InSAR"),
    providers=_OF_RTC.providers,
    license_link=_OF_RTC.license_link,
    since=STATIC_VALIDITY,
)  # fmt: skip
INSAR_S1_STATIC = ProductKind(
    "INSAR_S1_STATIC",
    "s1_insar_static",
    (
        *LINE_OF_SIGHT,
        _RTC["digital_elevation_model"],
        MASK,
    ),
    "Sentinel-1 line of sight per burst",
    "What does not change from pair to pair, on the grid of each Sentinel-1 burst: line of sight, elevation, layover "
    "and shadow.",
    "line of sight",
    Rate(4.0, 14.0, 200.0, 700_000_000, 30_000_000),
    timed=False,
    facts=_STATIC_FACTS,
    keywords=("SAR", "Sentinel-1", "InSAR", "line of sight", "static layers"),
    providers=_OF_RTC.providers,
    license_link=_OF_RTC.license_link,
    since=STATIC_VALIDITY,
)
# A pass has no burst ID; which bursts it is made of its item says.
_PASS_FACTS = (
    *(fact for fact in FACTS if fact.name != "sarcube:burst_id"),
    Fact("sarcube:burst_ids", "texts"),
    Fact("sarcube:gaps", "integer"),
)
INSAR_S1_PASS = ProductKind(
    "INSAR_S1_PASS",
    "s1_insar_pass",
    (
        INTERFEROGRAM,
        FILTERED,
        COHERENCE,
        UNWRAPPED,
        COMPONENTS,
        WATER_MASK,
        *AMPLITUDES,
        LOOKS,
        MASK,
    ),
    "Sentinel-1 interferograms per pass",
    "All bursts of a pass of Sentinel-1 and of a second one, merged: interferogram, coherence, filtered and unwrapped "
    "phase, components, water, amplitudes. All pairs of a set of bursts lie on one grid.",
    "unwrapped interferogram",
    # Measured on fifteen bursts at 80 m and rounded up (benchmarks/insar_pass.py).
    Rate(6.0, 30.0, 220.0, 700_000_000, 0),
    needs=("INSAR_S1_PASS_STATIC",),
    facts=_PASS_FACTS,
    keywords=("SAR", "Sentinel-1", "InSAR", "interferogram", "unwrapped phase", "displacement"),
    providers=_OF_RTC.providers,
    license_link=_OF_RTC.license_link,
    browse=("filtered_phase",),
    since=STATIC_VALIDITY,
)  # fmt: skip
INSAR_S1_PASS_STATIC = ProductKind(
    "INSAR_S1_PASS_STATIC",
    "s1_insar_pass_static",
    (*LINE_OF_SIGHT, _RTC["digital_elevation_model"]),
    "Sentinel-1 line of sight per pass",
    "What does not change from pair to pair, on the grid of a set of bursts: line of sight and elevation.",
    "line of sight",
    Rate(4.0, 14.0, 200.0, 700_000_000, 30_000_000),
    timed=False,
    facts=tuple(fact for fact in _PASS_FACTS if not fact.name.startswith(("insar:", "sar:pol", "sarcube:"))),
    keywords=("SAR", "Sentinel-1", "InSAR", "line of sight", "static layers"),
    providers=_OF_RTC.providers,
    license_link=_OF_RTC.license_link,
    since=STATIC_VALIDITY,
)
