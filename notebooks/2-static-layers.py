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
# # Reading the static layers
#
# What does not change from date to date is made once per burst ID: where the slopes are, how they stand to the radar, what
# the radar cannot see. This notebook reads these layers, and shows why flattening the terrain matters.
#
# **For real archives a single line changes**: `store = "s3://my-bucket/nrb"`.

# %%
import matplotlib.pyplot as plt
import numpy as np
import simulated

import sarcube

store = simulated.produced(simulated.region())

# %%
cube = sarcube.open_cube(store, static=True)
# The part that holds an echo: the simulated archive fills only the area of interest.
filled = (cube["VV"].isel(time=0) > 0).compute()
rows, columns = np.nonzero(filled.values)
cube = cube.isel(y=slice(rows.min(), rows.max() + 1), x=slice(columns.min(), columns.max() + 1)).compute()
static = {name: cube[name] for name in cube.data_vars if "time" not in cube[name].dims}
print(*static, sep="\n")

# %% [markdown]
# ## What they look like

# %%
SHOWN = {
    "digital_elevation_model": ("height, m", "terrain"),
    "incidence_angle": ("incidence on the ellipsoid, °", "viridis"),
    "local_incidence_angle": ("incidence on the slope, °", "viridis"),
    "rtc_anf_gamma0_to_beta0": ("area factor", "magma"),
}
figure, panels = plt.subplots(2, 2, figsize=(9, 7), layout="constrained", sharex=True, sharey=True)
for panel, (name, (label, colours)) in zip(panels.flat, SHOWN.items(), strict=True):
    layer = static[name].where(filled)
    low, high = np.nanpercentile(layer, (1, 99))
    image = panel.imshow(layer, cmap=colours, vmin=low, vmax=high)
    panel.set_axis_off()
    panel.set_title(name, fontsize=10)
    figure.colorbar(image, label=label)
plt.show()

# %% [markdown]
# The angle on the ellipsoid grows smoothly from near to far range. On the slopes it is another: what faces the radar is
# seen steeply. The area factor is large exactly there: much ground in few radar samples.
#
# ## Before and after
#
# Products hold gamma0, already flattened. Going back is a multiplication: beta0 = factor × gamma0. The same ground, with and
# without its relief:

# %%
gamma0 = cube["VV"].mean("time").where(filled)
beta0 = gamma0 * static["rtc_anf_gamma0_to_beta0"]
figure, panels = plt.subplots(1, 2, figsize=(9, 3.9), layout="constrained", sharey=True)
for panel, (title, power) in zip(panels, {"before: beta0": beta0, "after: gamma0": gamma0}.items(), strict=True):
    values = 10 * np.log10(power)
    middle = float(np.nanmedian(values))
    panel.imshow(values, cmap="gray", vmin=middle - 5, vmax=middle + 5)
    panel.set_title(title)
    panel.set_axis_off()
plt.show()

# %% [markdown]
# In numbers: how much of the brightness does the slope explain, within one kind of ground? Forest, told by its cross-polarized
# backscatter, binned by local incidence angle:

# %%
forest = (cube["VH"].mean("time") > 0.035) & filled
local = static["local_incidence_angle"].where(forest)
bins = np.arange(np.floor(float(local.quantile(0.02))), np.ceil(float(local.quantile(0.98))), 2.0)
middles = (bins[:-1] + bins[1:]) / 2


def by_slope(power):
    """Mean decibels of the forest in each bin of the local incidence angle."""
    inside = [power.where((local >= low) & (local < low + 2)).mean() for low in bins[:-1]]
    return 10 * np.log10(np.array(inside))


curves = {"beta0": by_slope(beta0), "gamma0": by_slope(gamma0)}
plt.figure(figsize=(6.5, 3.2))
for name, curve in curves.items():
    plt.plot(middles, curve - np.nanmean(curve), "o-", label=f"{name}: spread {np.ptp(curve):.1f} dB")
plt.xlabel("local incidence angle, degrees")
plt.ylabel("forest, dB about its mean")
plt.legend()
plt.show()

# %% [markdown]
# Beta0 falls with the angle although it is the same forest; gamma0 hardly does. Compared between places, only gamma0 tells
# what grows there.
#
# ## What to leave out
#
# The mask says what the radar could not see (1, shadow) or could not tell apart (2, layover). On these gentle hills there is
# little of either:

# %%
mask = cube["mask"].isel(time=0).where(filled)
for value, name in {0: "valid", 1: "shadow", 2: "layover", 3: "both"}.items():
    print(f"{name:8} {float((mask == value).sum() / filled.sum()):7.2%}")
seen = cube.sar.mask()  # and this leaves them out
grazing = cube["VV"].where(static["local_incidence_angle"] < 70)  # so are slopes seen at a glance
