"""The report of a run: one HTML file with a map, quick-looks, timings and failures."""

from __future__ import annotations

import base64
import html
import io
from collections import Counter, defaultdict

from PIL import Image

from sarcube.errors import SarcubeError
from sarcube.html import Shape, html_table, page, place_map
from sarcube.jsons import JsonObject
from sarcube.production.plan.value import Plan
from sarcube.production.said import Said
from sarcube.production.views.page import areas, outcome_shapes, said_html
from sarcube.store.protocol import Store
from sarcube.words import size_text, time_text

_PICTURES = 12
_PICTURE_SIDE = 640  # pixels
_FAILURES = 500
_SLOWEST = 20


def report_html(
    store: Store, plan: Plan, lines: list[JsonObject], summary: JsonObject, versions: dict[str, str]
) -> str:
    """The page, from what the run wrote into the store: the lines of its record, and its summary."""
    ends = {line["task"]: line for line in lines if line["outcome"] != "retry"}
    parts = [
        f"<p>{html.escape(summary['outcome'])}</p>",
        html_table(("", ""), _facts(summary, versions)),
        "<h2>Places</h2>",
        place_map(_shapes(plan, ends), areas(plan.config.aoi)),
        _failures(plan, ends),
        said_html("Warnings", [Said(**said) for said in summary["warnings"]]),
        "<h2>Timings</h2>",
        _timings(ends),
        _pictures(store, ends),
        "<h2>Configuration</h2>",
        f"<pre>{html.escape(plan.config.to_yaml())}</pre>",
    ]
    return page(f"Run {summary['id']}", "".join(parts))


def _facts(summary: JsonObject, versions: dict[str, str]) -> list[tuple[str, str]]:
    return [
        ("ended", summary["ended"]),
        ("workflow", summary["variant"]),
        ("wall time", time_text(summary["seconds"])),
        ("written", size_text(summary["bytes_out"])),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions.items())),
    ]


def _shapes(plan: Plan, ends: dict[str, JsonObject]) -> tuple[Shape, ...]:
    done: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for line in ends.values():
        if line["outcome"] in ("done", "failed", "blocked"):
            (done if line["outcome"] == "done" else bad)[line["place"]] += 1
    return outcome_shapes(plan, done, bad)


def _failures(plan: Plan, ends: dict[str, JsonObject]) -> str:
    bad = [line for line in ends.values() if line["outcome"] in ("failed", "blocked")]
    rows: list[tuple[object, ...]] = [(p.subject, "problem of the plan", "", p.message) for p in plan.problems]
    rows += [
        (line["task"], line["outcome"], line.get("attempt", ""), line.get("message") or line.get("cause", ""))
        for line in bad[:_FAILURES]
    ]
    if not rows:
        return "<h2>Failures</h2><p>none</p>"
    traces = "".join(
        f"<h2>{html.escape(line['task'])}</h2><pre>{html.escape(line['trace'])}</pre>"
        for line in bad[:20]
        if line.get("trace")
    )
    return f"<h2>Failures ({len(rows)})</h2>" + html_table(("task", "what", "attempts", "cause"), rows) + traces


def _timings(ends: dict[str, JsonObject]) -> str:
    kinds: defaultdict[str, list[JsonObject]] = defaultdict(list)
    for line in ends.values():
        if line["outcome"] == "done" and "seconds" in line:
            kinds[line["kind"]].append(line)
    if not kinds:
        return "<p>no task was done</p>"
    rows = []
    for kind, lines in sorted(kinds.items()):
        seconds = sorted(line["seconds"] for line in lines)
        rows.append(
            (
                kind,
                len(lines),
                f"{seconds[len(seconds) // 2]:.2f}",
                f"{seconds[-1]:.2f}",
                f"{sum(line.get('cpu_s', 0.0) for line in lines):.1f}",
                f"{max(line.get('peak_mb', 0.0) for line in lines):.0f}",
                _stages(lines),
            )
        )
    slow = sorted((x for lines in kinds.values() for x in lines), key=lambda x: -x["seconds"])[:_SLOWEST]
    header = ("kind", "tasks", "median s", "longest s", "CPU s", "peak MB", "mean seconds per stage")
    return (
        html_table(header, rows, (1, 2, 3, 4, 5))
        + "<h2>Slowest</h2>"
        + html_table(
            ("task", "s", "peak MB", "worker"),
            [(x["task"], f"{x['seconds']:.2f}", f"{x.get('peak_mb', 0):.0f}", x.get("worker", "")) for x in slow],
            (1, 2),
        )
    )


def _stages(lines: list[JsonObject]) -> str:
    sums: defaultdict[str, float] = defaultdict(float)
    for line in lines:
        for stage, seconds in line.get("stages", {}).items():
            sums[stage] += seconds
    return ", ".join(f"{stage} {total / len(lines):.2f}" for stage, total in sums.items())


def _pictures(store: Store, ends: dict[str, JsonObject]) -> str:
    named = [line for line in ends.values() if line.get("thumbnail")]
    step = max(1, len(named) // _PICTURES)
    figures = []
    for line in named[::step][:_PICTURES]:
        try:
            image = base64.b64encode(_small(store.read_bytes(line["thumbnail"]))).decode()
        except (SarcubeError, OSError, ValueError, Image.DecompressionBombError):
            continue  # a quick-look is not worth the report
        caption = html.escape(f"{line['place']} {line['day']}")
        figures.append(
            f'<figure><img alt="{caption}" src="data:image/webp;base64,{image}"><figcaption>{caption}</figcaption>'
            "</figure>"
        )
    left = f" ({len(figures)} of {len(named)})" if len(named) > len(figures) else ""
    return f"<h2>Quick-looks{left}</h2>" + "".join(figures) if figures else ""


def _small(data: bytes) -> bytes:
    """A picture as small as a report needs it, transparent where it was."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(data)) as picture:
        picture.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
        picture.convert("RGBA").save(out, "WEBP", quality=80)
    return out.getvalue()
