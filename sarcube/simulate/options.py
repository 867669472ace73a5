"""What a simulated archive shall be: one flat record."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sarcube.errors import ConfigError
from sarcube.simulate.swaths import SWATHS

ProductType = Literal["SLC", "GRD"]
TruthPreset = Literal["demo", "checkerboard", "constant"]
Displacement = Literal["none", "ramp", "mogi", "fault"]
NoiseFormat = Literal["new", "shifted", "old"]
PLATFORMS = ("S1A", "S1B", "S1C", "S1D")


@dataclass(frozen=True)
class SimulationOptions:
    """Everything that decides what `simulate` writes; the same options give the same bytes.

    Attributes
    ----------
    center : (longitude, latitude)
        Degrees. Middle of the simulated bursts (own orbit).
    direction : "ascending" or "descending"
    dates : tuple of date
        One scene each.
    platforms : tuple of str
        One of S1A to S1D for all dates, or one per date.
    product : "SLC" or "GRD"
        GRD: detected, in ground range, one image of all swaths; with templates that are GRD scenes.
    mode : "IW" or "EW"
        GRD on an orbit of its own: cells and looks of IW GRDH (10 m) or EW GRDM (40 m), both over the ranges of the
        swaths below.
    swaths : tuple of str
    bursts : int or tuple of int
        Own orbit: number of consecutive bursts per swath. Template: indices in the swath (an int n means 0 to
        n - 1).
    polarizations : tuple of str
        ("VV", "VH"), ("HH", "HV") or one of them. Template: taken from the template where it has fewer.
    template : Path or None
        A real SAFE (folder or zip, with or without samples): geometry, timing, orbit and IDs are its own.
        Several templates, one per date, may be given as a tuple.
    orbit : Path or None
        Template: an EOF file to see the terrain from, instead of the annotation's orbit.
    dem : Path or None
        Heights above the ellipsoid, any raster that GDAL reads; beyond its edge the nearest height goes on (the DEM
        written beside the scenes holds it). None: hilly fractal terrain.
    relief : float
        Fractal terrain: standard deviation of the heights in metres; 0 is a plane.
    base_height : float
        Fractal terrain: mean height above the ellipsoid in metres.
    aoi : (west, south, east, north) or None
        Degrees; only this part gets an echo, the rest is empty as at a scene's edge. East may exceed 180.
    crop : bool
        Own orbit with `aoi`: write bursts that hold little more range samples than the AOI needs. All values stay
        consistent; only the swath is narrower than the real one.
    burst_size : (lines, samples) or None
        Own orbit: write only the middle of each burst (small archives for tests).
    truth : "demo", "checkerboard" or "constant"
        demo: lake, forest, fields, meadow and a clear-cut after `clearcut_after` dates; checkerboard: 2 km squares
        of 0.2 and 0.05 in the CRS of the truth; constant: `gamma0` everywhere. Cross-polarization of the
        latter two: a fifth.
    gamma0 : float
        Value of the constant truth.
    clearcut_after : int
        Number of dates before the clear-cut.
    noise : bool
        Thermal noise in the echo (its annotation is always written).
    noise_format : "new", "shifted" or "old"
        Own orbit. "shifted": the lines of noise vectors are one or two bursts too small, their times right, as IPF
        3.20 to 3.61 writes them; "old": range vectors only, as before IPF 2.90.
    delays : bool
        The echo arrives later by the troposphere and by the bistatic effect that IPF leaves, as a real one does.
        Turn it off to compare with processing that corrects neither.
    band_limited : bool
        Speckle with the spectrum that IPF leaves (Hamming windows, azimuth and range bandwidths, TOPS phase
        ramp); off: neighbouring samples are independent.
    posting : float
        Spacing in metres of the terrain that scatters; the DEM written beside is its mean over 3 x 3.
    coherent : bool
        The same scatterers on every date (`sarcube.simulate.coherent`): dates make interferograms, polarizations a
        covariance. Band-limited always; cast shadow is not modelled. The rest down to `correlation` needs it.
    baselines : tuple of float
        Own orbit: perpendicular baseline of each date's orbit, metres along velocity x look; empty: within the
        orbital tube, as without.
    along_track_error : float
        Own orbit: metres by which annotation and orbit file of all dates but the first are ahead of the true orbit.
    displacement : "none", "ramp", "mogi" or "fault"
        Of the ground, towards `displacement_metres` on the last date, in proportion to time: uplift that grows from
        west to east, uplift above a Mogi source 3 km deep under the centre, strike-slip across a fault through the
        centre (all of it after the first date). The true phase is that of slant range; what moves along the track also
        turns the carrier of a TOPS burst, as it does in a real one.
    displacement_metres : float
    coherence : tuple of float
        Of two dates 12 days apart: one value, or two for squares of 3 km in turn; it falls exponentially with time.
        Empty: 0.9 and 0.5; with the demo truth that of the covers (lake 0, forest 0.3, meadow 0.7, fields 0.5,
        clear-cut 0.85, and 0 across the cut).
    screen : float
        Troposphere that changes from date to date: standard deviation of its zenith delay, metres.
    correlation : complex
        Of two polarizations: mean of the co-polarized amplitudes times the conjugate of the cross-polarized ones, over
        the root of the product of their powers; magnitude at most 1.
    format : "folder" or "zip"
    seed : int
    threads : int
    """

    center: tuple[float, float] = (8.2, 48.0)
    direction: Literal["ascending", "descending"] = "descending"
    dates: tuple[dt.date, ...] = (dt.date(2024, 5, 1), dt.date(2024, 5, 13), dt.date(2024, 5, 25))
    platforms: tuple[str, ...] = ("S1A",)
    product: ProductType = "SLC"
    mode: Literal["IW", "EW"] = "IW"
    swaths: tuple[str, ...] = ("IW1", "IW2")
    bursts: int | tuple[int, ...] = 2
    polarizations: tuple[str, ...] = ("VV", "VH")
    template: Path | tuple[Path, ...] | None = None
    orbit: Path | None = None
    dem: Path | None = None
    relief: float = 110.0
    base_height: float = 420.0
    aoi: tuple[float, float, float, float] | None = None
    crop: bool = False
    burst_size: tuple[int, int] | None = None
    truth: TruthPreset = "demo"
    gamma0: float = 0.1
    clearcut_after: int = 2
    noise: bool = True
    noise_format: NoiseFormat = "new"
    delays: bool = True
    band_limited: bool = False
    posting: float = 10.0
    coherent: bool = False
    baselines: tuple[float, ...] = ()
    along_track_error: float = 0.0
    displacement: Displacement = "none"
    displacement_metres: float = 0.06
    coherence: tuple[float, ...] = ()
    screen: float = 0.0
    correlation: complex = 0.0
    format: Literal["folder", "zip"] = "folder"
    seed: int = 1
    threads: int = 2

    def __post_init__(self) -> None:
        checks = (
            (self.direction in ("ascending", "descending"), "direction is ascending or descending"),
            (self.format in ("folder", "zip"), "format is folder or zip"),
            (self.truth in ("demo", "checkerboard", "constant"), "truth is demo, checkerboard or constant"),
            (self.product in ("SLC", "GRD"), "product is SLC or GRD"),
            (self.mode in ("IW", "EW"), "mode is IW or EW"),
            (
                self.mode == "IW" or (self.product == "GRD" and self.template is None),
                "EW is simulated as GRD on an orbit of its own; a template has its own mode",
            ),
            (bool(self.swaths) and set(self.swaths) <= set(SWATHS), "swaths are of IW1, IW2, IW3"),
            (bool(self.dates) or self.template is not None, "dates holds at least one date"),
            (len(set(self.dates)) == len(self.dates), "dates are different days"),
            (
                self.polarizations in (("VV", "VH"), ("HH", "HV"), ("VV",), ("VH",), ("HH",), ("HV",)),
                "polarizations are VV,VH or HH,HV or one of them",
            ),
            (set(self.platforms) <= set(PLATFORMS), "platforms are of S1A, S1B, S1C, S1D"),
            (len(self.platforms) in (1, len(self.dates)), "platforms is one for all dates, or one per date"),
            (-90 <= self.center[1] <= 90, "center is longitude, latitude in degrees"),
            (self.posting > 0 and self.relief >= 0, "posting is positive, relief not negative"),
            (
                self.aoi is None or (self.aoi[0] < self.aoi[2] and self.aoi[1] < self.aoi[3]),
                "aoi is west, south, east, north in degrees (east may exceed 180)",
            ),
            (not self.crop or self.aoi is not None, "crop needs an aoi"),
            (
                self.bursts >= 1 if isinstance(self.bursts, int) else bool(self.bursts),
                "bursts is a number above 0, or the indices of a template's bursts",
            ),
            (
                self.coherent
                or not (
                    self.baselines
                    or self.along_track_error
                    or self.coherence
                    or self.screen
                    or self.correlation
                    or self.displacement != "none"
                ),
                "baselines, along_track_error, displacement, coherence, screen and correlation need coherent",
            ),
            (len(self.baselines) in (0, len(self.dates)), "baselines is one per date, or none"),
            (all(abs(b) <= 5000 for b in self.baselines), "baselines are below the critical one of 5 km"),
            (
                self.template is None or not (self.baselines or self.along_track_error),
                "a template has its own orbits: baselines and along_track_error need none",
            ),
            (self.displacement in ("none", "ramp", "mogi", "fault"), "displacement is none, ramp, mogi or fault"),
            (
                len(self.coherence) <= 2 and all(0 <= g <= 1 for g in self.coherence),
                "coherence is one or two values within 0 to 1",
            ),
            (self.screen >= 0 and abs(self.correlation) <= 1, "screen is not negative, correlation at most 1"),
            (
                self.burst_size is None or min(self.burst_size) >= 32,
                "burst_size is lines, samples of at least 32",
            ),
        )
        wrong = [message for good, message in checks if not good]
        if wrong:
            raise ConfigError("simulation options: " + "; ".join(wrong))

    @property
    def burst_indices(self) -> tuple[int, ...]:
        return tuple(range(self.bursts)) if isinstance(self.bursts, int) else tuple(sorted(self.bursts))

    @property
    def templates(self) -> tuple[Path, ...]:
        if self.template is None:
            return ()
        if isinstance(self.template, tuple):
            return tuple(Path(p) for p in self.template)
        return (Path(self.template),)


def demo_options(seed: int = 1, threads: int = 2) -> SimulationOptions:
    """The archive of `make demo`: 3 dates x 2 sub-swaths x 2 bursts, VV and VH, over 12 x 12 km."""
    longitude, latitude = 8.2, 48.0
    return SimulationOptions(
        center=(longitude, latitude),
        aoi=(longitude - 0.0805, latitude - 0.054, longitude + 0.0805, latitude + 0.054),
        crop=True,
        truth="demo",
        seed=seed,
        threads=threads,
    )
