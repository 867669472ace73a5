"""Resampling against a literal, slow transcription of SNAP's rules in exact fractions, and SNAP's own case."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from sarcube.engines.optical.resample import resample, resample_flags
from sarcube.engines.optical.rules import DOWNSAMPLING, FLAG_DOWNSAMPLING, UPSAMPLING
from sarcube.errors import GridError
from sarcube.geometry.grid import GeoGrid

# Source and target pixel sizes: ratios 2, 3, 6 and ones that are not whole, both ways.
COARSER = [(10, 20), (20, 60), (10, 60), (20, 50), (10, 14), (60, 100), (20, 21)]
FINER = [(20, 10), (60, 20), (60, 10), (50, 20), (14, 10), (100, 60), (21, 20)]
LEFT, TOP = 600_000.0, 5_000_040.0


def grid(resolution, rows, columns, left=LEFT, top=TOP):
    return GeoGrid(32630, left, top, float(resolution), columns, rows)


def scene(kind, shape, seed):
    """Values as bands have them, a quarter without one, with whole windows of none."""
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 12_000, shape)
    hole = rng.random(shape) < 0.25
    hole[shape[0] // 2 :, : shape[1] // 2] = True
    if kind == "float32":
        return np.where(hole, np.nan, values / 8).astype(np.float32), math.nan
    if kind == "int16":
        return np.where(hole, -9999, values - 6000).astype(np.int16), -9999
    return np.where(hole, 0, values).astype(np.uint16), 0


def pieces(values, source, target, i, j):
    """Source pixels that a target pixel covers: value and share of the pixel, row by row."""
    r, s = Fraction(target.resolution), Fraction(source.resolution)
    y0 = (Fraction(source.top) - Fraction(target.top) + i * r) / s
    x0 = (Fraction(target.left) - Fraction(source.left) + j * r) / s
    y1, x1 = y0 + r / s, x0 + r / s
    found = []
    for y in range(math.floor(y0), math.ceil(y1)):
        for x in range(math.floor(x0), math.ceil(x1)):
            share = (min(y1, y + 1) - max(y0, y)) * (min(x1, x + 1) - max(x0, x))
            inside = 0 <= y < values.shape[0] and 0 <= x < values.shape[1]
            found.append((values[y, x] if inside else None, share))
    return found


def none(value, nodata):
    return value is None or value != value or value == nodata  # noqa: PLR0124 - NaN


def toward_zero(value, like):
    return math.trunc(value) if like.dtype.kind in "ui" else float(value)


def slow_down(values, source, target, rule, nodata):
    out = np.full(target.shape, nodata, values.dtype)
    for i, j in np.ndindex(*target.shape):
        window = pieces(values, source, target, i, j)
        if rule == "first":
            out[i, j] = nodata if window[0][0] is None else window[0][0]
            continue
        seen = [(Fraction(float(v)), w) for v, w in window if not none(v, nodata)]
        if not seen:
            continue
        ordered = sorted(v for v, _ in seen)
        middle = len(ordered) // 2
        out[i, j] = toward_zero(
            {
                "min": ordered[0],
                "max": ordered[-1],
                "mean": sum(v * w for v, w in seen) / sum(w for _, w in seen),
                "median": ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2,
            }[rule],
            values,
        )
    return out


def slow_flags(values, source, target, rule, nodata):
    out = np.zeros(target.shape, values.dtype)
    for i, j in np.ndindex(*target.shape):
        window = pieces(values, source, target, i, j)
        if rule == "first":
            out[i, j] = max(nodata, 0) if window[0][0] is None else window[0][0]
            continue
        seen = [int(v) for v, _ in window if v is not None and v != nodata]
        for b in range(16):
            have = sum(v >> b & 1 for v in seen)
            keep = {
                "flagand": have == len(seen),
                "flagor": have > 0,
                "flagmedianand": have > len(seen) / 2,
                "flagmedianor": have >= len(seen) / 2,
            }[rule]
            out[i, j] |= (1 << b) * bool(seen and keep)
    return out


def slow_four(v, wy, wx, nodata):  # noqa: PLR0911
    """SNAP's bilinear with missing neighbours, weights as a table."""
    w = {(0, 0): (1 - wy) * (1 - wx), (0, 1): (1 - wy) * wx, (1, 0): wy * (1 - wx), (1, 1): wy * wx}
    seen = {k: Fraction(float(x)) for k, x in v.items() if not none(x, nodata)}
    if not seen:
        return None
    if len(seen) == 1:
        return next(iter(seen.values()))
    if len(seen) == 4:
        return sum(w[k] * seen[k] for k in seen)
    if len(seen) == 3:
        (lost,) = set(w) - set(seen)
        for k in w:
            if k != lost and (k[0] == lost[0]) != (k[1] == lost[1]):  # shares a side with the missing one
                w[k] += w[lost] / 2
        return sum(w[k] * seen[k] for k in seen)
    (a, b) = sorted(seen)
    if a[0] == b[0]:  # one row: along x
        return seen[a] * (1 - wx) + seen[b] * wx
    if a[1] == b[1]:
        return seen[a] * (1 - wy) + seen[b] * wy
    total = w[a] + w[b]
    return (seen[a] * w[a] + seen[b] * w[b]) / total if total else None


def slow_cubic(p, w):
    def kernel(d):
        d = abs(d)
        return 1 - 2 * d**2 + d**3 if d <= 1 else 4 - 8 * d + 5 * d**2 - d**3

    return sum(x * kernel(w + 1 - k) for k, x in enumerate(p))


def slow_up(values, source, target, rule, nodata):
    out = np.full(target.shape, nodata, values.dtype)
    r, s = Fraction(target.resolution), Fraction(source.resolution)
    rows, columns = values.shape

    def at(y, x):
        return values[y, x] if 0 <= y < rows and 0 <= x < columns else None

    for i, j in np.ndindex(*target.shape):
        half = 0 if rule == "nearest" else Fraction(1, 2)
        sy = (Fraction(source.top) - Fraction(target.top) + (i + half) * r) / s - half
        sx = (Fraction(target.left) - Fraction(source.left) + (j + half) * r) / s - half
        if rule == "nearest":
            value = at(math.floor(sy), math.floor(sx))
            out[i, j] = nodata if value is None else value
            continue
        sy, sx = (max(c, Fraction(0)) if c > -1 else c for c in (sy, sx))
        y, x = math.floor(sy), math.floor(sx)
        wy, wx = sy - y, sx - x
        value = None
        if rule == "bicubic" and at(y, x) is not None:
            block = [
                [at(min(max(y + a, 0), rows - 1), min(max(x + b, 0), columns - 1)) for b in (-1, 0, 1, 2)]
                for a in (-1, 0, 1, 2)
            ]
            if not any(none(v, nodata) for v in itertools.chain(*block)):
                value = slow_cubic([slow_cubic([Fraction(float(v)) for v in line], wx) for line in block], wy)
        if value is None:
            value = slow_four({(a, b): at(y + a, x + b) for a in (0, 1) for b in (0, 1)}, wy, wx, nodata)
        if value is None:
            continue
        if values.dtype.kind in "ui":
            info = np.iinfo(values.dtype)
            value = min(max(math.trunc(value), info.min), info.max)
            value += value == nodata
        out[i, j] = float(value)
    return out


def whole_and_odd(source_res, target_res, shape):
    """A target that covers the source with odd edges, and one that begins before it and within a pixel."""
    rows, columns = (math.ceil(n * source_res / target_res) for n in shape)
    yield grid(target_res, rows, columns)
    yield grid(target_res, rows + 2, columns + 1, LEFT - 7.0, TOP + 13.0)


@pytest.mark.parametrize("kind", ["uint16", "int16", "float32"])
@pytest.mark.parametrize("rule", DOWNSAMPLING)
def test_every_downsampling_is_the_rule_to_the_last_pixel(rule, kind):
    for n, (fine, coarse) in enumerate(COARSER):
        values, nodata = scene(kind, (15, 13), n)
        source = grid(fine, *values.shape)
        for target in whole_and_odd(fine, coarse, values.shape):
            got = resample(values, source, target, downsampling=rule, nodata=nodata)
            want = slow_down(values, source, target, rule, nodata)
            same(got, want)


@pytest.mark.parametrize("kind", ["uint16", "int16", "float32"])
@pytest.mark.parametrize("rule", UPSAMPLING)
def test_every_upsampling_is_the_rule_to_the_last_pixel(rule, kind):
    for n, (coarse, fine) in enumerate(FINER):
        values, nodata = scene(kind, (8, 7), n)
        values[:6, :] = np.random.default_rng(n).integers(1, 9000, (6, 7))  # enough room for bicubic
        source = grid(coarse, *values.shape)
        for target in whole_and_odd(coarse, fine, values.shape):
            got = resample(values, source, target, upsampling=rule, nodata=nodata)
            want = slow_up(values, source, target, rule, nodata)
            same(got, want)


@pytest.mark.parametrize("nodata", [0, -1])
@pytest.mark.parametrize("rule", FLAG_DOWNSAMPLING)
def test_every_flag_downsampling_is_the_rule_to_the_last_pixel(rule, nodata):
    rng = np.random.default_rng(7)
    for fine, coarse in COARSER:
        values = rng.integers(0, 1 << 16, (15, 13)).astype(np.uint16) & rng.integers(0, 1 << 16, (15, 13)).astype("u2")
        values[9:, :7] = 0
        source = grid(fine, *values.shape)
        for target in whole_and_odd(fine, coarse, values.shape):
            got = resample_flags(values, source, target, rule, nodata)
            same(got, slow_flags(values, source, target, rule, nodata))


def same(got, want):
    assert got.dtype == want.dtype
    if got.dtype.kind == "f":
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        np.testing.assert_allclose(got, want, rtol=2e-7)  # the last bit of a float32
    else:
        assert np.count_nonzero(got != want) == 0


@pytest.mark.parametrize(
    ("rule", "want"),
    [
        ("flagand", [[0, 0], [1, 5]]),
        ("flagor", [[7, 3], [13, 5]]),
        ("flagmedianand", [[7, 0], [1, 5]]),
        ("flagmedianor", [[7, 3], [13, 5]]),  # at least half: 5 and 9 share one bit and have two of their own
    ],
)
def test_flags_of_snaps_own_example(rule, want):
    """The case of SNAP's test of its flag aggregators: windows of two pixels that begin with the second one."""
    values = np.array([[5, 1, 2, 3], [9, 6, 3, 2], [7, 5, 7, 1], [7, 5, 9, 5]], np.uint16)
    source, target = GeoGrid(32630, 2, -2, 2, 4, 4), GeoGrid(32630, 4, -4, 4, 2, 2)
    np.testing.assert_array_equal(resample_flags(values, source, target, rule, 117), want)


def test_whole_ratios_repeat_pixels_and_same_sizes_change_nothing():
    values = np.arange(1, 13, dtype=np.uint16).reshape(3, 4)
    source = grid(20, 3, 4)
    np.testing.assert_array_equal(
        resample(values, source, grid(10, 6, 8)), np.repeat(np.repeat(values, 2, axis=0), 2, axis=1)
    )
    for rule in UPSAMPLING:
        np.testing.assert_array_equal(resample(values, source, source, upsampling=rule), values)


def test_bilinear_of_a_plane_is_the_plane():
    y, x = np.mgrid[:12, :12]
    values = (1000 + 64 * x + 8 * y).astype(np.float32)
    fine = resample(values, grid(20, 12, 12), grid(10, 24, 24), upsampling="bilinear", nodata=np.nan)
    fy, fx = (np.mgrid[:24, :24] + 0.5) / 2 - 0.5
    inner = np.s_[1:-1, 1:-1]
    np.testing.assert_allclose(fine[inner], (1000 + 64 * fx + 8 * fy)[inner], rtol=1e-6)


@pytest.mark.parametrize("rule", ["bilinear", "bicubic"])
def test_columns_stay_columns(rule):
    """SNAP's bicubic, which exchanges the weights of x and y, makes waves of them."""
    values = np.tile(np.array([100, 900, 300, 4000, 50, 7000, 20], np.float32), (9, 1))
    fine = resample(values, grid(60, 9, 7), grid(10, 54, 42), upsampling=rule, nodata=np.nan)
    np.testing.assert_allclose(fine[3:-3], np.broadcast_to(fine[20], fine[3:-3].shape), rtol=1e-6)


@pytest.mark.parametrize("rule", ["bilinear", "bicubic"])
def test_what_is_level_stays_level_up_to_the_edge(rule):
    values = np.full((7, 9), 1234, np.uint16)
    assert (resample(values, grid(60, 7, 9), grid(10, 42, 54), upsampling=rule) == 1234).all()


def test_a_window_is_the_whole_cut():
    values, nodata = scene("uint16", (40, 50), 3)
    source, target = grid(20, 40, 50), grid(10, 80, 100)
    for rule in UPSAMPLING:
        whole = resample(values, source, target, upsampling=rule, nodata=nodata)
        part = grid(10, 21, 31, LEFT + 330, TOP - 270)
        inner = grid(20, 20, 26, LEFT + 260, TOP - 200)
        got = resample(values[10:30, 13:39], inner, part, upsampling=rule, nodata=nodata)
        np.testing.assert_array_equal(got, whole[27:48, 33:64])


def test_values_off_their_grid_and_other_crs_are_refused():
    with pytest.raises(GridError, match="not on their grid"):
        resample(np.zeros((3, 3), np.uint16), grid(10, 3, 4), grid(20, 2, 2))
    with pytest.raises(GridError, match="one CRS"):
        resample(np.zeros((3, 4), np.uint16), grid(10, 3, 4), GeoGrid(32631, 0, 0, 20, 2, 2))
