"""What HyP3's names and parameter text tell of a pair, from the items of its bursts."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import pystac

from sarcube.errors import CubeError, OrbitError
from sarcube.geometry.orbit import Orbit
from sarcube.instants import utc_ns, utc_time
from sarcube.jsons import JsonObject
from sarcube.sensors.sentinel1.burst_id import BurstId
from sarcube.sensors.sentinel1.granules import granule_name

# Slant range samples and lines of 5 m by 20 m: what HyP3's looks are of, in one pixel of so many metres.
_METRES_RANGE, _METRES_AZIMUTH = 4.0, 20.0
LIKE = ("VV", "HH")  # what HyP3 makes pairs of, and MintPy reads
_SWATHS = ("IW1", "IW2", "IW3")
_ONE_PASS = dt.timedelta(minutes=10)


@dataclass(frozen=True)
class RadarImage:
    """Samples of a burst; see `sarcube:radar_image` of its item.

    Attributes
    ----------
    first_line : numpy.datetime64
        UTC, nanoseconds.
    line_interval, near_range, sample_spacing : float
        Seconds and metres.
    lines, samples : int
    first_valid_line, last_valid_line, first_valid_sample, last_valid_sample : int
    """

    first_line: np.datetime64
    line_interval: float
    near_range: float
    sample_spacing: float
    lines: int
    samples: int
    first_valid_line: int
    last_valid_line: int
    first_valid_sample: int
    last_valid_sample: int

    @property
    def far_range(self) -> float:
        """Of the last sample, metres."""
        return self.near_range + (self.samples - 1) * self.sample_spacing

    @property
    def last_line(self) -> np.datetime64:
        return self.first_line + np.timedelta64(round((self.lines - 1) * self.line_interval * 1e9), "ns")


@dataclass(frozen=True, eq=False)
class BurstPair:
    """One burst on both dates of a pair.

    Attributes
    ----------
    burst : BurstId
    starts : (datetime, datetime)
    scenes : (str, str)
    orbits : (int, int)
        Absolute orbit numbers.
    direction : str
        "ascending" or "descending".
    heading, perpendicular : float
        Degrees, metres.
    polarization : str
    dem : str
        What the DEM is.
    posting : float
        Metres.
    timing : str
        In words: what was taken off along the track.
    radar : RadarImage
        Of the first date.
    vectors : mapping of str to sequence of float
        UTC to position and velocity, metres and metres per second, Earth-fixed; of the first date.
    """

    burst: BurstId
    starts: tuple[dt.datetime, dt.datetime]
    scenes: tuple[str, str]
    orbits: tuple[int, int]
    direction: str
    heading: float
    perpendicular: float
    polarization: str
    dem: str
    posting: float
    timing: str
    radar: RadarImage
    vectors: JsonObject

    @classmethod
    def of_item(cls, item: pystac.Item) -> BurstPair:
        """From the item of an INSAR_S1 product.

        Raises
        ------
        CubeError
            The item is of something else, or of a version of sarcube that did not tell all of it.
        """
        told = item.properties
        try:
            radar = {**told["sarcube:radar_image"]}
            sources = told["sarcube:source_scenes"]
            return cls(
                BurstId.parse(told["sarcube:burst_id"]),
                (utc_time(told["insar:reference_datetime"]), utc_time(told["insar:secondary_datetime"])),
                (str(sources[0]["scene"]), str(sources[1]["scene"])),
                (int(told["sat:absolute_orbit"]), int(told["sarcube:secondary_absolute_orbit"])),
                str(told["sat:orbit_state"]),
                float(told["sarcube:platform_heading"]),
                float(told["insar:perpendicular_baseline"]),
                str(told["sar:polarizations"][0]),
                str(told.get("sarcube:dem", "")),
                float(told["gsd"]),
                _timing(told.get("sarcube:azimuth_timing") or {}),
                RadarImage(**{**radar, "first_line": utc_ns(radar["first_line"])}),
                told.get("sat:orbit_state_vectors", {}),
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise CubeError(
                f"item {item.id} does not tell what HyP3's parameters need ({error!r}); it must be of the collection "
                "of interferograms (s1_insar): make it again with this version"
            ) from error

    def orbit(self) -> Orbit:
        """The first date's orbit.

        Raises
        ------
        OrbitError
            The item carries none.
        """
        if len(self.vectors) < 2:
            raise OrbitError(f"{self.granules[0]}: its item carries no state vectors; make it again")
        times = np.array([utc_ns(text) for text in self.vectors])
        order = np.argsort(times)
        values = np.array(list(self.vectors.values()), np.float64)[order]
        epoch = times[order][0].astype("datetime64[s]").astype("datetime64[ns]")
        seconds = (times[order] - epoch).astype(np.int64) * 1e-9
        return Orbit(epoch, seconds, values[:, :3], values[:, 3:])

    @property
    def granules(self) -> tuple[str, str]:
        """Both dates as ASF names them."""
        first, second = (
            granule_name(str(self.burst), start, self.polarization, scene)
            for start, scene in zip(self.starts, self.scenes, strict=True)
        )
        return first, second


def pairs_of(items: Iterable[pystac.Item]) -> tuple[BurstPair, ...]:
    """The bursts of one pair of dates, in the order of swath and burst.

    Raises
    ------
    CubeError
        They are of several tracks, polarizations, postings, or pairs of dates; or not like-polarized.
    """
    bursts = tuple(sorted((BurstPair.of_item(i) for i in items), key=lambda b: (b.burst.swath, b.burst.number)))
    if not bursts:
        raise CubeError("there are no bursts of this pair")
    if several := several_passes(bursts):
        raise CubeError(f"bursts of several {several} make no product: {', '.join(b.granules[0] for b in bursts[:5])}")
    for what, values in (
        ("polarizations", {b.polarization for b in bursts}),
        ("postings", {b.posting for b in bursts}),
    ):
        if len(values) > 1:
            raise CubeError(f"bursts of several {what} make no product: {', '.join(map(str, sorted(values)))}")
    if bursts[0].polarization not in LIKE:
        raise CubeError(f"HyP3 makes pairs of VV and HH, and readers refuse others: not {bursts[0].polarization}")
    if not 10 <= round(bursts[0].posting) <= 99:
        raise CubeError(f"HyP3's names have two digits for the posting: 10 to 99 m, not {bursts[0].posting:g}")
    return bursts


def several_passes(bursts: Sequence[BurstPair]) -> str:
    """What tells that bursts are not of one pass on either date, in a word or two; empty where they are.

    A pass may run over midnight, or over the ascending node, where orbits are counted on.
    """
    for k, which in enumerate(("reference", "secondary")):
        times, orbits = [b.starts[k] for b in bursts], [b.orbits[k] for b in bursts]
        if max(times) - min(times) >= _ONE_PASS:
            return f"{which} dates"
        if max(orbits) - min(orbits) > 1:
            return f"{which} orbits"
    return ""


def looks(posting: float) -> tuple[int, int]:
    """Looks in range and azimuth that HyP3 takes for a posting: 20x4 for 80 m, 10x2 for 40 m, 5x1 for 20 m."""
    return max(1, round(posting / _METRES_RANGE)), max(1, round(posting / _METRES_AZIMUTH))


def product_name(bursts: tuple[BurstPair, ...], processing: Processing) -> str:
    """HyP3's name of a product: of one burst, or of several of one track.

    Its last four digits, random at HyP3, are a checksum of what went in and what was done: the same pair made alike has
    the same name.
    """
    one = bursts[0]
    days = [f"{min(b.starts[0] for b in bursts):%Y%m%d}", f"{max(b.starts[1] for b in bursts):%Y%m%d}"]
    made = (*(name for b in bursts for name in b.granules), *map(str, astuple(processing)))
    digits = zlib.crc32(" ".join(made).encode()) & 0xFFFF
    rest = f"{'_'.join(days)}_{one.polarization}_INT{round(one.posting)}_{digits:04X}"
    if len(bursts) == 1:
        return f"S1_{one.burst.number:06d}_{one.burst.swath}_{rest}"
    parts = []
    for swath in _SWATHS:
        numbers = [b.burst.number for b in bursts if b.burst.swath == swath]
        parts.append(f"{min(numbers, default=0):06d}s{swath[2]}n{len(numbers):02d}")
    return f"S1_{one.burst.track:03d}_{'-'.join(parts)}_IW_{rest}"


@dataclass(frozen=True)
class Processing:
    """What was done with a pair after its bursts were made.

    Attributes
    ----------
    alpha : float or None
        Of the phase filter, 0 for none; None: one minus the coherence.
    unwrapped_by : str
        "whirlwind" or "snaphu".
    water : str
        What told where water is; empty where nothing did.
    water_masked : bool
        Whether it was left out of filter and unwrapping.
    """

    alpha: float | None = 0.5
    unwrapped_by: str = "whirlwind"
    water: str = ""
    water_masked: bool = False


def parameter_text(bursts: tuple[BurstPair, ...], processing: Processing) -> str:
    """HyP3's parameter file: a key and a value each line, keys in HyP3's order."""
    first = min(bursts, key=lambda b: b.radar.first_line)
    begun = min(b.radar.first_line for b in bursts)
    ended = max(b.radar.last_line for b in bursts)
    middle = begun + (ended - begun) / 2
    midnight = middle.astype("datetime64[D]").astype("datetime64[ns]")
    near, far = min(b.radar.near_range for b in bursts), max(b.radar.far_range for b in bursts)
    in_range, in_azimuth = looks(first.posting)
    dem, metres = _dem(first.dem)
    rows: list[tuple[str, object]] = [
        ("Reference Granule", ", ".join(b.granules[0] for b in bursts)),
        ("Secondary Granule", ", ".join(b.granules[1] for b in bursts)),
        ("Reference Pass Direction", first.direction.upper()),
        ("Reference Orbit Number", first.orbits[0]),
        ("Secondary Pass Direction", first.direction.upper()),
        ("Secondary Orbit Number", first.orbits[1]),
        ("Baseline", first.perpendicular),
        ("UTC time", round(float((middle - midnight) / np.timedelta64(1, "ns")) * 1e-9, 6)),
        ("Heading", round((first.heading + 180.0) % 360.0 - 180.0, 4)),
        ("Spacecraft height", 693000.0),  # both fixed numbers of HyP3, whatever the orbit
        ("Earth radius at nadir", 6337286.638938101),
        ("Slant range near", near),
        ("Slant range center", 0.5 * (near + far)),
        ("Slant range far", far),
        ("Range looks", in_range),
        ("Azimuth looks", in_azimuth),
        ("INSAR phase filter", "no" if processing.alpha == 0 else "yes"),
        ("Phase filter parameter", "one minus coherence" if processing.alpha is None else processing.alpha),
        ("Range bandpass filter", "no"),
        ("Azimuth bandpass filter", "no"),
        ("DEM source", dem),
        ("DEM resolution (m)", metres),
        ("Unwrapping type", "snaphu_mcf" if processing.unwrapped_by == "snaphu" else processing.unwrapped_by),
        ("Speckle filter", "no"),
        ("Water mask", "yes" if processing.water_masked else "no"),
    ]
    if len(bursts) == 1:
        radar = first.radar
        rows += [
            ("Radar n lines", radar.lines),
            ("Radar n samples", radar.samples),
            ("Radar first valid line", radar.first_valid_line),
            ("Radar n valid lines", radar.last_valid_line - radar.first_valid_line + 1),
            ("Radar first valid sample", radar.first_valid_sample),
            ("Radar n valid samples", radar.last_valid_sample - radar.first_valid_sample + 1),
            ("Multilook azimuth time interval", in_azimuth * radar.line_interval),
            ("Multilook range pixel size", in_range * radar.sample_spacing),
            ("Radar sensing stop", f"{radar.last_line.astype('datetime64[us]')}"),
        ]
    return "".join(f"{key}: {value}\n" for key, value in rows)


def _timing(told: JsonObject) -> str:
    if not told.get("applied"):
        return "no azimuth timing was taken off"
    return (
        f"an azimuth timing of {float(told['shift_lines']):.5f} lines, found from the overlaps of bursts, was taken off"
    )


def _dem(described: str) -> tuple[str, str]:
    """HyP3's word for a DEM, and the size of its pixels where that is known; readers split lines at colons."""
    if "GLO-30" in described or "glo30" in described.lower():
        return "GLO_30", "30"
    return (described or "unknown").replace(":", " "), "unknown"
