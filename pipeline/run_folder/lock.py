"""The lock of a folder that is written: one process at a time, whoever holds it named."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import UserError, cannot_write
from pipeline.progress import say
from pipeline.run_folder.files import clear_temporary

if sys.platform != "win32":  # there a run folder is not guarded against a second process
    import fcntl

LOCK = ".lock"
_HELD = frozenset({errno.EACCES, errno.EAGAIN})  # what a lock answers that another process holds
# What a file system answers that has no locks.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_held: dict[tuple[int, int], int] = {}  # how often this process holds a folder, by device and inode
_unguarded: set[tuple[int, int]] = set()  # folders without locks, which has been said


@contextlib.contextmanager
def locked(*folders: Path) -> Iterator[None]:
    """Hold folders for this process; a lock goes with the process, however it ends.

    A folder may be held several times, by whatever paths it is named. What killed processes left right
    in it is cleared. Where the file system has no locks, that is said once, and nothing guards
    the folder. Raises UserError saying who holds it and since when.
    """
    with contextlib.ExitStack() as stack:
        for folder in folders:
            stack.enter_context(_one_locked(folder))
        yield


@contextlib.contextmanager
def _one_locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = folder.stat()
    except OSError as error:
        raise _cannot_be_used(folder, error) from error
    key = (place.st_dev, place.st_ino)
    with contextlib.ExitStack() as stack:
        # Opened once: whichever descriptor is closed, the process has given away its lock.
        if key not in _held:
            stack.enter_context(_lock_file(folder, key))
        _held[key] = _held.get(key, 0) + 1
        try:
            clear_temporary(folder, below=False)
            yield
        finally:
            _held[key] -= 1
            if not _held[key]:
                del _held[key]


def linked_folders(folder: Path, run: Path) -> list[Path]:
    """What has to be locked besides `run` before a stage's `folder` in it is written; often nothing.

    Where the folder, or one in it, is a link that leads outside: the folder it leads to, and the run
    which that one is a part of. So two runs do not write to a folder that they share.
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
    """Whether a folder is a run's: it has both of what a run leaves; one alone is often another program's."""
    return all(os.path.lexists(folder / name) for name in (LOCK, "config.yaml"))


@contextlib.contextmanager
def _lock_file(folder: Path, key: tuple[int, int]) -> Iterator[None]:
    """The folder's `.lock`, opened, locked and signed."""
    path = folder / LOCK
    descriptor = _opened(folder, path)
    try:
        if _take(folder, descriptor, key):
            try:
                _write_holder(descriptor)
            except OSError as error:
                raise cannot_write(path, error) from error
        yield
    finally:
        os.close(descriptor)


def _opened(folder: Path, path: Path) -> int:
    """`.lock`, made where there is none. A link is not followed, for what it leads to would be written over."""
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
    return UserError(f"{path}: is a link or another thing than a file; remove it")


def _cannot_be_used(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"{folder}: cannot be used as a folder ({error.strerror}); make it writable, or name another one"
    )


def _take(folder: Path, descriptor: int, key: tuple[int, int]) -> bool:
    """Lock the file; False where the file system has no locks. Raises UserError where another process has it."""
    if sys.platform == "win32":
        return True
    try:
        # Of this process alone: forked workers must not hold it after a kill.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            if key not in _unguarded:
                _unguarded.add(key)
                say(
                    f"{folder}: its file system has no locks ({error.strerror}), so nothing guards it "
                    "against a second process; start one at a time"
                )
            return False
        if error.errno not in _HELD:
            raise _cannot_be_used(folder, error) from error
        holder = os.pread(descriptor, 1000, 0).decode(errors="replace").strip()
        raise UserError(
            f"{folder}: in use by {holder or 'another process'}; wait for it or name another folder"
        ) from error
    return True


def _write_holder(descriptor: int) -> None:
    """Straight to the file: what a buffer held back would fail again when it is closed."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    os.ftruncate(descriptor, 0)
    os.pwrite(
        descriptor, f"process {os.getpid()} on {socket.gethostname()} since {now}".encode(), 0
    )
