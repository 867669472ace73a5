"""The layers table: every layer's name, type, nodata, unit and meaning, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Layer:
    """One raster of a product.

    Attributes
    ----------
    name : str
        Name of the variable and of the asset, and the file's suffix.
    title : str
    dtype : str
    nodata : float
        NaN, or 255 for the mask.
    unit : str
    overview : str
        How overviews are made: "average" (in power), "nearest" or "bilinear".
    roles : tuple of str
        STAC asset roles.
    """

    name: str
    title: str
    dtype: Literal["float32", "uint8"]
    nodata: float
    unit: str
    overview: Literal["average", "nearest", "bilinear"]
    roles: tuple[str, ...]


NAN = float("nan")
POLARIZATIONS = ("VV", "VH", "HH", "HV")
MASK_VALUES = {"valid": 0, "shadow": 1, "layover": 2, "shadow_layover": 3, "outside": 255}


def _backscatter(name: str) -> Layer:
    return Layer(name, f"{name} backscatter", "float32", NAN, "1", "average", ("data", "backscatter"))


def _auxiliary(name: str, title: str, unit: str, *roles: str) -> Layer:
    return Layer(name, title, "float32", NAN, unit, "bilinear", ("data", "auxiliary", *roles))


LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        *(_backscatter(p) for p in POLARIZATIONS),
        Layer(
            "mask",
            "Layover and shadow mask",
            "uint8",
            255.0,
            "1",
            "nearest",
            ("data", "auxiliary", "mask", "shadow", "layover"),
        ),
        _auxiliary("number_of_looks", "Number of looks", "1"),
        _auxiliary("incidence_angle", "Ellipsoidal incidence angle", "degree", "incidence-angle"),
        _auxiliary("local_incidence_angle", "Local incidence angle", "degree", "local-incidence-angle"),
        _auxiliary("rtc_anf_gamma0_to_beta0", "Area factor: beta0 = factor * gamma0", "1", "conversion"),
        _auxiliary("rtc_anf_gamma0_to_sigma0", "Area factor: sigma0 = factor * gamma0", "1", "conversion"),
        _auxiliary("digital_elevation_model", "Height above the WGS 84 ellipsoid", "m", "elevation"),
    )
}

STATIC_LAYERS = (
    "incidence_angle",
    "local_incidence_angle",
    "mask",
    "number_of_looks",
    "rtc_anf_gamma0_to_beta0",
    "rtc_anf_gamma0_to_sigma0",
    "digital_elevation_model",
)
