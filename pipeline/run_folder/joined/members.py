"""The processes at work in a folder: a file each, whose time a thread renews while its process lives.

`.tada-work/members/HOST-PID-RANDOM.json`. A member counts as dead if its process of this host has ended, or if its
file is much older than one's own. Both times are the file server's: machine clocks do not matter.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import cannot_write
from pipeline.plain_files import read_text
from pipeline.run_folder.temporary import is_gone, this_host

WORK = ".tada-work"  # the folder in which processes at work exchange messages; no user folder has this name
HEARTBEAT_SECONDS = 15.0
_TRIES = 20
STALE_SECONDS = 180.0  # longer than a network file system remembers the times of a file


class Note(BaseModel):
    """What a member states about itself: where and since when it works, `by` which settings (a digest), its share.

    Without `by` it has joined, but not begun.
    """

    model_config = ConfigDict(frozen=True)

    host: str = ""
    pid: int = 0
    since: str = ""
    by: str = ""
    shard: str = ""
    total: int = 0

    @property
    def name(self) -> str:
        """The process, as messages name it."""
        return f"process {self.pid} on {self.host} since {self.since}"


class Member:
    """This process, as one of those at work in a folder; always leave it.

    `over`: its file was removed, because other processes took it for dead or all is done: its claims belong to them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / WORK
        self.id = f"{this_host()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.over = False
        self._path = _path(self.folder, self.id)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        since = datetime.now(UTC).isoformat(timespec="seconds")
        host = this_host().rpartition(".")[0]
        self._note = Note(host=host, pid=os.getpid(), since=since)

    def come(self) -> None:
        """Become visible to others, or visible again. Raises UserError if the folder cannot be written."""
        self._write()
        self.over = False
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._renew, daemon=True)
            self._thread.start()

    def sign(self, **said: str | int) -> None:
        """Record that the work has begun, with other fields of `Note`."""
        self._note = self._note.model_copy(update=said)
        self._write()

    def leave(self) -> None:
        """Become invisible to others."""
        self._ended.set()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def look(self) -> bool:
        """Check whether the work is over."""
        self.over = self.over or not self._path.exists()
        return self.over

    def is_gone(self, member: str, seen: float) -> bool:
        """Whether another one is; `seen` is the time of a file that it wrote, of those that have none of theirs."""
        path = _path(self.folder, member)
        try:
            renewed: float | None = path.stat().st_mtime
        except OSError:
            renewed = None
        host, pid = parts_of(member)
        if host == this_host() and (renewed is None or is_gone(pid, renewed)):
            return True
        return self.age(seen if renewed is None else renewed) > STALE_SECONDS

    def age(self, seen: float) -> float:
        """Seconds from the time of a file to that of one's own; 0 if that is missing."""
        try:
            return self._path.stat().st_mtime - seen
        except OSError:
            return 0.0

    def _write(self) -> None:
        write_new(self._path, self._note.model_dump_json().encode(), os.O_TRUNC)

    def _renew(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            try:
                os.utime(self._path)  # without a time: the file server's
            except FileNotFoundError:
                self.over = True
                return
            except OSError:  # a server that is unavailable for a moment
                continue


def members(folder: Path) -> Iterator[tuple[str, Note, float]]:
    """The members of a folder: id, what each says of itself, and when its file was renewed."""
    try:
        found = sorted((folder / WORK / "members").glob("[!.]*.json"))
    except OSError:
        return
    for path in found:
        with contextlib.suppress(OSError, ValidationError, ValueError):
            renewed = path.stat().st_mtime
            yield path.stem, Note.model_validate_json(read_text(path)), renewed


def forget_member(folder: Path, member: str) -> None:
    """Remove the file of a dead member. Raises UserError if the folder cannot be written."""
    path = _path(folder / WORK, member)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_new(path: Path, content: bytes, flags: int) -> None:
    """Write a small file, its folder made where it is not there. Raises UserError, and FileExistsError with O_EXCL."""
    for left in reversed(range(_TRIES)):
        try:
            # It may disappear at any moment: the last member at work removes the empty folder.
            with contextlib.suppress(FileExistsError):
                path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o666)
            try:
                if os.write(descriptor, content) < len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                if flags & os.O_EXCL:  # without a name in it, it would hold for a long time
                    path.unlink()
                raise
            finally:
                os.close(descriptor)
            return
        except FileExistsError:
            raise
        except OSError as error:
            if not (left and isinstance(error, FileNotFoundError)):
                raise cannot_write(path, error) from error


def _path(work: Path, member: str) -> Path:
    return work / "members" / f"{member}.json"


def parts_of(member: str) -> tuple[str, int]:
    """Host and process of a member's id."""
    host, pid, _ = member.rsplit("-", 2) if member.count("-") > 1 else ("", "0", "")
    return host, int(pid) if pid.isdigit() else 0
