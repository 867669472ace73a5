"""The README of a HyP3 product, about what is really in the files."""

from __future__ import annotations

import datetime as dt

from sarcube import __version__
from sarcube.cube.hyp3.facts import BurstPair, Processing, looks
from sarcube.engines.insar.unwrap import NOT_COMMERCIAL

_TEXT = """{name}

This product has the layers, names, units and signs of an InSAR product of ASF's HyP3 (hyp3-isce2), and was made by
sarcube {version} on {made}, not by HyP3 and not by ISCE2.
Contains modified Copernicus Sentinel data {years}, processed by ESA. {credit}

Reference: {references}
Secondary: {secondaries}

# Pixel spacing and looks

All rasters lie on one grid, EPSG:{epsg}, with pixels of {posting:g} m: the looks in a pixel are about those of
{in_range} in range by {in_azimuth} in azimuth, of which some 45 are independent at 80 m. 0 is no data.

# Files

{files}

# How it was made

1. Each date was resampled with its own orbit to one grid of 5 m by 10 m and flattened with the DEM
   ({dem}); deramped, eight samples each way, without coregistration by the images.
2. Reference times conjugate of secondary, averaged over each pixel. Corrections: {timing}.
3. {filtered}
4. {unwrapped} The cycles found were put back on the phase before the filter.
5. {water}

What differs from HyP3: corr is the sample coherence before any filter, not a correlation of filtered phase; unw_phase
is not filtered; amp is the magnitude of the interferogram, in beta nought; lv_theta and lv_phi are those of each
pixel's own height. The atmosphere has not been taken off. Phase of different components of conncomp differs by unknown
cycles.

Displacement along the line of sight, positive towards the sensor, is -unw_phase times {wavelength} m / (4 pi),
relative to a point that you choose.
"""
_FILES = {
    "unw_phase.tif": "unwrapped phase, radians, float32; positive: away from the sensor from reference to secondary",
    "unw_phase.png": "the same as a picture; .png.aux.xml says where it lies",
    "unw_phase.kmz": "the same for Google Earth",
    "wrapped_phase.tif": "phase of the filtered interferogram, radians, float32",
    "wrapped_phase.kmz": "the same for Google Earth",
    "amp.tif": "magnitude of the interferogram, float32",
    "amp.kmz": "the same for Google Earth",
    "corr.tif": "coherence, 0 to 1, float32",
    "conncomp.tif": "connected components, float32; 1 is the largest, 0 none",
    "dem.tif": "height above the ellipsoid, metres, float32",
    "lv_theta.tif": "elevation of the look vector above the horizontal, radians, float32",
    "lv_phi.tif": "direction of the look vector from the ground to the sensor, radians counter-clockwise from east",
    "water_mask.tif": "1 land, 0 water, uint8",
    "wrapped_phase_rdr.tif": "interferogram before the filter in radar geometry, complex64",
    "lat_rdr.tif": "latitude of its looks, degrees",
    "lon_rdr.tif": "longitude of its looks, degrees",
    "los_rdr.tif": "incidence and azimuth of the line of sight there, degrees, as ISCE2 has them",
    "txt": "parameters",
}
_CREDIT = "ASF has no part in it; the layout is theirs: https://hyp3-docs.asf.alaska.edu."


def readme(name: str, bursts: tuple[BurstPair, ...], processing: Processing, epsg: int, files: list[str]) -> str:
    """The text.

    Parameters
    ----------
    name : str
        Of the product.
    bursts : tuple of BurstPair
    processing : Processing
    epsg : int
    files : list of str
        Names of the files, in order.
    """
    one = bursts[0]
    in_range, in_azimuth = looks(one.posting)
    known = [
        (file, text) for key, text in _FILES.items() for file in files if file in (f"{name}_{key}", f"{name}.{key}")
    ]
    years = sorted({start.year for burst in bursts for start in burst.starts})
    return _TEXT.format(
        name=name,
        version=__version__,
        made=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        years=", ".join(map(str, years)),
        credit=_CREDIT,
        references=", ".join(b.granules[0] for b in bursts),
        secondaries=", ".join(b.granules[1] for b in bursts),
        epsg=epsg,
        posting=one.posting,
        in_range=in_range,
        in_azimuth=in_azimuth,
        files="\n".join(f"- {file}: {text}" for file, text in known),
        dem=one.dem or "not told",
        timing=one.timing,
        filtered=_filter(processing.alpha),
        unwrapped=_unwrapper(processing.unwrapped_by),
        water=_water(processing),
        wavelength="0.05546576",
    )


def _filter(alpha: float | None) -> str:
    if alpha == 0:
        return "The phase was not filtered."
    how = "one minus the coherence (Baran et al. 2003)" if alpha is None else f"{alpha:g}"
    return f"Filtered in patches of 64 pixels after Goldstein and Werner (1998), alpha {how}."


def _unwrapper(method: str) -> str:
    if method == "snaphu":
        return f"Unwrapped once, all bursts together, with SNAPHU (smooth costs). {NOT_COMMERCIAL}."
    return f"Unwrapped once, all bursts together, with {method}."


def _water(processing: Processing) -> str:
    if not processing.water:
        return "Nothing told where water is: water_mask.tif is 1 everywhere, and nothing was masked."
    told = f"Water is told by {processing.water}"
    if processing.water_masked:
        return f"{told}, was left out before the filter and unwrapping, and has no unwrapped phase."
    return f"{told}; it was not masked."
