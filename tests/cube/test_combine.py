"""Band combinations against numpy; expressions of strangers."""

from __future__ import annotations

import json
import resource
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from sarcube.cube.combine import CombineOptions, combine, write_combination
from sarcube.cube.expression import FUNCTIONS, Apply, Band, Expression, Node, Number, evaluate, parse_expression
from sarcube.cube.lazy import da
from sarcube.cube.missions import MISSIONS, mission_of
from sarcube.cube.order_statistics import percentiles
from sarcube.cube.s_expression import is_s_expression, translated
from sarcube.errors import CubeError
from sarcube.geometry.grid import GeoGrid
from tests.catalog.verdicts import judge_alike
from tests.cube.examples import lay_out

NAMES = ("a", "b", "VV")
ARRAYS = {name: np.random.default_rng(i).normal(0.0, 3.0, (7, 9)) for i, name in enumerate(NAMES)}
ARRAYS["b"][2, 3] = np.nan


def write(path: Path, values: np.ndarray, left: float = 500000.0, step: float = 10.0, **more: object) -> Path:
    profile = {
        "driver": "GTiff", "width": values.shape[2], "height": values.shape[1], "count": values.shape[0],
        "dtype": values.dtype.name, "crs": "EPSG:32632", "transform": rasterio.Affine(step, 0, left, 0, -step, 5e6),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile | more) as target:
        target.write(values)
    return path


def written(node: Node) -> str:
    """A tree as text that numpy evaluates: the witness is Python itself."""
    if isinstance(node, Number):
        return f"np.float64({node.value!r})"
    if isinstance(node, Band):
        return f"x[{node.name!r}]"
    inner = [written(o) for o in node.operands]
    calls = {
        "log10": "np.log10", "sqrt": "np.sqrt", "abs": "np.abs", "min": "np.minimum", "max": "np.maximum",
    }  # fmt: skip
    if node.name in calls:
        return f"{calls[node.name]}({', '.join(inner)})"
    if node.name == "negative":
        return f"(-{inner[0]})"
    return f"({inner[0]} {node.name} {inner[1]})"


def trees() -> st.SearchStrategy[Node]:
    leaves = st.one_of(
        st.sampled_from([Band(n) for n in NAMES]), st.floats(-50, 50).map(lambda v: Number(round(v, 3)))
    )  # fmt: skip

    def grow(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        two = st.tuples(st.sampled_from(["+", "-", "*", "/", "min", "max"]), inner, inner)
        one = st.tuples(st.sampled_from(["log10", "sqrt", "abs", "negative"]), inner)
        return st.one_of(two.map(lambda t: Apply(t[0], t[1:])), one.map(lambda t: Apply(t[0], t[1:])))

    return st.recursive(leaves, grow, max_leaves=12)


def plain(node: Node) -> str:
    if isinstance(node, Number):
        return repr(node.value)
    if isinstance(node, Band):
        return node.name
    inner = [plain(o) for o in node.operands]
    if node.name in FUNCTIONS:
        return f"{node.name}({', '.join(inner)})"
    return f"(-{inner[0]})" if node.name == "negative" else f"({inner[0]} {node.name} {inner[1]})"


@given(trees())
@settings(max_examples=150, deadline=None)
def test_expressions_are_what_numpy_makes_of_them(tree: Node) -> None:
    ours = evaluate(parse_expression(plain(tree)), ARRAYS)
    with np.errstate(all="ignore"):
        theirs = np.broadcast_to(eval(written(tree), {"np": np, "x": ARRAYS}), (7, 9)).astype(np.float32)
    np.testing.assert_array_equal(ours, np.where(np.isfinite(theirs), theirs, np.nan))


@given(st.text(string.ascii_letters + string.digits + " ()[]{}.,+-*/%<>=!&|^~:@'\"_\\\n\x00", max_size=120))
@settings(max_examples=300, deadline=None)
def test_whatever_is_typed_is_arithmetic_or_refused(text: str) -> None:
    try:
        found = parse_expression(text)
    except CubeError:
        return
    todo: list[Node] = [found.tree]
    while todo:
        node = todo.pop()
        assert type(node) in (Number, Band, Apply)
        todo.extend(node.operands if isinstance(node, Apply) else ())


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('id')", "().__class__", "a.b.c", "a[0]", "lambda: a", "[a for a in b]", "'a' * 9",
        "9**9**9", "a**b", "a**99", "1e400", "9" * 900, "open(a)", "a.mean()", "where(a, b)", "min(a, b, key=a)",
        "a and b", "a if b else a", "a := 1", "f'{a}'", "(" * 300 + "a" + ")" * 300, "-" * 900 + "a", "a" * 1001, "",
        "True", "1j", "a @ b", "a is b", "a in b", "not a", "await a", "*a", "db(*a)", "a\x00", "a; b",
        "+".join(["a"] * 200), "a // b", "a % b", "a << 9",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(CubeError):
        parse_expression(text)


def test_missing_stays_missing() -> None:
    x = np.array([np.nan, 1.0, -1.0])
    assert np.isnan(evaluate(parse_expression("a > 0"), {"a": x})[0])
    np.testing.assert_array_equal(evaluate(parse_expression("where(a > 0, 5, 7)"), {"a": x}), [np.nan, 5, 7])
    np.testing.assert_array_equal(evaluate(parse_expression("0 < a < 2"), {"a": x}), [np.nan, 1, 0])
    np.testing.assert_array_equal(evaluate(parse_expression("min(a, 0)"), {"a": x}), [np.nan, 0, -1])
    np.testing.assert_array_equal(evaluate(parse_expression("db(a)"), {"a": x}), [np.nan, 0, np.nan])
    np.testing.assert_array_equal(evaluate(parse_expression("nd(a, a)"), {"a": np.zeros(1)}), [np.nan])


def test_s_expressions_become_ours() -> None:
    for text, infix in (
        ("(interp v1 (asarray -15 5) (asarray 0 1))", "stretch(v1, -15, 5)"),
        ("(/ (- v1 v2) (+ v1 v2))", "((v1 - v2) / (v1 + v2))"),
        ("(where (> v1 0) v2 (* 2 v3))", "where((v1 > 0), v2, (2 * v3))"),
    ):
        assert is_s_expression(text)
        assert translated(text) == infix
        parse_expression(infix)
    for text, hint in (("(mean v1)", "percentile"), ("(clip v1 0 1)", "min(max"), ("(+ v1 (foo v2))", "foo")):
        with pytest.raises(CubeError, match=hint.replace("(", r"\(")):
            translated(text)
    assert not is_s_expression("(a + b) * 2")


@pytest.mark.parametrize("size", [0, 1, 5, 4000])
def test_percentiles_are_exact(size: int) -> None:
    rng = np.random.default_rng(size)
    values = (rng.normal(0, 1, size) * 10.0 ** rng.integers(-20, 20, size)).astype(np.float32)
    whole = np.full(71 * 67, np.nan, np.float32)
    whole[:size] = values
    whole = rng.permutation(whole).reshape(71, 67)
    array = da.from_array(whole, chunks=(20, 25))
    ours = percentiles([array, array + 1], (0, 2, 50, 98, 100))[0]
    if size == 0:
        assert np.isnan(ours).all()
    else:
        np.testing.assert_allclose(ours, np.percentile(values.astype(np.float64), (0, 2, 50, 98, 100)), rtol=1e-6)


def test_rasters_of_several_grids_become_one_picture(official: Path | None, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    one = rng.uniform(1, 9, (2, 60, 80)).astype(np.float32)
    one[0, 5, 5] = np.nan
    two = rng.integers(1, 200, (1, 60, 80)).astype(np.uint16)
    two[0, 7, 30] = 0
    a = write(tmp_path / "one.tif", one)
    b = write(tmp_path / "two.tif", two, left=500200.0, nodata=0)
    options = CombineOptions("nd(pre.band_1, pre.band_2)", "post.band_1 / 200", "sqrt(pre.band_2)")
    made = combine([f"pre={a}", f"post={b}"], options)
    assert made.grid.shape == (60, 60)  # 20 columns apart
    with np.errstate(invalid="ignore"):
        first = (one[0, :, 20:] - one[1, :, 20:]) / (one[0, :, 20:] + one[1, :, 20:])
    second = np.where(two[0] == 0, np.nan, two[0])[:, :60] / 200
    np.testing.assert_allclose(made.values["red"].values, first, rtol=1e-6)
    np.testing.assert_allclose(made.values["green"].values, second, rtol=1e-6)
    done = write_combination(made, tmp_path / "rgb.tif", values=True)
    with rasterio.open(done.picture) as picture:
        pixels = picture.read()
        assert picture.count == 4
        assert [c.name for c in picture.colorinterp] == ["red", "green", "blue", "alpha"]
    np.testing.assert_array_equal(pixels[3] == 255, np.isfinite(first + second))
    low, high = np.nanpercentile(first, (2, 98))
    wanted = np.rint(255 * np.clip((first - low) / (high - low), 0, 1))
    assert np.abs(pixels[0] - wanted)[pixels[3] == 255].max() <= 1
    judge_alike(tmp_path, official)
    item = json.loads(done.item.read_text())
    assert item["properties"]["processing:expression"]["expression"]["red"] == "nd(pre.band_1, pre.band_2)"
    assert item["properties"]["renders"]["combination"]["rescale"][0] == pytest.approx([low, high])
    union = combine(
        [f"pre={a}", f"post={b}"], CombineOptions("pre.band_1", "pre.band_2", "post.band_1", extent="union")
    )
    assert union.grid.shape == (60, 100)
    with pytest.raises(CubeError, match="is in 2 inputs"):
        combine([f"pre={a}", f"post={b}"], CombineOptions("band_1", "band_1", "band_1"))
    with pytest.raises(CubeError, match="overwrite"):
        write_combination(made, tmp_path / "rgb.tif")
    coarse = combine([str(a)], CombineOptions("band_1", "band_2", "band_1", resolution=20))
    assert coarse.grid.shape == (30, 40)


def test_sentinel2_as_delivered(shared_data: Path, tmp_path: Path) -> None:
    from sarcube.sensors.sentinel2.images import read_image
    from sarcube.sensors.sentinel2.scene import open_scene

    safe = next((shared_data / "data" / "sentinel2").glob("S2?_MSIL2A*.zip"))
    box = combine([str(safe)], CombineOptions("swir22", "nir08", "B3")).grid
    assert (box.resolution, box.shape) == (60.0, (1830, 1830))
    made = combine([str(safe)], CombineOptions("B12", "swir22", "B12 > 0", resolution="lowest"))
    scene = open_scene(safe)
    numbers = read_image(scene, "B12", 60)
    ours = made.values["red"].values
    numbers = numbers[0] if numbers.ndim == 3 else numbers
    offset = scene.radiometry.offset("B12")
    theirs = np.where(numbers == 0, np.nan, (numbers + offset) / scene.radiometry.quantification)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert np.nanmedian(ours) < 0.5


def test_a_picture_larger_than_memory_is_lazy(tmp_path: Path) -> None:
    path = tmp_path / "huge.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=100_000, height=100_000, count=2, dtype="uint8", crs="EPSG:32632", tiled=True,
        transform=rasterio.Affine(10, 0, 0, 0, -10, 5e6), SPARSE_OK="TRUE", BIGTIFF="YES",
    ) as target:  # fmt: skip
        target.write(np.full((2, 4, 4), 7, np.uint8), window=rasterio.windows.Window(60_000, 60_000, 4, 4))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = combine([str(path)], CombineOptions("band_1 + 1", "band_2 * 2", "nd(band_1, band_2 + 1)", profile="unit"))
    assert made.grid.shape == (100_000, 100_000)
    part = made.colours(made.ranges())[59_900:60_100, 59_900:60_100].compute()
    assert part.shape == (200, 200, 4)
    assert made.values["red"].data[60_001, 60_001].compute() == 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kilobytes


def test_layers_of_a_store(bursts: Any, tmp_path: Path) -> None:
    grid = GeoGrid(32629, 600000.0, 3500000.0, 20.0, 40, 30)
    rng = np.random.default_rng(3)
    early, late = (
        {n: rng.uniform(0.01, 1, grid.shape).astype(np.float32) for n in ("VV", "VH")} for _ in range(2)
    )  # fmt: skip
    late["VV"][4, 4] = np.nan
    items = [
        bursts.burst(grid, "t052_110000_iw1", "2022-01-03T05:00:00", layers=early),
        bursts.burst(grid, "t052_110000_iw1", "2022-01-15T05:00:00", layers=late),
    ]
    store = lay_out(tmp_path / "store", items)
    ratio = combine([str(store)], CombineOptions(preset="sar-ratio"))
    wanted = np.where(np.isnan(late["VV"]), early["VV"], late["VV"])
    np.testing.assert_allclose(
        ratio.values["red"].values, np.clip((10 * np.log10(wanted) + 15) / 20, 0, 1), atol=1e-5
    )  # fmt: skip
    assert "2 dates" in ratio.remarks[0]
    change = combine([f"pre={store}@2022-01-03", f"post={store}@2022-01-15"], CombineOptions(preset="change"))
    assert change.remarks == ()
    assert change.expressions["red"].text == "stretch(db(post.VV), -15, 5)"
    assert np.isnan(change.values["red"].values[4, 4])
    np.testing.assert_allclose(
        change.values["blue"].values, np.clip((10 * np.log10(early["VV"]) + 15) / 20, 0, 1), atol=1e-5
    )  # fmt: skip


def test_missions() -> None:
    assert mission_of("some_mosaic.tif") is None
    assert (found := mission_of("S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454.zip"))
    assert found.common_name("B8A") == "nir08"
    with pytest.raises(CubeError, match="sentinel-1"):
        mission_of("S1A_IW_SLC__1SDV_20220101T124744_20220101T124814_041265_04E7A2_DAD9.SAFE")
    assert len({m.name for m in MISSIONS}) == len(MISSIONS)


def test_formula_and_wrong_words(tmp_path: Path) -> None:
    a = write(tmp_path / "a.tif", np.arange(200, dtype=np.float32).reshape(2, 10, 10) / 200)
    for options, hint in (
        (CombineOptions("band_1", "band_1", "band_9"), "no input has a band 'band_9'"),
        (CombineOptions("band_1", "", "band_1"), "no expression for green"),
        (CombineOptions(preset="sar-ratio"), "VV and VH"),
        (CombineOptions(preset="nice"), "presets are"),
        (CombineOptions("band_1", "band_1", "band_1", formula="Gamma Q 3"), "colour formula"),
    ):
        with pytest.raises(CubeError, match=hint):
            combine([str(a)], options)
    bright = CombineOptions("band_1", "band_2", "band_1", profile="unit", formula="Gamma RGB 2.0")
    made = combine([str(a)], bright)
    colours = made.colours(made.ranges()).compute()
    np.testing.assert_allclose(
        colours[..., 0], np.rint(255 * np.sqrt(np.arange(100).reshape(10, 10) / 200)), atol=1
    )  # fmt: skip
    assert isinstance(made.expressions["red"], Expression)
