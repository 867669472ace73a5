"""Small SAFEs made in the test: real structure, a satellite on the reference ground track, a few lines a burst."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.own_places import own_places, server  # noqa: F401

CYCLE, ORBIT = 12 * 86400.0, 12 * 86400 / 175
EARTH_RATE = 7.2921151467e-5


def circular_state(cycle_time: float) -> tuple[np.ndarray, np.ndarray]:
    """Earth-fixed state of a platform on the reference track, `cycle_time` seconds into the 12-day cycle."""
    u = 2 * np.pi * (cycle_time % ORBIT) / ORBIT
    node = np.radians(0.146 - cycle_time / 240.0)
    tilt, radius, rate = np.radians(98.182), 7_071_000.0, 2 * np.pi / ORBIT
    turn = np.array([[np.cos(node), -np.sin(node), 0], [np.sin(node), np.cos(node), 0], [0, 0, 1]])
    position = radius * turn @ np.array([np.cos(u), np.sin(u) * np.cos(tilt), np.sin(u) * np.sin(tilt)])
    inertial = radius * rate * turn @ np.array([-np.sin(u), np.cos(u) * np.cos(tilt), np.cos(u) * np.sin(tilt)])
    return position, inertial - np.cross([0, 0, EARTH_RATE], position)


@dataclass
class Recipe:
    """What a made annotation says; times are seconds into the cycle that began at `origin`."""

    swath: str = "IW2"
    polarization: str = "VV"
    platform: str = "S1A"
    absolute_orbit: int = 73  # relative orbit 1
    start: float = 1000.0
    node: float = 0.0
    bursts: int = 2
    lines: int = 12
    samples: int = 20
    burst_ids: list[int] | None = None
    longitude: float = 179.9
    origin: np.datetime64 = field(default_factory=lambda: np.datetime64("2021-03-01T00:00:00", "ns"))

    def utc(self, seconds: float) -> str:
        return str(self.origin + np.timedelta64(round(seconds * 1e6), "us"))[:26]

    def interval(self) -> float:
        return 2.758273 if self.swath[0] == "I" else 3.038376

    def stem(self) -> str:
        pol, swath = self.polarization.lower(), self.swath.lower()
        return f"{self.platform.lower()}-{swath}-slc-{pol}-20210301t000000-20210301t000010-000073-000001-001"

    def header(self) -> str:
        return (
            f"<adsHeader><missionId>{self.platform}</missionId><productType>SLC</productType>"
            f"<polarisation>{self.polarization}</polarisation><mode>{self.swath[:2]}</mode><swath>{self.swath}</swath>"
            f"<absoluteOrbitNumber>{self.absolute_orbit}</absoluteOrbitNumber></adsHeader>"
        )

    def annotation(self) -> bytes:
        vectors = ""
        for second in np.arange(self.start - 75, self.start + 80, 10.0):
            position, velocity = circular_state(second)
            p, v = (
                "".join(f"<{a}>{x:.9e}</{a}>" for a, x in zip("xyz", xs, strict=True)) for xs in (position, velocity)
            )
            vectors += (
                f"<orbit><time>{self.utc(second)}</time><frame>Earth Fixed</frame>"
                f"<position>{p}</position><velocity>{v}</velocity></orbit>"
            )
        bursts = ""
        first = " ".join(["-1"] + ["2"] * (self.lines - 2) + ["-1"])
        last = " ".join(["-1"] + [str(self.samples - 3)] * (self.lines - 2) + ["-1"])
        for i in range(self.bursts):
            at = self.start + i * self.interval()
            number = f'<burstId absolute="1">{self.burst_ids[i]}</burstId>' if self.burst_ids else ""
            bursts += (
                f"<burst><azimuthTime>{self.utc(at)}</azimuthTime>"
                f"<azimuthAnxTime>{at - self.node:.9e}</azimuthAnxTime>"
                f"<sensingTime>{self.utc(at)}</sensingTime><byteOffset>0</byteOffset>"
                f'<firstValidSample count="{self.lines}">{first}</firstValidSample>'
                f'<lastValidSample count="{self.lines}">{last}</lastValidSample>{number}</burst>'
            )
        points = ""
        for i in range(self.bursts + 1):
            for j in range(5):
                longitude = (self.longitude + 0.2 * j - 0.02 * i + 180) % 360 - 180
                points += (
                    f"<geolocationGridPoint><azimuthTime>{self.utc(self.start + i * self.interval())}</azimuthTime>"
                    f"<slantRangeTime>{5.5e-3 + j * self.samples / 5 / 6.4345238e7:.15e}</slantRangeTime>"
                    f"<line>{i * self.lines}</line><pixel>{j * self.samples // 4}</pixel>"
                    f"<latitude>{10 + 0.18 * i + 0.02 * j:.12e}</latitude><longitude>{longitude:.12e}</longitude>"
                    f"<height>5.0</height><incidenceAngle>{30 + j}</incidenceAngle></geolocationGridPoint>"
                )
        rates = (
            f"<azimuthTime>{self.utc(self.start)}</azimuthTime><t0>5.5e-3</t0>"
            '<azimuthFmRatePolynomial count="3">-2.3e3 4.5e5 -7.8e7</azimuthFmRatePolynomial>'
        )
        centroids = (
            f"<azimuthTime>{self.utc(self.start)}</azimuthTime><t0>5.5e-3</t0>"
            '<dataDcPolynomial count="3">-1.0e1 1.1e4 -1.8e7</dataDcPolynomial>'
        )
        downlink = "<prf>1.717e3</prf><downlinkValues><pri>5.8e-4</pri><rank>9</rank></downlinkValues>"
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<product>{self.header()}<generalAnnotation><productInformation><pass>Ascending</pass>
<rangeSamplingRate>6.4345238e7</rangeSamplingRate><radarFrequency>5.405000454334350e9</radarFrequency>
<azimuthSteeringRate>1.59</azimuthSteeringRate></productInformation><downlinkInformationList count="1">
<downlinkInformation>{downlink}</downlinkInformation></downlinkInformationList>
<orbitList>{vectors}</orbitList>
<azimuthFmRateList count="1"><azimuthFmRate>{rates}</azimuthFmRate></azimuthFmRateList></generalAnnotation>
<imageAnnotation><imageInformation><ascendingNodeTime>{self.utc(self.node)}</ascendingNodeTime>
<slantRangeTime>5.5e-3</slantRangeTime><azimuthTimeInterval>2.0555563e-3</azimuthTimeInterval>
<azimuthFrequency>4.8648631e2</azimuthFrequency><numberOfSamples>{self.samples}</numberOfSamples>
<numberOfLines>{self.lines * self.bursts}</numberOfLines></imageInformation><processingInformation>
<swathProcParamsList><swathProcParams><rangeProcessing><windowCoefficient>7.0e-1</windowCoefficient>
<processingBandwidth>5.65e7</processingBandwidth></rangeProcessing><azimuthProcessing>
<windowCoefficient>7.0e-1</windowCoefficient><processingBandwidth>3.27e2</processingBandwidth>
</azimuthProcessing></swathProcParams></swathProcParamsList></processingInformation></imageAnnotation>
<dopplerCentroid><dcEstimateList count="1"><dcEstimate>{centroids}</dcEstimate></dcEstimateList></dopplerCentroid>
<swathTiming><linesPerBurst>{self.lines}</linesPerBurst><samplesPerBurst>{self.samples}</samplesPerBurst>
<burstList count="{self.bursts}">{bursts}</burstList></swathTiming>
<geolocationGrid><geolocationGridPointList>{points}</geolocationGridPointList></geolocationGrid></product>
""".encode()

    def calibration(self) -> bytes:
        pixels = np.arange(0, self.samples + 10, 10)
        tables = "".join(
            f'<{key} count="{pixels.size}">{" ".join(f"{value:.6e}" for value in base + pixels)}</{key}>'
            for key, base in (("sigmaNought", 300), ("betaNought", 237), ("gamma", 280), ("dn", 200))
        )
        vectors = "".join(
            f"<calibrationVector><azimuthTime>{self.utc(self.start + i)}</azimuthTime><line>{i * 10 - 5}</line>"
            f'<pixel count="{pixels.size}">{" ".join(map(str, pixels))}</pixel>{tables}</calibrationVector>'
            for i in range(3)
        )
        return (
            f"<calibration>{self.header()}<calibrationInformation><absoluteCalibrationConstant>1.0"
            f"</absoluteCalibrationConstant></calibrationInformation>"
            f'<calibrationVectorList count="3">{vectors}</calibrationVectorList></calibration>'
        ).encode()

    def noise(self, old: bool = False) -> bytes:
        pixels = np.arange(0, self.samples + 10, 10)
        name, kind = ("noise", "noiseLut") if old else ("noiseRange", "noiseRangeLut")
        vectors = "".join(
            f"<{name}Vector><azimuthTime>{self.utc(self.start + i)}</azimuthTime><line>{i * 10}</line>"
            f'<pixel count="{pixels.size}">{" ".join(map(str, pixels))}</pixel>'
            f'<{kind} count="{pixels.size}">{" ".join(f"{500 + p:.6e}" for p in pixels)}</{kind}></{name}Vector>'
            for i in range(2)
        )
        azimuth = (
            f"<noiseAzimuthVectorList count='1'><noiseAzimuthVector><swath>{self.swath}</swath>"
            "<firstAzimuthLine>0</firstAzimuthLine><firstRangeSample>0</firstRangeSample>"
            f"<lastAzimuthLine>{self.lines * self.bursts - 1}</lastAzimuthLine>"
            f"<lastRangeSample>{self.samples - 1}</lastRangeSample><line count='2'>0 20</line>"
            "<noiseAzimuthLut count='2'>1.1 1.3</noiseAzimuthLut></noiseAzimuthVector></noiseAzimuthVectorList>"
        )
        body = f"<{name}VectorList count='2'>{vectors}</{name}VectorList>" + ("" if old else azimuth)
        return f"<noise>{self.header()}{body}</noise>".encode()

    def values(self) -> np.ndarray:
        """Samples of the whole image, (lines, samples, 2) int16, each one different."""
        count = self.lines * self.bursts * self.samples * 2
        seed = sum(map(ord, self.swath + self.polarization))
        return (np.arange(count, dtype=np.int64) * 7919 + seed).astype(np.int16).reshape(-1, self.samples, 2)


def tiff_bytes(values: np.ndarray, *, order: str = "<", big: bool = False, rows: int = 1, gap: int = 0) -> bytes:
    """An uncompressed complex int16 TIFF as ESA writes it: directory and strip tables first, then the strips."""
    lines, samples = values.shape[:2]
    strips = -(-lines // rows)
    entries = 9
    head = 16 if big else 8
    directory = (8 + entries * 20 + 8) if big else (2 + entries * 12 + 4)
    tables = head + directory
    item, kind = (8, 16) if big else (4, 4)
    data_at = tables + 2 * strips * item
    heights = [min(rows, lines - i * rows) for i in range(strips)]
    sizes = [height * samples * 4 for height in heights]
    starts = [data_at + int(at) + i * gap for i, at in enumerate(np.cumsum([0, *sizes[:-1]]))]

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, "little" if order == "<" else "big")

    def entry(tag: int, typ: int, count: int, value: int) -> bytes:
        width = 8 if big else 4
        length = {3: 2, 4: 4, 16: 8}[typ]
        inline = number(value, length).ljust(width, b"\0") if count == 1 else number(value, width)
        return number(tag, 2) + number(typ, 2) + number(count, width) + inline

    offsets_at, sizes_at = tables, tables + strips * item
    body = b"".join(
        [
            entry(256, 3, 1, samples),
            entry(257, 4, 1, lines),
            entry(258, 3, 1, 32),
            entry(259, 3, 1, 1),
            entry(273, kind, strips, offsets_at if strips > 1 else starts[0]),
            entry(277, 3, 1, 1),
            entry(278, 4, 1, rows),
            entry(279, kind, strips, sizes_at if strips > 1 else sizes[0]),
            entry(339, 3, 1, 5),
        ]
    )
    mark = b"II" if order == "<" else b"MM"
    start = mark + (
        number(43, 2) + number(8, 2) + number(0, 2) + number(16, 8) if big else number(42, 2) + number(8, 4)
    )
    out = start + number(entries, 8 if big else 2) + body + number(0, 8 if big else 4)
    out += b"".join(number(x, item) for x in starts) + b"".join(number(x, item) for x in sizes)
    strips_of = (values[i * rows : i * rows + height] for i, height in enumerate(heights))
    return out + b"".join(strip.astype(order + "i2").tobytes() + b"\xee" * gap for strip in strips_of)


MANIFEST = b"""<?xml version="1.0"?><xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1">
<x xmlns:safe="http://www.esa.int/safe/sentinel-1.0"><safe:software name="Sentinel-1 IPF" version="003.31"/>
<safe:orbitReference><safe:relativeOrbitNumber type="start">1</safe:relativeOrbitNumber></safe:orbitReference></x>
<dataObjectSection>%s</dataObjectSection></xfdu:XFDU>"""
NAME = "S1A_IW_SLC__1SDV_20210301T000000_20210301T000010_000073_000001_ABCD"


def safe_members(recipes: list[Recipe], **tiff: object) -> dict[str, bytes]:
    """Every file of a SAFE by its name within it."""
    members = {}
    for recipe in recipes:
        stem = recipe.stem()
        members[f"annotation/{stem}.xml"] = recipe.annotation()
        members[f"annotation/calibration/calibration-{stem}.xml"] = recipe.calibration()
        members[f"annotation/calibration/noise-{stem}.xml"] = recipe.noise()
        members[f"measurement/{stem}.tiff"] = tiff_bytes(recipe.values(), **tiff)  # type: ignore[arg-type]
    listed = b"".join(b'<fileLocation href="./%s"/>' % name.encode() for name in members)
    members["manifest.safe"] = MANIFEST % listed
    return members


def write_folder(root: Path, members: dict[str, bytes]) -> Path:
    for name, data in members.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_zip(
    path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED, lead: str = f"{NAME}.SAFE/"
) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(lead + name, data)
    return path


@dataclass(frozen=True)
class Maker:
    """The functions above, for tests."""

    recipe: type[Recipe] = Recipe
    members: Callable[..., dict[str, bytes]] = safe_members
    folder: Callable[..., Path] = write_folder
    zip: Callable[..., Path] = write_zip
    tiff: Callable[..., bytes] = tiff_bytes
    state: Callable[..., tuple[np.ndarray, np.ndarray]] = circular_state
    name: str = NAME


@pytest.fixture(scope="session")
def make() -> Maker:
    return Maker()


@pytest.fixture(scope="session")
def real_folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Unpacks a real SAFE of the shared data once and gives its folder."""
    done: dict[str, Path] = {}

    def unpack(pattern: str) -> Path:
        if pattern not in done:
            (archive,) = (shared_data / "data" / "safe").glob(pattern)
            target = tmp_path_factory.mktemp("safe")
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(target)
            done[pattern] = next(target.rglob("*.SAFE"))
        return done[pattern]

    return unpack
