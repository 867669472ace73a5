"""Metadata of simulated Sentinel-2 products: as much of ESA's as readers ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sarcube.sensors.sentinel2.bands import BAND_IDS

if TYPE_CHECKING:
    from sarcube.simulate.sentinel2 import Sentinel2Options

_SUN, _VIEW = (32.5, 141.0), (7.5, 106.0)
_GML = 'xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:eop="http://www.opengis.net/eop/2.0"'


def product_xml(options: Sentinel2Options) -> str:
    """MTD_MSIL1C.xml or MTD_MSIL2A.xml."""
    number = options.level[1:]
    psd = "https://psd-14.sentinel2.eo.esa.int/PSD"
    text = f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-{number}_User_Product xmlns:n1="{psd}/User_Product_Level-{number}.xsd">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>{options.start:%Y-%m-%dT%H:%M:%S}.024Z</PRODUCT_START_TIME>
      <PRODUCT_STOP_TIME>{options.start:%Y-%m-%dT%H:%M:%S}.024Z</PRODUCT_STOP_TIME>
      <PRODUCT_URI>{options.name}.SAFE</PRODUCT_URI>
      <PROCESSING_LEVEL>Level-{number}</PROCESSING_LEVEL>
      <PRODUCT_TYPE>S2MSI{number}</PRODUCT_TYPE>
      <PROCESSING_BASELINE>{options.baseline}</PROCESSING_BASELINE>
      <GENERATION_TIME>{options.made or options.start:%Y-%m-%dT%H:%M:%S}.000000Z</GENERATION_TIME>
      <Datatake datatakeIdentifier="{_datatake(options)}">
        <SPACECRAFT_NAME>Sentinel-2{options.platform[-1]}</SPACECRAFT_NAME>
        <DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
        <DATATAKE_SENSING_START>{options.start:%Y-%m-%dT%H:%M:%S}.024Z</DATATAKE_SENSING_START>
        <SENSING_ORBIT_NUMBER>{options.relative_orbit}</SENSING_ORBIT_NUMBER>
        <SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION>
      </Datatake>
    </Product_Info>
    <Product_Image_Characteristics>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>
      </Special_Values>
      <Special_Values>
        <SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX>
      </Special_Values>
      {_numbers(options)}
    </Product_Image_Characteristics>
  </n1:General_Info>
  <n1:Geometric_Info>
    <Product_Footprint><Product_Footprint><Global_Footprint>
      <EXT_POS_LIST>{_footprint(options)}</EXT_POS_LIST>
    </Global_Footprint></Product_Footprint></Product_Footprint>
  </n1:Geometric_Info>
  <n1:Quality_Indicators_Info><Cloud_Coverage_Assessment>0.0</Cloud_Coverage_Assessment></n1:Quality_Indicators_Info>
</n1:Level-{number}_User_Product>
"""
    return _of_2017(text) if _with_old_names(options) else text


# What L2A called its elements up to baseline 02.06 (Sentinel-2 Products Specification 14.2).
_OLD_NAMES = {
    "Product_Info": "L2A_Product_Info",
    "Product_Image_Characteristics": "L2A_Product_Image_Characteristics",
    "QUANTIFICATION_VALUES_LIST": "L1C_L2A_Quantification_Values_List",
    "BOA_QUANTIFICATION_VALUE": "L2A_BOA_QUANTIFICATION_VALUE",
    "PRODUCT_URI": "PRODUCT_URI_2A",
    "TILE_ID": "TILE_ID_2A",
}
_FIRST_WITH_NEW_NAMES = 2.07


def _with_old_names(options: Sentinel2Options) -> bool:
    return options.level == "L2A" and options.number < _FIRST_WITH_NEW_NAMES


def _of_2017(text: str) -> str:
    for new, old in _OLD_NAMES.items():
        text = re.sub(rf"<(/?){new}(?=[ >])", rf"<\1{old}", text)
    return text.replace(">Level-2A</PROCESSING_LEVEL>", ">Level-2Ap</PROCESSING_LEVEL>")


def _datatake(options: Sentinel2Options) -> str:
    return f"G{options.platform}_{options.start:%Y%m%dT%H%M%S}_{options.absolute_orbit:06d}_N{options.baseline}"


def _numbers(options: Sentinel2Options) -> str:
    offset = options.stated_offset
    name, lists = (
        ("RADIO", "Radiometric_Offset_List") if options.level == "L1C" else ("BOA", "BOA_ADD_OFFSET_VALUES_LIST")
    )
    entries = "".join(
        f'<{name}_ADD_OFFSET band_id="{i}">{offset:.0f}</{name}_ADD_OFFSET>' for i in range(len(BAND_IDS))
    ) if offset is not None else ""  # fmt: skip
    offsets = f"<{lists}>{entries}</{lists}>" if entries else ""
    if options.level == "L1C":
        return f'<QUANTIFICATION_VALUE unit="none">{options.quantification}</QUANTIFICATION_VALUE>{offsets}'
    return (
        '<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">'
        f"{options.quantification}</BOA_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>{offsets}"
    )


def _footprint(options: Sentinel2Options) -> str:
    from pyproj import Transformer

    right, bottom = options.left + options.size, options.top - options.size
    corners = ((options.left, options.top), (right, options.top), (right, bottom), (options.left, bottom))
    to_degrees = Transformer.from_crs(options.epsg, 4326, always_xy=True)
    points = [to_degrees.transform(x, y) for x, y in (*corners, corners[0])]
    return " ".join(f"{lat:.8f} {lon:.8f}" for lon, lat in points)


def tile_xml(options: Sentinel2Options) -> str:
    """MTD_TL.xml."""
    number = options.level[1:]
    sizes = "".join(
        f'<Size resolution="{r}"><NROWS>{options.pixels(r)}</NROWS><NCOLS>{options.pixels(r)}</NCOLS></Size>'
        for r in (10, 20, 60)
    )
    corners = "".join(
        f'<Geoposition resolution="{r}"><ULX>{options.left:.0f}</ULX><ULY>{options.top:.0f}</ULY>'
        f"<XDIM>{r}</XDIM><YDIM>-{r}</YDIM></Geoposition>"
        for r in (10, 20, 60)
    )
    views = "".join(
        f'<Mean_Viewing_Incidence_Angle bandId="{i}">{_angle(_VIEW)}</Mean_Viewing_Incidence_Angle>'
        for i in range(len(BAND_IDS))
    )
    tile = f"{options.platform}_OPER_MSI_{options.level}_TL_2BPS_{options.start:%Y%m%dT%H%M%S}"
    hemisphere = "N" if options.epsg < 32700 else "S"
    text = f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-{number}_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-{number}_Tile_Metadata.xsd">
  <n1:General_Info>
    <TILE_ID>{tile}_A{options.absolute_orbit:06d}_T{options.tile}_N{options.baseline}</TILE_ID>
    <SENSING_TIME>{options.start:%Y-%m-%dT%H:%M:%S}.581767Z</SENSING_TIME>
  </n1:General_Info>
  <n1:Geometric_Info>
    <Tile_Geocoding>
      <HORIZONTAL_CS_NAME>WGS84 / UTM zone {options.epsg % 100}{hemisphere}</HORIZONTAL_CS_NAME>
      <HORIZONTAL_CS_CODE>EPSG:{options.epsg}</HORIZONTAL_CS_CODE>
      {sizes}{corners}
    </Tile_Geocoding>
    <Tile_Angles>
      <Mean_Sun_Angle>{_angle(_SUN)}</Mean_Sun_Angle>
      <Mean_Viewing_Incidence_Angle_List>{views}</Mean_Viewing_Incidence_Angle_List>
    </Tile_Angles>
  </n1:Geometric_Info>
</n1:Level-{number}_Tile_ID>
"""
    return _of_2017(text) if _with_old_names(options) else text


def _angle(pair: tuple[float, float]) -> str:
    zenith, azimuth = pair
    return f'<ZENITH_ANGLE unit="deg">{zenith}</ZENITH_ANGLE><AZIMUTH_ANGLE unit="deg">{azimuth}</AZIMUTH_ANGLE>'


def cloud_gml(layers: Mapping[str, NDArray[np.bool_]], options: Sentinel2Options) -> str:
    """MSK_CLOUDS_B00.gml: polygons along the 60 m pixels of masks "opaque" and "cirrus"."""
    from affine import Affine
    from rasterio.features import shapes

    transform = Affine(60, 0, options.left, 0, -60, options.top)
    features = []
    for name, layer in layers.items():
        kind = str(name).upper()
        for n, (shape, _) in enumerate(shapes(layer.astype(np.uint8), mask=layer, transform=transform)):
            rings = [
                f'<gml:{side}><gml:LinearRing><gml:posList srsDimension="2">'
                + " ".join(f"{x:.0f} {y:.0f}" for x, y in ring)
                + f"</gml:posList></gml:LinearRing></gml:{side}>"
                for side, ring in zip(
                    ("exterior", *["interior"] * (len(shape["coordinates"]) - 1)), shape["coordinates"], strict=True
                )
            ]
            features.append(
                f'<eop:MaskFeature gml:id="{kind}.{n}"><eop:maskType>{kind}</eop:maskType><eop:extentOf>'
                f'<gml:Polygon gml:id="{kind}.{n}_Polygon">{"".join(rings)}</gml:Polygon>'
                "</eop:extentOf></eop:MaskFeature>"
            )
    members = f"<eop:maskMembers>{''.join(features)}</eop:maskMembers>" if features else ""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<eop:Mask {_GML} gml:id="S2_MSK_CLOUDS_B00">{members}</eop:Mask>\n'
