"""A stand-in for opera-rtc's program: delivers what the real one wrote, or fails as the real one does."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path

import rasterio

FAKES = {
    "copies": "shutil.copytree(RECORDED, out, dirs_exist_ok=True)",
    "fails": "print('RuntimeError: no DEM'); sys.exit(3)",
    "fails late": (
        "print('INFO: reading DEM'); print('RuntimeError: the DEM is upside down')\n"
        "for i in range(101): print(f'\\rRTC progress: {i}%', end='')\n"
        "print(); [print(f'Processing block: {i}') for i in range(60)]; sys.exit(3)"
    ),
    "keeps the DEM": (
        "shutil.copytree(RECORDED, out, dirs_exist_ok=True)\n"
        "shutil.copy(groups['dynamic_ancillary_file_group']['dem_file'], RECORDED.parent / 'given.tif')"
    ),
    "hangs": "time.sleep(60)",
    "writes nothing": "pass",
    "writes half": (
        "shutil.copytree(RECORDED, out, dirs_exist_ok=True)\n"
        "for f in out.glob('*_VV.tif'): f.write_bytes(f.read_bytes()[:5000])"
    ),
    "writes a wrong grid": "shutil.copytree(RECORDED, out, dirs_exist_ok=True)",
}


def fake_opera(tmp_path: Path, recorded: Path, behaviour: str = "copies") -> str:
    """A program that is called as opera-rtc's is and behaves as told; `recorded` holds what the real one wrote."""
    if behaviour == "writes a wrong grid":
        recorded = _moved(recorded, tmp_path / "moved")
    script = tmp_path / "rtc_s1"
    script.write_text(
        f"#!{sys.executable}\nimport pathlib, shutil, sys, time, yaml\n"
        "groups = yaml.safe_load(open(sys.argv[1]))['runconfig']['groups']\n"
        "out = pathlib.Path(groups['product_group']['output_dir']) / groups['input_file_group']['burst_id'][0]\n"
        "kind = 'static' if 'STATIC' in groups['primary_executable']['product_type'] else 'rtc'\n"
        f"RECORDED = pathlib.Path({str(recorded)!r}) / kind\n{FAKES[behaviour]}\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)


def _moved(recorded: Path, folder: Path) -> Path:
    """A copy whose layers lie a pixel farther east; made here, as the program's own start must stay quick."""
    shutil.copytree(recorded / "rtc", folder / "rtc")
    for file in (folder / "rtc").glob("*.tif"):
        file.chmod(0o644)
        with rasterio.open(file, "r+") as layer:
            layer.transform = layer.transform @ layer.transform.translation(1, 0)
    return folder
