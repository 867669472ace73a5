"""Presets of pairs of dates: coherence and backscatter, as GEP's COIN and DLR's InSAR Browse show them.

COIN (Coherence and Intensity; Terradue's documentation of the service): sigma nought of both dates, their average and
difference (first minus second) in dB, and coherence; red coherence, green average, blue difference, each stretched from
its 2nd to its 96th percentile. InSAR Browse: red coherence, green and blue mean amplitude; change of amplitude in grey
within 3 dB, red where it grew, blue where it fell; phase, coherence and backscatter at 50 m and 100 m.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.cube.composite.picture import LegendEntry, Picture, Preset, Stretch
from sarcube.cube.composite.stretch import SNAC_HIGH, SNAC_LOW, decibel, percentiles, snac_bytes, stretched

Legend = Sequence[tuple[tuple[int, int, int], str]]
_AMPLITUDES = ("amplitude_first", "amplitude_second")
_UP = "los_up"
_FIXED = {"coherence": (0.0, 1.0), "average": (SNAC_LOW, SNAC_HIGH), "difference": (-5.0, 5.0)}
_LOW, _HIGH = 2.0, 96.0  # percentiles of the services
_SAME = 3.0  # dB within which amplitudes are called alike
_CYCLE, _WHEEL = "twilight", "hsv"
_DARKEST = 0.35
_WHITE, _BLACK = (255, 255, 255), (1, 1, 1)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Pair:
    """A pair as pictures need it, (rows, columns) each; NaN in all where one of them is.

    Attributes
    ----------
    first, second, coherence : float64
        dB, dB, 0 to 1.
    phase : float64 or None
        Radians.
    quantity : str
        What the dB are of.
    days : tuple of str
    stretch : str
    """

    first: Array
    second: Array
    coherence: Array
    phase: Array | None
    quantity: str
    days: tuple[str, str]
    stretch: Stretch

    @property
    def average(self) -> Array:
        return 0.5 * (self.first + self.second)

    @property
    def difference(self) -> Array:
        return self.first - self.second

    def range(self, name: str) -> tuple[float, float]:
        """From where to where a quantity is stretched."""
        values: Array = getattr(self, name)
        return _FIXED[name] if self.stretch == "fixed" else percentiles(values, _LOW, _HIGH)

    def bytes(self, name: str) -> NDArray[np.uint8]:
        values: Array = getattr(self, name)
        return stretched(values, *self.range(name))


def _read(cube: xr.Dataset, stretch: Stretch) -> _Pair:
    """The quantities of a cube of one pair: sigma nought where the line of sight is known, else beta nought."""
    step = cube.isel(time=0)
    power = [np.asarray(step[name].values, np.float64) ** 2 for name in _AMPLITUDES]
    quantity = "beta nought"
    if _UP in cube:
        up = step[_UP]
        if "track" in up.dims:
            up = up.sel(track=int(step["relative_orbit"]))
        # Sigma nought of the ellipsoid, as calibration without terrain has it (Small 2011): beta nought times the sine
        # of the incidence angle, whose cosine is the upward part of the line of sight.
        sine = np.sqrt(np.clip(1.0 - np.asarray(up.values, np.float64) ** 2, 0.0, 1.0))
        power = [values * sine for values in power]
        quantity = "sigma nought"
    first, second = (decibel(values) for values in power)
    coherence = np.asarray(step["coherence"].values, np.float64)
    phase = None
    if "interferogram" in step:
        phase = np.angle(step["interferogram"].values).astype(np.float64)
    missing = np.isnan(first) | np.isnan(second) | np.isnan(coherence) | (False if phase is None else np.isnan(phase))
    for values in (first, second, coherence, *(() if phase is None else (phase,))):
        values[missing] = np.nan
    days = str(step["time"].values)[:10], str(step["secondary"].values)[:10]
    return _Pair(first, second, coherence, phase, quantity, days, stretch)


def _facts(pair: _Pair, *names: str) -> dict[str, object]:
    told: dict[str, object] = {"first": pair.days[0], "second": pair.days[1], "quantity": pair.quantity}
    told["stretch"] = pair.stretch
    if pair.stretch == "percentile" and names:
        told["percentiles"] = [_LOW, _HIGH]
    return told | {f"{name}_range": [round(v, 4) for v in pair.range(name)] for name in names}


def _said(pair: _Pair, name: str) -> str:
    """From where to where a channel goes, for the legend."""
    low, high = pair.range(name)
    unit = "" if name == "coherence" else " dB"
    label = {"coherence": "coherence", "average": f"mean {pair.quantity}", "difference": "first minus second"}[name]
    return f"{label} {low:.3g} to {high:.3g}{unit}"


def _picture(pair: _Pair, rgb: NDArray[np.uint8], names: tuple[str, ...], legend: Legend, *ranges: str) -> Picture:
    return Picture(rgb, {}, {}, names, tuple(LegendEntry(*entry) for entry in legend), _facts(pair, *ranges))


def _coherence_average_difference(pair: _Pair) -> Picture:
    names = "coherence", "average", "difference"
    layers = {
        "sigma0_first_dB": pair.first,
        "sigma0_second_dB": pair.second,
        "sigma0_average_dB": pair.average,
        "sigma0_difference_dB": pair.difference,
        "coherence": pair.coherence,
    }
    if pair.quantity == "beta nought":
        layers = {name.replace("sigma0", "beta0"): values for name, values in layers.items()}
    channels = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    legend = tuple(LegendEntry(colour, _said(pair, name)) for colour, name in zip(channels, names, strict=True))
    return Picture(
        np.stack([pair.bytes(name) for name in names]),
        {name: values.astype(np.float32) for name, values in layers.items()},
        {name: "1" if name == "coherence" else "dB" for name in layers},
        names, legend, _facts(pair, *names),
    )  # fmt: skip


def _amplitude_change(pair: _Pair) -> Picture:
    """Red the second date, green and blue the first."""
    red, cyan = snac_bytes(pair.second), snac_bytes(pair.first)
    legend = (
        ((255, 0, 0), f"brighter on {pair.days[1]}"),
        ((0, 255, 255), f"brighter on {pair.days[0]}"),
        (_WHITE, f"{SNAC_HIGH:g} dB and more on both"),
        (_BLACK, f"{SNAC_LOW:g} dB and less on both"),
    )
    return _picture(pair, np.stack([red, cyan, cyan]), (pair.days[1], pair.days[0], pair.days[0]), legend)


def _coherence_amplitude(pair: _Pair) -> Picture:
    grey = pair.bytes("average")
    legend = (
        ((255, 0, 0), _said(pair, "coherence")),
        ((0, 255, 255), _said(pair, "average")),
        (_WHITE, "bright and coherent"),
    )
    rgb = np.stack([pair.bytes("coherence"), grey, grey])
    return _picture(pair, rgb, ("coherence", "average", "average"), legend, "coherence", "average")


def _change(pair: _Pair) -> Picture:
    """Grey where amplitudes are alike, red where the second date is brighter, blue where it is darker."""
    grey = pair.bytes("average")
    rgb = np.stack([grey, grey, grey])
    with np.errstate(invalid="ignore"):
        grown, fallen = pair.difference < -_SAME, pair.difference > _SAME
    dim = np.maximum(grey // 2, 1)
    for where, channel in ((grown, 0), (fallen, 2)):
        rgb[:, where] = dim[where]
        rgb[channel][where] = 255
    legend = (
        ((255, 64, 64), f"more than {_SAME:g} dB brighter on {pair.days[1]}"),
        ((64, 64, 255), f"more than {_SAME:g} dB darker on {pair.days[1]}"),
        ((160, 160, 160), f"alike: {_said(pair, 'average')}"),
    )
    return _picture(pair, rgb, ("change of amplitude",), legend, "average")


def _grey(pair: _Pair, name: str) -> Picture:
    values = pair.bytes(name)
    low, high = pair.range(name)
    said = _said(pair, name)
    legend = ((_WHITE, f"{high:.3g} and more"), ((128, 128, 128), said), (_BLACK, f"{low:.3g} and less"))
    return _picture(pair, np.stack([values] * 3), (name,), legend, name)


def _date(pair: _Pair, name: str) -> Picture:
    values = snac_bytes(getattr(pair, name))
    day = pair.days[name == "second"]
    legend = ((_WHITE, f"{SNAC_HIGH:g} dB and more"), (_BLACK, f"{SNAC_LOW:g} dB and less"))
    return _picture(pair, np.stack([values] * 3), (f"{pair.quantity} on {day}",), legend)


def _phase(pair: _Pair) -> Picture:
    rgb, legend = _coloured(pair, _CYCLE, np.ones(pair.first.shape))
    return _picture(pair, rgb, ("phase, radians",), legend)


def _fringes(pair: _Pair) -> Picture:
    """Phase on the colour wheel, as bright as the ground."""
    rgb, legend = _coloured(pair, _WHEEL, _DARKEST + (1 - _DARKEST) * pair.bytes("average") / 255.0)
    return _picture(pair, rgb, ("phase, radians, over mean backscatter",), legend, "average")


def _coloured(pair: _Pair, colours: str, brightness: NDArray[np.floating]) -> tuple[NDArray[np.uint8], Legend]:
    """A pair's phase in a cyclic colour map of matplotlib, darkened, and the legend of that."""
    from matplotlib import colormaps

    table = (colormaps[colours](np.arange(256) / 256.0)[:, :3] * 255).round().astype(np.uint8)
    phase = pair.phase if pair.phase is not None else np.full(pair.first.shape, np.nan)
    seen = np.isfinite(phase)
    index = np.floor((np.where(seen, phase, 0.0) + math.pi) / (2 * math.pi) * 256).astype(int) % 256
    rgb = np.clip(np.moveaxis(table[index], -1, 0) * brightness, 1, 255)
    legend = [
        ((int(table[k, 0]), int(table[k, 1]), int(table[k, 2])), text)
        for k, text in ((0, "-pi and pi"), (64, "-pi / 2"), (128, "0"), (192, "pi / 2: farther on the second date"))
    ]
    return np.where(seen, rgb, 0).astype(np.uint8), legend


Part = Callable[[_Pair], Picture]
_BROWSE: Mapping[str, Part] = {
    "coherence_amplitude": _coherence_amplitude,
    "change": _change,
    "amplitude_change": _amplitude_change,
    "phase": _phase,
    "coherence": partial(_grey, name="coherence"),
    "first": partial(_date, name="first"),
    "second": partial(_date, name="second"),
    "average": partial(_grey, name="average"),
    "difference": partial(_grey, name="difference"),
}


def _make(cube: xr.Dataset, stretch: Stretch, parts: Mapping[str, Part]) -> dict[str, Picture]:
    pair = _read(cube, stretch)
    return {name: part(pair) for name, part in parts.items()}


def _preset(name: str, title: str, text: str, parts: Mapping[str, Part], resolution: float | None = None) -> Preset:
    layers = ("coherence", *_AMPLITUDES, *(("interferogram",) if {_phase, _fringes} & set(parts.values()) else ()))
    stem = f"S1_{name.replace('-', '_')}"
    return Preset(
        name, title, text, stem, layers, False, 0, partial(_make, parts=parts), ("percentile", "fixed"), True, (_UP,),
        resolution,
    )  # fmt: skip


PAIR_PRESETS = (
    _preset(
        "coin",
        "Coherence and intensity",
        "red coherence, green mean backscatter, blue its difference; and amplitude change",
        {"rgb": _coherence_average_difference, "amplitude_change": _amplitude_change},
    ),
    _preset(
        "coherence-amplitude",
        "Coherence and amplitude",
        "red coherence, green and blue mean amplitude",
        {"rgb": _coherence_amplitude},
    ),
    _preset(
        "change",
        "Change of amplitude",
        "grey where both dates are within 3 dB, red brighter on the second, blue darker",
        {"rgb": _change},
    ),
    _preset("fringes", "Interferogram", "phase on the colour wheel over mean amplitude", {"rgb": _fringes}),
    *(
        _preset(
            f"browse-{metres}",
            "Interferometric browse",
            f"phase, coherence, backscatter of both dates and their composites at {metres} m",
            _BROWSE,
            resolution=float(metres),
        )
        for metres in (50, 100)
    ),
)
