"""A store in a local folder: write beside, flush to disk, rename."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NoReturn

from sarcube.errors import StoreConflictError, StoreError, TransferError
from sarcube.store.protocol import ObjectInfo, checked_key, checked_prefix

_TEMPORARY = ".part"
_RENAME_NOREPLACE = 1
_AT_FDCWD = -100
_LOCK_S = 60.0  # who holds a lock compares and renames, nothing else
_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_NOT_KNOWN = (errno.EPERM, errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


class LocalStore:
    """A store in a folder of this machine (or of a file system that many machines share).

    Parameters
    ----------
    root : str or Path
        The folder; it is made at the first write.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().absolute()

    def __repr__(self) -> str:
        return f"LocalStore({str(self.root)!r})"

    def __reduce__(self) -> tuple[type[LocalStore], tuple[str]]:
        return LocalStore, (str(self.root),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalStore) and other.root == self.root

    def __hash__(self) -> int:
        return hash(self.root)

    @property
    def url(self) -> str:
        return str(self.root)

    def path(self, key: str) -> Path:
        """Where the object lies."""
        return self.root / checked_key(key)

    def read_bytes(self, key: str) -> bytes:
        path = self.path(key)
        try:
            return path.read_bytes()
        except OSError as error:
            _fail("read", path, error)

    def write_bytes(self, key: str, data: bytes | memoryview) -> None:
        self._place(key, lambda file: file.write(data), os.replace)

    def create_bytes(self, key: str, data: bytes | memoryview) -> None:
        if self.exists(key):  # spares the writing; the link below is what decides
            raise StoreConflictError(f"{self.path(key)} exists already")
        target = self.path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if _create_nameless(target, data):
                return
        except OSError as error:
            _fail("write", target, error)
        self._place(key, lambda file: file.write(data), _rename_new)

    def read_version(self, key: str) -> tuple[bytes, str] | None:
        try:
            data = self.path(key).read_bytes()
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            _fail("read", self.path(key), error)
        return data, _version(data)

    def replace_bytes(self, key: str, data: bytes | memoryview, version: str) -> None:
        def rename(part: Path, target: Path) -> None:
            with _locked(target):
                found = self.read_version(key)
                if found is None or found[1] != version:
                    raise StoreConflictError(f"{target} was changed meanwhile")
                part.replace(target)

        self._place(key, lambda file: file.write(data), rename)

    def now(self) -> float:
        try:
            with tempfile.TemporaryFile(dir=self.root) as file:
                return os.fstat(file.fileno()).st_mtime  # a file server has its own clock
        except OSError:
            return time.time()  # a folder that cannot be written

    def upload(self, path: str | Path, key: str) -> None:
        def copy(file: BinaryIO) -> None:
            with Path(path).open("rb") as source:
                shutil.copyfileobj(source, file, 1 << 22)

        self._place(key, copy, os.replace)

    def stat(self, key: str) -> ObjectInfo | None:
        path = self.path(key)
        try:
            found = path.stat()
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            _fail("look at", path, error)
        except ValueError:  # no file can have a name with a null byte
            return None
        return ObjectInfo(key, found.st_size, found.st_mtime) if stat.S_ISREG(found.st_mode) else None

    def exists(self, key: str) -> bool:
        return self.stat(key) is not None

    def list(self, prefix: str = "") -> Iterator[str]:
        for folder, names, files in os.walk(self.root / checked_prefix(prefix)):
            names[:] = sorted(name for name in names if not name.startswith("."))
            base = Path(folder).relative_to(self.root)
            yield from (str(base / name) for name in sorted(files) if not _hidden(name))

    def folders(self, prefix: str = "") -> tuple[str, ...]:
        return self._entries(prefix, lambda entry: entry.is_dir())

    def files(self, prefix: str = "") -> tuple[str, ...]:
        return self._entries(prefix, lambda entry: entry.is_file())

    def _entries(self, prefix: str, wanted: Callable[[os.DirEntry[str]], bool]) -> tuple[str, ...]:
        folder = self.root / checked_prefix(prefix)
        try:
            with os.scandir(folder) as entries:
                return tuple(sorted(e.name for e in entries if wanted(e) and not _hidden(e.name)))
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            _fail("list", folder, error)

    def delete(self, key: str) -> None:
        path = self.path(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _fail("delete", path, error)

    def href(self, key: str) -> str:
        return str(self.path(key))

    def gdal_path(self, key: str) -> str:
        return str(self.path(key))

    def gdal_options(self) -> Mapping[str, str]:
        return {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}

    def _place(self, key: str, write: Callable[[BinaryIO], object], rename: Callable[[Path, Path], None]) -> None:
        target = self.path(key)
        part = target.parent / f".{target.name[:120]}.{secrets.token_hex(6)}{_TEMPORARY}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("xb") as file:
                    write(file)
                    file.flush()
                    os.fsync(file.fileno())
                rename(part, target)
                _sync_folder(target.parent)
            finally:
                part.unlink(missing_ok=True)
        except (StoreConflictError, TransferError):
            raise
        except OSError as error:
            _fail("write", target, error)


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Keep others from replacing a file. The system lets go of the lock of a process that dies."""
    path = target.parent / f".{target.name[:120]}.lock"
    deadline = time.monotonic() + _LOCK_S
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _wait_for(handle, path, deadline)
            ours = os.fstat(handle)
            try:
                there = path.stat()
            except FileNotFoundError:
                there = None
            if there is not None and (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                try:
                    yield
                finally:  # while it is held: who waits for it sees that it is gone, and tries anew
                    path.unlink(missing_ok=True)
                return
        finally:
            os.close(handle)


def _wait_for(handle: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
                raise StoreError(
                    f"the file system of {path.parent} knows no locks, without which nothing can be replaced safely; "
                    "mount it with locks (Lustre: -o flock), or take another folder"
                ) from error
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if time.monotonic() > deadline:
            raise TransferError(f"{path} is kept locked by another process; end it, or try again later")
        time.sleep(0.01)


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _create_nameless(target: Path, data: bytes | memoryview) -> bool:
    """Write a file that has no name until it is complete: a killed writer leaves nothing behind at all.

    False where system or file system do not know such files (they are Linux's); then nothing has been done.
    """
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None:
        return False
    try:
        handle = os.open(target.parent, flag | os.O_WRONLY, 0o666)
    except OSError as error:
        if error.errno in _NOT_KNOWN:
            return False
        raise
    with open(handle, "wb") as file:  # noqa: PTH123
        file.write(data)
        file.flush()
        os.fsync(handle)
        try:
            # A descriptor for the source's folder, needless beside an absolute path, makes Python call linkat,
            # which follows /proc's link; plain link would try to link that link itself.
            os.link(f"/proc/self/fd/{handle}", target, src_dir_fd=handle, follow_symlinks=True)
        except FileExistsError:
            raise StoreConflictError(f"{target} exists already") from None
        except OSError as error:
            if error.errno in (*_NOT_KNOWN, errno.ENOENT):  # no /proc in this container
                return False
            raise
    _sync_folder(target.parent)
    return True


def _rename_new(part: Path, target: Path) -> None:
    """Give `part` its final name unless that is taken."""
    try:
        os.link(part, target)  # atomic, and it fails where the name exists, on NFS too
        return
    except FileExistsError:
        raise StoreConflictError(f"{target} exists already") from None
    except OSError as error:
        if error.errno not in _NOT_KNOWN:
            raise
    _rename_noreplace(part, target)  # file systems without hard links (exFAT, some FUSE mounts)


def _rename_noreplace(part: Path, target: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        done = libc.renameat2(_AT_FDCWD, os.fsencode(part), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE)
    elif sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        done = libc.renamex_np(os.fsencode(part), os.fsencode(target), 4)  # RENAME_EXCL
    else:
        raise StoreError(f"the file system of {target} knows neither hard links nor exclusive renames")
    if done != 0:
        code = ctypes.get_errno()
        if code == errno.EEXIST:
            raise StoreConflictError(f"{target} exists already")
        raise OSError(code, os.strerror(code), str(target))


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut, where the system lets a folder be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _fail(verb: str, path: Path, error: OSError) -> NoReturn:
    if isinstance(error, StoreError):
        raise error
    raise StoreError(f"cannot {verb} {path}: {error.strerror or error}") from error
