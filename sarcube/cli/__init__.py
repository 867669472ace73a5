"""Commands: parse, call, print. No logic."""

from __future__ import annotations

import errno
import sys
import warnings
from typing import NoReturn, TextIO

_showwarning = warnings.showwarning
# What the system says of a place that an option names, where nothing else has said it before.
_OF_PLACES = (
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EISDIR, errno.ENOTDIR,
    errno.ENAMETOOLONG, errno.EFBIG, errno.EEXIST, errno.ELOOP,
)  # fmt: skip


def _told(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Our own warnings are for the user: without the line of code that gave them."""
    from sarcube.errors import OpenToOthersWarning, PassedOverWarning

    if issubclass(category, PassedOverWarning | OpenToOthersWarning):
        print(f"warning: {message}", file=sys.stderr)  # noqa: T201
    else:
        _showwarning(message, category, filename, lineno, file, line)


def main() -> None:
    """Entry point of the `sarcube` command: 0 done, 1 some tasks failed, 2 the user must change something."""
    from sarcube.cli.app import app
    from sarcube.errors import SarcubeError

    warnings.showwarning = _told
    try:
        app()
    except SarcubeError as error:
        from sarcube.cli.output import echo

        echo(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)  # of what is printed into a file no name is told
        if error.errno not in _OF_PLACES or (error.filename is None and not full):
            _fault()
        from sarcube.cli.output import echo

        echo(f"error: {error.filename or 'what is written'}: {error.strerror}; choose another place", err=True)
        sys.exit(2)
    except Exception:
        _fault()


def _fault() -> NoReturn:
    """Of sarcube or a library: the whole trace as Python would print it, but for what is secret in it."""
    import traceback

    from sarcube.cli.output import echo

    echo(traceback.format_exc(), err=True)
    sys.exit(1)
