"""An outcome for people: in a notebook."""

from __future__ import annotations

import html

from sarcube.html import html_table, place_map, wrap
from sarcube.production.run.outcome import Outcome
from sarcube.production.views.page import said_html

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
        parts.append(f'<p class="soft">record: {html.escape(outcome.record)}</p>')
    return wrap("Run", "".join(parts), style=True)
