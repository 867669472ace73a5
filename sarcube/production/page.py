"""Self-contained HTML: one file without a script or style from elsewhere, with a map of bursts as inline SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STYLE = """
.sarcube{font:14px/1.45 system-ui,sans-serif;color:#1c2430;max-width:70rem}
.sarcube h1{font-size:1.4rem;margin:.2rem 0 .8rem}.sarcube h2{font-size:1.05rem;margin:1.4rem 0 .4rem}
.sarcube table{border-collapse:collapse;margin:.3rem 0}
.sarcube th,.sarcube td{border-bottom:1px solid #d9dee5;padding:.2rem .7rem .2rem 0;text-align:left;vertical-align:top}
.sarcube td.n,.sarcube th.n{text-align:right;font-variant-numeric:tabular-nums}
.sarcube svg{background:#eef3f7;border:1px solid #d9dee5;max-width:100%;height:auto}
.sarcube pre{background:#f5f7f9;padding:.6rem;overflow:auto;font-size:12px}
.sarcube figure{display:inline-block;margin:.3rem .6rem .3rem 0;vertical-align:top}
.sarcube figure img{max-width:220px;max-height:220px;background:#000}
.sarcube figcaption{font-size:11px;color:#56616f}
"""
COLOURS = {"done": "#2f855a", "partly": "#d69e2e", "to do": "#3182ce", "failed": "#c53030"}
MAX_SHAPES = 5000  # more make a page that browsers choke on
_WIDTH = 760.0


@dataclass(frozen=True)
class Shape:
    """One burst on the map: its ring (longitude, latitude in degrees), a state of COLOURS, and a tooltip."""

    ring: Sequence[tuple[float, float]]
    state: str
    title: str


def page(title: str, body: str) -> str:
    """A whole page around a body."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>body{{margin:1.5rem}}{STYLE}</style></head><body>{wrap(title, body)}</body></html>\n"
    )


def wrap(title: str, body: str, *, style: bool = False) -> str:
    """The same as a fragment, for a notebook."""
    css = f"<style>{STYLE}</style>" if style else ""
    return f'{css}<div class="sarcube"><h1>{html.escape(title)}</h1>{body}</div>'


def html_table(header: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> str:
    """A table; columns in `numbers` are set to the right."""

    def cells(tag: str, values: Sequence[object]) -> str:
        return "".join(
            f"<{tag}{' class=n' if i in numbers else ''}>{html.escape(str(v))}</{tag}>" for i, v in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', header)}</tr></thead><tbody>{body}</tbody></table>"


def burst_map(shapes: Sequence[Shape]) -> str:
    """Bursts as SVG, equirectangular about their middle latitude, with a graticule and a legend."""
    if not shapes:
        return "<p>no burst</p>"
    shown = shapes[:MAX_SHAPES]
    lon0 = shown[0].ring[0][0]
    # Rings may run beyond 180 degrees, each on its own branch: bring all near the first.
    rings = [[(lon0 + (x - lon0 + 180.0) % 360.0 - 180.0, y) for x, y in _unbroken(s.ring)] for s in shown]
    xs, ys = [p[0] for r in rings for p in r], [p[1] for r in rings for p in r]
    pad = max(max(xs) - min(xs), max(ys) - min(ys), 0.1) * 0.06
    west, east = min(xs) - pad, max(xs) + pad
    south, north = max(min(ys) - pad, -90.0), min(max(ys) + pad, 90.0)
    squeeze = max(math.cos(math.radians((south + north) / 2.0)), 0.05)
    scale = _WIDTH / ((east - west) * squeeze)
    height = min((north - south) * scale, 900.0)
    kx, ky = _WIDTH / (east - west), height / (north - south)

    def at(x: float, y: float) -> str:
        return f"{(x - west) * kx:.1f},{(north - y) * ky:.1f}"

    step = _step(max(east - west, north - south))
    lines = []
    for i in range(math.ceil(west / step), math.floor(east / step) + 1):
        x = (i * step - west) * kx
        label = (i * step + 180.0) % 360.0 - 180.0
        lines.append(
            f'<path d="M{x:.1f} 0V{height:.1f}"/>'
            f'<text stroke="none" x="{x + 2:.1f}" y="{height - 3:.1f}">{label:g}°</text>'
        )
    for i in range(math.ceil(south / step), math.floor(north / step) + 1):
        y = (north - i * step) * ky
        lines.append(
            f'<path d="M0 {y:.1f}H{_WIDTH:.0f}"/><text stroke="none" x="2" y="{y - 2:.1f}">{i * step:g}°</text>'
        )
    polygons = "".join(
        f'<polygon points="{" ".join(at(x, y) for x, y in ring)}" fill="{COLOURS[s.state]}">'
        f"<title>{html.escape(s.title)}</title></polygon>"
        for s, ring in zip(shown, rings, strict=True)
    )
    states = [state for state in COLOURS if any(s.state == state for s in shapes)]
    legend = " ".join(f'<span style="color:{COLOURS[s]}">&#9632;</span> {s}' for s in states)
    rest = f" ({len(shapes) - MAX_SHAPES} more bursts not drawn)" if len(shapes) > MAX_SHAPES else ""
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {height:.0f}" width="{_WIDTH:.0f}" xmlns="http://www.w3.org/2000/svg">'
        f'<g stroke="#c4ced9" stroke-width=".6" fill="#7a8797" font-size="10">'
        f"{''.join(lines)}</g>"
        f'<g stroke="#1c2430" stroke-width=".7" fill-opacity=".4">{polygons}</g></svg><p>{legend}{rest}</p>'
    )


def _unbroken(ring: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    first = ring[0][0]
    return [(first + (x - first + 180.0) % 360.0 - 180.0, y) for x, y in ring]


def _step(span: float) -> float:
    raw = span / 6.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw)


def size_text(number: float) -> str:
    """Bytes in the unit that reads best."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000.0:
            return f"{number:.3g} {unit}" if number else "0 B"
        number /= 1000.0
    return f"{number:.3g} PB"


def time_text(seconds: float) -> str:
    """A span of time as people say it."""
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    if seconds < 5400.0:
        return f"{seconds / 60.0:.0f} min"
    if seconds < 172_800.0:
        return f"{seconds / 3600.0:.1f} h"
    return f"{seconds / 86_400.0:.1f} days"
