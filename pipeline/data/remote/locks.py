"""Locks of the system on files of a folder (flock): released when a process ends or is killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

FILE_MODE = 0o666  # less what the user's mask takes


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether one has the lock of that name alone inside the block; where it is not waited for, its file goes after."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        mine = wait or os.fstat(descriptor).st_nlink > 0  # not one that was just removed
        try:
            yield mine
        finally:
            if mine and not wait:
                path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def removed(path: Path) -> bool:
    """Remove a copy that is not in use; False if it is in use."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
