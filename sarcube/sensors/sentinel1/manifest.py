"""The manifest of a SAFE: what only it tells (IPF, who processed it and when, relative orbit), the files it lists."""

from __future__ import annotations

from dataclasses import dataclass

from sarcube.sensors.sentinel1.xml_tree import Node, parse_xml

_SAFE = "{http://www.esa.int/safe/sentinel-1.0}"


@dataclass(frozen=True)
class Manifest:
    """What a manifest says.

    Attributes
    ----------
    ipf_version : str
        "003.61"; empty where it says nothing.
    relative_orbit : int or None
        At the start of the scene.
    orbit_direction : str
        "ascending", "descending" or "".
    files : tuple of str
        Members it lists, relative to the SAFE's root.
    facility : str
        Who made the scene: "Copernicus Ground Segment, Production Service-SERCO, Italy"; empty where unknown.
    processed : str
        UTC end of its processing as it is written, empty where unknown.
    """

    ipf_version: str
    relative_orbit: int | None
    orbit_direction: str
    files: tuple[str, ...]
    facility: str = ""
    processed: str = ""


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Read `manifest.safe` (S1-RS-MDA-52-7441, section 5)."""
    root = parse_xml(data, where, "XFDU")
    files = []
    for node in root.find_all(".//fileLocation"):
        href = (node.attribute("href") or "").removeprefix("./")
        if href and not href.startswith("/") and ".." not in href.split("/"):
            files.append(href)
    facility, processed = _processing(root)
    return Manifest(_version(root), _relative_orbit(root), _direction(root), tuple(files), facility, processed)


def _version(root: Node) -> str:
    for node in root.find_all(f".//{_SAFE}software"):
        if "IPF" in (node.attribute("name") or ""):
            return node.attribute("version") or ""
    return ""


def _processing(root: Node) -> tuple[str, str]:
    """Facility and end of the outermost processing, which made this very product; the inner ones made its inputs."""
    for node in root.find_all(f".//{_SAFE}processing"):
        for facility in node.find_all(f"{_SAFE}facility"):
            parts = [facility.attribute(name) or "" for name in ("name", "site", "country")]
            return ", ".join(part for part in parts if part), node.attribute("stop") or ""
        return "", node.attribute("stop") or ""
    return "", ""


def _relative_orbit(root: Node) -> int | None:
    for reference in root.find_all(f".//{_SAFE}orbitReference"):
        for node in reference.find_all(f"{_SAFE}relativeOrbitNumber"):
            text = node.text_or(".", "")
            if node.attribute("type") == "start" and text.isdecimal() and 1 <= int(text[:9]) <= 175:
                return int(text)
    return None


def _direction(root: Node) -> str:
    for node in root.find_all(".//{http://www.esa.int/safe/sentinel-1.0/sentinel-1}pass"):
        return node.text_or(".", "").lower()
    return ""
