"""Compiled kernels that are no longer what their sources say.

Numba keeps compiled code beside each module and compiles anew when that file changes, and only then. But what a kernel
calls or takes constants from in other files is compiled into it: in a checkout that moves on, a kernel of yesterday
would read today's tables, and its numbers be wrong without a word. So a record beside the package says of which files
kernels were made, and what was made from another version of one is dropped before it is loaded. Where nothing has
changed this costs less than a millisecond.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

_RECORD = "kernels.json"
_MARK = "njit"  # what every module with kernels has in its text

Stamps = dict[str, list[int]]


def drop_stale(package: Path) -> list[str]:
    """Drop compiled kernels of modules of which a file has changed that they were made from.

    Parameters
    ----------
    package : Path
        Folder of the package.

    Returns
    -------
    list of str
        Modules whose kernels will be compiled again, as paths within the package.
    """
    record = package / "__pycache__" / _RECORD
    known: Stamps | None = None
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        known = {str(name): list(stamp) for name, stamp in json.loads(record.read_bytes()).items()}
    if known and all(_stamp(package / name) == stamp for name, stamp in known.items()):
        return []
    if not os.access(package, os.W_OK):
        return []  # numba keeps nothing here, and whoever puts other files here puts all of them
    try:
        record.parent.mkdir(exist_ok=True)  # before the folders are looked at
        made_from = _sources(package)
        files = sorted({name for names in made_from.values() for name in names})
        # A folder changes when a file is added: the next kernel's sources are looked for, nothing is dropped for it.
        folders = sorted({path.parent.relative_to(package).as_posix() for path in package.rglob("*.py")})
        now = {name: _stamp(package / name) for name in (*files, *folders)}
        stale = [m for m, names in made_from.items() if known is None or any(known.get(n) != now[n] for n in names)]
        for module in stale:
            for index in _indices(package / module):
                index.unlink(missing_ok=True)
        whole = record.with_name(f"{_RECORD}.{os.getpid()}")
        whole.write_text(json.dumps(now))
        whole.replace(record)
    except (OSError, SyntaxError, ValueError):
        return []
    return sorted(stale)


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_mtime_ns, status.st_size]


def _sources(package: Path) -> dict[str, set[str]]:
    """Of each module with kernels the files that it and the kernels it imports are made from."""
    texts = {path.relative_to(package).as_posix(): path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    direct = {name: {name, *_imported(text, package.name, texts)} for name, text in texts.items() if _MARK in text}
    whole = dict(direct)
    while True:
        grown = {
            name: names.union(*(whole[other] for other in names if other in whole)) for name, names in whole.items()
        }  # fmt: skip
        if grown == whole:
            return whole
        whole = grown


def _imported(text: str, package: str, there: dict[str, str]) -> Iterator[str]:
    import ast

    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package:
            folder = "/".join(node.module.split(".")[1:])
            of_names = [f"{folder}/{alias.name}.py".lstrip("/") for alias in node.names]
            yield from (name for name in (f"{folder}.py", f"{folder}/__init__.py", *of_names) if name in there)


def _indices(module: Path) -> Iterator[Path]:
    """Numba's indices of a module's compiled code: without them it is compiled again."""
    yield from (module.parent / "__pycache__").glob(f"{module.stem}.*.nbi")
    if elsewhere := os.environ.get("NUMBA_CACHE_DIR"):
        import hashlib

        folder = str(module.parent.absolute())
        name = f"{module.parent.name}_{hashlib.sha1(folder.encode(), usedforsecurity=False).hexdigest()}"
        yield from Path(elsewhere, name).glob(f"{module.stem}.*.nbi")
