"""Two products layer by layer: what an operator uses to trust one engine by the other."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from sarcube.errors import GridError, ProductError
from sarcube.products.public import beside
from sarcube.text_file import writing
from sarcube.workflows.rtc.kinds import LAYERS, MASK_VALUES, POLARIZATIONS

_RATIO_LAYERS = ("number_of_looks", "rtc_anf_gamma0_to_beta0", "rtc_anf_gamma0_to_sigma0")
_FOREIGN_SUFFIX = {"interpolated_dem": "digital_elevation_model"}  # opera-rtc's name


@dataclass(frozen=True)
class LayerComparison:
    """How layer A differs from layer B where both are valid.

    Attributes
    ----------
    layer : str
    unit : str
        Of the differences: "dB" for backscatter, "%" for factors and looks, else the layer's unit. For the mask
        the differences are fractions of pixels.
    pixels, only_a, only_b : int
        Valid in both, in A alone, in B alone.
    median, mean, deviation, p95 : float
        Of A - B; `p95` is the 95th percentile of its absolute value.
    correlation : float
        Pearson, of the values themselves.
    shift_x, shift_y : float
        Pixels by which A lies east and south of B, from the peak of their cross-correlation (backscatter only).
    shadow_overlap, layover_overlap : float
        Intersection over union (mask only).
    """

    layer: str
    unit: str
    pixels: int
    only_a: int
    only_b: int
    median: float = float("nan")
    mean: float = float("nan")
    deviation: float = float("nan")
    p95: float = float("nan")
    correlation: float = float("nan")
    shift_x: float = float("nan")
    shift_y: float = float("nan")
    shadow_overlap: float = float("nan")
    layover_overlap: float = float("nan")

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def layer_files(product: Path) -> dict[str, Path]:
    """Layer files of a product: a folder of `<anything>_<layer>.tif`, or an item's JSON file.

    Raises
    ------
    ProductError
        Nothing there is a layer.
    """
    files: dict[str, Path] = {}
    if product.suffix == ".json":
        try:
            assets = beside(json.loads(product.read_text()), product.parent)["assets"]
        except (OSError, ValueError, KeyError) as error:
            raise ProductError(f"{product} is not a STAC item: {error}; name an item's JSON or a folder") from error
        for name, asset in assets.items():
            if name in LAYERS:
                files[name] = (product.parent / asset["href"]).resolve()
    else:
        names = sorted([*LAYERS, *_FOREIGN_SUFFIX], key=len, reverse=True)
        for path in sorted(product.glob("*.tif")):
            # Longest first: local_incidence_angle also ends with incidence_angle.
            layer = next((n for n in names if path.stem.endswith(f"_{n}")), None)
            if layer:
                files[_FOREIGN_SUFFIX.get(layer, layer)] = path
    if not files:
        raise ProductError(f"no layers found in {product}; name an item's JSON or a folder of <...>_<layer>.tif")
    return files


@dataclass(frozen=True, eq=False)
class Pair:
    """The same window of a layer in A and B; float64, NaN where invalid."""

    layer: str
    a: NDArray[np.float64]
    b: NDArray[np.float64]

    @property
    def difference(self) -> NDArray[np.float64]:
        """A - B in the unit of the comparison."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.layer in POLARIZATIONS:
                return np.asarray(10 * np.log10(self.a / self.b))
            if self.layer in _RATIO_LAYERS:
                return 100 * (self.a / self.b - 1)
        return self.a - self.b


def read_pair(layer: str, a: Path, b: Path) -> Pair:
    """Read the common window of two rasters.

    Raises
    ------
    GridError
        Their grids are not shifts of one another by whole pixels, or do not overlap.
    ProductError
        A file cannot be read.
    """
    try:
        with rasterio.open(a) as first, rasterio.open(b) as second:
            step, other = first.transform, second.transform
            if first.crs != second.crs or not np.allclose((step.a, step.e), (other.a, other.e)):
                raise GridError(f"{a.name} and {b.name} have different CRS or pixel size; compare what shares a grid")
            dx, dy = (other.c - step.c) / step.a, (other.f - step.f) / step.e
            if abs(dx - round(dx)) > 1e-3 or abs(dy - round(dy)) > 1e-3:
                raise GridError(f"{a.name} and {b.name} lie {dx:.3f}, {dy:.3f} pixels apart: not on one grid")
            column, row = round(dx), round(dy)
            left, top = max(0, column), max(0, row)
            right, bottom = min(first.width, column + second.width), min(first.height, row + second.height)
            if right <= left or bottom <= top:
                raise GridError(f"{a.name} and {b.name} do not overlap")
            window = ((top, bottom), (left, right))
            shifted = ((top - row, bottom - row), (left - column, right - column))
            values = [s.read(1, window=w).astype(np.float64) for s, w in ((first, window), (second, shifted))]
    except rasterio.errors.RasterioError as error:
        raise ProductError(f"{a} or {b} cannot be read: {error}") from error
    outside = MASK_VALUES["outside"]
    for value in values:
        if layer == "mask":
            value[value == outside] = np.nan
        elif layer in POLARIZATIONS or layer in _RATIO_LAYERS:
            value[~(value > 0)] = np.nan
    return Pair(layer, *values)


def compare_products(a: Path, b: Path) -> tuple[LayerComparison, ...]:
    """Compare every layer that both products have.

    Raises
    ------
    ProductError
        They share no layer.
    """
    ours, theirs = layer_files(a), layer_files(b)
    shared = [name for name in LAYERS if name in ours and name in theirs]
    if not shared:
        raise ProductError(f"{a} has {sorted(ours)}, {b} has {sorted(theirs)}: no layer in common")
    return tuple(compare_layer(read_pair(name, ours[name], theirs[name])) for name in shared)


def compare_layer(pair: Pair) -> LayerComparison:
    """Statistics of one layer."""
    valid_a, valid_b = np.isfinite(pair.a), np.isfinite(pair.b)
    both = valid_a & valid_b
    unit = "dB" if pair.layer in POLARIZATIONS else "%" if pair.layer in _RATIO_LAYERS else LAYERS[pair.layer].unit
    counts = (int(both.sum()), int((valid_a & ~valid_b).sum()), int((valid_b & ~valid_a).sum()))
    if not both.any():
        return LayerComparison(pair.layer, unit, *counts)
    if pair.layer == "mask":
        return _compare_masks(pair, both, counts)
    difference = pair.difference[both]
    shift_x, shift_y = _shift(pair, both) if pair.layer in POLARIZATIONS else (float("nan"), float("nan"))
    return LayerComparison(
        pair.layer,
        unit,
        *counts,
        median=float(np.median(difference)),
        mean=float(difference.mean()),
        deviation=float(difference.std()),
        p95=float(np.percentile(np.abs(difference), 95)),
        correlation=float(np.corrcoef(pair.a[both], pair.b[both])[0, 1]) if counts[0] > 2 else float("nan"),
        shift_x=shift_x,
        shift_y=shift_y,
    )


def _compare_masks(pair: Pair, both: NDArray[np.bool_], counts: tuple[int, int, int]) -> LayerComparison:
    first, second = pair.a[both].astype(int), pair.b[both].astype(int)

    def overlap(bit: int) -> float:
        union = ((first & bit) | (second & bit)) > 0
        return float(((first & second & bit) > 0).sum() / union.sum()) if union.any() else 1.0

    differs = float((first != second).mean())
    return LayerComparison(
        "mask",
        "fraction",
        *counts,
        mean=differs,
        shadow_overlap=overlap(MASK_VALUES["shadow"]),
        layover_overlap=overlap(MASK_VALUES["layover"]),
    )


def _shift(pair: Pair, both: NDArray[np.bool_]) -> tuple[float, float]:
    """Offset of A against B in pixels (x, y): peak of the cross-correlation of log power, refined by a parabola."""
    from scipy.fft import irfft2, rfft2

    def prepared(values: NDArray[np.float64]) -> NDArray[np.float64]:
        logs = np.zeros(values.shape)
        logs[both] = np.log(values[both])
        logs[both] -= logs[both].mean()
        return logs

    spectrum = rfft2(prepared(pair.a)) * np.conj(rfft2(prepared(pair.b)))
    surface = irfft2(spectrum, s=pair.a.shape)
    row, column = np.unravel_index(int(surface.argmax()), surface.shape)
    rows, columns = surface.shape

    def refined(before: float, at: float, after: float) -> float:
        curvature = before - 2 * at + after
        return 0.0 if curvature == 0 else 0.5 * (before - after) / curvature

    dy = row + refined(surface[row - 1, column], surface[row, column], surface[(row + 1) % rows, column])
    dx = column + refined(surface[row, column - 1], surface[row, column], surface[row, (column + 1) % columns])
    return float(dx - columns if dx > columns / 2 else dx), float(dy - rows if dy > rows / 2 else dy)


def draw_comparison(a: Path, b: Path, picture: Path) -> None:
    """Draw A, B and their difference, a row a layer, as a PNG: cut to where there are data, with names and units."""
    from matplotlib.figure import Figure

    ours, theirs = layer_files(a), layer_files(b)
    shared = [name for name in LAYERS if name in ours and name in theirs]
    figure = Figure(figsize=(13, 3.4 * len(shared) + 0.6), layout="constrained")
    figure.suptitle(f"A: {product_name(a, ours)}\nB: {product_name(b, theirs)}", fontsize=9)
    panels = figure.subplots(len(shared), 3, squeeze=False)
    for row, name in zip(panels, shared, strict=True):
        pair = cut_to_data(read_pair(name, ours[name], theirs[name]))
        step = max(1, max(pair.a.shape) // 1000)
        shown = [v[::step, ::step] for v in (pair.a, pair.b, pair.difference)]
        unit, apart = ("dB", "dB") if name in POLARIZATIONS else (LAYERS[name].unit, difference_unit(name))
        if name in POLARIZATIONS:
            shown[:2] = [10 * np.log10(v) for v in shown[:2]]
        both = np.concatenate([v[np.isfinite(v)] for v in shown[:2]])
        low, high = np.percentile(both, (2, 98)) if both.size else (0, 1)
        width = np.nanpercentile(np.abs(shown[2]), 98) if np.isfinite(shown[2]).any() else 1
        for panel, values, title in zip(row, shown, ("A", "B", "A - B"), strict=True):
            last = title == "A - B"
            limits = {"vmin": -width or -1, "vmax": width or 1} if last else {"vmin": low, "vmax": high}
            image = panel.imshow(values, cmap="RdBu_r" if last else "gray", interpolation="nearest", **limits)
            panel.set_title(f"{LAYERS[name].title}, {title}", fontsize=9)
            panel.set_axis_off()
            said = apart if last else unit
            figure.colorbar(image, ax=panel, shrink=0.8, label="" if said == "1" else said)
    with writing(picture):
        figure.savefig(picture, dpi=100)


def product_name(product: Path, files: dict[str, Path]) -> str:
    """What a product is called, and where it lies."""
    layer, path = next(iter(files.items()))
    return f"{path.stem.removesuffix(f'_{layer}')}  ({product})"


def difference_unit(layer: str) -> str:
    """Unit of A - B."""
    return "dB" if layer in POLARIZATIONS else "%" if layer in _RATIO_LAYERS else LAYERS[layer].unit


def cut_to_data(pair: Pair) -> Pair:
    """A pair without the rows and columns around it in which neither has data."""
    seen = np.isfinite(pair.a) | np.isfinite(pair.b)
    if not seen.any():
        return pair
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Pair(pair.layer, pair.a[part], pair.b[part])


def comparison_table(layers: tuple[LayerComparison, ...]) -> str:
    """The comparison as lines for a terminal."""
    lines = [f"{'layer':26}{'pixels':>10}{'median':>10}{'mean':>10}{'std':>9}{'95 %':>9}{'corr':>9}  unit, remarks"]
    for c in layers:
        remarks = [c.unit]
        if c.layer == "mask":
            remarks = [
                f"{c.mean:.4%} differ",
                f"overlap: shadow {c.shadow_overlap:.3f}, layover {c.layover_overlap:.3f}",
            ]
        elif c.layer in POLARIZATIONS:
            remarks.append(f"shift {c.shift_x:+.3f}, {c.shift_y:+.3f} pixels")
        if c.only_a or c.only_b:
            remarks.append(f"only A {c.only_a}, only B {c.only_b}")
        figures = "".join(
            f"{v:>{w}.{d}f}" if np.isfinite(v) else f"{'-':>{w}}"
            for v, w, d in (
                (c.median, 10, 4),
                (c.mean, 10, 4),
                (c.deviation, 9, 4),
                (c.p95, 9, 4),
                (c.correlation, 9, 5),
            )
        )
        lines.append(f"{c.layer:26}{c.pixels:>10}{figures}  {'; '.join(remarks)}")
    return "\n".join(lines)
