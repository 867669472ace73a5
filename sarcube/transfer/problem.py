"""What went wrong with one of many, told as data."""

from __future__ import annotations

from dataclasses import dataclass

from sarcube.transfer.redact import redact


@dataclass(frozen=True)
class Problem:
    """Something that cannot be used, known before any work starts: data, where an error would end the rest.

    Attributes
    ----------
    subject : str
        File, scene or place.
    message : str
        What is wrong and what to do.
    error : str
        Name of the error's class, where there was one.
    """

    subject: str
    message: str
    error: str = ""

    def __post_init__(self) -> None:
        # It is shown, recorded and reported; what it quotes may be a signed address.
        object.__setattr__(self, "subject", redact(self.subject))
        object.__setattr__(self, "message", redact(self.message))
