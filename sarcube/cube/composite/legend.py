"""A legend as a PNG: colours and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sarcube.cube.composite.picture import LegendEntry

_ROW, _PAD, _PATCH = 26, 10, 30


def write_legend(path: Path, title: str, entries: Sequence[LegendEntry]) -> Path:
    """Write the legend."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(14)
    probe = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    widest = max(probe.textlength(text, font=font) for text in (title, *(e.text for e in entries)))
    width = int(widest) + _PATCH + 4 * _PAD
    picture = Image.new("RGB", (width, _ROW * (len(entries) + 1) + 2 * _PAD), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    draw.text((_PAD, _PAD), title, fill=(0, 0, 0), font=font)
    for k, entry in enumerate(entries, 1):
        top = _PAD + k * _ROW
        draw.rectangle((_PAD, top, _PAD + _PATCH, top + _ROW - 8), fill=entry.colour, outline=(128, 128, 128))
        draw.text((2 * _PAD + _PATCH, top), entry.text, fill=(0, 0, 0), font=font)
    picture.save(path)
    return path
