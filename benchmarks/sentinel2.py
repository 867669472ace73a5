"""A whole Sentinel-2 tile to COGs: four 10 m bands and the cloud mask, against decoding the same JPEG 2000 alone.

    python benchmarks/sentinel2.py SAFE

The product is one of a whole tile with B02, B03, B04, B08 and SCL; CPU seconds and memory are those of an own process.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BANDS = ("B02", "B03", "B04", "B08")


def floor(safe: str) -> None:
    from sarcube.sensors.sentinel2.images import read_image
    from sarcube.sensors.sentinel2.scene import open_scene

    scene = open_scene(safe)
    for name in BANDS:
        read_image(scene, name, 10)
    read_image(scene, "SCL", 20)


def whole(safe: str) -> None:
    from sarcube.products.cog import write_cog
    from sarcube.sensors.sentinel2.scene import open_scene
    from sarcube.workflows.sentinel2.kinds import S2_ARD
    from sarcube.workflows.sentinel2.process import process
    from sarcube.workflows.sentinel2.section import Sentinel2Section

    scene = open_scene(safe)
    grid = scene.grid(10)
    done = process(scene, grid, Sentinel2Section(bands=BANDS, cloud_mask="l2a", classes=False))
    with tempfile.TemporaryDirectory() as folder:
        for name in list(done.layers):
            write_cog(Path(folder) / f"{name}.tif", done.layers.pop(name), grid, S2_ARD.layer(name))


def main() -> None:
    safe = sys.argv[1]
    if len(sys.argv) > 2:
        {"floor": floor, "whole": whole}[sys.argv[2]](safe)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        print(f"{usage.ru_utime + usage.ru_stime:.1f} {usage.ru_maxrss / 1e6:.2f}")
        return
    found = {}
    for what in ("floor", "whole"):
        begun = time.monotonic()
        run = subprocess.run([sys.executable, __file__, safe, what], capture_output=True, text=True, check=True)
        cpu, memory = map(float, run.stdout.split())
        found[what] = cpu
        print(f"{what}: {cpu:.1f} CPU s, {memory:.2f} GB, {time.monotonic() - begun:.1f} s")
    print(f"ratio {found['whole'] / found['floor']:.2f}")


if __name__ == "__main__":
    main()
