"""A status for people."""

from __future__ import annotations

import html
import io

from sarcube.html import wrap
from sarcube.production.said import counted
from sarcube.production.status import Status
from sarcube.words import several, terminal_width

_DAYS = 6
_ROWS = 200
_KEYS = 10


def table(found: Status) -> str:
    """The status as text for a terminal."""
    from rich.console import Console
    from rich.table import Table

    out = io.StringIO()
    console = Console(file=out, width=terminal_width(), force_terminal=False, markup=False, emoji=False)
    grid = Table(box=None, pad_edge=False)
    for name in ("place", "made once", "dates present", "dates missing", "which"):
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
        text = f"{several(found.present, 'product')} of {several(len(found.places), 'place')}"
    else:
        share = 100.0 * found.present / found.expected if found.expected else 100.0
        text = f"{found.present} of {several(found.expected, 'product')}, {share:.1f} % complete"
    if found.failures:
        text += f", {len(found.failures)} failed"
    if found.problems:
        text += f", {several(len(found.problems), 'problem')}"
    return text + (f", {len(found.lost)} without files" if found.lost else "")


def told(found: Status) -> str:
    """The status in one sentence, and what one does with it next in Python."""
    return f"Status: {headline(found)}\nnext: {next_call(found)}"


def next_call(found: Status) -> str:
    """What one calls next."""
    if found.lost:
        return "status.lost names what lacks files; sarcube.plan(run, remake=True) makes it again"
    if found.failures:
        return "status.failures tells why; sarcube.produce(sarcube.plan(run)) tries these again"
    if found.expected is not None and not found.complete:
        return "sarcube.produce(sarcube.plan(run)) makes what is missing"
    return f"cube = sarcube.open_cube({found.store!r})"


def notebook(found: Status) -> str:
    """The table as it is, where a notebook shows it."""
    call = f'<p class="soft">next: <code>{html.escape(next_call(found))}</code></p>'
    return wrap("Status", f"<pre>{html.escape(table(found))}</pre>{call}", style=True)
