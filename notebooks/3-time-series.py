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
# # Time series and change
#
# Twelve dates over a year, a few kilometres of hills: fields, meadow, forest, a lake. In late summer some of the forest is
# cut. This notebook filters speckle, draws a timescan, fits the year's harmonic, and finds the cut.
#
# **For real archives a single line changes**: `store = "s3://my-bucket/nrb"`.

# %%
import matplotlib.pyplot as plt
import numpy as np
import simulated

import sarcube

store = simulated.produced(simulated.year())

# %%
cube = sarcube.open_cube(store, layers=["VV", "VH", "mask"])
cube = cube.chunk({"time": -1, "y": 256, "x": 256})
print(dict(cube.sizes), "from", str(cube.time.values[0])[:10], "to", str(cube.time.values[-1])[:10])
before, after = ("2023-01-01", "2023-10-15"), ("2023-10-16", "2024-12-31")
SPAN = [str(t)[:10] for t in cube.time.values]

# %% [markdown]
# ## Speckle
#
# One date is grainy: speckle is multiplicative noise of coherent light, and goes away only by averaging. The multi-temporal
# filter of Quegan and Yu (IEEE TGRS 39, 2001) averages over time and keeps what differs from place to place.

# %%
filtered = cube.sar.speckle("quegan_yu", window=7).compute()
raw = cube[["VV", "VH"]].compute()
figure, panels = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
for panel, (title, data) in zip(panels, {"one date": raw, "the same, filtered": filtered}.items(), strict=True):
    panel.imshow(10 * np.log10(data["VV"].isel(time=3)), cmap="gray", vmin=-18, vmax=-4)
    panel.set_title(title)
    panel.set_axis_off()
plt.show()

# %% [markdown]
# ## A timescan
#
# All dates in one picture: red how much VH varied, green the mean of VH, blue the mean of VV. What is steady shows in green
# and blue tones; what changed turns red or pale.

# %%
scan = filtered.sar.timescan(("mean", "cov", "min", "max")).compute()
green, blue = 10 * np.log10(scan["VH_mean"]), 10 * np.log10(scan["VV_mean"])
bands = [(scan["VH_cov"], 0.05, 0.45), (green, -23, -10), (blue, -16, -3)]
colours = np.stack([np.clip((band - low) / (high - low), 0, 1) for band, low, high in bands], axis=-1)
plt.figure(figsize=(6, 5.4))
plt.imshow(np.where(np.isnan(colours), 1, colours))
plt.axis("off")
plt.title("timescan: red variation of VH, green mean VH, blue mean VV")
plt.show()

# %% [markdown]
# ## The year's harmonic
#
# For vegetation, one asks how backscatter follows the seasons: a sine of one year fitted to each pixel, its amplitude and
# phase. The simulated ground has no seasons but two events (fields that grow at the start, the cut): the fit shows both as
# amplitude, which is a reminder to look at the series before believing a model.

# %%
fit = filtered.sar.timescan(("amplitude", "phase", "residual"), scale="db").compute()
figure, panels = plt.subplots(1, 2, figsize=(9, 3.9), layout="constrained")
for panel, (name, high) in zip(panels, {"amplitude": 2.5, "residual": 2.0}.items(), strict=True):
    image = panel.imshow(fit[f"VV_{name}"], vmin=0, vmax=high, cmap="viridis")
    panel.set_title(f"{name} of VV, dB")
    panel.set_axis_off()
    figure.colorbar(image)
plt.show()

# %% [markdown]
# ## The cut
#
# The ratio of the means before and after, and how likely speckle alone makes it (Conradsen et al., IEEE TGRS 41, 2003). The test
# needs the equivalent number of looks of one date, measured where the ground is uniform: here over the steadiest tenth of the
# pixels, as the variation over time.

# %%
steady = scan["VV_cov"] < scan["VV_cov"].quantile(0.1)
values = raw["VV"].where(steady).sel(time=slice(*before))
looks = float((values.mean("time") ** 2 / values.var("time", ddof=1)).median())
change = cube.sar.change(before, after, enl=looks, alpha=0.001).compute()
print(f"equivalent number of looks: {looks:.1f}")
print(*change.data_vars, sep="\n")

# %%
ratio = 10 * np.log10(
    filtered["VH"].sel(time=slice(*after)).mean("time") / filtered["VH"].sel(time=slice(*before)).mean("time")
)
sure = change["VH_change"] if "VH_change" in change else change[[n for n in change if n.startswith("VH")][-1]]
cut = (ratio < -1.5) & (np.abs(sure) > 0)
figure, panels = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
image = panels[0].imshow(ratio, cmap="RdBu", vmin=-5, vmax=5)
panels[0].set_title("VH after / before, dB")
figure.colorbar(image)
panels[1].imshow(cut.where(np.isfinite(ratio)), cmap="Reds", vmin=0, vmax=1)
panels[1].set_title("significant loss of more than 1.5 dB")
for panel in panels:
    panel.set_axis_off()
plt.show()

# %%
hectares = float(cut.sum()) * abs(float(cube.x[1] - cube.x[0])) ** 2 / 1e4
series = {"cut": raw.where(cut).mean(("x", "y")), "the rest": raw.where(~cut).mean(("x", "y"))}
plt.figure(figsize=(7, 3))
for name, data in series.items():
    plt.plot(data.time, 10 * np.log10(data["VH"]), "o-", label=name)
plt.axvline(np.datetime64(after[0]), color="gray", linestyle=":")
plt.ylabel("VH gamma0, dB")
plt.title(f"{hectares:.0f} hectares lost their trees")
plt.legend()
plt.show()

# %% [markdown]
# The truth is known here, as it never is in the forest: how much of the cut was found?

# %%
import json

import rasterio
from rasterio.warp import Resampling, reproject

archive = simulated.data_folder() / "year-archive"
covers = [cover["name"] for cover in json.loads((archive / "simulation.json").read_text())["covers"]]
last = sorted((archive / "truth").glob("*_landcover.tif"))[-1]
truth = np.full(cut.shape, 255, np.uint8)
grid = cube.sar.grid
with rasterio.open(last) as source:
    reproject(
        rasterio.band(source, 1), truth, dst_transform=rasterio.Affine(*grid.transform[:6]),
        dst_crs=f"EPSG:{grid.epsg}", dst_nodata=255, resampling=Resampling.mode,
    )  # fmt: skip
felled = (truth == covers.index("clearcut")) & np.isfinite(ratio.values)
elsewhere = (truth != covers.index("clearcut")) & np.isfinite(ratio.values)
print(
    f"found {float(cut.values[felled].mean()):.1%} of the cut; false alarms elsewhere {cut.values[elsewhere].mean():.2%}"
)
