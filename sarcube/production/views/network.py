"""The network of pairs: a table, JSON, and a drawing over time and perpendicular baseline."""

from __future__ import annotations

import datetime as dt
import html
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sarcube.html import page, wrap
from sarcube.text_file import write_text
from sarcube.workflows.network import Connection

if TYPE_CHECKING:
    from rich.table import Table

_ROWS = 200
_WIDTH, _HEIGHT, _MARGIN = 640.0, 320.0, 56.0


@dataclass(frozen=True)
class NetworkPicture:
    """A drawing of connections, one chart per group; shown by a notebook as it is, needs no network.

    Attributes
    ----------
    title : str
    connections : tuple of Connection
    """

    title: str
    connections: tuple[Connection, ...]

    def _repr_html_(self) -> str:
        return wrap(self.title, self.svg() or "<p>no pairs</p>", style=True)

    def save(self, path: str | Path) -> Path:
        """Write a page of its own."""
        return write_text(path, page(self.title, self.svg() or "<p>no pairs</p>"))

    def svg(self) -> str:
        """The charts as SVG."""
        groups: defaultdict[str, list[Connection]] = defaultdict(list)
        for connection in self.connections:
            groups[connection.group].append(connection)
        return "".join(_chart(name, found) for name, found in sorted(groups.items()))


def positions(connections: Sequence[Connection]) -> dict[dt.datetime, float]:
    """Perpendicular baseline of each time against the earliest one that it hangs together with, metres.

    Summed along the connections from time to time; 0 where none is known.
    """
    near: defaultdict[dt.datetime, list[tuple[dt.datetime, float]]] = defaultdict(list)
    for c in connections:
        across = c.perpendicular or 0.0
        near[c.first].append((c.second, across))
        near[c.second].append((c.first, -across))
    found: dict[dt.datetime, float] = {}
    for root in sorted(near):
        waiting = [(root, 0.0)] if root not in found else []
        while waiting:
            time, at = waiting.pop()
            if time not in found:
                found[time] = at
                waiting += [(other, at + across) for other, across in near[time] if other not in found]
    return found


def connection_dict(connection: Connection) -> dict[str, object]:
    """For JSON."""
    return {
        "group": connection.group,
        "first": connection.first.isoformat(),
        "second": connection.second.isoformat(),
        "days": connection.days,
        "perpendicular_baseline": connection.perpendicular,
        "products": connection.units,
    }


def network_table(connections: Sequence[Connection]) -> Table:
    """For a terminal."""
    from rich.table import Table

    grid = Table(box=None, pad_edge=False)
    for name, right in (("pairs of", False), ("first", False), ("second", False), ("days", True), ("B_perp", True)):
        grid.add_column(name, justify="right" if right else "left", no_wrap=True)
    grid.add_column("products", justify="right", no_wrap=True)
    for c in connections[:_ROWS]:
        across = "unknown" if c.perpendicular is None else f"{c.perpendicular:.0f} m"
        grid.add_row(c.group, f"{c.first:%Y-%m-%d}", f"{c.second:%Y-%m-%d}", f"{c.days:g}", across, str(c.units))
    if len(connections) > _ROWS:
        grid.add_row(f"... and {len(connections) - _ROWS} more (--json lists all)")
    return grid


def _chart(name: str, connections: Sequence[Connection]) -> str:
    nodes = positions(connections)
    first, last = min(nodes), max(nodes)
    low, high = min(nodes.values()), max(nodes.values())
    if high - low < 1.0:
        low, high = low - 10.0, high + 10.0
    span = max((last - first).total_seconds(), 1.0)

    def at(time: dt.datetime) -> tuple[float, float]:
        x = _MARGIN + (time - first).total_seconds() / span * (_WIDTH - 2 * _MARGIN)
        return x, _MARGIN + (high - nodes[time]) / (high - low) * (_HEIGHT - 2 * _MARGIN)

    parts = []
    for c in connections:
        (x0, y0), (x1, y1) = at(c.first), at(c.second)
        across = "baseline unknown" if c.perpendicular is None else f"{c.perpendicular:.0f} m"
        text = f"{c.first:%Y-%m-%d} {c.second:%Y-%m-%d}: {c.days:g} days, {across}, {c.units} products"
        parts.append(
            f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="#4299e1" stroke-width="1.6">'
            f"<title>{html.escape(text)}</title></line>"
        )
    for time in sorted(nodes):
        x, y = at(time)
        text = f"{time:%Y-%m-%d}: {nodes[time]:.0f} m"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#2b6cb0"><title>{text}</title></circle>')
    labels = [
        (_MARGIN, _HEIGHT - 16, "middle", f"{first:%Y-%m-%d}"),
        (_WIDTH - _MARGIN, _HEIGHT - 16, "middle", f"{last:%Y-%m-%d}"),
        (_MARGIN - 10, _MARGIN + 4, "end", f"{high:.0f} m"),
        (_MARGIN - 10, _HEIGHT - _MARGIN + 4, "end", f"{low:.0f} m"),
        (_WIDTH / 2, 22, "middle", f"{name}: perpendicular baseline over time, {len(connections)} pairs"),
    ]
    parts += [
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="12">{html.escape(text)}</text>'
        for x, y, anchor, text in labels
    ]
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}" role="img" '
        f'aria-label="{html.escape(name)}">{"".join(parts)}</svg>'
    )
