"""Active fires of one granule: a table with one row per hotspot."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sarcube.engines.fire import background as bg
from sarcube.engines.fire.options import ContextualOptions, GepOptions, PowerOptions
from sarcube.engines.fire.planck import STEFAN_BOLTZMANN, radiance
from sarcube.engines.fire.scene import Field, FireScene, Flag

CLOUD_CLASSES = {0: "clear", 1: "cold", 2: "bright", 3: "bright and cool", 255: "not seen"}
Pixels = tuple[NDArray[np.intp], ...]  # rows and columns


def find_fires(scene: FireScene, options: ContextualOptions | GepOptions) -> pd.DataFrame:
    """Hotspots.

    Parameters
    ----------
    scene : FireScene
    options : ContextualOptions or GepOptions
        The method is that of its options.

    Returns
    -------
    DataFrame
        row, column, latitude, longitude (degrees), T4, T11, T4_background, T11_background, dT (kelvin), channel
        ("S7" or "F1"), FRP, FRP_uncertainty (MW; NaN without a background), confidence (0 to 1; NaN of fixed
        thresholds), day, glint_angle, sun_zenith, view_zenith (degrees), pixel_area (m2), window (pixels a side),
        clouds and waters (among eight neighbours).
    """
    if isinstance(options, GepOptions):
        return _fixed(scene, options)
    return _contextual(scene, options)


def cloud_mask(scene: FireScene, options: ContextualOptions | GepOptions) -> NDArray[np.uint8]:
    """Classes of `CLOUD_CLASSES`: cold, and by day with the contextual method bright, or bright and cool."""
    out = np.zeros(scene.t12.shape, np.uint8)
    with np.errstate(invalid="ignore"):
        if isinstance(options, ContextualOptions):
            bright = scene.reflectance["S2"] + scene.reflectance["S3"]
            day = scene.sun_zenith < options.day_zenith
            out[day & (bright > options.cloud_mixed_bright) & (scene.t12 < options.cloud_mixed_t12)] = 3
            out[day & (bright > options.cloud_bright)] = 2
        out[scene.t12 < options.cloud_t12] = 1
    out[~np.isfinite(scene.t12)] = 255
    return out


def _contextual(scene: FireScene, o: ContextualOptions) -> pd.DataFrame:
    day = scene.sun_zenith < o.day_zenith
    # S7 is precise and saturates; F1 is noisy when cold and does not.
    usable = np.isfinite(scene.s7) & (np.nan_to_num(scene.s7) < o.saturation)
    t4 = np.where(usable, scene.s7, scene.f1)
    with np.errstate(invalid="ignore"):
        dt = t4 - scene.t11
        seen = np.isfinite(dt) & ~scene.repeated
        cloud = (cloud_mask(scene, o) > 0) & (cloud_mask(scene, o) < 255)
        land = seen & ~cloud & ~scene.water
        likely = land & (t4 > _by_day(day, o.excluded_t4)) & (dt > _by_day(day, o.excluded_dt))
        candidate = land & (t4 > _by_day(day, o.candidate_t4)) & (dt > o.candidate_dt)
        candidate &= ~(day & (scene.reflectance["S3"] >= o.candidate_s3))
    classes = np.full(t4.shape, bg.CLEAR, np.uint8)
    classes[likely], classes[scene.water], classes[cloud], classes[~seen] = bg.FIRE, bg.WATER, bg.CLOUD, bg.MISSING
    rows, columns = np.nonzero(candidate)
    fields = np.stack([t4, scene.t11, radiance(t4)])
    found = bg.backgrounds(rows, columns, classes, fields, (o.windows, o.fewest_share, o.fewest))
    at = rows, columns
    fire = _tests(scene, o, at, t4, found)
    kept = tuple(axis[fire] for axis in at)
    table = _table(scene, kept, t4, np.where(usable, "S7", "F1"), day, found[fire], o.power)
    return table.assign(confidence=_confidence(table, found[fire], o))


def _by_day(day: Flag, pair: tuple[float, float]) -> NDArray[np.float64]:
    return np.where(day, pair[0], pair[1])


def _tests(scene: FireScene, o: ContextualOptions, at: Pixels, t4: Field, found: Field) -> Flag:
    """Tests 1 to 6 of Giglio et al. 2003 and what rejects false alarms by day."""
    day = scene.sun_zenith[at] < o.day_zenith
    hot, t11 = t4[at], scene.t11[at]
    known = found[:, bg.SIZE] > 0
    absolute = hot > _by_day(day, o.absolute_t4)
    apart = (hot - t11) > found[:, bg.DT] + o.dt_deviations * found[:, bg.DT_DEVIATION]
    apart &= (hot - t11) > found[:, bg.DT] + o.dt_excess
    apart &= hot > found[:, bg.T4] + o.t4_deviations * found[:, bg.T4_DEVIATION]
    warm = t11 > found[:, bg.T11] + found[:, bg.T11_DEVIATION] - o.t11_slack
    warm |= found[:, bg.FIRE_DEVIATION] > o.fire_deviation
    fire = absolute | (known & apart & (warm | ~day))
    s2, s3, s6 = (scene.reflectance[name][at] for name in ("S2", "S3", "S6"))
    glint = scene.glint[at]
    with np.errstate(invalid="ignore"):
        mirrored = glint < o.glint_sure
        mirrored |= (glint < o.glint_likely) & (s2 > 0.1) & (s3 > 0.2) & (s6 > 0.12)  # [G03], S6 in place of 2.1 um
        fires, valid = found[:, bg.FIRES], found[:, bg.VALID]
        desert = (fires > o.desert_share * valid) & (fires >= o.desert_fewest) & (s3 > o.desert_s3)
        desert &= (found[:, bg.FIRE_T4] < o.desert_t4) & (found[:, bg.FIRE_DEVIATION] < o.desert_deviation)
        desert &= hot < found[:, bg.FIRE_T4] + o.desert_excess * found[:, bg.FIRE_DEVIATION]
    return np.asarray(fire & ~(day & (mirrored | desert)), np.bool_)


def _confidence(table: pd.DataFrame, found: Field, o: ContextualOptions) -> Field:
    """Geometric mean of five ramps (Giglio et al. 2003, section 3.3)."""
    day = table["day"].to_numpy()
    low, high = _by_day(day, o.candidate_t4), _by_day(day, (340.0, 320.0))
    tiny = 1e-6
    ramps = [
        (table["T4"] - low) / (high - low),
        ((table["T4"] - found[:, bg.T4]) / np.maximum(found[:, bg.T4_DEVIATION], tiny) - 2.5) / 3.5,
        ((table["dT"] - found[:, bg.DT]) / np.maximum(found[:, bg.DT_DEVIATION], tiny) - 3.0) / 3.0,
        1.0 - found[:, bg.CLOUDS] / 6.0,
        1.0 - found[:, bg.WATERS] / 6.0,
    ]
    confidence: Field = np.prod([np.clip(np.asarray(ramp, np.float64), 0.0, 1.0) for ramp in ramps], axis=0) ** 0.2
    return confidence


def _fixed(scene: FireScene, o: GepOptions) -> pd.DataFrame:
    day = scene.sun_zenith < ContextualOptions.day_zenith
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(scene.f1) & np.isfinite(scene.t11) & ~scene.repeated
        clear = seen & ~(scene.t12 < o.cloud_t12)
        fire = clear & (scene.f1 > _by_day(day, o.t4)) & (scene.f1 - scene.t11 > _by_day(day, o.dt))
    classes = np.where(fire, bg.FIRE, np.where(clear, bg.CLEAR, bg.CLOUD)).astype(np.uint8)
    classes[~seen] = bg.MISSING
    at = np.nonzero(fire)
    fields = np.stack([scene.f1, scene.t11, radiance(scene.f1)])
    found = bg.backgrounds(at[0], at[1], classes, fields, (10, 0.25, 8))
    table = _table(scene, at, scene.f1, np.full(scene.f1.shape, "F1"), day, found, o.power)
    return table.assign(confidence=np.nan)


def _table(
    scene: FireScene, at: Pixels, t4: Field, channel: NDArray[np.str_], day: Flag, found: Field, power: PowerOptions
) -> pd.DataFrame:
    frp, uncertainty = _power(scene, at, t4, channel, found, power)
    known = found[:, bg.SIZE] > 0
    return pd.DataFrame(
        {
            "row": at[0], "column": at[1], "latitude": scene.latitude[at], "longitude": scene.longitude[at],
            "T4": t4[at], "T11": scene.t11[at], "dT": t4[at] - scene.t11[at],
            "T4_background": np.where(known, found[:, bg.T4], np.nan),
            "T11_background": np.where(known, found[:, bg.T11], np.nan),
            "channel": channel[at], "FRP": frp, "FRP_uncertainty": uncertainty, "day": day[at],
            "glint_angle": scene.glint[at], "sun_zenith": scene.sun_zenith[at], "view_zenith": scene.view_zenith[at],
            "pixel_area": scene.area[at], "window": found[:, bg.SIZE].astype(int),
            "clouds": found[:, bg.CLOUDS].astype(int), "waters": found[:, bg.WATERS].astype(int),
        }
    )  # fmt: skip


def _power(
    scene: FireScene, at: Pixels, t4: Field, channel: NDArray[np.str_], found: Field, o: PowerOptions
) -> tuple[Field, Field]:
    """FRP = A s / (a t) (L4 - L4 background) in MW (Wooster et al. 2005), and its standard deviation."""
    known = found[:, bg.SIZE] > 0
    excess = radiance(t4[at]) - found[:, bg.L4]
    factor = scene.area[at] * STEFAN_BOLTZMANN / (o.coefficient * o.transmittance) / 1e6
    noise = np.where(channel[at] == "S7", o.noise_s7, o.noise_f1)
    kelvin = radiance(300.5) - radiance(299.5)  # noise in kelvin at 300 K as radiance, which does not depend on T4
    # Mean absolute deviation of a normal distribution: 0.798 standard deviations.
    spread = np.hypot(found[:, bg.L4_DEVIATION] / 0.798, noise * kelvin)
    frp = np.where(known, factor * excess, np.nan)
    return frp, np.where(known, np.hypot(factor * spread, o.coefficient_error * frp), np.nan)
