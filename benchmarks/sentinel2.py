"""A whole Sentinel-2 tile to COGs: four 10 m bands and the cloud mask, against decoding the same JPEG 2000 alone.

    python benchmarks/sentinel2.py SAFE --json
    python benchmarks/sentinel2.py SAFE --decoders

The product is one of a whole tile with B02, B03, B04, B08 and SCL; CPU seconds and memory are those of an own process.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
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


def decoder(safe: str, name: str) -> None:
    """One band whole: by rasterio's GDAL at once or tile by tile, or by another decoder from PyPI."""
    import numpy as np
    import rasterio

    (path,) = Path(safe).rglob("*B04_10m.jp2")
    if name == "gdal":
        with rasterio.open(path, driver="JP2OpenJPEG") as data:
            values = data.read(1)
    elif name == "gdal-tiles":
        with rasterio.open(path, driver="JP2OpenJPEG") as data:
            values = np.empty((data.height, data.width), data.dtypes[0])
            for _, w in data.block_windows(1):
                values[w.row_off : w.row_off + w.height, w.col_off : w.col_off + w.width] = data.read(1, window=w)
    elif name == "imagecodecs":
        import imagecodecs

        values = imagecodecs.jpeg2k_decode(path.read_bytes())
    else:
        import openjpeg

        values = openjpeg.decode(path)
    print(int(values.sum(dtype=np.int64)), file=sys.stderr)


DECODERS = {
    "gdal": "rasterio",
    "gdal-tiles": "rasterio",
    "imagecodecs": "imagecodecs",
    "pylibjpeg-openjpeg": "openjpeg",
}


def measured(safe: str, what: str) -> dict[str, float]:
    begun = time.monotonic()
    run = subprocess.run([sys.executable, __file__, safe, "--inner", what], capture_output=True, text=True, check=True)
    cpu, memory = map(float, run.stdout.split())
    return {"cpu_s": cpu, "memory_gb": memory, "wall_s": round(time.monotonic() - begun, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("safe", help="folder of a product")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--decoders", action="store_true", help="one band by each decoder that is installed")
    parser.add_argument("--inner", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inner:
        if given.inner in ("floor", "whole"):
            {"floor": floor, "whole": whole}[given.inner](given.safe)
        else:
            decoder(given.safe, given.inner)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        print(f"{usage.ru_utime + usage.ru_stime:.1f} {usage.ru_maxrss / 1e6:.2f}")
        return
    if given.decoders:
        names = [name for name, module in DECODERS.items() if importlib.util.find_spec(module)]
        found = {name: measured(given.safe, name) for name in names}
    else:
        found = {name: measured(given.safe, name) for name in ("floor", "whole")}
        found["ratio"] = {"cpu": round(found["whole"]["cpu_s"] / found["floor"]["cpu_s"], 2)}
    if given.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name}: {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
