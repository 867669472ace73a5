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
# # Coherence as a map layer
#
# Backscatter says how much the ground returns, coherence how much it stays the same from one date to the next. A meadow
# and a field may be equally bright; one was left alone, the other was worked. This notebook lays the coherence of consecutive
# dates beside backscatter, on one grid and one axis of time, makes a map of both, and finds a cut forest in each.
#
# **For real archives a single line changes**: `store = "s3://my-bucket/coherent"`.

# %%
import matplotlib.pyplot as plt
import numpy as np
import simulated

import sarcube

run_file = simulated.seasons()
store = simulated.produced(run_file)  # pairs of each date with its next
simulated.produced(simulated.backscatter(run_file))  # backscatter of the same scenes, into the same store

# %% [markdown]
# Two kinds of products of the same bursts lie in the store now. A layer of pairs named with its channel is laid beside the
# dates' own: each date has the coherence to its next one.

# %%
cube = sarcube.open_cube(store, layers=["VV", "VH", "coherence_VV"], bbox=(8.172, 47.982, 8.228, 48.018))
print(*cube.data_vars, dict(cube.sizes))
for time, until in zip(cube["time"].values, cube["next_date"].values, strict=True):
    print(f"{time:.10}:", "no next date" if np.isnat(until) else f"coherence to {until:.10}")

# %% [markdown]
# ## Statistics of both
#
# A timescan takes all measures alike; only powers become decibel.

# %%
before = cube.isel(time=slice(0, 3))  # the forest is cut before the last date
scan = before.isel(time=slice(0, 2)).sar.timescan(["mean"], scale="db").compute()
figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.3), layout="constrained", sharex=True, sharey=True)
for panel, (name, low, high) in zip(
    panels, (("VV_mean", -20, -4), ("VH_mean", -26, -10), ("coherence_VV_mean", 0, 1)), strict=True
):
    figure.colorbar(panel.imshow(scan[name], cmap="gray", vmin=low, vmax=high), ax=panel, shrink=0.8)
    panel.set_title(name)
    panel.set_axis_off()
plt.show()


# %% [markdown]
# ## One picture
#
# Red coherence, green VV, blue VH: forest is cyan, bright and never the same; the meadow red, fields grey, water dark.


# %%
def stretched(values, low, high):
    """0 to 1."""
    return np.clip((values - low) / (high - low), 0, 1)


colours = np.dstack(
    [
        stretched(scan["coherence_VV_mean"], 0.1, 0.9),
        stretched(scan["VV_mean"], -18, -5),
        stretched(scan["VH_mean"], -24, -11),
    ]
)
plt.figure(figsize=(5.2, 4.4))
plt.imshow(np.nan_to_num(colours))
plt.axis("off")
plt.show()

# %% [markdown]
# ## Does it help?
#
# Which ground is what is known here, for it was simulated. How well does one layer tell two covers apart? Printed is the
# share of pixels that are on the right side of the best threshold; a half would be a guess.

# %%
import rasterio
from rasterio.vrt import WarpedVRT

grid = cube.sar.grid
truth = sorted(run_file.with_name("seasons-archive").glob("truth/*_landcover.tif"))
covers = []
for path in (truth[0], truth[-1]):
    with (
        rasterio.open(path) as file,
        WarpedVRT(
            file, crs=grid.crs, transform=rasterio.Affine(*grid.transform), width=grid.width, height=grid.height
        ) as there,
    ):
        covers.append(there.read(1))
    with rasterio.open(path) as file:
        names = {name: int(key.removeprefix("CLASS_")) for key, name in file.tags().items() if "CLASS_" in key}


def apart(layer, one, other):
    """Share of pixels on the right side of the best threshold, both covers counted alike."""
    a, b = (np.sort(layer[covers[0] == names[cover]]) for cover in (one, other))
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    edges = np.quantile(np.concatenate([a, b]), np.linspace(0, 1, 200))
    right = 0.5 * (1 + (np.searchsorted(a, edges) / len(a) - np.searchsorted(b, edges) / len(b)))
    return max(right.max(), 1 - right.min())


for one, other in (("meadow", "fields"), ("forest", "meadow"), ("lake", "fields")):
    shares = {name: apart(scan[f"{name}_mean"].values, one, other) for name in ("VV", "VH", "coherence_VV")}
    told = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    print(f"{one} and {other}: {told}")

# %% [markdown]
# ## A cut
#
# When the forest is cut, nothing of the echo stays: across the cut there is no coherence at all, only what noise has.

# %%
gamma = cube["coherence_VV"].isel(time=slice(0, 3)).compute()
cut = covers[0] != covers[1]
print("coherence where the forest will be cut:", *(f"{float(gamma[k].where(cut).median()):.2f}" for k in range(3)))
figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.3), layout="constrained", sharex=True, sharey=True)
for k, panel in enumerate(panels):
    panel.imshow(gamma[k], cmap="magma", vmin=0, vmax=1)
    panel.contour(cut, levels=[0.5], colors="cyan", linewidths=0.8)
    panel.set_title(f"{str(gamma.time.values[k])[:10]} to {str(gamma.next_date.values[k])[:10]}", fontsize=9)
    panel.set_axis_off()
plt.show()

# %% [markdown]
# Backscatter alone hardly tells a meadow from a field here; coherence does.
#
# It is never 0, though: noise alone has 0.27 with the eleven looks of a pixel of 40 m, and 0.14 with the forty-five of one of
# 80 m (Touzi et al. 1999). `insar: {debias: true}` in the run file takes that off.
#
# The same on the command line: `sarcube timescan store --layers VV,coherence_VV`, and as a picture per pair
# `sarcube composite store --preset coin --collection s1_insar`.
