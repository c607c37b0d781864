"""Names for files that are being written, and folders put on disk after a rename.

A name says who writes, so that what a killed process left can be distinguished from a user's own files:
`.NAME.tada-HOST-PID-RANDOM.tmp`. The number in HOST is of the space that process ids are counted in.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import socket
from pathlib import Path

LONGEST_NAME = 255  # bytes, as common file systems allow
_FAILED = (errno.EIO, errno.ENOSPC, errno.EDQUOT)  # others: a system that cannot, or may not


def temporary_path(path: Path) -> Path:
    """A name in the folder of `path` that no other process, host or call gives."""
    host = re.sub(r"[^A-Za-z0-9_.-]", "_", socket.gethostname())[:60]
    space = Path("/proc/self/ns/pid")
    number = space.stat().st_ino if space.exists() else 0
    mark = f".tada-{host}.{number:x}-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    kept = path.name.encode(errors="surrogateescape")[: LONGEST_NAME - len(mark) - 1]
    return path.with_name(f".{kept.decode(errors='ignore')}{mark}")


def sync_folder(folder: Path) -> None:
    """Have the system put a folder's entries on disk, where its file system can."""
    with contextlib.ExitStack() as stack:
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            os.fsync(descriptor)
        except OSError as error:
            if error.errno in _FAILED:
                raise
