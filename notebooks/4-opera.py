# ---
# jupyter:
#   jupytext:
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
# The files here are real: crops of 15 bursts of track 137 on the coast of California (100 × 100 pixels of 30 m each,
# 21 dates). **For your own, a single line changes**: `files = Path("folder/of/OPERA_L2_RTC-S1...tif")`.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import simulated

import sarcube

files = Path(os.environ.get("SARCUBE_TEST_DATA", "../../shared")) / "data" / "opera_rtc" / "10SGD"
real = files.is_dir()
if not real:
    # Without the published files: products of the simulated archive, which are named and tagged alike.
    print("no OPERA files here; showing the same on simulated products")
    files = simulated.produced(simulated.region())

# %%
cube = sarcube.open_cube(files, layers=["VV", "VH"])
print(dict(cube.sizes))
print("tracks", sorted({int(t) for t in cube.relative_orbit.values}), "platforms", sorted(set(cube.platform.values)))
print("from", str(cube.time.values[0])[:10], "to", str(cube.time.values[-1])[:10])

# %% [markdown]
# Nothing has been read yet. One burst of it, so that the picture is not mostly empty: crops lie kilometres apart.

# %%
bursts = sarcube.open_cube(files, layers=["VV", "VH"], group="acquisition")
names, dates = np.unique(bursts.burst_id.values, return_counts=True)
print(f"{len(names)} bursts with {dates.min()} to {dates.max()} dates")
burst = str(names[dates.argmax()])
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
panels[2].set_title("mean over the burst's crop, dB")
plt.show()

# %% [markdown]
# ## Joined with your own
#
# Items of several places go into one cube: `open_cube` takes a list. Here the same burst twice would be the published and
# your own product of one acquisition; the newest is taken. Two stores, one cube:

# %%
from sarcube.cube.open_cube import read_items
from sarcube.cube.selection import Selection

published = [item for item in read_items(files, Selection()) if burst.upper().replace("_", "-") in item.id]
half = len(published) // 2
joined = sarcube.open_cube([*published[:half], *published[half:]], layers=["VV", "VH"])
same = np.allclose(joined["VV"].mean().compute(), mine["VV"].mean(), rtol=1e-5)
print(f"{half} + {len(published) - half} items, {joined.sizes['time']} time steps; the same as opened at once: {same}")
