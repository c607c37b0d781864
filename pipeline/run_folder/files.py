"""Whole files: what is written appears complete or not at all. The only writer of a run folder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import UserError, cannot_write
from pipeline.run_folder.temporary import clear_temporary, temporary_path

__all__ = [
    "atomic_path",
    "clear_temporary",
    "remove",
    "require_free",
    "sync_folder",
    "write_json",
    "write_outside",
    "write_report",
    "write_text",
]
# Errors of a file system that cannot flush a folder.
_NO_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF})


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder, flushed and renamed into place when the block succeeds.

    The folder is flushed too: the file survives a power cut. Raises UserError if the file cannot be written.
    """
    temporary = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # a file system that became read-only refuses even this
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically. Raises UserError if it cannot be written."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; NaN and infinity are refused."""
    write_text(path, _as_json(value))


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def require_free(path: Path, *, force: bool) -> None:
    """Refuse a file of `--to` that exists and is not to be overwritten. Raises UserError."""
    if path.exists() and not force:
        raise UserError(f"{path}: exists; choose another with --to, or use --force to overwrite it")


def write_outside(path: Path, text: str) -> None:
    """Write a text file where the user said (`--json FILE`, `--to FILE`), whatever is there.

    A device or a pipe (`/dev/stdout`) is written to, not replaced by a file, and a reader who has gone
    away is no error; of a link, the file it points to is written again. In the run folder neither
    is followed: none is there on purpose. Raises UserError if it cannot be written.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            with contextlib.suppress(BrokenPipeError), _device(path) as stream:
                stream.write(text)
            return
    except OSError as error:
        raise cannot_write(path, error) from error
    write_text(Path(os.path.realpath(path)), text)


def write_report(path: Path, value: Any) -> None:
    """Write a JSON file where the user said; NaN and infinity are refused."""
    write_outside(path, _as_json(value))


def _device(path: Path) -> TextIO:
    """A device or pipe to write to; one of our own by its number: opening it would wait for a reader."""
    for number in (1, 2):
        with contextlib.suppress(OSError):  # closed, or no pipe of ours
            if os.path.samestat(os.stat(path), os.fstat(number)):
                return os.fdopen(os.dup(number), "w", encoding="utf-8")
    return path.open("w", encoding="utf-8")


def remove(path: Path) -> None:
    """Remove a file, if it exists. Raises UserError if the folder cannot be written."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that a rename in it survives a power cut.

    A file system that has no such thing is left alone. Raises OSError if it has, and fails.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # one may write into it but not read it, or the system opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)
