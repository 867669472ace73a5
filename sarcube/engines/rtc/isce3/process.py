"""Finds opera-rtc, runs it on one run configuration, and turns its faults into errors with the tail of its log."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sarcube.errors import EngineError, TaskTimeoutError
from sarcube.jsons import JsonObject

_NEEDED = {"isce3": "isce3", "rtc": "opera-rtc", "s1reader": "s1reader"}
_ADVICE = (
    "they are on conda-forge only: `micromamba create -n isce3 -c conda-forge isce3 opera-rtc s1reader`, then set "
    "SARCUBE_ISCE3_PYTHON to that environment's python (docker/Dockerfile.isce3 does both), or use engine: native"
)
DEFAULT_TIME_LIMIT = 3600.0  # seconds; a full burst takes about 500 CPU seconds
_LOG_TAIL = 25  # lines of each file
# isce3 counts on, a line (or a line's overwriting) for each per cent or block: "RTC progress: 37%", "block: 3/20".
_PROGRESS = re.compile(r"progress.*\d\s*%|^\D*\d+(\.\d+)?\s*%\s*$|\bblock:?\s*\d+(\s*(/|of)\s*\d+)?\s*$", re.IGNORECASE)

# What opera-rtc's own single-job script does, for environments that have the package but not the script.
_ENTRY = (
    "import sys\n"
    "from rtc.runconfig import RunConfig, load_parameters\n"
    "from rtc.core import create_logger\n"
    "from rtc.rtc_s1_single_job import run_single_job\n"
    "create_logger(sys.argv[2], False)\n"
    "config = RunConfig.load_from_yaml(sys.argv[1])\n"
    "load_parameters(config)\n"
    "run_single_job(config)\n"
)
_VERSIONS = (
    "import json, importlib\n"
    "found = {}\n"
    "for name in ('isce3', 'rtc', 's1reader'):\n"
    "    try:\n"
    "        module = importlib.import_module(name)\n"
    "        version = getattr(module, '__version__', None)\n"
    "        if name == 'rtc' and version is None:\n"
    "            from rtc.version import VERSION as version\n"
    "        found[name] = str(version)\n"
    "    except ImportError:\n"
    "        pass\n"
    "print(json.dumps(found))\n"
)


@dataclass(frozen=True)
class Installation:
    """How opera-rtc is started here.

    Attributes
    ----------
    command : tuple of str
        Program and arguments before the run configuration's path.
    log_option : str or None
        Option that takes the log file; None: the log file is the next argument.
    python : str or None
        Interpreter that has the packages.
    """

    command: tuple[str, ...]
    log_option: str | None
    python: str | None


def find_installation(options: JsonObject) -> Installation:
    """Where opera-rtc is: `executable` or `python` of the options, SARCUBE_ISCE3_PYTHON, this interpreter, the path.

    Raises
    ------
    EngineError
        It is nowhere; the message says how to get it.
    """
    executable = options.get("executable")
    if executable:
        path = shutil.which(str(executable))
        if path is None:
            raise EngineError(f"engine_options.executable {executable} is not a program; give its full path")
        return Installation((path,), "--log-file", None)
    python = options.get("python") or os.environ.get("SARCUBE_ISCE3_PYTHON")
    if python:
        if shutil.which(str(python)) is None:
            raise EngineError(f"{python} (engine_options.python or SARCUBE_ISCE3_PYTHON) is not a program")
        return Installation((str(python), "-c", _ENTRY), None, str(python))
    if all(importlib.util.find_spec(name) for name in _NEEDED):
        return Installation((sys.executable, "-c", _ENTRY), None, sys.executable)
    script = shutil.which("rtc_s1_single_job.py")
    if script:
        return Installation((script,), "--log-file", None)
    missing = [package for name, package in _NEEDED.items() if not importlib.util.find_spec(name)]
    raise EngineError(f"engine isce3 is not usable here: {', '.join(missing)} not installed; {_ADVICE}")


def installed_versions(installation: Installation) -> dict[str, str]:
    """Versions of isce3, opera-rtc and s1reader; empty where only a script is known.

    Raises
    ------
    EngineError
        The interpreter does not run or lacks one of the packages.
    """
    if installation.python is None:
        return {}
    try:
        done = subprocess.run(
            [installation.python, "-c", _VERSIONS], capture_output=True, text=True, timeout=120, check=True
        )
        found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise EngineError(f"{installation.python} cannot tell its isce3 version: {error}") from error
    missing = [package for name, package in _NEEDED.items() if name not in found]
    if missing:
        raise EngineError(f"{installation.python} lacks {', '.join(missing)}; {_ADVICE}")
    return {_NEEDED[name]: version for name, version in found.items()}


def run(installation: Installation, runconfig: Path, scratch: Path, *, threads: int, time_limit: float) -> None:
    """Run opera-rtc on one run configuration.

    Parameters
    ----------
    installation : Installation
    runconfig : Path
        YAML file.
    scratch : Path
        Working folder of the process; its log is `scratch/run.log`.
    threads : int
        OMP_NUM_THREADS; 0 leaves the environment's.
    time_limit : float
        Seconds, after which the process and its children are killed.

    Raises
    ------
    TaskTimeoutError
        It took longer than `time_limit`.
    EngineError
        It could not be started or failed; the message ends with the tail of its log.
    """
    log = scratch / "run.log"
    arguments = [*installation.command, str(runconfig)]
    arguments += [installation.log_option, str(log)] if installation.log_option else [str(log)]
    environment = dict(os.environ)
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    if installation.python != sys.executable:
        # Data folders and modules of this environment would mislead the other one's libraries.
        for name in ("GDAL_DATA", "PROJ_DATA", "PROJ_LIB", "PYTHONPATH"):
            environment.pop(name, None)
    printed = scratch / "stdout.log"
    with printed.open("wb") as sink:
        try:
            process = subprocess.Popen(
                arguments,
                cwd=scratch,
                env=environment,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"opera-rtc cannot be started ({arguments[0]}): {error.strerror}") from error
        try:
            code = process.wait(time_limit)
        except subprocess.TimeoutExpired as error:
            raise TaskTimeoutError(
                f"opera-rtc took longer than {time_limit:.0f} s and was stopped; raise engine_options.time_limit if "
                f"the burst is good; its log ends:\n{_tail(log, printed)}"
            ) from error
        finally:
            _kill(process)
    if code != 0:
        raise EngineError(f"opera-rtc failed with exit code {code}; its log ends:\n{_tail(log, printed)}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process with its children, also when we are interrupted."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        process.wait()


def _tail(*files: Path) -> str:
    """The last lines that say something, of each log: not how far it had come."""
    lines: list[str] = []
    for file in files:
        if file.exists():
            told = [line.rstrip() for line in file.read_text(errors="replace").splitlines()]
            lines += [line for line in told if line and not _PROGRESS.search(line)][-_LOG_TAIL:]
    return "\n".join(dict.fromkeys(lines)) or "(empty)"
