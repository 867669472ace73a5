"""The manifest of a SAFE, with sizes and MD5 sums of its files (S1-RS-MDA-52-7441, section 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sarcube.geometry.longitudes import wrap
from sarcube.simulate.timeline import ScenePlan

IPF_VERSION = "003.71"
_NAMESPACES = (
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:gml="http://www.opengis.net/gml" '
    'xmlns:xfdu="urn:ccsds:schema:xfdu:1" xmlns:safe="http://www.esa.int/safe/sentinel-1.0" '
    'xmlns:s1="http://www.esa.int/safe/sentinel-1.0/sentinel-1" '
    'xmlns:s1sar="http://www.esa.int/safe/sentinel-1.0/sentinel-1/sar" '
    'xmlns:s1sarl1="http://www.esa.int/safe/sentinel-1.0/sentinel-1/sar/level-1"'
)
_SCHEMAS = {
    "s1Level1ProductSchema": "s1-level-1-product.xsd",
    "s1Level1NoiseSchema": "s1-level-1-noise.xsd",
    "s1Level1CalibrationSchema": "s1-level-1-calibration.xsd",
    "s1Level1MeasurementSchema": "s1-level-1-measurement.xsd",
}
_DESCRIBED = "acquisitionPeriod platform generalProductInformation measurementOrbitReference measurementFrameSet"
_NSSDC = {"S1A": "2014-016A", "S1B": "2016-025A", "S1C": "2024-235A", "S1D": "2025-251A"}


@dataclass(frozen=True)
class Member:
    """A file of the SAFE: path relative to its root, role, size in bytes and MD5."""

    path: str
    kind: str  # product, calibration, noise, measurement
    size: int
    md5: str


def member(root: Path, path: str, kind: str) -> Member:
    """Measure a written file."""
    digest = hashlib.md5(usedforsecurity=False)
    with (root / path).open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return Member(path, kind, (root / path).stat().st_size, digest.hexdigest())


def crc16(data: bytes) -> int:
    """CRC-16 CCITT (polynomial 0x1021, start 0xFFFF): the last token of a product name."""
    value = 0xFFFF
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1) ^ 0x1021 if value & 0x8000 else value << 1
            value &= 0xFFFF
    return value


def manifest_xml(
    scene: ScenePlan,
    members: Sequence[Member],
    polarizations: Sequence[str],
    span: tuple[str, str, float, float],
    ring: Sequence[tuple[float, float]],
    product: str = "SLC",
    version: str = IPF_VERSION,
    mode: str = "IW",
) -> str:
    """The document.

    Parameters
    ----------
    scene : ScenePlan
    members : sequence of Member
    polarizations : sequence of str
    span : (start, stop, start since node, stop since node)
        UTC texts and seconds.
    ring : sequence of (longitude, latitude)
        Corners of the footprint in degrees.
    product : str
        "SLC" or "GRD".
    version : str
        Of the IPF.
    mode : str
        "IW" or "EW".
    """
    swaths = "".join(
        f"                  <s1sarl1:swath>{mode}{p.swath.name[2:]}</s1sarl1:swath>\n" for p in scene.swaths
    )
    received = "".join(
        f"            <s1sarl1:transmitterReceiverPolarisation>{p}</s1sarl1:transmitterReceiverPolarisation>\n"
        for p in polarizations
    )
    corners = " ".join(f"{lat:.6f},{wrap(lon):.6f}" for lon, lat in ring)
    created = f"{span[1][:19]}.000000"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU {_NAMESPACES} version="esa/safe/sentinel-1.0/sentinel-1/sar/level-1/{product.lower()}/standard/{
        mode.lower()
    }dp">
  <informationPackageMap>
    <xfdu:contentUnit unitType="SAFE Archive Information Package" textInfo="Sentinel-1 {mode} Level-1 {
        product
    } Product" dmdID="{_DESCRIBED}" pdiID="processing">
{"".join(_unit(m) for m in members)}    </xfdu:contentUnit>
  </informationPackageMap>
  <metadataSection>
{"".join(_annotation_object(m) for m in members if m.kind != "measurement")}{
        _wrap(
            "processing",
            "PROVENANCE",
            "PDI",
            "Processing",
            f'''          <safe:processing name="{product} Post Processing" start="{created}" stop="{created}">
            <safe:facility country="" name="simulation" organisation="sarcube" site="simulation">
              <safe:software name="Sentinel-1 IPF" version="{version}"/>
            </safe:facility>
            <safe:resource name="sarcube simulate" role="Level-1 Intermediate SLC Product">
              <safe:processing name="SLC Processing" start="{created}" stop="{created}">
                <safe:facility country="" name="simulation" organisation="sarcube" site="simulation">
                  <safe:software name="Sentinel-1 IPF" version="{version}"/>
                </safe:facility>
                <safe:resource name="{scene.platform}_AUX_PP1_V20190228T092500_G20240327T102320.SAFE" role="AUX_PP1"/>
                <safe:resource name="{scene.platform}_AUX_CAL_V20190228T092500_G20240327T102320.SAFE" role="AUX_CAL"/>
                <safe:resource name="{scene.platform}_AUX_INS_V20190228T092500_G20240327T102320.SAFE" role="AUX_INS"/>
              </safe:processing>
            </safe:resource>
          </safe:processing>
''',
        )
    }{
        _wrap(
            "platform",
            "DESCRIPTION",
            "DMD",
            "Platform Description",
            f'''          <safe:platform>
            <safe:nssdcIdentifier>{_NSSDC[scene.platform]}</safe:nssdcIdentifier>
            <safe:familyName>SENTINEL-1</safe:familyName>
            <safe:number>{scene.platform[-1]}</safe:number>
            <safe:instrument>
              <safe:familyName abbreviation="SAR">Synthetic Aperture Radar</safe:familyName>
              <safe:extension>
                <s1sarl1:instrumentMode>
                  <s1sarl1:mode>{mode}</s1sarl1:mode>
{swaths}                </s1sarl1:instrumentMode>
              </safe:extension>
            </safe:instrument>
          </safe:platform>
''',
        )
    }{
        _wrap(
            "measurementOrbitReference",
            "DESCRIPTION",
            "DMD",
            "Orbit Reference",
            f'''          <safe:orbitReference>
            <safe:orbitNumber type="start">{scene.absolute_orbit}</safe:orbitNumber>
            <safe:orbitNumber type="stop">{scene.absolute_orbit}</safe:orbitNumber>
            <safe:relativeOrbitNumber type="start">{scene.relative_orbit}</safe:relativeOrbitNumber>
            <safe:relativeOrbitNumber type="stop">{scene.relative_orbit}</safe:relativeOrbitNumber>
            <safe:cycleNumber>{(scene.absolute_orbit - scene.relative_orbit) // 175 + 15}</safe:cycleNumber>
            <safe:phaseIdentifier>1</safe:phaseIdentifier>
            <safe:extension>
              <s1:orbitProperties>
                <s1:pass>{scene.direction.upper()}</s1:pass>
                <s1:ascendingNodeTime>{scene.utc(0.0)}</s1:ascendingNodeTime>
              </s1:orbitProperties>
            </safe:extension>
          </safe:orbitReference>
''',
        )
    }{
        _wrap(
            "generalProductInformation",
            "DESCRIPTION",
            "DMD",
            "General Product Information",
            f'''          <s1sarl1:standAloneProductInformation>
            <s1sarl1:instrumentConfigurationID>7</s1sarl1:instrumentConfigurationID>
            <s1sarl1:missionDataTakeID>{scene.data_take}</s1sarl1:missionDataTakeID>
{received}            <s1sarl1:productClass>S</s1sarl1:productClass>
            <s1sarl1:productClassDescription>SAR Standard L1 Product</s1sarl1:productClassDescription>
            <s1sarl1:productComposition>Individual</s1sarl1:productComposition>
            <s1sarl1:productType>{product}</s1sarl1:productType>
            <s1sarl1:productTimelinessCategory>Fast-24h</s1sarl1:productTimelinessCategory>
            <s1sarl1:sliceProductFlag>false</s1sarl1:sliceProductFlag>
            <s1sarl1:segmentStartTime>{span[0]}</s1sarl1:segmentStartTime>
            <s1sarl1:sliceNumber>0</s1sarl1:sliceNumber>
            <s1sarl1:totalSlices>0</s1sarl1:totalSlices>
          </s1sarl1:standAloneProductInformation>
''',
        )
    }{
        _wrap(
            "acquisitionPeriod",
            "DESCRIPTION",
            "DMD",
            "Acquisition Period",
            f'''          <safe:acquisitionPeriod>
            <safe:startTime>{span[0]}</safe:startTime>
            <safe:stopTime>{span[1]}</safe:stopTime>
            <safe:extension>
              <s1:timeANX>
                <s1:startTimeANX>{span[2] * 1e3:.6e}</s1:startTimeANX>
                <s1:stopTimeANX>{span[3] * 1e3:.6e}</s1:stopTimeANX>
              </s1:timeANX>
            </safe:extension>
          </safe:acquisitionPeriod>
''',
        )
    }{
        _wrap(
            "measurementFrameSet",
            "DESCRIPTION",
            "DMD",
            "Frame Set",
            f'''          <safe:frameSet>
            <safe:frame>
              <safe:footPrint srsName="http://www.opengis.net/gml/srs/epsg.xml#4326">
                <gml:coordinates>{corners}</gml:coordinates>
              </safe:footPrint>
            </safe:frame>
          </safe:frameSet>
''',
        )
    }{"".join(_schema(name, file) for name, file in _SCHEMAS.items())}  </metadataSection>
  <dataObjectSection>
{"".join(_data_object(m) for m in members)}  </dataObjectSection>
</xfdu:XFDU>
"""


def _object_id(m: Member) -> str:
    prefix = "product" if m.kind == "product" else ""
    return prefix + Path(m.path).stem.replace("-", "")


def _rep(m: Member) -> str:
    return f"s1Level1{m.kind.capitalize()}Schema"


def _unit(m: Member) -> str:
    kind = "Measurement Data Unit" if m.kind == "measurement" else "Metadata Unit"
    return (
        f'      <xfdu:contentUnit unitType="{kind}" repID="{_rep(m)}">\n'
        f'        <dataObjectPointer dataObjectID="{_object_id(m)}"/>\n      </xfdu:contentUnit>\n'
    )


def _annotation_object(m: Member) -> str:
    return (
        f'    <metadataObject ID="{_object_id(m)}Annotation" classification="DESCRIPTION" category="DMD">\n'
        f'      <dataObjectPointer dataObjectID="{_object_id(m)}"/>\n    </metadataObject>\n'
    )


def _wrap(name: str, classification: str, category: str, text: str, body: str) -> str:
    return (
        f'    <metadataObject ID="{name}" classification="{classification}" category="{category}">\n'
        f'      <metadataWrap mimeType="text/xml" vocabularyName="SAFE" textInfo="{text}">\n        <xmlData>\n'
        f"{body}        </xmlData>\n      </metadataWrap>\n    </metadataObject>\n"
    )


def _schema(name: str, file: str) -> str:
    return (
        f'    <metadataObject ID="{name}" classification="SYNTAX" category="REP">\n'
        '      <metadataReference mimeType="text/xml" vocabularyName="SDF" locatorType="URL" '
        f'href="./support/{file}"/>\n    </metadataObject>\n'
    )


def _data_object(m: Member) -> str:
    mime = "application/octet-stream" if m.kind == "measurement" else "text/xml"
    return (
        f'    <dataObject ID="{_object_id(m)}" repID="{_rep(m)}">\n'
        f'      <byteStream mimeType="{mime}" size="{m.size}">\n'
        f'        <fileLocation locatorType="URL" href="./{m.path}"/>\n'
        f'        <checksum checksumName="MD5">{m.md5}</checksum>\n      </byteStream>\n    </dataObject>\n'
    )
