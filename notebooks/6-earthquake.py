# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # An earthquake in two dates
#
# On 2023-09-08 the ground broke in the High Atlas of Morocco. Sentinel-1 had passed four days before and came again eight
# days after: two dates, one interferogram. This notebook goes the whole way with that pair: what there is, the run, fringes
# and coherence, unwrapping, displacement along the line of sight, a profile across the fault.
#
# The geometry, orbits and timing are those of the real pair's annotations; the echo is simulated, so that the truth is known:
# a fault through the middle slips by 60 cm between the dates, under fields, forest, a meadow and a lake.
# **For real archives a single line changes**: `run_file = "earthquake.yaml"`, whose source is `asf` and whose DEM `cop_glo30`.

# %%
import matplotlib.pyplot as plt
import numpy as np
import simulated

import sarcube

run_file = simulated.quake()
print(run_file.read_text())

# %% [markdown]
# ## Which pairs
#
# The plan tells which dates make pairs, how far apart they lie, and what it will cost, before anything is read.

# %%
plan = sarcube.plan(run_file)
for link in plan.connections:
    print(f"{link.first:%Y-%m-%d} and {link.second:%Y-%m-%d}: {link.days:.0f} d, {link.perpendicular} m across")
plan

# %%
store = simulated.produced(run_file)
layers = ["interferogram", "coherence", "amplitude_first", "number_of_looks"]
cube = sarcube.open_cube(store, layers=layers, merge="looks")
cube.insar.network(coherence=True)

# %% [markdown]
# A store of pairs opens as any other. `time` is the first date; `pair`, `secondary` and the baselines lie along it, and
# `cube.insar` has what one does with pairs. Only a part of the burst holds an echo here:

# %%
seen = np.isfinite(cube["coherence"].isel(time=0)) & (cube["amplitude_first"].isel(time=0) > 0)
rows, columns = (np.flatnonzero(seen.any(axis).compute()) for axis in ("x", "y"))
cube = cube.isel(y=slice(rows[0], rows[-1] + 1), x=slice(columns[0], columns[-1] + 1)).load()
pair = cube.isel(time=0)

# %% [markdown]
# ## What the radar saw
#
# Three pictures of one product: how bright the ground is, how alike both dates are, and by how much the way to the sensor
# changed, as an angle.

# %%
figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.1), layout="constrained", sharex=True, sharey=True)
shown = (
    ("amplitude, dB", 20 * np.log10(pair["amplitude_first"]), {"cmap": "gray", "vmin": -18, "vmax": -4}),
    ("coherence", pair["coherence"], {"cmap": "gray", "vmin": 0, "vmax": 1}),
    ("phase, radians", cube.insar.phase().isel(time=0), {"cmap": "hsv", "vmin": -np.pi, "vmax": np.pi}),
)
for panel, (title, values, how) in zip(panels, shown, strict=True):
    figure.colorbar(panel.imshow(values, **how), ax=panel, shrink=0.8)
    panel.set_title(title)
    panel.set_axis_off()
plt.show()

# %% [markdown]
# Each turn of the colours is half a wavelength, 28 mm. The lake has no coherence and no phase; the forest has little, and its
# fringes are grainy. Across the fault the fringes crowd.
#
# ## Unwrapped
#
# Phase is known but for whole turns. Filtered (Goldstein and Werner 1998) and unwrapped as one picture it becomes a distance.
# Where coherence is not above what noise has, in most of the forest and on the lake, no component vouches for the number of
# turns, and it is left out here.

# %%
unwrapped = next(cube.insar.unwrap(alpha=0.5)).isel(time=0)
wavelength = float(unwrapped["wavelength"])
towards = -unwrapped["unwrapped_phase"] * wavelength / (4 * np.pi)  # metres, positive towards the sensor
good = unwrapped["connected_components"] == 1  # where all pixels are right relative to each other
towards = (towards - towards.where(good).median()).where(good)

# %% [markdown]
# Against the simulated truth, both relative to their median:

# %%
import rasterio
from rasterio.vrt import WarpedVRT

grid = cube.sar.grid
archive = run_file.with_name("quake-archive")
with (
    rasterio.open(next((archive / "truth").glob("*_phase.tif"))) as file,
    WarpedVRT(
        file, crs=grid.crs, transform=rasterio.Affine(*grid.transform), width=grid.width, height=grid.height
    ) as there,
):
    truth = -there.read(1) * wavelength / (4 * np.pi)
truth = np.where(good, truth, np.nan)
truth -= np.nanmedian(truth)
off = 1000 * (towards.values - truth)
off -= np.nanmedian(off)
print(f"line of sight: {1000 * np.nanmin(truth):.0f} to {1000 * np.nanmax(truth):.0f} mm")
print(f"difference from the truth: rms {np.sqrt(np.nanmean(off**2)):.1f} mm over {np.isfinite(off).sum()} pixels")
print(f"pixels of a wrong cycle: {np.mean(np.abs(off[np.isfinite(off)]) > 1000 * wavelength / 4):.3%}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", width_ratios=(1, 1.2))
limit = float(np.nanmax(np.abs(truth))) * 1000
image = left.imshow(1000 * towards, cmap="RdBu_r", vmin=-limit, vmax=limit)
figure.colorbar(image, ax=left, label="towards the sensor, mm", shrink=0.85)
column = towards.sizes["x"] // 2
left.axvline(column, color="black", lw=0.8, ls="--")
left.set_axis_off()
kilometres = (towards["y"] - towards["y"].mean()) / 1000
right.plot(kilometres, 1000 * towards.isel(x=column), ".", ms=4, label="found")
right.plot(kilometres, 1000 * truth[:, column], lw=1, label="truth")
right.set(xlabel="km from the middle, south to north", ylabel="towards the sensor, mm")
right.legend()
plt.show()

# %% [markdown]
# One look from one side sees one component: movement along the line of sight, here mostly east and up. An ascending pair adds
# a second.
#
# ## Further
#
# The same from the shell, with pictures for a web map and files for other programs:
#
# ```sh
# sarcube composite store --preset fringes --out fringes
# sarcube insar unwrap store --out unwrapped
# ```
#
# Several dates become displacement through time: `sarcube insar displacement`; the page *Interferograms* has it.
