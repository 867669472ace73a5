"""HTML for notebooks and reports: tables and a map of places, without script, style or picture from elsewhere.

Text takes the colour of what is around it, and lines are half transparent: so it reads in light and in dark themes.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sarcube.text_file import write_text

Ring = Sequence[tuple[float, float]]  # longitude, latitude in degrees; may run beyond 180

STYLE = """
.sarcube{font:14px/1.45 system-ui,sans-serif;color:inherit;max-width:70rem}
.sarcube h1{font-size:1.15rem;margin:.2rem 0 .5rem}.sarcube h2{font-size:1.05rem;margin:1.2rem 0 .4rem}
.sarcube table{border-collapse:collapse;margin:.3rem 0;color:inherit;background:none}
.sarcube th,.sarcube td{border:0;border-bottom:1px solid rgba(128,140,155,.35);padding:.2rem .9rem .2rem 0;
text-align:left;vertical-align:top;background:none;color:inherit}
.sarcube td.n,.sarcube th.n{text-align:right;font-variant-numeric:tabular-nums}
.sarcube svg{background:rgba(128,150,170,.12);border:1px solid rgba(128,140,155,.35);max-width:100%;height:auto}
.sarcube svg text{fill:currentColor;opacity:.65}
.sarcube pre{background:rgba(128,140,155,.12);color:inherit;padding:.6rem;overflow:auto;font-size:12px}
.sarcube figure{display:inline-block;margin:.3rem .6rem .3rem 0;vertical-align:top}
.sarcube figure img{max-width:220px;max-height:220px;background:#000}
.sarcube figcaption,.sarcube .soft{font-size:12px;opacity:.7}
"""
COLOURS = {"done": "#38a169", "partly": "#d69e2e", "to do": "#4299e1", "failed": "#e53e3e"}
COLOURS |= {"chosen": "#4299e1", "left out": "#a0aec0"}  # before there is a plan
MAX_SHAPES = 5000  # more make a page that browsers choke on
_WIDTH, _HEIGHT = 560.0, 420.0
_LETTER = 6.0  # pixels that a letter of a name takes


@dataclass(frozen=True)
class Shape:
    """One place on the map: its ring (longitude, latitude in degrees), a state of COLOURS, and a tooltip."""

    ring: Ring
    state: str
    title: str


@dataclass(frozen=True)
class PlaceMap:
    """A map of places, shown by a notebook as it is; needs no network.

    Attributes
    ----------
    title : str
    shapes : tuple of Shape
    areas : tuple of rings
        Outlines of the area of interest.
    """

    title: str
    shapes: tuple[Shape, ...]
    areas: tuple[Ring, ...] = ()

    def _repr_html_(self) -> str:
        return wrap(self.title, place_map(self.shapes, self.areas), style=True)

    def save(self, path: str | Path) -> Path:
        """Write a page of its own."""
        return write_text(path, page(self.title, place_map(self.shapes, self.areas)))

    def on_streets(self) -> object:
        """The same over OpenStreetMap: a `folium.Map`, to move and zoom. Needs folium, and the network when looked at.

        Raises
        ------
        ImportError
            folium is not installed (`pip install "sarcube[notebooks]"`).
        """
        import folium

        chart = folium.Map()
        for shape in self.shapes:
            points = [(lat, lon) for lon, lat in shape.ring]
            folium.Polygon(points, color=COLOURS[shape.state], fill=True, tooltip=shape.title).add_to(chart)
        for ring in self.areas:
            points = [(lat, lon) for lon, lat in ring]
            folium.Polygon(points, color="#000", dash_array="6", fill=False).add_to(chart)
        corners = [(lat, lon) for ring in (*(s.ring for s in self.shapes), *self.areas) for lon, lat in ring]
        if corners:
            lats, lons = zip(*corners, strict=True)
            chart.fit_bounds([(min(lats), min(lons)), (max(lats), max(lons))])
        return chart


def page(title: str, body: str) -> str:
    """A whole page around a body."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>:root{{color-scheme:light dark}}body{{margin:1.5rem}}{STYLE}</style></head>"
        f"<body>{wrap(title, body)}</body></html>\n"
    )


def wrap(title: str, body: str, *, style: bool = False) -> str:
    """The same as a fragment, for a notebook."""
    css = f"<style>{STYLE}</style>" if style else ""
    return f'{css}<div class="sarcube"><h1>{html.escape(title)}</h1>{body}</div>'


def card(title: str, rows: Iterable[tuple[str, object]], chart: str = "") -> str:
    """A fragment with a title, a table of facts (what is empty is left out) and perhaps a map."""
    kept = [(name, value) for name, value in rows if value not in (None, "", ())]
    return wrap(title, html_table((), kept) + chart, style=True)


def html_table(header: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()) -> str:
    """A table; columns in `numbers` are set to the right."""

    def cells(tag: str, values: Sequence[object]) -> str:
        return "".join(
            f"<{tag}{' class=n' if i in numbers else ''}>{html.escape(str(v))}</{tag}>" for i, v in enumerate(values)
        )

    head = f"<thead><tr>{cells('th', header)}</tr></thead>" if any(header) else ""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table>{head}<tbody>{body}</tbody></table>"


def place_map(shapes: Sequence[Shape], areas: Sequence[Ring] = (), *, legend: bool = True) -> str:
    """Places as SVG, equirectangular about their middle latitude, with a graticule and a legend."""
    if not shapes:
        return "<p>no place</p>"
    shown = shapes[:MAX_SHAPES]
    lon0 = shown[0].ring[0][0]
    # Rings may run beyond 180 degrees, each on its own branch: bring all near the first.
    rings = [[(_near(x, lon0), y) for x, y in _unbroken(s.ring)] for s in shown]
    outlines = [[(_near(x, lon0), y) for x, y in _unbroken(ring)] for ring in areas]
    frame = _Frame([p for ring in rings for p in ring])
    polygons = "".join(
        f'<polygon points="{frame.points(ring)}" fill="{COLOURS[s.state]}"><title>{html.escape(s.title)}</title>'
        "</polygon>"
        for s, ring in zip(shown, rings, strict=True)
    )
    names = "".join(frame.name(s.title.partition(":")[0], ring) for s, ring in zip(shown, rings, strict=True))
    dashed = "".join(f'<polyline points="{frame.points(ring)}"/>' for ring in outlines)
    states = [state for state in COLOURS if any(s.state == state for s in shapes)]
    words = " ".join(f'<span style="color:{COLOURS[s]}">&#9632;</span> {s}' for s in states)
    if areas:
        words += " <span>&#9476;</span> area of interest"
    rest = f" ({len(shapes) - MAX_SHAPES} more places not drawn)" if len(shapes) > MAX_SHAPES else ""
    return (
        f'<svg viewBox="0 0 {frame.width:.0f} {frame.height:.0f}" width="{frame.width:.0f}" '
        'xmlns="http://www.w3.org/2000/svg">'
        f'<g stroke="rgba(128,140,155,.5)" stroke-width=".7" font-size="10">{frame.graticule()}</g>'
        f'<g stroke="currentColor" stroke-width=".7" fill-opacity=".45">{polygons}</g>'
        f'<g stroke="currentColor" stroke-width="1.6" stroke-dasharray="5 4" fill="none">{dashed}</g>'
        f'<g fill="currentColor" font-size="10" text-anchor="middle">{names}</g></svg>'
        + (f'<p class="soft">{words}{rest}</p>' if legend else "")
    )


class _Frame:
    """What of the Earth a map shows, and where on it a place lies."""

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        pad = max(max(xs) - min(xs), max(ys) - min(ys), 0.1) * 0.06
        self.west, self.east = min(xs) - pad, max(xs) + pad
        self.south, self.north = max(min(ys) - pad, -90.0), min(max(ys) + pad, 90.0)
        squeeze = max(math.cos(math.radians((self.south + self.north) / 2.0)), 0.05)
        across, along = (self.east - self.west) * squeeze, self.north - self.south
        scale = min(_WIDTH / across, _HEIGHT / along)
        self.width, self.height = across * scale, along * scale
        self._kx, self._ky = scale * squeeze, scale

    def points(self, ring: Ring) -> str:
        """A ring as SVG has it."""
        return " ".join(f"{(x - self.west) * self._kx:.1f},{(self.north - y) * self._ky:.1f}" for x, y in ring)

    def name(self, text: str, ring: Ring) -> str:
        """The name of a place in the middle of its ring, where it has room; else its tooltip tells it."""
        xs, ys = [(x - self.west) * self._kx for x, _ in ring], [(self.north - y) * self._ky for _, y in ring]
        if max(xs) - min(xs) < _LETTER * len(text) or max(ys) - min(ys) < 2 * _LETTER:
            return ""
        x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
        return f'<text x="{x:.1f}" y="{y + 3:.1f}">{html.escape(text)}</text>'

    def graticule(self) -> str:
        """Meridians and parallels at round degrees, with their names."""
        step = _step(max(self.east - self.west, self.north - self.south))
        lines = []
        for i in range(math.ceil(self.west / step), math.floor(self.east / step) + 1):
            x = (i * step - self.west) * self._kx
            label = (i * step + 180.0) % 360.0 - 180.0
            lines.append(
                f'<path d="M{x:.1f} 0V{self.height:.1f}"/>'
                f'<text stroke="none" x="{x + 2:.1f}" y="{self.height - 3:.1f}">{label:g}°</text>'
            )
        for i in range(math.ceil(self.south / step), math.floor(self.north / step) + 1):
            y = (self.north - i * step) * self._ky
            lines.append(
                f'<path d="M0 {y:.1f}H{self.width:.0f}"/><text stroke="none" x="2" y="{y - 2:.1f}">{i * step:g}°</text>'
            )
        return "".join(lines)


def _near(lon: float, lon0: float) -> float:
    return lon0 + (lon - lon0 + 180.0) % 360.0 - 180.0


def _unbroken(ring: Ring) -> list[tuple[float, float]]:
    first = ring[0][0]
    return [(_near(x, first), y) for x, y in ring]


def _step(span: float) -> float:
    raw = span / 6.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw)
