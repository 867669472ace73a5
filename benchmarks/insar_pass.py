"""What unwrapping costs: a burst at 40 m, and a pass of fifteen bursts at 80 m merged, filtered and unwrapped.

    python benchmarks/insar_pass.py [--json] [--repeat 3]

Fringes of a ramp, of a source of pressure and of hills of air, with the noise of 45 looks and coherence from 0 to 0.9,
are cut into bursts as they lie on a map (heading 12 degrees, overlaps of 2.3 km along and 2 km across the track). Each
figure is of a process of its own with one thread: CPU time of filter and unwrapping, and the largest memory of all that
a task holds, from the bursts' layers to the files.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

BOUNDS = {"burst_40m_unwrap_cpu_s": 8.0, "pass_80m_peak_mb": 4000.0}
_LOOKS = 45.0
_HEADING = np.radians(12.0)
_ALONG, _ACROSS = 18_500.0, 83_000.0  # metres from burst to burst and from sub-swath to sub-swath
_OVERLAP_ALONG, _OVERLAP_ACROSS = 2_300.0, 2_000.0


def picture(shape: tuple[int, int], posting: float) -> tuple[Any, Any]:
    """Phase and true coherence of a made-up country."""
    random = np.random.default_rng(1)
    y, x = np.meshgrid(*((np.arange(n) * posting).astype(np.float32) for n in shape), indexing="ij")
    middle = x[0, -1] * 0.5, y[-1, 0] * 0.5
    phase = 80.0 / (1.0 + ((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / 8000.0**2) ** 1.5 + x / 3000.0
    hills = np.zeros(shape, np.float32)
    for scale, size in ((25_000.0, 3.0), (6_000.0, 0.6)):
        for _ in range(12):
            at = random.uniform(0, 2 * np.pi, 3)
            hills += size / 4 * np.sin(x / scale * np.cos(at[0]) + y / scale * np.sin(at[0]) + at[1])
    coherence = np.clip(0.5 + 0.35 * np.sin(x / 7000.0) * np.sin(y / 5000.0 + 1.0) + hills / 20.0, 0.0, 0.9)
    return phase + hills, coherence.astype(np.float32)


def with_noise(phase: Any, gamma: Any) -> tuple[Any, Any]:
    """Interferogram and sample coherence of about the spread that the looks give: normal around the mean."""
    random = np.random.default_rng(2)
    spread = np.sqrt((1.0 - gamma**2) / _LOOKS).astype(np.float32)  # of real and imaginary part together
    noise = random.standard_normal((2, *phase.shape), np.float32) * (spread / np.sqrt(2))
    value = (gamma + noise[0] + 1j * noise[1]) * np.exp(1j * phase)
    return value.astype(np.complex64), np.minimum(np.abs(value), 1.0).astype(np.float32)


def bursts(folder: Path, swaths: int, along: int, posting: float) -> tuple[int, int]:
    """Layers of bursts as files, and the shape of the whole grid."""
    cos, sin = np.cos(_HEADING), np.sin(_HEADING)
    wide, long = swaths * _ACROSS + _OVERLAP_ACROSS, along * _ALONG + _OVERLAP_ALONG
    shape = int((wide * sin + long * cos) / posting) + 2, int((wide * cos + long * sin) / posting) + 2
    y, x = np.meshgrid(*(np.arange(n, dtype=np.float32) * posting for n in shape), indexing="ij")
    y -= wide * sin
    across, down = x * cos - y * sin, x * sin + y * cos
    value, coherence = with_noise(*picture(shape, posting))
    for swath in range(swaths):
        for number in range(along):
            inside = (across >= swath * _ACROSS) & (across < (swath + 1) * _ACROSS + _OVERLAP_ACROSS)
            inside &= (down >= number * _ALONG) & (down < (number + 1) * _ALONG + _OVERLAP_ALONG)
            rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
            box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            there = inside[box]
            np.savez(
                folder / f"{swath}{number}.npz",
                place=np.array([rows[0], columns[0]]),
                interferogram=np.where(there, value[box], np.complex64(np.nan)),
                amplitude=np.where(there, np.sqrt(np.abs(value[box]) / coherence[box]), np.nan).astype(np.float32),
                looks=np.where(there, np.float32(_LOOKS), np.nan),
                mask=np.where(there, 0, 255).astype(np.uint8),
            )
    return shape


def stage(folder: Path, shape: tuple[int, int]) -> dict[str, float]:
    """Bursts of a folder to files, as a task does it."""
    from sarcube.engines.insar.merge import Piece, align, merge
    from sarcube.engines.insar.whole import WholeOptions, finish
    from sarcube.geometry.grid import GeoGrid
    from sarcube.products.cog import encode_cog
    from sarcube.workflows.insar.kinds import INSAR_S1_PASS

    pieces = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            row, column = (int(v) for v in file["place"])
            amplitude = file["amplitude"]
            pieces.append(
                Piece(
                    path.stem, row, column, file["interferogram"], amplitude, amplitude.copy(), file["looks"],
                    file["mask"],
                )
            )  # fmt: skip
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    merged = merge(pieces, align(pieces).constants, shape, (0, 2, 1, 3, 255), 255)
    pieces.clear()
    joined = time.process_time()
    given = merged.interferogram, merged.coherence, merged.looks, np.zeros(shape, bool)
    filtered = finish(*given, WholeOptions(method=None))
    between = time.process_time()
    whole = finish(*given, WholeOptions())
    ended = time.process_time()
    grid = GeoGrid(32632, 300_000, 5_400_000, 80, shape[1], shape[0])
    layers = {
        "interferogram": merged.interferogram, "filtered_phase": filtered.filtered_phase,
        "coherence": merged.coherence, "unwrapped_phase": whole.unwrapped_phase,
        "connected_components": whole.components, "amplitude_first": merged.amplitude_first,
        "amplitude_second": merged.amplitude_second, "number_of_looks": merged.looks, "mask": merged.mask,
    }  # fmt: skip
    for name, values in layers.items():
        assert values is not None
        encode_cog(np.asarray(values), grid, INSAR_S1_PASS.table[name])
    filtering = between - joined
    return {
        "merge_cpu_s": joined - begun,
        "filter_cpu_s": filtering,
        "unwrap_cpu_s": ended - between - filtering,
        "files_cpu_s": time.process_time() - ended,
        "bursts_mb": base / 1e3,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def measure(repeat: int) -> dict[str, float]:
    """Both cases, the least of some rounds."""
    least: dict[str, float] = {}
    for name, swaths, along, posting in (("burst_40m", 1, 1, 40.0), ("pass_80m", 3, 5, 80.0)):
        with tempfile.TemporaryDirectory() as scratch:
            rows, columns = bursts(Path(scratch), swaths, along, posting)
            least[f"{name}_mpixel"] = rows * columns / 1e6
            for _ in range(repeat):
                command = [sys.executable, __file__, "--stage", scratch, "--shape", f"{rows},{columns}"]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                for key, value in json.loads(done.stdout).items():
                    least[f"{name}_{key}"] = min(least.get(f"{name}_{key}", value), value)
    return least


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="what unwrapping costs")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--stage", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--shape", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage:
        rows, columns = (int(n) for n in arguments.shape.split(","))
        print(json.dumps(stage(arguments.stage, (rows, columns))))
        return
    figures = measure(arguments.repeat)
    if arguments.json:
        print(json.dumps({key: round(value, 3) for key, value in figures.items()}, indent=1))
        return
    for key, value in figures.items():
        bound = f"   (wanted: at most {BOUNDS[key]:g})" if key in BOUNDS else ""
        print(f"{key:28}{value:10.2f}{bound}")


if __name__ == "__main__":
    main()
