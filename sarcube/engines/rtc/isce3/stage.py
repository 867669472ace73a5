"""Puts a burst's inputs where and how opera-rtc and s1reader insist on finding them."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np

from sarcube.errors import EngineError
from sarcube.geometry.dem import Dem
from sarcube.geometry.orbit import Orbit
from sarcube.sensors.sentinel1.model import Burst
from sarcube.sensors.sentinel1.orbit_writer import OrbitFileName, eof_text

_SWATHS = ("iw1", "iw2", "iw3")


def stage_safe(burst: Burst, folder: Path) -> Path:
    """A SAFE that s1reader can load: the scene itself, or a folder of links that makes up what it lacks.

    s1reader 0.2.5 loads all three sub-swaths and the manifest even for one burst, and takes IW2's annotation for
    the bistatic delay. Where a swath is absent, the burst's own annotation stands in for it under that swath's
    name (its bursts have other IDs and are not asked for); a stand-in for IW2 gets IW2's mid-swath range.

    Raises
    ------
    EngineError
        The scene is remote or has no manifest.
    """
    path = Path(burst.channels[burst.polarizations[0]].samples.path)
    if "://" in str(burst.channels[burst.polarizations[0]].samples.path) or not path.exists():
        raise EngineError(f"engine isce3 reads local scenes only, not {path}; let the source download it first")
    files = _Files(path)
    swath = burst.swath.lower()
    have = {s for s in _SWATHS if files.matching(f"annotation/[^/]*-{s}-slc-[^/]*xml$")}
    name = burst.scene + (".zip" if path.is_file() else ".SAFE")
    if have == set(_SWATHS) and path.name == name:
        return path
    if not files.matching(r"(^|/)manifest\.safe$"):
        raise EngineError(
            f"{path} has no manifest.safe, without which s1reader cannot tell the IPF version; use engine: native"
        )
    safe = folder / f"{burst.scene}.SAFE"
    for member in files.names:
        inner = member.split(".SAFE/", 1)[-1]
        # Measurement files of other swaths are not needed, and large.
        wanted = inner == "manifest.safe" or f"-{swath}-" in inner or (inner.endswith(".xml") and "-iw" in inner)
        if wanted and not member.endswith("/"):
            files.place(member, safe / inner)
    for missing in sorted(set(_SWATHS) - have):
        for source in sorted(safe.rglob(f"*-{swath}-slc-*")):
            if source.suffix == ".xml":
                target = source.with_name(source.name.replace(f"-{swath}-", f"-{missing}-"))
                text = source.read_text()
                if missing == "iw2" and source.parent.name == "annotation":
                    text = _with_mid_range(text, burst)
                target.write_text(text)
    return safe


def _with_mid_range(text: str, burst: Burst) -> str:
    """The annotation with the slant range time that puts its mid-swath where IW2's is."""
    first = burst.mid_swath_range_time - 0.5 * burst.radar.samples / burst.range_sampling_rate
    head, tail = text.split("<imageInformation>", 1)
    tail = re.sub(r"<slantRangeTime>[^<]*<", f"<slantRangeTime>{first:.15e}<", tail, count=1)
    return f"{head}<imageInformation>{tail}"


class _Files:
    """Members of a SAFE folder or zip."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            self.names = [str(p.relative_to(path)) for p in sorted(path.rglob("*")) if p.is_file()]
        else:
            with zipfile.ZipFile(path) as archive:
                self.names = archive.namelist()

    def matching(self, pattern: str) -> list[str]:
        return [n for n in self.names if re.search(pattern, n)]

    def place(self, member: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_dir():
            target.symlink_to((self.path / member).resolve())
            return
        with zipfile.ZipFile(self.path) as archive, archive.open(member) as source, target.open("wb") as sink:
            while chunk := source.read(1 << 22):
                sink.write(chunk)


def write_dem(dem: Dem, path: Path) -> None:
    """Write the DEM as the GeoTIFF that isce3 reads, heights above the ellipsoid."""
    import rasterio
    from rasterio.transform import from_origin

    rows, columns = dem.heights.shape
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": 1,
        "height": rows,
        "width": columns,
        "crs": f"EPSG:{dem.epsg}",
        "transform": from_origin(dem.left, dem.top, dem.dx, dem.dy),
        "tiled": True,
    }
    with rasterio.open(path, "w", **profile) as target:
        target.write(dem.heights.astype(np.float32), 1)


ORBIT_STEP = 10.0  # seconds, the spacing of ESA's orbit files


def write_orbit(burst: Burst, folder: Path) -> Path:
    """Write the burst's orbit as an EOF file under a name that s1reader accepts.

    opera-rtc refuses vectors that are not evenly spaced to the microsecond (some annotations are such): these are
    resampled to 10 s by the same interpolation that the native engine uses.

    Raises
    ------
    EngineError
        The orbit is too short for s1reader, which pads the burst.
    """
    orbit = even_orbit(burst.orbit)
    first, last = (orbit.epoch + np.timedelta64(round(t * 1e6), "us") for t in (orbit.time[0], orbit.time[-1]))
    kind = "RESORB" if burst.orbit_type == "RESORB" else "POEORB"
    # s1reader chooses by the times in the name, which must enclose the scene and a revolution before it.
    day = np.timedelta64(1, "D")
    name = OrbitFileName(burst.platform, kind, created=last + 20 * day, start=first - day, stop=last + day)
    path = folder / f"{name.stem}.EOF"
    path.write_text(eof_text(name, orbit, burst.absolute_orbit))
    return path


def even_orbit(orbit: Orbit) -> Orbit:
    """The orbit with even spacing: itself where it is even to the microsecond, else resampled."""
    steps = np.diff(orbit.time)
    if orbit.time.size > 1 and np.all(np.abs(steps - steps[0]) < 1e-6):
        return orbit
    from sarcube.geometry.orbit import state

    first, last = np.ceil(orbit.time[0]), orbit.time[-1]
    time = np.arange(first, last, ORBIT_STEP)
    if time.size < 4:
        raise EngineError("the orbit is too short for isce3: it needs at least 4 state vectors")
    position, velocity = state(orbit, time)
    return Orbit(orbit.epoch, time, position, velocity)
