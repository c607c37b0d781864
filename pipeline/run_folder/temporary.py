"""Names for files that are being written, and the removal of those that a killed process left.

A name says who writes: `.NAME.tada-HOST-PID-RANDOM.tmp`. HOST carries the number of the space that
process ids are counted in: containers with one name of host have each their own.
`feature_extraction` and `evaluation` name theirs likewise.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

LONGEST_NAME = 255  # bytes, as common file systems allow
_HOST_LETTERS = 60
_DAY = 86400.0
_MARKED = re.compile(r"\..*\.tada-([A-Za-z0-9_.-]+)-(\d{1,10})-[0-9a-f]{8}\.tmp", re.DOTALL)
# Names used by earlier versions: only their age shows that they are ours.
_OLD = re.compile(r"\..+\.\d{1,10}\.tmp|\.tmp-[0-9a-f]{16}\.h5", re.DOTALL)


def temporary_path(path: Path) -> Path:
    """A name for what will be `path`, in its folder; unique across processes, hosts and calls."""
    mark = f".tada-{this_host()}-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    room = LONGEST_NAME - len(mark) - 1
    kept = path.name.encode(errors="surrogateescape")[:room].decode(errors="ignore")
    return path.with_name(f".{kept}{mark}")


def clear_temporary(folder: Path, *, below: bool = True) -> None:
    """Remove incomplete files that killed processes left in a folder, and in those below it.

    A file is removed only if its name is one of ours and its process is gone: this host's by its id;
    another host's, and those an earlier version named, a day after they were last written. Links are
    not followed. Files that cannot be read or removed stay: they are never taken for results.
    """
    for entry in list(_entries(folder, below)):
        with suppress(OSError):
            if _is_left(entry):
                os.unlink(entry.path)


def _entries(folder: Path, below: bool) -> Iterator[os.DirEntry[str]]:
    """The files of a folder, and of those below it that are not links."""
    waiting = [os.fspath(folder)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    waiting += [entry.path] * below
                else:
                    yield entry


def _is_left(entry: os.DirEntry[str]) -> bool:
    """Whether a file is a temporary one of ours, or of an earlier version, that is no longer being written."""
    marked = _MARKED.fullmatch(entry.name)
    if marked is None and _OLD.fullmatch(entry.name) is None:
        return False
    found = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode):
        return False
    if marked is not None and marked[1] == this_host():
        return is_gone(int(marked[2]), found.st_mtime)
    return time.time() - found.st_mtime > _DAY


def is_gone(pid: int, written: float) -> bool:
    """Whether a process of this host has ended; `written` is when its file was last written, by its clock.

    A process with this id that started a day later is another one.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # it is alive, and belongs to another user
        pass
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()  # from the third on
        up = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        started = time.time() - up + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):  # the system does not say
        return False
    return (
        fields[0] in "ZX" or started - written > _DAY
    )  # Z: dead, but not yet waited for by its parent


@cache
def this_host() -> str:
    """This host's name and the number of its space of process ids, in letters that a name may have."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", socket.gethostname())[:_HOST_LETTERS]
    try:
        return f"{name}.{os.stat('/proc/self/ns/pid').st_ino:x}"
    except OSError:
        return f"{name}.0"
