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
# # From OpenSarToolkit
#
# The steps of OpenSarToolkit's tutorials in its order, each with the line that does it here: search, refine, choose a mosaic
# key, burst inventory, bursts to ARD with timeseries, timescan and mosaic, restart. The archive is simulated, so this works
# offline. **For real archives a single line changes**: `source = "asf"` (or `"cdse"`, or your folder).

# %%
import json

import matplotlib.pyplot as plt
import numpy as np
import simulated

import sarcube

archive = simulated.passes()
source = archive / "scenes"
area = (8.175, 47.985, 8.225, 48.015)

# %% [markdown]
# ## Search: `s1.search()`
#
# What there is of an area and dates, before any run file: every scene, complete or not.

# %%
found = sarcube.search(area, "2024", source=source)
found

# %%
found.scenes[["scene", "date", "track", "direction", "polarizations", "bursts", "coverage"]]

# %% [markdown]
# ## Refine: `s1.refine_inventory()`
#
# Doubles, marginal tracks and incomplete dates are left out, and each says why; tracks that meet at the equator are joined.

# %%
refined = found.refine()
for left_out in refined.excluded:
    print(f"{left_out.subject}: {left_out.rule}: {left_out.reason}")

# %% [markdown]
# ## Choose a key: `s1.refined_inventory_dict["DESCENDING_VVVH"]`
#
# A mosaic key is direction, track and channels; parts of one choose, too.

# %%
refined.summary

# %%
chosen = refined.choose("DESCENDING_VVVH")

# %% [markdown]
# ## Download: `s1.download(...)`
#
# Four at a time, with a bar; say it again and it goes on where it stopped. What lies in a folder stays there.

# %%
print(chosen.download(simulated.data_folder() / "scenes"))

# %% [markdown]
# ## Burst inventory: `s1.create_burst_inventory()`
#
# Bursts have ESA's IDs, which are the same on every date; one ID has one grid for ever. `refine(every_date=True)` leaves out
# those that some date lacks.

# %%
chosen.refine(every_date=True).bursts[["burst_id", "track", "count", "first", "last", "coverage"]]

# %% [markdown]
# ## Bursts to ARD: `s1.bursts_to_ards(timeseries=True, timescan=True, mosaic=True)`
#
# One run file each for backscatter (`bs`), polarimetry (`pol`) and coherence of following dates (`coh`), all into one store.
# With real archives leave `dem` and `orbits` out: they are fetched.

# %%
store = simulated.data_folder() / "passes-store"
shared = {
    "store": str(store),
    "dem": {"path": str(archive / "dem.tif"), "heights": "ellipsoid"},
    "orbits": {"path": str(archive / "orbits")},
}
runs = {
    "bs": chosen.to_run_file(simulated.data_folder() / "bs.yaml", **shared),
    "pol": chosen.to_run_file(workflow="polarimetry", **shared),
    "coh": chosen.to_run_file(workflow="insar", insar={"posting": 20, "pairs": {"next": 1}}, **shared),
}
for name, run in runs.items():
    print(f"{name}: {len(sarcube.plan(run))} products to make")

# %% [markdown]
# ## Restart
#
# A run does what is not there yet. Here the first date alone, as if the machine had gone down after it; the second run finds it.

# %%
first = chosen.to_run_file(dates=("2024-05-01", "2024-05-01"), **shared)
print(simulated.made(first))
print(simulated.made(runs["bs"]))
print(simulated.made(runs["pol"]))
print(simulated.made(runs["coh"]))
print(f"{len(sarcube.plan(runs['bs']))} products to make")

# %% [markdown]
# ## Timeseries
#
# The cube is the time series: all dates of a burst lie on its one grid, so nothing has to be stacked.

# %%
cube = sarcube.open_cube(store, bbox=area, collection="s1_rtc_c1")
mean = cube.sar.mask()[["VV", "VH"]].mean(("x", "y")).compute()
for name, style in (("VV", "o-"), ("VH", "s-")):
    plt.plot(mean.time, 10 * np.log10(mean[name]), style, label=name)
plt.gcf().set_size_inches(7, 2.6)
plt.xticks(mean.time.values)
plt.ylabel("gamma0, dB")
plt.legend()
plt.show()

# %% [markdown]
# ## Timescan
#
# Mean, variation and extremes of every pixel over time; OpenSarToolkit's composite is the mean of VV, the mean of VH, and how
# much VV varied.

# %%
scan = cube.sar.speckle("quegan_yu", window=7).sar.timescan(("mean", "cov")).compute()
bands = [
    (10 * np.log10(scan["VV_mean"]), -16, -3),
    (10 * np.log10(scan["VH_mean"]), -23, -10),
    (scan["VV_cov"], 0.05, 0.5),
]
colours = np.stack([np.clip((band - low) / (high - low), 0, 1) for band, low, high in bands], axis=-1)
plt.figure(figsize=(5, 4.4))
plt.imshow(np.where(np.isnan(colours), 1, colours))
plt.axis("off")
plt.title("timescan: red mean VV, green mean VH, blue variation of VV")
plt.show()

# %% [markdown]
# ## Polarimetry and coherence
#
# On the same grid: entropy and alpha of each date, coherence of each pair. Coherence says what stayed in place: the lake has
# none, fields keep theirs, forest lost it in twelve days.

# %%
pol = sarcube.open_cube(store, bbox=area, collection="s1_pol_c1", layers=["entropy", "alpha"]).isel(time=0).compute()
coh = sarcube.open_cube(store, bbox=area, collection="s1_insar", layers=["coherence"])
coh = coh["coherence"].isel({name: 0 for name in coh["coherence"].dims if name not in ("y", "x")}).compute()
figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
for panel, (title, data, high) in zip(
    panels, (("entropy", pol["entropy"], 1), ("alpha, degrees", pol["alpha"], 90), ("coherence", coh, 1)), strict=True
):
    figure.colorbar(panel.imshow(data, vmin=0, vmax=high), shrink=0.8)
    panel.set_title(title)
    panel.set_axis_off()
plt.show()

# %% [markdown]
# ## Mosaic
#
# Bursts overlap, and so do tracks: a mosaic merges them. From a shell: `sarcube mosaic`, `sarcube timescan`.

# %%
mosaic = sarcube.mosaic(cube[["VV", "VH"]], method="mean", by="all").compute()
print(dict(mosaic.sizes))
truth = json.loads((archive / "simulation.json").read_text())
print(
    f"{len(truth['dates'])} dates of {truth['burst_ids'][0]}, coherence of the ground {float(coh.median()):.2f} in the median"
)
