"""A folder of copies that never holds more than its limit, shared by all processes of a machine.

Locks of the system (flock) say what is in use, so a killed process leaves none: a copy that is read is locked for sharing,
and who copies a file locks `NAME.lock`. Space is freed by one process at a time (`.room`), from copies that are not in
use, least recently used first; space that is reserved is kept as `NAME.SIZE.part` until the copy is whole and renamed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from pipeline.data.remote.locks import FILE_MODE, locked, removed
from pipeline.errors import UserError, cannot_write
from pipeline.plain_files import bytes_text
from pipeline.processes.worker_main import alive
from pipeline.progress import say

PATIENCE = 1800.0  # seconds that one waits for copies in use to be free
_POLL = 0.1
_WATCH = 5.0  # seconds from look to look at a copy that is being made
_FIRST_WORD = 10.0  # seconds of waiting before it is reported
_NO_NAME = re.compile(r"[^\w.-]+")
# Names of copies, and of copies being made; whatever else is there is not ours, and stays.
_OURS = re.compile(r"([0-9a-f]{20}-.*?)(?:\.(\d+)\.part)?", re.DOTALL)


class NoRoomError(ValueError):
    """A file that does not fit into the cache, alone or together with those in use."""


def copy_name(version: str, name: str) -> str:
    """What the copy of a file is called: `version` distinguishes it from all others, `name` is for people."""
    digest = hashlib.sha256(version.encode("utf-8", "surrogateescape")).hexdigest()[:20]
    stem, dot, ending = _NO_NAME.sub("_", name).rpartition(".")
    return f"{digest}-{stem[:60]}{dot}{ending[:10]}"


@dataclass(frozen=True)
class Cache:
    """The folder and how many bytes it holds at most."""

    folder: Path
    limit: int

    @contextlib.contextmanager
    def held(self, name: str, size: int, fetch: Callable[[Path], None]) -> Iterator[Path]:
        """The copy called `name` of a file of `size` bytes, which stays inside the block. See `copy_name`.

        `fetch` writes it to a path where it is not there; other processes that want it wait. Raises what that
        raises, NoRoomError, and UserError where the folder cannot be used or the disk is full.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = self._taken(name, size)
            if descriptor is None:
                descriptor = self._fetched(name, size, fetch)
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        try:
            yield self.folder / name
        finally:
            os.close(descriptor)

    def holds(self, name: str, size: int) -> bool:
        """Whether the copy is there now."""
        with contextlib.suppress(OSError):
            return os.stat(self.folder / name).st_size == size
        return False

    def _taken(self, name: str, size: int) -> int | None:
        """A descriptor whose lock keeps the copy there; None if there is none."""
        path = self.folder / name
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        found = os.fstat(descriptor)
        if found.st_nlink and found.st_size == size:  # not removed before it was locked
            with contextlib.suppress(OSError):  # another user's
                os.utime(path)
            return descriptor
        os.close(descriptor)
        if found.st_nlink:
            path.unlink(missing_ok=True)
        return None

    def _fetched(self, name: str, size: int, fetch: Callable[[Path], None]) -> int:
        lock = self.folder / f"{name}.lock"
        while True:
            with locked(lock) as mine:
                # another one may have made it before this one had the lock
                if (descriptor := self._taken(name, size)) is not None:
                    return descriptor
                if mine:
                    return self._made(name, size, fetch)
            time.sleep(_POLL)
            alive()

    def _made(self, name: str, size: int, fetch: Callable[[Path], None]) -> int:
        part = self.folder / f"{name}.{size}.part"
        self._wait_for_room(part, size)
        try:
            with _watched(part):
                fetch(part)
            descriptor = os.open(part, os.O_RDONLY)
            os.fsync(descriptor)  # after a power cut, it would have its size and not its bytes
            # before it has its name: from then on it may be removed by any process that needs space
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            os.replace(part, self.folder / name)
            return descriptor
        finally:
            part.unlink(missing_ok=True)

    def _wait_for_room(self, part: Path, size: int) -> None:
        """Free space and reserve it. Raises NoRoomError if there is none for long; UserError where the disk is full."""
        if size > self.limit:
            raise NoRoomError(
                f"{bytes_text(size)} do not fit into the {bytes_text(self.limit)} of dataset.cache_size; raise it"
            )
        began, said = time.monotonic(), False
        while True:
            with locked(self.folder / ".room", wait=True):
                if self._has_room(size):
                    part.touch(FILE_MODE)
                    return
            alive()
            waited = time.monotonic() - began
            if waited > PATIENCE:
                raise NoRoomError(
                    f"no space for {bytes_text(size)} in {waited:.0f} s: the {bytes_text(self.limit)} of "
                    "dataset.cache_size are in use; raise it, or give fewer --workers"
                )
            if waited > _FIRST_WORD and not said:
                said = True
                say(
                    f"{self.folder}: full of videos in use; waiting (raise dataset.cache_size to avoid this)",
                    anyone=True,
                )
            time.sleep(_POLL)

    def _has_room(self, size: int) -> bool:
        """Whether there is space for this many bytes, after removing unused copies as needed."""
        entries, used = self._entries()
        short = used + size - self.limit
        unwritten = sum(max(0, one.size - one.written) for one in entries)
        short = max(short, size + unwritten - shutil.disk_usage(self.folder).free)
        for entry in sorted(entries, key=lambda one: one.used):
            if short <= 0:
                break
            if entry.whole and removed(entry.path):
                short -= entry.size
        if short > 0 and not entries:
            raise UserError(
                f"{self.folder}: the disk has no space for {bytes_text(size)}; free some, or set dataset.cache to "
                "a folder on another disk"
            )
        return short <= 0

    def _entries(self) -> tuple[list[_Entry], int]:
        """The copies and those being made, and their bytes; what killed processes left is removed."""
        entries = []
        with os.scandir(self.folder) as listed:
            for found in listed:
                ours = _OURS.fullmatch(found.name)
                if ours is None or found.name.endswith(".lock"):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    stat = found.stat()
                    path, whole, size = Path(found.path), ours[2] is None, stat.st_size
                    if not whole:
                        if self._is_left(ours[1]):
                            path.unlink(missing_ok=True)
                            continue
                        size = max(size, int(ours[2]))
                    entries.append(_Entry(path, size, stat.st_size, stat.st_mtime, whole))
        return entries, sum(entry.size for entry in entries)

    def _is_left(self, name: str) -> bool:
        """Whether no process makes this copy any longer; its stale lock is removed too."""
        with locked(self.folder / f"{name}.lock") as mine:
            return mine


@dataclass(frozen=True)
class _Entry:
    path: Path
    size: int
    written: int
    used: float
    whole: bool


@contextlib.contextmanager
def _watched(part: Path) -> Iterator[None]:
    """Say that this process is alive as long as the copy grows."""
    done = Event()

    def watch() -> None:
        before = -1
        while not done.wait(_WATCH):
            with contextlib.suppress(OSError):
                found = os.stat(part)
                if (written := found.st_size + 512 * found.st_blocks) != before:
                    before = written
                    alive()

    thread = Thread(target=watch, name="watch a copy", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
