"""A status for people."""

from __future__ import annotations

import html
import io

from sarcube.html import wrap
from sarcube.production.said import counted
from sarcube.production.status import Status
from sarcube.words import terminal_width

_DAYS = 6
_ROWS = 200
_KEYS = 10


def table(found: Status) -> str:
    """The status as text for a terminal."""
    from rich.console import Console
    from rich.table import Table

    out = io.StringIO()
    console = Console(file=out, width=terminal_width(), force_terminal=False)
    grid = Table(box=None, pad_edge=False)
    for name in ("place", "once", "dates present", "dates missing", "which"):
        least = 15 if name == "place" else None
        grid.add_column(
            name, justify="right" if name.startswith("dates") else "left", no_wrap=name == "place", min_width=least
        )
    for place in found.places[:_ROWS]:
        missing = (*place.lacking, *place.missing)
        named = ", ".join(missing[:_DAYS]) + (", ..." if len(missing) > _DAYS else "")
        once = ", ".join(place.once) or "-"
        grid.add_row(place.place, once, str(len(place.present)), str(len(place.missing)), named)
    console.print(grid)
    if len(found.places) > _ROWS:
        console.print(f"... and {len(found.places) - _ROWS} more (--json lists all)")
    lines = [f"problem: {said}" for said in counted((p.subject, p.message) for p in found.problems)]
    lines += [f"warning: {said}" for said in found.warnings]
    lines += [f"failed: {f.task} (run {f.run}): {f.cause}" for f in found.failures]
    for keys, what in (
        (found.lost, "files are missing; make it again (--make-existing-products)"),
        (found.unindexed, "not found by queries as it is; run again, or sarcube clean --yes"),
        (found.stale, "left by a killed attempt (sarcube clean)"),
        (found.writing, "being written"),
        (found.foreign, "not written by sarcube"),
    ):
        lines += [f"{what}: {key}" for key in keys[:_KEYS]]
        if len(keys) > _KEYS:
            lines.append(f"{what}: {len(keys) - _KEYS} more")
    lines.append(headline(found))
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return out.getvalue().rstrip()


def headline(found: Status) -> str:
    """The status in one sentence."""
    if found.expected is None:
        text = f"{found.present} products of {len(found.places)} places"
    else:
        share = 100.0 * found.present / found.expected if found.expected else 100.0
        text = f"{found.present} of {found.expected} products, {share:.1f} % complete"
    counts = ((len(found.failures), "failed"), (len(found.problems), "problems"), (len(found.lost), "without files"))
    for number, what in counts:
        if number:
            text += f", {number} {what}"
    return text


def notebook(found: Status) -> str:
    """The table as it is, where a notebook shows it."""
    return wrap("Status", f"<pre>{html.escape(table(found))}</pre>", style=True)
