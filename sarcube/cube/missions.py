"""Missions whose deliveries `combine` knows: which files hold the bands, their names, GDAL's driver, their calibration.

Band orders are those of the Geohazards platform's COMBI service, so that its band_1, band_2, ... mean the same here.
A delivery that matches none is read as an ordinary raster; one of a mission without a reader is refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sarcube.errors import CubeError
from sarcube.sensors.sentinel2.bands import BANDS

_LANDSAT = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B9", "B10", "B11")
# Common names of the STAC extension eo.
_COMMON = {
    "sentinel-2": {name: band.common_name for name, band in BANDS.items()},
    "landsat-8/9": {
        "B1": "coastal", "B2": "blue", "B3": "green", "B4": "red", "B5": "nir", "B6": "swir16", "B7": "swir22",
        "B9": "cirrus", "B10": "lwir11", "B11": "lwir12",
    },
}  # fmt: skip
_BGRN, _RGBN, _BGNR = ("blue", "green", "red", "nir"), ("red", "green", "blue", "nir"), ("blue", "green", "nir", "red")


@dataclass(frozen=True)
class Mission:
    """A mission.

    Attributes
    ----------
    name : str
    match : str
        Regular expression on the name of the delivery (folder, zip or file).
    bands : tuple of str
        In order; empty: as the file describes them.
    driver : str
        Of GDAL; empty: any.
    files : str
        Regular expression on names of files, whose group `band` names the band; empty: not one file each.
    calibration : str
        What pixels are: "reflectance" (of the delivery's own scale and offset), "stored" (numbers as stored).
    instead : str
        Why there is no reader here, and what to do; empty: there is one.
    """

    name: str
    match: str
    bands: tuple[str, ...] = ()
    driver: str = ""
    files: str = ""
    calibration: str = "stored"
    instead: str = ""

    @property
    def whole(self) -> bool:
        """A delivery is a folder or an archive, and no single raster."""
        return bool(self.instead or self.files) or self.calibration == "reflectance"

    def common_name(self, band: str) -> str:
        """Common name of a band, or its own."""
        return _COMMON.get(self.name, {}).get(band, band)


# One file that is called so after what it was made of: a raster like any other.
_RASTER = re.compile(r".*\.(tiff?|vrt|img|jp2|png|nc|dat|bil|bsq|bip|kea|asc)", re.IGNORECASE)
_RTC = "make a store of it first (sarcube run), and combine the store"
MISSIONS: tuple[Mission, ...] = (
    Mission("sentinel-1", r"S1[A-D]_(IW|EW|S\d|WV)_", instead=f"radar geometry needs terrain; {_RTC}"),
    Mission(
        "sentinel-2", r"S2[A-D]_MSIL[12][AC]_", tuple(BANDS), "JP2OpenJPEG", calibration="reflectance",
    ),
    Mission("sentinel-3 SLSTR", r"S3[A-D]_SL_1_RBT", instead="its grid is curved; resample it to GeoTIFF"),
    Mission("sentinel-3 OLCI", r"S3[A-D]_OL_1_E[FR]R", instead="its grid is curved; resample it to GeoTIFF"),
    Mission("landsat-8/9", r"L[CO]0[89]_L[12]", _LANDSAT, "GTiff", r".*_(SR_|ST_)?(?P<band>B([1-79]|10|11))\.TIF"),
    Mission("rapideye", r".*_RE[1-5]_", ("blue", "green", "red", "rededge", "nir"), "GTiff"),
    Mission("gaofen-2", r"GF2_", _BGRN, "GTiff"),
    Mission("kanopus-v", r"(fr_)?KV[\dIV]*_\d", _BGRN, "GTiff"),
    Mission("resurs-p", r"(fr_)?RP\d?_\d", ("blue", "green", "red", "rededge", "nir"), "GTiff"),
    Mission("vrss-1", r"VRSS-?1_", _BGRN, "GTiff"),
    Mission("uk-dmc2", r"(U2\d|UK-?DMC2|DU\d)", ("nir", "red", "green"), "DIMAP"),
    Mission("kompsat-2", r"(MSC_|K2_)\d", _BGNR, "GTiff"),
    Mission("kompsat-3", r"K3A?_\d", ("blue", "green", "red", "nir"), "GTiff"),
    Mission("kompsat-5", r"K5_", instead=f"slant range HDF5; {_RTC}, or geocode it to GeoTIFF"),
    Mission("pleiades", r"(DIM_|IMG_)?PHR\w*_", _RGBN, "DIMAP"),
    Mission("spot-6/7", r"(DIM_|IMG_)?SPOT[67]_", _RGBN, "DIMAP"),
    Mission("radarsat-2", r"RS2_", driver="RS2"),
    Mission("terrasar-x", r"(TSX|TDX|PAZ)1_SAR", driver="TSX"),
    Mission("alos-2", r"(ALOS2|\d{10}_\d{3,}_ALOS2)", driver="JAXAPALSAR"),
    Mission("cosmo-skymed", r"CSKS\d_", instead="slant range HDF5; geocode it to GeoTIFF"),
)  # fmt: skip


def mission_of(name: str) -> Mission | None:
    """The mission of a delivery by its name; None where it is of none that is known, or one raster made of it.

    Raises
    ------
    CubeError
        The mission has no reader here; the message names it and says what to do.
    """
    one_file = _RASTER.fullmatch(name) is not None
    for mission in MISSIONS:
        if re.match(mission.match, name) and not (one_file and mission.whole):
            if mission.instead:
                raise CubeError(f"{name}: {mission.name} cannot be combined as it is: {mission.instead}")
            return mission
    return None
