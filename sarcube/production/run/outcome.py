"""What became of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from sarcube.html import PlaceMap, Shape
from sarcube.production.said import Said
from sarcube.production.shown import Shown
from sarcube.transfer.problem import Problem


@dataclass(frozen=True)
class Failure:
    """A task that did not end well.

    Attributes
    ----------
    key, place : str
    day : str
        Empty for what has no time.
    label : str
        What people call its inputs.
    error, message : str
        Class and text; for a blocked task the cause.
    attempts : int
    trace : str
    """

    key: str
    place: str
    day: str
    label: str
    error: str
    message: str
    attempts: int = 1
    trace: str = ""


@dataclass(frozen=True, repr=False)
class Outcome(Shown):
    """What became of a plan.

    Attributes
    ----------
    done : int
        Products made by this run.
    skipped : int
        Products that existed, before or through another run meanwhile.
    failed : tuple of Failure
    blocked : tuple of Failure
        Not tried, since something that they need failed.
    problems : tuple of Problem
        What the plan had to leave out.
    cancelled : bool
        Ended by Ctrl-C.
    stopped : str
        Why the run ended before its plan (a lost cluster), else empty.
    seconds : float
    bytes_out : int
    record : str
        Where the record of the run lies; empty where nothing was to do.
    left : int
        Tasks that the run did not come to.
    shapes : tuple of Shape
        The places, for `map`.
    warnings : tuple of Said
        Of the source and of the products made, counted by kind.
    unfinished : str
        Why collections or index are not up to date, else empty.
    impossible : bool
        Nothing of what was asked for exists or could be tried.
    """

    _views: ClassVar[str] = "sarcube.production.views.outcome"

    done: int = 0
    skipped: int = 0
    failed: tuple[Failure, ...] = ()
    blocked: tuple[Failure, ...] = ()
    problems: tuple[Problem, ...] = ()
    cancelled: bool = False
    stopped: str = ""
    seconds: float = 0.0
    bytes_out: int = 0
    record: str = ""
    left: int = field(default=0)
    shapes: tuple[Shape, ...] = field(default=(), repr=False, compare=False)
    warnings: tuple[Said, ...] = ()
    impossible: bool = False
    unfinished: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything that the run asks for now exists."""
        bad = self.failed or self.blocked or self.problems or self.cancelled or self.stopped or self.unfinished
        return not bad

    def map(self) -> PlaceMap:
        """The places on a map, by what became of them: for a notebook, or to `save` as a page."""
        return PlaceMap("Run", self.shapes)

    @property
    def exit_code(self) -> int:
        """For a command: 0 done, 1 some tasks failed or are left, 2 nothing of what was asked for can be done."""
        if self.impossible:
            return 2
        return 0 if self.ok else 1

    def __str__(self) -> str:
        parts = [f"{self.done} done", f"{self.skipped} existed"]
        for number, word in ((len(self.failed), "failed"), (len(self.blocked), "blocked"), (self.left, "left")):
            if number:
                parts.append(f"{number} {word}")
        if self.problems:
            parts.append(f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''} in the plan")
        if number := sum(said.count for said in self.warnings):
            parts.append(f"{number} warning{'s' if number > 1 else ''}")
        text = ", ".join(parts) + f" in {self.seconds:.0f} s"
        if self.cancelled:
            text += "; cancelled: run again to go on"
        return "; ".join(part for part in (text, self.stopped, self.unfinished) if part)
