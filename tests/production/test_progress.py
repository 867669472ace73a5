"""What is shown while a run goes on."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from sarcube.production.plan.value import Plan
from sarcube.production.run.events import Counts, Event, TaskResult
from sarcube.production.run.produce import produce
from sarcube.production.views.progress import counts_text, show_progress

FIRST = "REHEARSAL/t001_000001_iw1/20240103T053000Z"


def test_time_left_is_reckoned_by_expected_cpu_time() -> None:
    counts = Counts(total=10, done=4, seconds=100.0, cpu_s_done=25.0, cpu_s_total=100.0, workers=2)
    assert counts.seconds_left == 300.0
    assert counts_text(counts) == "4 of 10, 2 workers, 144 per hour, 5 min left"
    assert Counts(total=10).seconds_left is None
    assert counts_text(Counts(total=10, workers=2, seconds=20.0)) == "0 of 10, 2 workers, for 20 s now"


def test_lines_for_a_log(rehearse: Callable[..., Plan], two_workers: Any) -> None:
    made = rehearse(bursts=1, dates=2, faults={FIRST: "bad"})
    out = io.StringIO()
    with show_progress("lines", out) as show:
        produce(made, two_workers, on_event=show)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("0 of 3")
    assert any(line.startswith(f"{FIRST}: failed: rehearsed fault") for line in lines)
    assert lines[-1].startswith("2 done, 0 existed, 1 failed")
    end = Event("end", Counts(total=3, done=2, failed=1), message="2 done, 0 existed, 1 failed in 1 s")
    out = io.StringIO()
    with show_progress("lines", out, ending=False) as show:
        show(end)
    assert out.getvalue() == "3 of 3, 1 failed, 0 workers\n", "the caller says how it went"


def test_live_table_in_a_terminal(rehearse: Callable[..., Plan]) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    task = rehearse(bursts=1, dates=1).tasks[1]
    counts = Counts(total=2, workers=1)
    with show_progress("auto", out) as show:
        show(Event("start", counts, task, "tcp://127.0.0.1:4711"))
        show._live.refresh()  # type: ignore[attr-defined]
        assert "127.0.0.1:4711" in out.getvalue()
        assert task.key in out.getvalue()
        result = TaskResult("done", seconds=1.5)
        show(Event("done", Counts(total=2, done=1, workers=1, seconds=2.0), task, result=result))
    assert "done in 1.5 s" in out.getvalue()


def test_no_display_where_none_is_wanted() -> None:
    out = io.StringIO()
    with show_progress("none", out) as show:
        show(Event("note", Counts(), message="hello"))
    assert out.getvalue() == ""
