"""Numbers of the two methods, each with its source.

[G16] Giglio, Schroeder, Justice 2016, The collection 6 MODIS active fire detection algorithm, RSE 178.
[G03] Giglio et al. 2003, An enhanced contextual fire detection algorithm for MODIS, RSE 87.
[W05] Wooster et al. 2005, Retrieval of biomass combustion rates from fire radiative power, JGR 110.
[W12] Wooster, Xu, Nightingale 2012, Sentinel-3 SLSTR active fire detection and FRP product, RSE 120.
[GEP] Defaults of the Geohazards platform's Sentinel-3 active fire service.
The thresholds of MODIS are taken for SLSTR as they are: its channels at 3.74 and 10.8 um and its 1 km pixels are alike.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PowerOptions:
    """From radiance to fire radiative power.

    Attributes
    ----------
    coefficient : float
        a of L = a T^4 at 3.74 um, W m-2 sr-1 um-1 K-4: mean of Planck's law at 3.74067 um over 650 to 1350 K.
    transmittance : float
        Of the atmosphere at 3.74 um; 1: not corrected.
    coefficient_error : float
        Relative: spread of L / T^4 over those temperatures [W05: within 12 percent].
    noise_s7, noise_f1 : float
        Kelvin at 300 K [W12: 0.08 of S7; F1 noisier].
    """

    coefficient: float = 3.28e-9
    transmittance: float = 1.0
    coefficient_error: float = 0.10
    noise_s7: float = 0.08
    noise_f1: float = 0.5


@dataclass(frozen=True)
class ContextualOptions:
    """Thresholds of the contextual method; pairs are (day, night). Kelvin, degrees, reflectance.

    Attributes
    ----------
    day_zenith : float
        Day is where the sun's zenith angle is less [G03].
    saturation : float
        S7 is used below, F1 above [W12: S7 saturates at 311 K].
    cloud_t12, cloud_bright, cloud_mixed_t12, cloud_mixed_bright : float
        Cloud: T12 < 265, or by day S2 + S3 > 0.9, or S2 + S3 > 0.7 and T12 < 285 [G03].
    candidate_t4, candidate_dt, candidate_s3 : float
        Potential fires: T4 > 310 (305), dT > 10, by day S3 < 0.35 [G03, G16].
    absolute_t4 : float
        Fires whatever the neighbours: T4 > 360 (320) [G03].
    excluded_t4, excluded_dt : float
        Neighbours taken for fires, out of the background: T4 > 325 (310) and dT > 20 (10) [G03].
    windows : int
        Windows grow to 2 n + 1 pixels, 21 for n = 10 [G03].
    fewest_share, fewest : float, int
        Valid neighbours needed: 25 percent and 8 [G03].
    dt_deviations, dt_excess, t4_deviations, t11_slack, fire_deviation : float
        Tests 2 to 6: 3.5, 6 K, 3, 4 K, 5 K [G03].
    glint_sure, glint_likely : float
        Glint angle below 2, or below 8 with S2 > 0.1, S3 > 0.2, S6 > 0.12 [G03].
    desert_share, desert_fewest, desert_s3, desert_t4, desert_deviation, desert_excess : float
        Desert edges: excluded fires > 10 percent of valid neighbours and >= 4, S3 > 0.15, their mean T4 < 345, mean
        deviation < 3, and T4 within 6 deviations of them [G03].
    """

    day_zenith: float = 85.0
    saturation: float = 311.0
    cloud_t12: float = 265.0
    cloud_bright: float = 0.9
    cloud_mixed_t12: float = 285.0
    cloud_mixed_bright: float = 0.7
    candidate_t4: tuple[float, float] = (310.0, 305.0)
    candidate_dt: float = 10.0
    candidate_s3: float = 0.35
    absolute_t4: tuple[float, float] = (360.0, 320.0)
    excluded_t4: tuple[float, float] = (325.0, 310.0)
    excluded_dt: tuple[float, float] = (20.0, 10.0)
    windows: int = 10
    fewest_share: float = 0.25
    fewest: int = 8
    dt_deviations: float = 3.5
    dt_excess: float = 6.0
    t4_deviations: float = 3.0
    t11_slack: float = 4.0
    fire_deviation: float = 5.0
    glint_sure: float = 2.0
    glint_likely: float = 8.0
    desert_share: float = 0.1
    desert_fewest: int = 4
    desert_s3: float = 0.15
    desert_t4: float = 345.0
    desert_deviation: float = 3.0
    desert_excess: float = 6.0
    power: PowerOptions = PowerOptions()


@dataclass(frozen=True)
class GepOptions:
    """Fixed thresholds; pairs are (day, night) [GEP]: not cloud (T12 < 265), F1 > 325 (315), F1 - F2 > 18 (15).

    They know no neighbours: hot deserts, glint and cloud edges raise alarms by day.
    """

    cloud_t12: float = 265.0
    t4: tuple[float, float] = (325.0, 315.0)
    dt: tuple[float, float] = (18.0, 15.0)
    power: PowerOptions = PowerOptions()
