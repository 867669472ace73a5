"""The fields of the STAC extensions that sarcube's items and collections name, by the tables of their specifications.

What is checked by them, and when, is said in `extension_rules`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sarcube.catalog import extensions as named
from sarcube.catalog.forms import (
    ANYTHING,
    DURATION,
    FLAG,
    GEOMETRY,
    NULL,
    OBJECT,
    PROJJSON,
    TIME,
    TIME_UTC,
    Form,
    by_name,
    either,
    integer,
    like,
    listed,
    number,
    one_of,
    record,
    text,
)

# Where a field may be said: an item's properties, an asset (of items, of collections, and what a collection says of
# its items' assets), a band of these, a link, a provider, a collection itself, a collection's summaries.
PROPERTIES, ASSET, BAND, LINK = "properties", "asset", "band", "link"
PROVIDER, COLLECTION, SUMMARY = "provider", "collection", "summary"


@dataclass(frozen=True)
class Extension:
    """One version of an extension.

    Attributes
    ----------
    prefix : str
        Of its fields' names.
    fields : mapping of str to Form
        By their names without the prefix.
    places : tuple of str
        Where they may be said.
    needs : tuple of str
        An item that names the extension says at least one of its fields in one of these places; none: it need not.
    collection_needs : tuple of str
        The same of a collection.
    all_of : tuple of str
        What the properties must say altogether.
    with_it : mapping of str to str
        Fields that need another one beside them.
    in_assets : mapping of str to Form
        Fields that may be more in an asset than in an item's properties.
    closed : bool
        Whether a name with its prefix that it does not know is wrong.
    """

    prefix: str
    fields: Mapping[str, Form]
    places: tuple[str, ...] = (PROPERTIES, ASSET)
    needs: tuple[str, ...] = ()
    collection_needs: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    with_it: Mapping[str, str] = field(default_factory=dict)
    in_assets: Mapping[str, Form] = field(default_factory=dict)
    closed: bool = True


_TEXT_OR_NULL = either(text(), NULL)
_PROJECTION = Extension(
    "proj:",
    {
        "code": _TEXT_OR_NULL,
        "epsg": either(integer(), NULL),
        "wkt2": _TEXT_OR_NULL,
        "projjson": either(PROJJSON, NULL),
        "geometry": GEOMETRY,
        "bbox": listed(number(), lengths=(4, 6)),
        "centroid": record({"lat": number(-90, 90), "lon": number(-180, 180)}),
        "shape": listed(integer(), lengths=(2,)),
        "transform": listed(number(), lengths=(6, 9)),
    },
)
_RASTER = Extension(
    "raster:",
    {
        "sampling": one_of("area", "point"),
        "bits_per_sample": integer(),
        "spatial_resolution": number(),
        "scale": number(),
        "offset": number(),
        "histogram": record(
            {"count": number(), "min": number(), "max": number(), "buckets": listed(integer(), 3)}, closed=True
        ),
    },
    (PROPERTIES, ASSET, BAND, SUMMARY),
    needs=(PROPERTIES, ASSET, BAND),
    collection_needs=(ASSET, BAND, SUMMARY),
)
_FILE = Extension(
    "file:",
    {
        "byte_order": one_of("big-endian", "little-endian"),
        "checksum": like("[0-9a-f]+", "a multihash in lower-case hexadecimal digits"),
        "header_size": integer(0),
        "size": integer(0),
        "values": listed(record({"values": listed(ANYTHING, 1), "summary": text(1)}), 1),
        "local_path": like(r"[^\r\n\t\\:'\"/]+(/[^\r\n\t\\:'\"/]+)*/?", "a relative path with /"),
    },
    (ASSET, LINK),
)
_CLASS = record(
    {"value": integer(), "description": text()},
    {"name": text(), "color_hint": like("[0-9A-Fa-f]{6}", "six hexadecimal digits")},
)
_CLASSES = listed(_CLASS, 1, once=True)
_CLASSIFICATION = Extension(
    "classification:",
    {
        "classes": _CLASSES,
        "bitfields": listed(
            record(
                {"offset": integer(0), "length": integer(1), "classes": _CLASSES},
                {"roles": listed(text(), 1, once=True), "description": text(), "name": text()},
            ),
            1,
            once=True,
        ),
    },
)
_STORAGE = Extension(
    "storage:",
    {
        "platform": one_of("OTHER", "AWS", "GCP", "AZURE", "IBM", "ALIBABA", "ORACLE"),
        "region": text(),
        "requester_pays": FLAG,
        "tier": text(),
    },
    closed=False,
)
_RENDER = Extension(
    "renders",  # the name of its only field
    {
        "": by_name(
            record(
                {"assets": listed(text())},
                {
                    "title": text(),
                    "rescale": listed(listed(number())),
                    "nodata": either(number(), text()),
                    "colormap_name": text(),
                    "colormap": OBJECT,
                    "color_formula": text(),
                    "resampling": text(),
                    "expression": either(text(), OBJECT, listed(ANYTHING)),
                    "minmax_zoom": listed(number()),
                    "bidx": listed(number()),
                },
            )
        ),
    },
    (PROPERTIES, COLLECTION),
    needs=(PROPERTIES,),
    collection_needs=(COLLECTION,),
    closed=False,
)
_PROCESSING = Extension(
    "processing:",
    {
        "expression": record({"format": text(), "expression": ANYTHING}),
        "lineage": text(),
        "level": text(),
        "facility": text(),
        "datetime": TIME_UTC,
        "version": text(),
        "software": by_name(text()),
    },
    (PROPERTIES, ASSET, PROVIDER),
    needs=(PROPERTIES,),
    collection_needs=(ASSET, PROVIDER, SUMMARY),
)
_PRODUCT = Extension(
    "product:",
    {
        "type": text(1),
        "timeliness": DURATION,
        "timeliness_category": text(1),
        "acquisition_type": one_of("nominal", "calibration", "other"),
    },
    (PROPERTIES, ASSET, COLLECTION, SUMMARY),
    with_it={"timeliness_category": "timeliness"},
)
_VIEW = Extension(
    "view:",
    {
        "off_nadir": number(0, 90),
        "incidence_angle": number(0, 90),
        "azimuth": number(0, 360),
        "sun_azimuth": number(0, 360),
        "sun_elevation": number(-90, 90),
        "moon_azimuth": number(0, 360),
        "moon_elevation": number(0, 90),
    },
    needs=(PROPERTIES, ASSET),
    collection_needs=(ASSET, SUMMARY),
)
_SAT = Extension(
    "sat:",
    {
        "platform_international_designator": text(),
        "orbit_state": one_of("ascending", "descending", "geostationary", "crossing"),
        "absolute_orbit": integer(1),
        "relative_orbit": integer(1),
        "orbit_cycle": integer(1),
        "orbit_state_vectors": by_name(listed(number(), lengths=(6, 9)), TIME),
        "anx_datetime": TIME,
        "acquisition_station": text(),
    },
    needs=(PROPERTIES,),
)
_POLARIZATION = one_of("HH", "VV", "HV", "VH", "LH", "LV", "RH", "RV", "CH", "CV")
_LENGTH = number(0)
_SAR = Extension(
    "sar:",
    # `sar:relative_burst` is in the specification's table, and refused by its schema: it is not to be written.
    {
        "polarizations": listed(_POLARIZATION, 1, once=True),
        "instrument_mode": text(1),
        "frequency_band": one_of("P", "L", "S", "C", "X", "Ku", "K", "Ka"),
        "center_frequency": number(),
        "bandwidth": number(),
        "resolution_range": _LENGTH,
        "resolution_azimuth": _LENGTH,
        "pixel_spacing_range": _LENGTH,
        "pixel_spacing_azimuth": _LENGTH,
        "looks_range": integer(0),
        "looks_azimuth": integer(0),
        "looks_equivalent_number": number(0),
        "observation_direction": one_of("left", "right"),
        "beam_ids": listed(text()),
        "product_type": text(1),
    },
    in_assets={"polarizations": listed(_POLARIZATION, 1)},  # in the order of the file's bands
)
_COMMON_NAMES = (
    *("pan", "coastal", "blue", "green", "green05", "yellow", "red"),
    *("rededge", "rededge071", "rededge075", "rededge078", "nir", "nir08", "nir09"),
    *("cirrus", "swir16", "swir22", "lwir", "lwir11", "lwir12"),
)
_EO = Extension(
    "eo:",
    {
        "cloud_cover": number(0, 100),
        "snow_cover": number(0, 100),
        "common_name": one_of(*_COMMON_NAMES),
        "center_wavelength": number(),
        "full_width_half_max": number(),
        "solar_illumination": number(0),
    },
    (PROPERTIES, ASSET, BAND, SUMMARY),
    needs=(PROPERTIES, ASSET, BAND),
    collection_needs=(ASSET, BAND, SUMMARY),
)
_SENTINEL1 = Extension(
    "s1:",
    {
        **dict.fromkeys(
            (
                *("datatake_id", "instrument_configuration_ID", "orbit_source", "slice_number", "total_slices"),
                *("product_identifier", "product_timeliness", "processing_level", "resolution"),
            ),
            text(),
        ),
        "processing_datetime": TIME,
        "shape": listed(integer(), 2),
    },
    (PROPERTIES,),
    needs=(PROPERTIES,),
    collection_needs=(SUMMARY,),
)
_INSAR = Extension(
    "insar:",
    {
        "perpendicular_baseline": number(),
        "temporal_baseline": number(),
        "height_of_ambiguity": number(),
        "reference_datetime": TIME,
        "secondary_datetime": TIME,
        "processing_dem": text(),
        "geocoding_dem": text(),
    },
    needs=(PROPERTIES,),
)
_CEOS_ARD = Extension(
    "ceosard:",
    {
        "type": one_of("optical", "radar"),
        "specification": one_of("SR", "ST", "AR", "NLSR", "NRB", "POL", "ORB", "GSLC"),
        "specification_version": like(r"\d+\.\d+(.\d+)?", "a version of two or three numbers"),
    },
    (PROPERTIES, COLLECTION),
    collection_needs=(COLLECTION, SUMMARY),
    all_of=("type", "specification", "specification_version"),
)
EXTENSIONS: Mapping[str, Extension] = {
    named.PROJECTION: _PROJECTION,
    named.PROJECTION_2: replace(_PROJECTION, fields={k: v for k, v in _PROJECTION.fields.items() if k != "epsg"}),
    named.RASTER: _RASTER,
    named.FILE: _FILE,
    named.CLASSIFICATION: _CLASSIFICATION,
    named.STORAGE: _STORAGE,
    named.RENDER: _RENDER,
    named.PROCESSING: _PROCESSING,
    named.PRODUCT: _PRODUCT,
    named.VIEW: _VIEW,
    named.SAT: _SAT,
    named.SAR: _SAR,
    named.EO: _EO,
    named.SENTINEL1: _SENTINEL1,
    named.INSAR: _INSAR,
    named.CEOS_ARD: _CEOS_ARD,
}
