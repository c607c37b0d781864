"""The lock of a folder that is written: by one process, or by several that share their work; the holder is named."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipeline.errors import UserError, cannot_write
from pipeline.progress import say
from pipeline.run_folder.files import clear_temporary
from pipeline.run_folder.temporary import is_gone

if sys.platform != "win32":  # there a run folder is not protected against a second process
    import fcntl

LOCK = ".lock"
_MOST_BYTES = 4000  # of names that are read
Taken = Literal["alone", "shared"]
_HELD = frozenset({errno.EACCES, errno.EAGAIN})  # errors of a lock that another process holds
# Errors of a file system without locks.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
# Another that comes to share it holds it alone for a moment.
_SHARE_SECONDS, _ASK_SECONDS = 2.0, 0.05
_held: dict[tuple[int, int], int] = {}  # how often this process holds a folder, by device and inode
_unguarded: set[tuple[int, int]] = set()  # folders without locks, which has been said


@contextlib.contextmanager
def locked(*folders: Path, shared: bool = False) -> Iterator[None]:
    """Hold folders for this process; a lock ends with the process, however it ends.

    Those that hold one `shared` hold it together: they claim what they do from one another. A folder may be held
    several times, by whatever paths it is named. Temporary files that killed processes left directly in it are removed. Where
    the file system has no locks, that is reported once (not where the folder is `shared`), and nothing protects the folder.
    Raises UserError naming who holds it, and since when.
    """
    with contextlib.ExitStack() as stack:
        for folder in folders:
            stack.enter_context(_one_locked(folder, shared))
        yield


@contextlib.contextmanager
def _one_locked(folder: Path, shared: bool) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = folder.stat()
    except OSError as error:
        raise _cannot_be_used(folder, error) from error
    key = (place.st_dev, place.st_ino)
    with contextlib.ExitStack() as stack:
        # Opened once: closing any descriptor would release the process's lock.
        if key not in _held:
            stack.enter_context(_lock_file(folder, key, shared))
        _held[key] = _held.get(key, 0) + 1
        try:
            clear_temporary(folder, below=False)
            yield
        finally:
            _held[key] -= 1
            if not _held[key]:
                del _held[key]


def linked_folders(folder: Path, run: Path) -> list[Path]:
    """What has to be locked in addition to `run` before a stage's `folder` in it is written; often nothing.

    Where the folder, or one in it, is a link to the outside: the folder it points to, and the
    run it belongs to. So two runs do not write to a folder that they share.
    """
    base = Path(os.path.realpath(run))
    found: set[Path] = set()
    for place in (folder, *_links(folder)):
        real = Path(os.path.realpath(place))
        if real.is_dir() and not real.is_relative_to(base):
            found.add(real)
            found |= {above for above in real.parents if _is_run(above)}
    return sorted(found)


def _links(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry) for entry in entries if entry.is_symlink()]
    except OSError:  # not made yet
        return []


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run's: it has both files that a run leaves; one alone may be another program's."""
    return all(os.path.lexists(folder / name) for name in (LOCK, "config.yaml"))


@contextlib.contextmanager
def _lock_file(folder: Path, key: tuple[int, int], shared: bool) -> Iterator[None]:
    """The folder's `.lock`, opened, locked and signed."""
    path = folder / LOCK
    descriptor = _opened(folder, path)
    try:
        taken = _share(folder, descriptor) if shared else _take(folder, descriptor, key)
        if taken is not None:
            try:
                _write_holder(descriptor, beside=taken == "shared")
            except OSError as error:
                raise cannot_write(path, error) from error
            if shared and taken == "alone":
                _lock(descriptor, alone=False)
        yield
    finally:
        os.close(descriptor)


def _opened(folder: Path, path: Path) -> int:
    """`.lock`, made where there is none. A link is not followed, because its target would be overwritten."""
    flags = os.O_RDWR | os.O_CREAT
    for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK"):
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.EISDIR, errno.ENXIO):
            raise _no_file(path) from error
        raise _cannot_be_used(folder, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return descriptor


def _no_file(path: Path) -> UserError:
    return UserError(f"{path}: is not a regular file; remove it")


def _cannot_be_used(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"{folder}: cannot be used as a folder ({error.strerror}); make it writable, or choose another one"
    )


def _lock(descriptor: int, *, alone: bool) -> None:
    """Lock an open file, for this process alone: forked workers must not hold it after a kill. Raises OSError."""
    if sys.platform != "win32":
        fcntl.lockf(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)


def _take(folder: Path, descriptor: int, key: tuple[int, int]) -> Taken | None:
    """Lock the file; None if the file system has no locks. Raises UserError if another process has it."""
    try:
        _lock(descriptor, alone=True)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            if key not in _unguarded:
                _unguarded.add(key)
                say(
                    f"{folder}: its file system has no locks ({error.strerror}), so it is not "
                    "protected against a second process; start one at a time"
                )
            return None
        raise _refused(folder, descriptor, error) from error
    return "alone"


def _share(folder: Path, descriptor: int) -> Taken | None:
    """As `_take`, together with others; the first has it alone until it has written its name."""
    until = time.monotonic() + _SHARE_SECONDS
    while True:
        for alone in (True, False):
            try:
                _lock(descriptor, alone=alone)
                return "alone" if alone else "shared"
            except OSError as error:
                if error.errno in _NO_LOCKS:
                    return None
                if error.errno not in _HELD or not (alone or time.monotonic() < until):
                    raise _refused(folder, descriptor, error) from error
        time.sleep(_ASK_SECONDS)


def _refused(folder: Path, descriptor: int, error: OSError) -> UserError:
    """The message for a lock that is held by others: who holds it, if known."""
    if error.errno not in _HELD:
        return _cannot_be_used(folder, error)
    lines = os.pread(descriptor, _MOST_BYTES, 0).decode(errors="replace").split("\n")
    holders = "; ".join(line.strip() for line in lines if line.strip() and not _has_ended(line))
    return UserError(
        f"{folder}: in use by {holders or 'another process'}; wait for it, or choose another folder"
    )


def _has_ended(holder: str) -> bool:
    """Whether what `_write_holder` wrote is of a process of this host that has ended."""
    words = holder.split()
    known = len(words) > 3 and words[1].isdigit() and words[3] == socket.gethostname()
    return known and is_gone(int(words[1]), time.time())


def _write_holder(descriptor: int, *, beside: bool) -> None:
    """Straight to the file: buffered data would fail again when the file is closed."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = f"process {os.getpid()} on {socket.gethostname()} since {now}"
    if beside:  # at its end: those that share it are named one per line
        os.pwrite(descriptor, f"\n{line}".encode(), os.fstat(descriptor).st_size)
    else:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, line.encode(), 0)
