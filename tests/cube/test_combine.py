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


def test_chains_within_chains_cost_what_they_say() -> None:
    text = "a"
    for _ in range(3):
        text = f"1 < ({text}) < 3"
    np.testing.assert_array_equal(evaluate(parse_expression(text), {"a": np.array([0.0, 2.0])}), [0.0, 0.0])
    for _ in range(25):  # each link doubles what is within
        text = f"1 < ({text}) < 3"
    with pytest.raises(CubeError, match="parts"):
        parse_expression(text)


def test_logic_of_other_languages_is_answered_with_ours() -> None:
    for text, hint in (
        ("(a > 1) & (b < 2)", "&: multiply conditions"), ("a | b", "max of them"), ("~a", "1 - condition"),
        ("not a", "1 - condition"), ("(a and b)", "multiply conditions"), ("a ^ 2", r"write \*\*"),
        ("(a if b else 1)", "where"), ("(a % 2)", "Mod"),
    ):  # fmt: skip
        assert not is_s_expression(text)
        with pytest.raises(CubeError, match=hint):
            parse_expression(text)
    for text in ("(a != b) * 2", "(- a) * b", "(-a + b)", "(a ** 2)"):
        assert not is_s_expression(text)
        parse_expression(text)
    assert all(is_s_expression(text) for text in ("(min a b)", "(in a b)", "(- a b)", "(* 2 a)", "(sqrt (abs a))"))


def test_interp_between_bands_is_translated() -> None:
    infix = translated("(interp v1 (asarray -15 5) (asarray v2 (+ v3 1)))")
    bands = {"v1": np.array([-20.0, -5.0, 9.0]), "v2": np.full(3, 2.0), "v3": np.full(3, 7.0)}
    np.testing.assert_allclose(evaluate(parse_expression(infix), bands), [2.0, 5.0, 8.0])
    assert translated("(interp v1 (asarray 0 1) (asarray 0.0 1.))") == "stretch(v1, 0, 1)"
    assert translated("(interp v1 (asarray 0 1) (asarray 0 255))") != "stretch(v1, 0, 1)"


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
    assert item["properties"]["sarcube:inputs"] == {"pre": "one.tif", "post": "two.tif"}  # paths of here are nobody's
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


@pytest.mark.parametrize("resampling", ["nearest", "bilinear", "cubic"])
@pytest.mark.parametrize("resolution", [7.0, 20.0, 50.0])
def test_saturated_pixels_of_sentinel2_spread_into_no_other(tmp_path: Path, resampling: str, resolution: float) -> None:
    from sarcube.simulate.sentinel2 import Sentinel2Options, write_jp2, write_sentinel2

    options = Sentinel2Options(size=1920, bands=())
    safe = write_sentinel2(tmp_path, options, {"B12": 0.2})
    (file,) = safe.rglob("*_B12_20m.jp2")
    numbers = np.full((96, 96), 3000, np.uint16)
    numbers[40, 50:53], numbers[0, 0], numbers[70:, :20] = 65535, 65535, 0
    file.unlink()
    write_jp2(file, numbers, options, 20)
    chosen = CombineOptions("B12", "B12", "B12", resolution=resolution, resampling=resampling)  # type: ignore[arg-type]
    values = combine([str(safe)], chosen).values["red"].values
    np.testing.assert_allclose(values[np.isfinite(values)], 0.2, atol=1e-6)
    assert 0.85 < np.isfinite(values).mean() < 0.96


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


def test_rasters_that_are_called_after_scenes_are_rasters(tmp_path: Path) -> None:
    """What is made of a scene often keeps its name; and names begin as deliveries do by chance."""
    values = np.stack([np.full((6, 6), i + 1, np.uint8) for i in range(3)])
    for name in (
        "S2A_MSIL2A_20220712T110631_N0400_R137_T30TUL_20220712T171153_S2_ARD.tif", "S1A_IW_GRDH_1SDV_2022_TC.tif",
        "LC08_L2SP_196028_20220501_02_T1_rgb.TIF", "S3B_SL_1_RBT____20230908_rgb.tif", "CSKS4_rgb.tif", "DUBLIN.tif",
        "K2_north_face.tif", "U2_tour.tif", "RP_1.tif", "MSC_cruise.tif", "KVARNER_1.tif",
    ):  # fmt: skip
        path = write(tmp_path / name, values, photometric="RGB")
        made = combine([str(path)], CombineOptions("red", "green", "band_3"))
        assert [float(made.values[c].values[0, 0]) for c in ("red", "green", "blue")] == [1, 2, 3], name
        assert made.remarks == ()
    known = write(tmp_path / "U2003A2B_ortho.tif", values, photometric="RGB")
    made = combine([str(known)], CombineOptions("nir", "red", "green"))
    assert made.values["red"].values[0, 0] == 1 and "uk-dmc2, whose bands are nir, red, green" in made.remarks[0]


def test_bands_are_told_apart_whatever_the_file_calls_them(tmp_path: Path) -> None:
    values = np.stack([np.full((6, 6), i + 1, np.float32) for i in range(3)])

    def picked(name: str, descriptions: tuple[str | None, ...]) -> float:
        path = write(tmp_path / "d.tif", values)
        with rasterio.open(path, "r+") as target:
            target.descriptions = descriptions
        return float(combine([str(path)], CombineOptions(name, name, name)).values["red"].values[0, 0])

    for descriptions in (("band_3", None, None), ("band_2", "band_2", "x"), ("Band 2", "Band 1", ""), ("x", "x", "x")):
        assert [picked(f"band_{i}", descriptions) for i in (1, 2, 3)] == [1, 2, 3]
    assert [picked(n, ("Red", "red", "RED")) for n in ("Red", "red", "RED")] == [1, 2, 3]
    assert picked("x", ("x", "x", "x")) == 1 and picked("B1", ("B01", "B1", "B001")) == 2


def test_names_with_signs_of_inputs_are_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.ones((1, 6, 6), np.uint8)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "year=2024").mkdir()
    for name in ("year=2024/x.tif", "x=1.tif", "scene@2024"):
        write(tmp_path / name, values)
        assert combine([name], CombineOptions("band_1", "band_1", "band_1")).inputs[0].alias == "a"
    assert combine(["x=x=1.tif"], CombineOptions("x.band_1", "band_1", "band_1")).inputs[0].alias == "x"


def test_magnitudes_of_complex_pixels_are_those_of_the_file_at_every_size(tmp_path: Path) -> None:
    phase = np.random.default_rng(4).uniform(-np.pi, np.pi, (1, 40, 40))
    path = write(tmp_path / "slc.tif", np.exp(1j * phase).astype(np.complex64))
    for resolution in (10, 25, 4):
        made = combine([str(path)], CombineOptions("band_1", "band_1", "band_1", resolution=resolution))
        got = made.values["red"].values
        np.testing.assert_allclose(got[np.isfinite(got)], 1.0, rtol=1e-6)
        assert "nearest" in made.remarks[0]


def test_across_the_antimeridian_in_degrees(tmp_path: Path) -> None:
    from pyproj import Transformer

    values = np.random.default_rng(8).uniform(1, 9, (1, 60, 60)).astype(np.float32)
    x, y = Transformer.from_crs(4326, 32660, always_xy=True).transform(180.0, -17.5)
    there = rasterio.Affine(1000, 0, x - 30_000, 0, -1000, y + 30_000)
    path = write(tmp_path / "fiji.tif", values, crs="EPSG:32660", transform=there)
    chosen = CombineOptions("band_1", "band_1", "band_1", crs=4326, resolution=0.01, resampling="nearest")
    made = combine([str(path)], chosen)
    assert 179.6 < made.grid.left < 180 < made.grid.right < 180.4
    got = made.values["red"].values
    px, py = Transformer.from_crs(4326, 32660, always_xy=True).transform(*np.meshgrid(made.grid.x(), made.grid.y()))
    columns, rows = ~there * (px, py)
    inside = (columns > 0.1) & (rows > 0.1) & (columns < 59.9) & (rows < 59.9)
    truth = values[0, rows[inside].astype(int), columns[inside].astype(int)]
    assert np.isfinite(got[inside]).mean() > 0.99 and (got[inside] == truth).mean() > 0.95
    degrees = write(tmp_path / "g.tif", values, crs="EPSG:4326", transform=rasterio.Affine(0.1, 0, 177, 0, -0.1, -15))
    for box in ((179.5, -18.0, -179.5, -17.0), (179.5, -18.0, 180.5, -17.0)):
        part = combine([str(degrees)], CombineOptions("band_1", "band_1", "band_1", bbox=box))
        np.testing.assert_array_equal(part.values["red"].values, values[0, 20:30, 25:35])


def test_rasters_lie_as_their_transform_says(tmp_path: Path) -> None:
    values = np.random.default_rng(6).uniform(1, 9, (1, 30, 40)).astype(np.float32)
    east, south = 500000.0, 5e6 - 300
    for transform, wanted in (
        (rasterio.Affine(10, 0, east, 0, 10, south), values[0, ::-1]),
        (rasterio.Affine(-10, 0, east + 400, 0, -10, 5e6), values[0, :, ::-1]),
        (rasterio.Affine(-10, 0, east + 400, 0, 10, south), values[0, ::-1, ::-1]),
        (rasterio.Affine(10, 0, east, 0, -20, 5e6), values[0].repeat(2, axis=0)),
    ):
        path = write(tmp_path / "turned.tif", values, transform=transform)
        chosen = CombineOptions("band_1", "band_1", "band_1", resampling="nearest")
        made = combine([str(path)], chosen)
        assert (made.grid.left, made.grid.top) == (east, 5e6)
        np.testing.assert_array_equal(made.values["red"].values, wanted)


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
