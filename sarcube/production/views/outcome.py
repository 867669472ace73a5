"""An outcome for people: in a notebook."""

from __future__ import annotations

import html
import shlex
from pathlib import Path

from sarcube.html import html_table, place_map, wrap
from sarcube.production.run.outcome import Outcome
from sarcube.production.views.page import said_html

REPORT = "report.html"
_FAILURES = 20  # shown where people read


def notebook(outcome: Outcome) -> str:
    """The sentence, the map, what failed and why."""
    parts = [f"<p>{html.escape(str(outcome))}</p>", place_map(outcome.shapes) if outcome.shapes else ""]
    bad = (*outcome.failed, *outcome.blocked)
    if bad:
        rows = [(f.key, f.error, f.message) for f in bad[:_FAILURES]]
        parts.append(html_table(("task", "error", "why"), rows))
    parts.append(said_html("Warnings", outcome.warnings))
    if outcome.record:
        parts.append(f'<p class="soft">report: {html.escape(outcome.record)}/{REPORT}</p>')
    parts.append(f'<p class="soft">next: <code>{html.escape(next_call(outcome))}</code></p>')
    return wrap("Run", "".join(parts), style=True)


def told(outcome: Outcome) -> str:
    """How it went, the report, and what one does with it next in Python."""
    report = f"\nreport: {outcome.record}/{REPORT}" if outcome.record else ""
    return f"Outcome: {outcome}{report}\nnext: {next_call(outcome)}"


def next_call(outcome: Outcome) -> str:
    """What one calls next."""
    if outcome.impossible:
        return "outcome.problems tells what has to be changed"
    if outcome.failed or outcome.blocked:
        return "outcome.failed tells why; sarcube.produce(sarcube.plan(run)) tries these again"
    if not outcome.ok:
        return "sarcube.produce(sarcube.plan(run)) goes on"
    store = outcome.record.rpartition("/runs/")[0]
    return f"cube = sarcube.open_cube({store!r})" if store else "cube = sarcube.open_cube(store)"


def next_step(outcome: Outcome, store: str, run: str = "") -> str:
    """The command that is of use after a run, as one types it.

    Parameters
    ----------
    outcome : Outcome
    store : str
    run : str
        The run file, empty where there is none.
    """
    place = shlex.quote(run or store)
    if outcome.impossible:
        return f"sarcube plan {place}" if run else ""
    if outcome.failed or outcome.blocked:
        return f"sarcube status {place}"
    if run and (outcome.cancelled or outcome.stopped or outcome.left or outcome.unfinished):
        return f"sarcube run {place}"
    return f"sarcube view {shlex.quote(_from_here(store))}"


def _from_here(store: str) -> str:
    """A folder below the working one without the way there."""
    path = Path(store)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else store
