"""What a worker process of a local cluster does first (a Dask preload module)."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading

from sarcube.transfer.redact import keep_out_of


def dask_setup(_worker: object) -> None:
    """Keep secrets out of what is logged here, leave Ctrl-C to the client, and numba's threads as they are.

    A terminal sends it to every process; the client ends the workers in order. A script that starts a run is imported
    by its workers before their variables are set: has numba been loaded by then, its number of threads is the
    machine's, and the next kernel to be compiled would be refused because the variable says another. How many
    threads a kernel uses is limited all the same.
    """
    for handler in (*logging.getLogger().handlers, logging.lastResort):
        if handler is not None:
            keep_out_of(handler)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    own = multiprocessing.parent_process() is not None  # a worker may also be a thread of the client's process
    if own and (numba := sys.modules.get("numba")) is not None:
        os.environ["NUMBA_NUM_THREADS"] = str(numba.config.NUMBA_NUM_THREADS)
