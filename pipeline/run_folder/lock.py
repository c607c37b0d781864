"""The lock of a run folder: one process at a time, whoever holds it named."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import UserError, cannot_write
from pipeline.run_folder.files import clear_temporary

if sys.platform != "win32":  # there a run folder is not guarded against a second process
    import fcntl


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the run folder for this process; the lock goes with the process, however it ends.

    Raises UserError saying who holds it and since when.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        stream = (run / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{run}: cannot be used as run folder ({error.strerror}); make it writable, or use "
            "another --run-dir"
        ) from error
    with stream:
        _take(run, stream.fileno())
        try:
            _write_holder(stream.fileno())
        except OSError as error:
            raise cannot_write(run / ".lock", error) from error
        clear_temporary(run)  # of a process killed while it wrote beside the stages
        yield


def _take(run: Path, descriptor: int) -> None:
    if sys.platform == "win32":
        return
    try:
        # Of this process alone: forked workers must not hold it after a kill.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.lseek(descriptor, 0, os.SEEK_SET)
        holder = os.read(descriptor, 1000).decode(errors="replace").strip() or "another process"
        raise UserError(
            f"{run}: in use by {holder}; wait for it or use another --run-dir"
        ) from error


def _write_holder(descriptor: int) -> None:
    """Straight to the file: what a buffer held back would fail again when it is closed."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {now}".encode())
