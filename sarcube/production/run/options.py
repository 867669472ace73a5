"""How a run behaves on the cluster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProduceOptions:
    """Choices of `produce` that do not change what is made.

    Attributes
    ----------
    time_limit_s : float
        A task that takes longer is given up and its worker restarted.
    attempts : int
        How often a task whose failure may pass (network) is tried in all.
    backoff_s, longest_backoff_s : float
        Pause before the second attempt; it doubles each time, up to the longest, and is jittered.
    deaths : int
        A task that killed its worker so many times is set aside.
    window : int, optional
        Most tasks on the cluster at a time; default four per worker thread, at least 64.
    patience_s : float
        How long to wait while there is no worker at all.
    record : bool
        Leave a record of the run in the store.
    """

    time_limit_s: float = 7200.0
    attempts: int = 4
    backoff_s: float = 2.0
    longest_backoff_s: float = 300.0
    deaths: int = 3
    window: int | None = None
    patience_s: float = 900.0
    record: bool = True
