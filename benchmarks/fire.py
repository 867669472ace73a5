"""Active fires of a whole granule of SLSTR: CPU time and memory of everything, and of its parts.

    python benchmarks/fire.py --json

The granule is simulated at full size: 1200 x 1500 pixels of 1 km, 2400 x 3000 of 500 m, 400 fires, desert, glint,
clouds. Everything is measured in a process of its own.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.apart import apart

SHAPE, FIRES = (1200, 1500), 400
WANTED = {"cpu_s": 20.0, "memory_gb": 2.0}


def whole(granule: Path) -> dict[str, float]:
    """From the granule to all files, by the command's own function."""
    from sarcube.engines.fire.detect import find_fires
    from sarcube.engines.fire.options import ContextualOptions
    from sarcube.sensors.sentinel3.granule import open_granule
    from sarcube.workflows.active_fire.inputs import fire_scene
    from sarcube.workflows.active_fire.products import make_fires

    with tempfile.TemporaryDirectory() as folder:
        made = make_fires(granule, folder, None)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found = {"cpu_s": usage.ru_utime + usage.ru_stime, "memory_gb": usage.ru_maxrss / 1e6}
    begun = time.process_time()
    scene = fire_scene(open_granule(granule))
    read = time.process_time()
    find_fires(scene, ContextualOptions())
    found |= {"read_cpu_s": read - begun, "detect_cpu_s": time.process_time() - read}
    return {"hotspots": float(len(made.hotspots))} | {name: round(value, 2) for name, value in found.items()}


def simulate(folder: Path) -> None:
    """A granule of full size."""
    from sarcube.simulate.slstr import SlstrOptions, simulate_slstr

    simulate_slstr(folder, SlstrOptions(shape=SHAPE, fires=FIRES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--granule", type=Path, help="SEN3 folder or zip; default: one is simulated")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inner:
        print(json.dumps(whole(given.granule)))
        return
    with tempfile.TemporaryDirectory() as folder:
        granule = given.granule
        if granule is None:
            apart(simulate, Path(folder))
            (granule,) = Path(folder).glob("*.SEN3")
        call = [sys.executable, __file__, "--inner", "--granule", str(granule)]
        best = min(
            (json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout) for _ in range(3)),
            key=lambda one: float(one["cpu_s"]),
        )
    best |= {"holds": all(best[name] <= bound for name, bound in WANTED.items())}
    if given.json:
        print(json.dumps(best))
    else:
        print("\n".join(f"{name}: {value}" for name, value in best.items()))


if __name__ == "__main__":
    main()
