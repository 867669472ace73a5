"""Draws the figures of the documentation from the code: python docs/figures.py STORE [PAIRS].

STORE holds products of a simulated archive (`sarcube demo demo` makes one in demo/store), PAIRS the pair of the first
commands of docs/howto/interferograms.md.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle
from PIL import Image

import sarcube

IMAGES = Path(__file__).resolve().parent / "images"
INK, SOFT, TEAL, RUST, BLUE = "#1c2430", "#66727f", "#0f766e", "#b5532a", "#2f6db3"
mpl.rcParams.update({"font.size": 9, "axes.edgecolor": SOFT, "text.color": INK, "axes.labelcolor": INK})


def save(figure: Figure, name: str, colours: int = 96) -> None:
    """Few colours suffice, and keep the repository small."""
    raw = io.BytesIO()
    figure.savefig(raw, dpi=100, facecolor="white")
    path = IMAGES / f"{name}.png"
    Image.open(raw).convert("RGB").quantize(colours).save(path, optimize=True)
    print(path.name, path.stat().st_size)


def echoing_cube(store: str, **options: object) -> object:
    """The part of a simulated store that holds an echo."""
    cube = sarcube.open_cube(store, **options)
    filled = (cube["VV"].isel(time=0) > 0).compute().values
    rows, columns = np.nonzero(filled)
    return cube.isel(y=slice(rows.min(), rows.max() + 1), x=slice(columns.min(), columns.max() + 1)).compute()


def bursts(store: str) -> None:
    """Footprints, grids and the echo of a store."""
    from pyproj import Transformer

    from sarcube.cube.viewer.passes import read_content

    content = read_content(store)
    figure = Figure(figsize=(7.4, 6.2), layout="constrained")
    axes = figure.subplots()
    palette = {"iw1": TEAL, "iw2": RUST, "iw3": BLUE}
    for acquisition in content.steps[0].acquisitions:
        grid, colour = acquisition.grid, palette[acquisition.burst_id[-3:]]
        to_grid = Transformer.from_crs(4326, grid.epsg, always_xy=True)
        ring = content.items[acquisition.id].geometry["coordinates"][0]
        points = np.array([to_grid.transform(*point) for point in ring]) / 1000
        left, bottom, right, top = (v / 1000 for v in grid.bounds)
        axes.add_patch(Polygon(points, facecolor=colour, alpha=0.18))
        axes.add_patch(Polygon(points, fill=False, edgecolor=colour, linewidth=1.6))
        axes.add_patch(
            Rectangle((left, bottom), right - left, top - bottom, fill=False, edgecolor=colour, linestyle=":")
        )
        axes.text(
            *points[:-1].mean(axis=0), acquisition.burst_id, ha="center", color=colour, fontweight="bold", fontsize=8
        )
    axes.autoscale_view()
    axes.set_aspect("equal")
    axes.set(xlabel=f"easting, km (EPSG:{grid.epsg})", ylabel="northing, km")
    axes.set_title("Burst footprints (filled) and their grids (dotted), snapped to multiples of 20 m", fontsize=9)
    save(figure, "bursts", 48)


def radar_geometry(store: str) -> None:
    """Lines of equal azimuth time and slant range over terrain."""
    from sarcube.geometry.ellipsoid import geodetic_to_ecef
    from sarcube.geometry.geo2rdr import geo2rdr
    from sarcube.simulate.options import SimulationOptions
    from sarcube.simulate.timeline import plan_scenes

    options = SimulationOptions(swaths=("IW2",), bursts=1)
    scene = plan_scenes(options)[0]
    lon, lat = np.meshgrid(np.linspace(8.13, 8.27, 240), np.linspace(47.95, 48.05, 240))
    hill = 1200 * np.exp(-(((lon - 8.2) / 0.022) ** 2 + ((lat - 48.0) / 0.016) ** 2))
    xyz = geodetic_to_ecef(lon.ravel(), lat.ravel(), hill.ravel())
    time, slant = (v.reshape(lon.shape) for v in geo2rdr(scene.orbit, xyz))
    figure = Figure(figsize=(7.4, 5.0), layout="constrained")
    axes = figure.subplots()
    axes.contourf(lon, lat, hill, levels=12, cmap="Greys", alpha=0.45)
    axes.contour(lon, lat, time, levels=14, colors=TEAL, linewidths=1)
    axes.contour(lon, lat, slant / 1000, levels=22, colors=RUST, linewidths=1)
    axes.set(xlabel="longitude, °", ylabel="latitude, °", aspect=1 / np.cos(np.radians(48)))
    axes.set_title(
        "Equal azimuth time (green) is straight; equal slant range (red) bends around a hill of 1200 m", fontsize=9
    )
    save(figure, "radar-geometry", 64)


def area_projection() -> None:
    """A ridge in cross-section: facets and the samples that they fall into."""
    x = np.linspace(0, 6000, 121)
    height = 600 * np.exp(-(((x - 2900) / 800) ** 2))
    look = np.radians(38)
    slant = x * np.sin(look) - height * np.cos(look)  # distance along the look, far field
    width = 150.0
    edges = np.arange(slant.min() - width, slant.max() + 2 * width, width)
    area = np.zeros(len(edges) - 1)
    colours = mpl.colormaps["magma"]
    for i in range(len(x) - 1):
        dx, dz = x[i + 1] - x[i], height[i + 1] - height[i]
        projected = dx * np.cos(look) + dz * np.sin(look)  # perpendicular to the look
        low, high = sorted((slant[i], slant[i + 1]))
        share = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None) / max(high - low, 1e-6)
        area += max(projected, 0) * share
    factor = area / (width / np.tan(look))
    figure = Figure(figsize=(7.4, 5.4), layout="constrained")
    top, below = figure.subplots(2, 1, height_ratios=(3, 2))
    top.fill_between(x, height, -150, color="#d9dee5")
    for i in range(len(x) - 1):
        k = int(np.searchsorted(edges, (slant[i] + slant[i + 1]) / 2)) - 1
        top.plot(x[i : i + 2], height[i : i + 2], color=colours(min(0.92, factor[k] / 4)), linewidth=4)
    for start in range(-1, 4):
        px = 350 + 1150 * start
        top.add_patch(
            FancyArrowPatch((px, 1500), (px + 900 * np.tan(look), 600), arrowstyle="->", color=SOFT, mutation_scale=9)
        )
    top.text(120, 1230, "look", color=SOFT)
    top.set(xlim=(0, 6000), ylim=(-150, 1600), ylabel="height, m", xlabel="ground distance, m", aspect=1)
    top.set_title("Facets of a ridge, coloured by the area factor of the sample that they fall into", fontsize=9)
    below.bar(
        (edges[:-1] + edges[1:]) / 2, factor, width=width * 0.92, color=[colours(min(0.92, f / 4)) for f in factor]
    )
    below.axhline(1, color=SOFT, linewidth=0.8, linestyle=":")
    below.set(
        xlabel="slant range (along the look), m", ylabel="area / flat area", xlim=(slant.min() - width, slant.max())
    )
    below.set_title("The foreslope folds into few samples: divide by this, and the hill is gone", fontsize=9)
    save(figure, "area-projection", 64)


def flattening(store: str) -> None:
    """beta0, factor and gamma0 of the same ground."""
    cube = echoing_cube(store, static=True)
    cube = cube.isel(x=slice(60, 360), y=slice(60, 300))
    gamma0 = cube["VV"].mean("time")
    factor = cube["rtc_anf_gamma0_to_beta0"]
    figure = Figure(figsize=(9.6, 3.1), layout="constrained")
    panels = figure.subplots(1, 3)
    pictures = {
        "beta0, as calibrated": (10 * np.log10(gamma0 * factor), "gray"),
        "area factor, dB": (10 * np.log10(factor), "magma"),
        "gamma0, flattened": (10 * np.log10(gamma0), "gray"),
    }
    for panel, (title, (values, colours)) in zip(panels, pictures.items(), strict=True):
        middle, spread = float(np.nanmedian(values)), 5 if colours == "gray" else 3
        panel.imshow(values, cmap=colours, vmin=middle - spread, vmax=middle + spread)
        panel.set_title(title, fontsize=9)
        panel.set_axis_off()
    save(figure, "flattening", 64)


def static_layers(store: str) -> None:
    """All static layers of the echoing part."""
    cube = echoing_cube(store, static=True)
    names = {
        "digital_elevation_model": "terrain", "incidence_angle": "viridis", "local_incidence_angle": "viridis",
        "rtc_anf_gamma0_to_beta0": "magma", "rtc_anf_gamma0_to_sigma0": "magma", "static_number_of_looks": "cividis",
    }  # fmt: skip
    figure = Figure(figsize=(9.6, 5.4), layout="constrained")
    present = [name for name in (*names, "number_of_looks") if name in cube and "time" not in cube[name].dims][:6]
    for panel, name in zip(figure.subplots(2, 3).flat, present, strict=False):
        low, high = np.nanpercentile(cube[name], (1, 99))
        image = panel.imshow(cube[name], cmap=names.get(name, "cividis"), vmin=low, vmax=high)
        panel.set_title(name.removeprefix("static_"), fontsize=9)
        panel.set_axis_off()
        figure.colorbar(image, shrink=0.8)
    save(figure, "static-layers", 80)


def reuse(store: str) -> None:
    """What the tasks of a run took, from its record; each worker's first task, which loads kernels, is left out."""
    lines = []
    for path in sorted(Path(store).glob("runs/*/tasks-*.jsonl")):
        lines += [json.loads(line) for line in path.read_text().splitlines()]
    lines = [line for line in lines if line["outcome"] == "done" and line.get("stages")]
    first = {line["worker"]: line["task"] for line in reversed(lines)}  # lines are in the order of their ends
    lines = [line for line in lines if line["task"] != first[line["worker"]]]
    lines = sorted(lines, key=lambda line: (line["burst_id"], line["date"] or ""))
    stages = sorted({stage for line in lines for stage in line["stages"]})
    figure = Figure(figsize=(8.6, 0.24 * len(lines) + 1.3), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(lines))
    shades = mpl.colormaps["viridis"](np.linspace(0.05, 0.95, len(stages)))
    for stage, shade in zip(stages, shades, strict=True):
        widths = np.array([line["stages"].get(stage, 0.0) for line in lines])
        axes.barh(range(len(lines)), widths, left=left, color=shade, label=stage)
        left += widths
    axes.set_yticks(
        range(len(lines)), [f"{line['burst_id']} {line['date'] or 'static layers'}" for line in lines], fontsize=7
    )
    axes.invert_yaxis()
    axes.set(xlabel="seconds, two tasks at a time (each worker's first, which loads kernels, is left out)")
    axes.set_title("Stages of each task: static layers once per burst ID, then each date", fontsize=9)
    axes.legend(fontsize=7, loc="lower right")
    save(figure, "reuse", 48)


def commit() -> None:
    """The life of a product."""
    figure = Figure(figsize=(8.6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, 10), ylim=(0, 4))
    axes.set_axis_off()
    steps = [
        ("write COGs", "each whole or absent"), ("build item", "sizes, checksums"), ("validate", "STAC schemas"),
        ("create item", "unless it exists"), ("product exists", ""),
    ]  # fmt: skip
    for i, (title, note) in enumerate(steps):
        x, last = 0.15 + i * 1.98, i >= 3
        axes.add_patch(
            Rectangle(
                (x, 2.3),
                1.6,
                0.95,
                facecolor="#d5efe9" if last else "#eef3f7",
                edgecolor=TEAL if last else SOFT,
                linewidth=1.4,
            )
        )
        axes.text(x + 0.8, 2.92, title, ha="center", va="center", fontweight="bold")
        axes.text(x + 0.8, 2.55, note, ha="center", va="center", fontsize=7.5, color=SOFT)
        if i < 4:
            axes.add_patch(
                FancyArrowPatch((x + 1.6, 2.78), (x + 1.98, 2.78), arrowstyle="->", mutation_scale=11, color=INK)
            )
    branches = [
        (2, "invalid: files taken back,\nthe task fails with the reason"),
        (3, "someone was faster: own files\nremoved, the product counts as there"),
    ]
    for i, text in branches:
        x = 0.95 + i * 1.98
        axes.add_patch(FancyArrowPatch((x, 2.3), (x, 1.72), arrowstyle="->", mutation_scale=11, color=RUST))
        axes.text(x + (0.4 if i == 3 else -0.4), 1.42, text, ha="center", va="center", fontsize=7.5, color=RUST)
    axes.annotate("", (7.75, 0.62), (0.15, 0.62), arrowprops={"arrowstyle": "-", "color": SOFT, "linewidth": 5})
    axes.annotate("", (9.85, 0.62), (7.75, 0.62), arrowprops={"arrowstyle": "-", "color": TEAL, "linewidth": 5})
    axes.text(
        3.9, 0.3, "a reader sees: nothing (killed here, nothing has happened)", ha="center", color=SOFT, fontsize=8
    )
    axes.text(8.8, 0.3, "a reader sees: all of it", ha="center", color=TEAL, fontsize=8)
    save(figure, "commit", 32)


def region(store: str) -> None:
    """For the front page: dates before and after, and a place through time."""
    cube = echoing_cube(store)
    figure = Figure(figsize=(9.6, 3.4), layout="constrained")
    panels = figure.subplots(1, cube.sizes["time"])
    for panel, time in zip(panels, cube.time.values, strict=True):
        panel.imshow(10 * np.log10(cube["VV"].sel(time=time)), cmap="gray", vmin=-18, vmax=-4)
        panel.set_title(str(time)[:10], fontsize=9)
        panel.set_axis_off()
    save(figure, "region", 48)
    smooth = cube["VV"].rolling(x=9, y=9, center=True).mean()
    ratio = (smooth.isel(time=-1) / smooth.isel(time=0)).where(smooth.isel(time=0) > 0.1)
    spot = ratio.argmin(("y", "x"))
    around = {d: slice(max(0, int(spot[d]) - 4), int(spot[d]) + 5) for d in ("x", "y")}
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = figure.subplots()
    for name, colour in (("VV", TEAL), ("VH", RUST)):
        axes.plot(cube.time, 10 * np.log10(cube[name].isel(around).mean(("x", "y"))), "o-", color=colour, label=name)
    axes.set(ylabel="gamma0, dB", title="Forest, cut before the last date")
    axes.legend()
    save(figure, "series", 32)


def fringes(store: str) -> None:
    """The picture of the page's three commands, with its legend."""
    from sarcube.cube.composite.make import composite

    with tempfile.TemporaryDirectory() as folder:
        made = composite(store, folder, "fringes", bbox=(8.15, 47.97, 8.25, 48.03))
        picture, legend = Image.open(made.png), Image.open(made.legend)
        picture = picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.NEAREST)
        sheet = Image.new("RGB", (picture.width + legend.width + 10, picture.height), "white")
        sheet.paste(picture, (0, 0), picture)
        sheet.paste(legend, (picture.width + 10, 0))
    path = IMAGES / "fringes.png"
    sheet.quantize(48).save(path, optimize=True)
    print(path.name, path.stat().st_size)


def main(store: str, *pairs: str) -> None:
    """All of them."""
    for one in pairs:
        fringes(one)
    commit()
    area_projection()
    radar_geometry(store)
    bursts(store)
    flattening(store)
    static_layers(store)
    reuse(store)
    region(store)


if __name__ == "__main__":
    main(*sys.argv[1:])
