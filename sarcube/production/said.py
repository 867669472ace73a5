"""What is said of many tasks at once: messages that are alike, once, with their number and for whom they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SUBJECTS = 5  # named of each kind where people read
# Burst IDs, times, numbers: what two messages of one kind differ in.
_VARYING = re.compile(r"t\d{3}_\d{6}_[ie]w\d|S1[A-D]_\w+|[-+]?\d[\d.,:TZ-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Said:
    """Messages of one kind.

    Attributes
    ----------
    message : str
        The first of them, word for word.
    count : int
    subjects : tuple of str
        The first few tasks, bursts or files that it was said of.
    """

    message: str
    count: int
    subjects: tuple[str, ...]

    def __str__(self) -> str:
        if self.count == 1:
            return f"{self.subjects[0]}: {self.message}"
        more = f" and {self.count - len(self.subjects)} more" if self.count > len(self.subjects) else ""
        return f"{self.count} times: {self.message} ({', '.join(self.subjects)}{more})"


def counted(pairs: Iterable[tuple[str, str]]) -> tuple[Said, ...]:
    """(subject, message) pairs, each kind of message once, the most frequent first; the same pair counts once.

    Two messages are of one kind where they differ in nothing but burst IDs, scenes, times and numbers.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for subject, message in dict.fromkeys(pairs):
        alike = _VARYING.sub("#", message.replace(subject, "#") if subject else message)
        kinds.setdefault(alike, []).append((subject, message))
    said = []
    for members in kinds.values():
        subjects = tuple(dict.fromkeys(subject for subject, _ in members))
        said.append(Said(members[0][1], len(members), subjects[:_SUBJECTS]))
    return tuple(sorted(said, key=lambda s: -s.count))
