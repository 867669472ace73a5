"""What a worker process of a local cluster does first (a Dask preload module)."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from sarcube.transfer.redact import RedactingFilter


def dask_setup(_worker: Any) -> None:
    """Keep secrets out of what is logged here, and leave Ctrl-C to the client.

    A terminal sends it to every process; the client ends the workers in order.
    """
    for handler in (*logging.getLogger().handlers, logging.lastResort):
        if handler is not None:
            handler.addFilter(RedactingFilter())
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
