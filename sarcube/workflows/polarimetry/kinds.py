"""What polarimetry makes: one product per burst and acquisition."""

from __future__ import annotations

from sarcube.products.kinds import Layer, ProductKind, Rate, Shown
from sarcube.workflows.rtc.kinds import FACTS, MASK, RTC_S1

# The static layers are those of RTC: their mask, and the area factor that makes gamma0.
STATIC = "RTC_S1_STATIC"
INDICES = ("span", "ratio", "dprvi")


def _measure(name: str, title: str, shown: Shown, unit: str = "1", dtype: str = "float32") -> Layer:
    return Layer(name, title, dtype, unit=unit, shown=shown, weight="number_of_looks")


LAYERS = (
    _measure("C11", "Power of the co-polarized channel, gamma0", Shown(-20.0, 0.0, scale="db")),
    _measure("C12", "Covariance of co- and cross-polarized channel", Shown(), dtype="complex64"),
    _measure("C22", "Power of the cross-polarized channel, gamma0", Shown(-27.0, -7.0, scale="db")),
    _measure("entropy", "Entropy", Shown(0.0, 1.0, "viridis")),
    _measure("anisotropy", "Anisotropy", Shown(0.0, 1.0, "viridis")),
    _measure("alpha", "Mean scattering angle alpha", Shown(0.0, 90.0, "viridis"), "degree"),
    _measure("span", "Span: total power, gamma0", Shown(-20.0, 0.0, scale="db")),
    _measure("ratio", "Cross- over co-polarized power", Shown(-15.0, 0.0, scale="db")),
    _measure("dprvi", "Dual-pol radar vegetation index", Shown(0.0, 1.0, "YlGn")),
    MASK,
    Layer("number_of_looks", "Independent looks averaged", role="auxiliary"),
)
# Estimated from the rates of pairs and of backscatter; a store with a history of its own goes by that.
POL_S1 = ProductKind(
    "POL_S1",
    "s1_pol_c1",
    LAYERS,
    "Sentinel-1 dual-pol decomposition per burst",
    "Covariance of both polarizations of Sentinel-1 bursts in gamma0, with entropy, anisotropy and alpha "
    "(Cloude and Pottier): one product per burst and acquisition, on the burst's own grid.",
    "polarimetry",
    Rate(1.6, 24.0, 190.0, 700_000_000, RTC_S1.rate.inputs),
    needs=(STATIC,),
    facts=FACTS,
    keywords=("SAR", "Sentinel-1", "polarimetry", "entropy", "alpha"),
    providers=RTC_S1.providers,
    license_link=RTC_S1.license_link,
    browse=("entropy",),
    since=RTC_S1.since,
)
