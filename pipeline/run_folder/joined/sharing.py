"""Work on the videos of a folder that any number of processes share: claim one, make it, record it, until all are done."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.run_folder.joined.claims import Claim, Claims
from pipeline.run_folder.joined.journals import JOURNALS, Journals, append_line, journal_path
from pipeline.run_folder.joined.members import WORK, Member, Note, forget_member, members
from pipeline.run_folder.temporary import temporary_path

ASK_SECONDS = 0.2  # between checks whether a claim is free
SAY_SECONDS = 30.0


class Work:
    """One process's part in shared work.

    `made` and `failed` are what all members have recorded since the work was opened: lines by video.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.member = Member(folder)
        self.claims = Claims(self.member)
        self.made: dict[str, Mapping[str, Any]] = {}
        self.failed: dict[str, Mapping[str, Any]] = {}
        self.seconds: dict[str, float] = {}  # of work, by member
        self._journals = Journals(folder)
        self._began = time.monotonic()

    @property
    def journal(self) -> Path:
        """This process's own."""
        return journal_path(self.folder, self.member.id)

    def note(self, line: Mapping[str, Any]) -> None:
        """Record that a video's output is in place. Raises UserError if it cannot be written."""
        self.made[str(line["video"])] = line
        append_line(self.journal, {**line, "seconds": self._seconds()})

    def fail(self, video: str, line: Mapping[str, Any]) -> None:
        """Record that a video failed, so that no process tries it again in this work."""
        self.failed[video] = line
        append_line(self.journal, {"failed": video, **line, "seconds": self._seconds()})

    def look(self) -> None:
        """Read what the others have recorded since."""
        for line in self._journals.news():
            member, seconds = str(line.pop("member")), line.pop("seconds", 0.0)
            if isinstance(seconds, float):
                self.seconds[member] = max(seconds, self.seconds.get(member, 0.0))
            if isinstance(line.get("failed"), str):
                self.failed[line.pop("failed")] = line
            elif isinstance(line.get("video"), str):
                self.made[line["video"]] = line

    def is_done(self, video: str) -> bool:
        """Whether any process has made it, or it has failed."""
        return video in self.made or video in self.failed

    @property
    def done(self) -> int:
        """How many videos were made or have failed since the work was opened."""
        return len(self.made) + len(self.failed)

    @property
    def over(self) -> bool:
        """Whether the work is no longer this process's: it was taken for dead, or another has finished it."""
        return self.member.over

    def others(self) -> list[Note]:
        """The other living members that have begun."""
        return [
            note
            for member, note, renewed in members(self.folder)
            if note.by and member != self.member.id and not self.member.is_gone(member, renewed)
        ]

    @contextlib.contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Work that one member does at a time; waited for, and taken over from a dead member."""
        said = time.monotonic()
        while (claim := self.claims.take(f"/{name}")) is None:  # no video id begins like this
            time.sleep(ASK_SECONDS)
            if time.monotonic() - said > SAY_SECONDS:
                said = time.monotonic()
                say(f"{self.folder}: waiting for another process that is {name} the work here")
        try:
            yield
        finally:
            self.claims.release(claim)

    def claim(self, video: str) -> Claim | None:
        """Claim a video that is not done; None if another has it, or has done it."""
        claim = self.claims.take(video)
        if claim is not None:
            self.look()
            if self.is_done(video):
                self.claims.release(claim)
                return None
        return claim

    def clear(self) -> None:
        """Remove what dead members have left, once it is recorded elsewhere."""
        for member, _, renewed in list(members(self.folder)):
            if member != self.member.id and self.member.is_gone(member, renewed):
                forget_member(self.folder, member)
        self.claims.clear()
        shutil.rmtree(self.folder / WORK / JOURNALS, ignore_errors=True)
        for left in self.folder.glob(f".{WORK}.tada-*.tmp"):
            shutil.rmtree(left, ignore_errors=True)
        self.made, self.failed, self.seconds = {}, {}, {}
        self._journals = Journals(self.folder)

    def remove(self) -> None:
        """All is done and recorded elsewhere: the others notice that their files are missing.

        Processes that join from now on start from scratch, so that nothing of theirs is lost.
        """
        self.member.leave()
        gone = temporary_path(self.folder / WORK)
        with contextlib.suppress(OSError):
            (self.folder / WORK).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _seconds(self) -> float:
        return time.monotonic() - self._began


@contextlib.contextmanager
def at_work(folder: Path) -> Iterator[Work]:
    """Join the processes at work in a folder; claims made inside are released at the end."""
    work = Work(folder)
    work.member.come()
    try:
        yield work
    finally:
        work.claims.release_all()
        work.member.leave()
        _tidy(folder)


def require_same(others: list[Note], by: str, folder: Path) -> None:
    """Refuse to join members that work by other settings or inputs. Raises UserError."""
    for other in others:
        if other.by != by:
            raise UserError(
                f"{folder}: {other.name} is at work here with other settings or inputs; wait for it, use the same settings, "
                "or name another folder"
            )


def _tidy(folder: Path) -> None:
    """Remove the folders that are empty, where no process is at work any more."""
    for name in ("members", "claims", JOURNALS, ""):
        with contextlib.suppress(OSError):
            (folder / WORK / name).rmdir()
