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
# # OPERA RTC-S1 you already have
#
# Where NASA's OPERA project has published RTC-S1, there is nothing to compute: a folder of its GeoTIFFs opens as a cube, and
# joins with products of your own, since both follow the same names, layers and units.
#
# Where they are at hand the files are real: crops of 15 bursts of track 137 on the coast of California (100 × 100 pixels of
# 30 m each, 21 dates). Where they are not, products of a simulated archive, which are named and tagged alike, stand for
# them, and the notebook says so. **For your own, a single line changes**: `files = Path("folder/of/OPERA_L2_RTC-S1...tif")`.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import simulated

import sarcube

files = Path(os.environ.get("SARCUBE_TEST_DATA", "../../shared")) / "data" / "opera_rtc" / "10SGD"
real = files.is_dir()
maker = "published by OPERA" if real else "simulated, not published"
if not real:
    files = simulated.produced(simulated.region())
print("what is shown was", maker)

# %%
cube = sarcube.open_cube(files, layers=["VV", "VH"])
print(dict(cube.sizes))
print(
    "tracks",
    sorted({int(t) for t in cube.relative_orbit.values}),
    "platforms",
    *sorted({str(name) for name in cube.platform.values}),
)
print("from", str(cube.time.values[0])[:10], "to", str(cube.time.values[-1])[:10])

# %% [markdown]
# Nothing has been read yet. One burst of it, so that the picture is not mostly empty: crops lie kilometres apart.

# %%
bursts = sarcube.open_cube(files, layers=["VV", "VH"], group="acquisition")
names, dates = np.unique(bursts.place.values, return_counts=True)
print(f"{len(names)} bursts with {dates.min()} to {dates.max()} dates")
burst = "t137_292320_iw2" if real else str(names[0])  # inland, in the mountains
mine = sarcube.open_cube(files, layers=["VV", "VH"], burst_ids=[burst]).compute()
print(burst, dict(mine.sizes))

# %%
figure, panels = plt.subplots(1, 3, figsize=(10, 3.5), layout="constrained")
for panel, name in zip(panels, ("VV", "VH"), strict=False):
    image = panel.imshow(10 * np.log10(mine[name].mean("time")), cmap="gray")
    panel.set_title(f"mean {name}, dB")
    panel.set_axis_off()
    figure.colorbar(image)
for name in ("VV", "VH"):
    panels[2].plot(mine.time, 10 * np.log10(mine[name].mean(("x", "y"))), "o-", label=name)
panels[2].legend()
panels[2].tick_params(axis="x", rotation=40)
panels[2].set_title("mean over the burst's crop, dB" if real else "mean over the burst, dB")
figure.suptitle(f"{burst}, {maker}")
plt.show()

# %% [markdown]
# ## Joined with your own
#
# Say a date is missing there, and you have made it yourself. `own` are items of a store of sarcube's (here of a simulated
# acquisition of the same place, on the same grid; without the published files the last date is taken as yours). Items of
# several places go into one cube:

# %%
from sarcube.cube.open_cube import read_items
from sarcube.cube.selection import Selection

token = burst.upper().replace("_", "-")
published = [item for item in read_items(files, Selection()) if token in item.id and "STATIC" not in item.id]
if real:
    own = read_items(simulated.produced(simulated.beside(mine)), Selection())
else:
    *published, last = sorted(published, key=lambda item: item.datetime)
    own = [last]
joined = sarcube.open_cube([*published, *own], layers=["VV", "VH"], bbox=simulated.bounds_of(mine)).compute()
print(f"{len(published)} items {maker} and {len(own)} own: {joined.sizes['time']} time steps on one grid")

# %%
here = joined.sel(x=mine.x, y=mine.y)
before = mine.sel(time=np.isin(mine.time, joined.time))
untouched = np.array_equal(here["VV"].sel(time=before.time), before["VV"], equal_nan=True)
print("what was there is untouched:", untouched)
ours = ~np.isin(joined.time.values, mine.time.values) if real else joined.time.values == joined.time.values[-1]
decibels = 10 * np.log10(here["VV"].median(("x", "y")))
plt.figure(figsize=(8, 3))
plt.plot(joined.time[~ours], decibels[~ours], "o-", label=maker)
plt.plot(joined.time[ours], decibels[ours], "s", color="C3", label="own (simulated ground)")
plt.ylabel("median VV, dB")
plt.xticks(rotation=20)
plt.legend()
plt.show()

# %% [markdown]
# The level of the last point tells nothing of the others' ground: its own is simulated. That it lies in the same cube, on
# the same pixels, is the point.
