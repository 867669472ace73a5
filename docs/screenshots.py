"""Takes the pictures of the viewer: python docs/screenshots.py STORE [LON,LAT]. Needs Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from sarcube.cube.viewer import ViewerOptions, open_viewer

IMAGES = Path(__file__).resolve().parent / "images"
WIDTH, MOST_BYTES = 880, 148_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def screenshot(url: str, path: Path, size: tuple[int, int] = (1100, 680)) -> None:
    """What a headless browser shows of an address after it has come to rest."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"needs one of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={profile}", "--virtual-time-budget=10000",
            f"--window-size={size[0]},{size[1]}", f"--screenshot={path}", url,
        ]  # fmt: skip
        subprocess.run(command, check=True, timeout=120, capture_output=True)


def main(store: str, place: str = "8.2,48.0") -> None:
    """Light and dark, the composite and the mask."""
    lon, lat = (float(v) for v in place.split(","))
    spot = f"at={lon + 0.02},{lat + 0.012}"
    views = {
        "viewer": f"layer=VV&low=-18&high=-4&pass=1&map=12/{lon + 0.05}/{lat}&{spot}&theme=light",
        "viewer-dark": f"layer=colour&low=-18&high=-4&pass=2&map=12/{lon + 0.05}/{lat}&{spot}&theme=dark",
    }
    folder = Path(store).resolve()
    os.chdir(folder.parent)
    with open_viewer(folder.name, ViewerOptions(port=0)) as viewer:
        for name, view in views.items():
            path = IMAGES / f"{name}.png"
            screenshot(f"{viewer.url}#{view}", path)
            picture = Image.open(path).convert("RGB")
            # Smaller and of few colours: speckle does not compress.
            picture = picture.resize((WIDTH, WIDTH * picture.height // picture.width), Image.Resampling.LANCZOS)
            for colours in (256, 128, 96, 64):
                # By coverage, or the greys of speckle leave no place for the colours of lines and words.
                picture.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                    path, optimize=True
                )
                if path.stat().st_size < MOST_BYTES:
                    break
            print(path, path.stat().st_size)


if __name__ == "__main__":
    main(*sys.argv[1:])
