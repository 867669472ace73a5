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
# # A region in ten minutes
#
# From a run file to a time series: plan, run, cube, mosaic, export. The archive is simulated, so this works offline, and
# the truth is known. **For real archives a single line changes**:
#
# ```python
# run_file = "run.yaml"  # yours; `sarcube init` writes one
# ```

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import simulated

import sarcube
from sarcube.production.views.progress import show_progress

run_file = simulated.region()

# %% [markdown]
# ## What is asked for
#
# A run file says everything that decides what a run does: the area, the dates, where scenes, orbits and the DEM come from.

# %%
config = sarcube.RunConfig.from_file(run_file)
print("\n".join(line for line in Path(run_file).read_text().splitlines() if line and not line.startswith("#")))

# %% [markdown]
# ## The plan
#
# Known before anything is computed: which bursts the area touches, which products exist, what is to do and what it takes.
# The map shows the area (dashed) and its bursts; with a network, `plan.map().on_streets()` shows them on OpenStreetMap.

# %%
plan = sarcube.plan(config)
plan

# %% [markdown]
# ## The run
#
# One task per burst and date, on all cores. Stop it and run the cell again: what exists is skipped.

# %%
with show_progress() as progress:
    outcome = sarcube.produce(plan, on_event=progress)
outcome

# %% [markdown]
# ## The cube
#
# Lazy: nothing is read before it is computed. One time step is one pass of the satellite, its bursts merged.

# %%
area = config.aoi.bbox
cube = sarcube.open_cube(config.store, bbox=area)
print(dict(cube.sizes), list(cube.data_vars), f"{cube.nbytes / 1e6:.0f} MB")

# %%
seen = cube.sar.mask().compute()  # without layover and shadow
decibels = seen.sar.db()
figure, panels = plt.subplots(1, cube.sizes["time"], figsize=(11, 3.9), layout="constrained", sharey=True)
for panel, time in zip(panels, cube["time"].values, strict=True):
    picture = decibels["VV"].sel(time=time)
    image = panel.pcolormesh(cube.x / 1000, cube.y / 1000, picture, cmap="gray", vmin=-18, vmax=-4, rasterized=True)
    panel.set(title=str(time)[:10], xlabel="easting, km", aspect="equal")
panels[0].set_ylabel("northing, km")
figure.colorbar(image, label="VV gamma0, dB")
plt.show()

# %% [markdown]
# ## Click for a time series
#
# `sarcube.show` puts the viewer into the notebook: move the slider, click anywhere for the series at that place. It is a
# small server on this machine; nothing comes from elsewhere.

# %%
sarcube.show(config.store)

# %% [markdown]
# ![The viewer, clicked at a place](../images/viewer.png)
#
# The same from code, at a place in the forest that was cut between the second and the third date:

# %%
cube.sar.plot_timeseries((8.2209, 48.0086))
plt.gcf().set_size_inches(7, 3)
plt.xticks(cube.time.values)
plt.show()

# %% [markdown]
# One pixel of one date is mostly speckle. Where was the cut? The largest drop of the smoothed picture finds it:

# %%
smooth = seen["VV"].rolling(x=9, y=9, center=True).mean()
ratio = np.log10(smooth.isel(time=-1) / smooth.isel(time=0))
spot = ratio.where(smooth.isel(time=0) > 0.1).argmin(("y", "x"))
x, y = float(cube.x[spot["x"]]), float(cube.y[spot["y"]])
around = seen.sel(x=slice(x - 100, x + 100), y=slice(y + 100, y - 100)).mean(("x", "y"))
whole = seen.mean(("x", "y"))
for name, style in (("VV", "o-"), ("VH", "s-")):
    plt.plot(around.time, 10 * np.log10(around[name]), style, label=f"{name}, 200 m around the place")
    plt.plot(whole.time, 10 * np.log10(whole[name]), ":", color="gray")
plt.gcf().set_size_inches(7, 3)
plt.xticks(around.time.values)
plt.ylabel("gamma0, dB")
plt.legend()
plt.title("Cut forest; dotted: the whole area")
plt.show()

# %% [markdown]
# ## Mosaic and export
#
# A mosaic merges time steps. Here all dates become one picture with less speckle, in colours of both polarizations.

# %%
mean = sarcube.mosaic(cube, method="mean", by="all").isel(time=0).compute()
co, cross = 10 * np.log10(mean["VV"]), 10 * np.log10(mean["VH"])
bands = [(co, -18, -4), (cross, -25, -10), (co - cross, 2, 11)]
colours = np.stack([np.clip((band - low) / (high - low), 0, 1) for band, low, high in bands], axis=-1)
plt.figure(figsize=(6, 4.6))
plt.imshow(np.nan_to_num(colours), extent=[v / 1000 for v in (cube.x[0], cube.x[-1], cube.y[-1], cube.y[0])])
plt.title("Mean of three dates: red VV, green VH, blue VV/VH")
plt.xlabel("easting, km")
plt.ylabel("northing, km")
plt.show()

# %%
from sarcube.cube.export import CogOptions, write_cogs

items = write_cogs(sarcube.mosaic(cube[["VV", "VH"]]), simulated.data_folder() / "mosaics", CogOptions(overwrite=True))
for item in items:
    print(item.id, *item.assets)
