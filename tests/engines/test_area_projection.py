"""Averages over pixels: the two ways to sum up cells agree, and neither blocks nor threads show in a result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray

from sarcube.engines.rtc.native import NativeEngine
from sarcube.engines.rtc.native import blocks as division
from sarcube.engines.rtc.native.area_projection import _integrate, _run_up, _sum_cells
from sarcube.engines.rtc.native.coverage import new_accumulator
from tests.engines.simulated import ONE, Scene, make


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make(tmp_path_factory.mktemp("projection"))


def corners(seed: int, turned: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lines and samples of the 3 x 3 corners of four pixels, each some cells wide and none folded."""
    random = np.random.default_rng(seed)
    r, c = np.mgrid[0:3, 0:3]
    y = 3.0 + 1.4 * r + 0.3 * c + random.uniform(-0.15, 0.15, (3, 3))
    x = 4.0 + 0.5 * r + 5.4 * c + random.uniform(-0.4, 0.4, (3, 3))
    return (y[::-1].copy(), x[::-1].copy()) if turned else (y, x)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("holes", [False, True])
def test_edges_and_cells_give_the_same_sums(turned: bool, holes: bool) -> None:
    random = np.random.default_rng(5)
    cells = random.exponential(1.0, (12, 30, 2)).astype(np.float32)
    cells[6, 12] = 1e5  # a bright target takes nothing from its neighbours' precision
    if holes:
        cells[random.uniform(size=(12, 30)) < 0.1] = np.nan
    running = np.empty((16, 32, 8))
    assert _run_up(cells, running) == (not holes)
    acc, part, sums = new_accumulator(), new_accumulator(), np.empty(2)
    for seed in range(20):
        y, x = corners(seed, turned)
        across, along = np.zeros((3, 2, 4)), np.zeros((2, 3, 4))
        _integrate(y, x, np.ones((2, 2), np.bool_), 0.0, 0.0, running, 2 if holes else 1, across, along)
        for r, c in np.ndindex(2, 2):
            quad = [(r, c), (r, c + 1), (r + 1, c + 1), (r + 1, c)]
            xs, ys = tuple(x[k] for k in quad), tuple(y[k] for k in quad)
            total = _sum_cells(cells, 30, (xs, ys), True, acc, part, sums)
            if total == 0.0:
                continue  # too little of it has cells
            around = across[r, c] + along[r, c + 1] - across[r + 1, c] - along[r, c]
            area = 0.5 * ((xs[2] - xs[0]) * (ys[3] - ys[1]) - (xs[3] - xs[1]) * (ys[2] - ys[0]))
            sign = -1.0 if turned else 1.0
            assert np.sign(area) == sign
            assert sign * around[:2] == pytest.approx(sums, rel=1e-8)
            assert total == pytest.approx(sign * around[2] if holes else abs(area), rel=1e-9)


def test_blocks_and_threads_do_not_show(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = NativeEngine()

    def layers(threads: int) -> dict[str, NDArray[np.float32]]:
        options = replace(ONE, threads=threads)
        static = engine.static(scene.burst, scene.grid, scene.dem, options)
        result = engine.backscatter(scene.burst, scene.grid, scene.dem, options, static)
        return {str(k): v.values for made in (static, result) for k, v in made.data_vars.items()}

    whole = layers(1)
    for name, layer in layers(2).items():
        assert np.array_equal(layer, whole[name], equal_nan=True), name
    # Other blocks begin their sums elsewhere, and round them otherwise.
    monkeypatch.setattr(division, "BLOCK_LINES", 17)
    for name, layer in layers(2).items():
        np.testing.assert_allclose(layer, whole[name], rtol=1e-6, err_msg=name)


def test_samples_of_a_zip_give_the_same_as_those_of_a_folder(scene: Scene, tmp_path: Path) -> None:
    folder = Path(scene.burst.channels["VV"].samples.path)
    with ZipFile(tmp_path / f"{folder.stem}.zip", "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, f"{folder.name}/{file.relative_to(folder).as_posix()}")
    channels = {
        name: replace(channel, samples=replace(channel.samples, path=archive.filename))
        for name, channel in scene.burst.channels.items()
    }
    burst = replace(scene.burst, channels=channels)
    engine = NativeEngine()
    one = engine.backscatter(scene.burst, scene.grid, scene.dem, ONE, None)
    other = engine.backscatter(burst, scene.grid, scene.dem, ONE, None)
    for name in one.data_vars:
        assert np.array_equal(one[name], other[name], equal_nan=True), name
