"""The demonstration's pictures: a colour view of each date, and the time series of two covers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sarcube.production.demo.measure import CoverError, Measured
from sarcube.simulate.archive import Archive


def draw_dates(cube: xr.Dataset, archive: Archive, path: Path) -> None:
    """Red: co-polarization, green: cross-polarization, blue: their ratio; one panel a date, north up."""
    from matplotlib.figure import Figure

    co, cross = archive.polarizations[0], archive.polarizations[-1]
    figure = Figure(figsize=(4.2 * len(archive.dates), 4.7), layout="constrained")
    panels = figure.subplots(1, len(archive.dates), squeeze=False)[0]
    x, y = cube["x"].values / 1000, cube["y"].values / 1000
    extent = (x[0], x[-1], y[-1], y[0])
    for step, (panel, date) in enumerate(zip(panels, archive.dates, strict=True)):
        panel.imshow(_rgb(cube[co].values[step], cube[cross].values[step]), extent=extent, interpolation="nearest")
        panel.set_title(date, fontsize=11)
        panel.tick_params(labelsize=7)
        panel.set_xlabel("easting, km", fontsize=8)
    panels[0].set_ylabel("northing, km", fontsize=8)
    figure.suptitle(
        f"Sentinel-1 gamma0 of a simulated scene, four bursts merged: red {co}, green {cross}, blue {co}/{cross}",
        fontsize=10,
    )
    figure.savefig(path, dpi=110)


def _rgb(co: NDArray[np.float32], cross: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore", invalid="ignore"):
        bands = (10 * np.log10(co), 10 * np.log10(cross), 10 * np.log10(co / cross))
    limits = ((-18.0, -4.0), (-25.0, -10.0), (2.0, 11.0))
    stretched = [np.clip((b - low) / (high - low), 0, 1) for b, (low, high) in zip(bands, limits, strict=True)]
    return np.asarray(np.nan_to_num(np.stack(stretched, axis=-1)), np.float32)


def draw_time_series(measured: Measured, clearcut: tuple[CoverError, ...], path: Path) -> None:
    """Measured means (points) and the truth (lines) of the ground that was cut, and of the fields."""
    from matplotlib.figure import Figure

    series = {
        "forest, cut before the last date": clearcut,
        "fields": tuple(e for e in measured.errors if e.cover == "fields" and e.polarization == "VV"),
        "lake": tuple(e for e in measured.errors if e.cover == "lake" and e.polarization == "VV"),
    }
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for (label, values), colour in zip(series.items(), ("#b5532a", "#c79a1e", "#2f6db3"), strict=True):
        if values:
            dates = [v.date for v in values]
            axes.plot(dates, [v.truth_db for v in values], color=colour, linewidth=1.2, label=f"{label}: truth")
            axes.plot(dates, [v.measured_db for v in values], "o", color=colour, label=f"{label}: measured")
    axes.set_ylabel("VV gamma0, dB")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.12), frameon=False)
    axes.set_title("Mean backscatter of three places, date by date", fontsize=11)
    figure.savefig(path, dpi=110)
