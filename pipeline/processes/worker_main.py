"""What a child process does: the jobs it is sent, one after the other, with a heartbeat; and jobs as they come."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from pipeline.errors import UserError, machine_error
from pipeline.processes.stopping import SIGNALS
from pipeline.processes.unnamed_memory import UnnamedMemory
from pipeline.streams import outlive_readers

_COUNT_BYTES, _ABOUT_BYTES = 8, 248
_SIZE = _COUNT_BYTES + _ABOUT_BYTES


class Heartbeat(Protocol):
    """Called while a job makes progress; `about` names what is worked on from now on."""

    def __call__(self, about: str = "") -> None: ...


Handler = Callable[[Any, Heartbeat], Any]
Given = tuple[Callable[..., Handler], tuple[Any, ...]]  # what makes the handler, and from what


@dataclass(frozen=True)
class Answer:
    """What came of a job: a result, the reason it failed, or what the user has to fix."""

    result: Any = None
    reason: str | None = None
    refused: str | None = None
    trace: str = ""  # of a bug, for those who fix it


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its result, or the reason it failed."""

    job: Any
    result: Any = None
    reason: str | None = None


_heartbeats: list[Heartbeat] = []  # of the worker that this process is


def alive() -> None:
    """Report that the job of this worker process makes progress; no effect in other processes.

    For what is too deep to be handed a heartbeat, as the copying of a file that is opened.
    """
    for heartbeat in _heartbeats:
        heartbeat()


class Coming:
    """Jobs as they come: the next one, once it was looked at, stays until it is taken.

    A source that gives None has nothing just now.
    """

    def __init__(self, jobs: Iterable[Any]) -> None:
        self._jobs, self._next = iter(jobs), deque[Any]()
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether no job comes any more."""
        return self._ended and not self._next

    def look(self) -> bool:
        """Whether there is a job just now."""
        if not self._next and not self._ended:
            job = next(self._jobs, self)
            self._ended = job is self
            if job is not None and job is not self:
                self._next.append(job)
        return bool(self._next)

    def give(self, take: Callable[[Any], bool]) -> None:
        """Give the next job to who can take it."""
        if self.look() and take(self._next[0]):
            self._next.popleft()


class SharedHeartbeat:
    """A heartbeat in memory that parent and child share: how often it was called, and about what."""

    def __init__(self) -> None:
        self._shared = UnnamedMemory()
        self._shared.bytes(_SIZE)  # now, while what is missing can be said
        self._count = 0

    def __call__(self, about: str = "") -> None:
        self._count += 1
        note = self._count.to_bytes(_COUNT_BYTES, "little") + about.encode(errors="replace")
        self._shared.bytes(_SIZE)[:_SIZE] = note[:_SIZE].ljust(_SIZE, b"\0")

    def read(self) -> tuple[int, str]:
        """How often the other process called it, and what it spoke of last."""
        note = self._shared.bytes(_SIZE)[:_SIZE]
        about = note[_COUNT_BYTES:].rstrip(b"\0").decode(errors="replace")
        return int.from_bytes(note[:_COUNT_BYTES], "little"), about

    def close(self) -> None:
        """Give the memory back."""
        self._shared.close()


def work(pipe: Connection, heartbeat: SharedHeartbeat, given: Given | None) -> None:
    """Answer every job that comes through `pipe`; end with the parent. Signals are the parent's to obey.

    What to set up is `given`, or the first that comes.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    outlive_readers()
    threading.Thread(target=die_with_parent, daemon=True).start()
    _heartbeats[:] = [heartbeat]
    handle: Handler | None = None
    if given is None:
        given = pipe.recv()
    setup, arguments = given
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            if handle is None:
                handle = setup(*arguments)
            heartbeat()
            answer = Answer(handle(job, heartbeat))
        except Exception as error:
            answer = _failed(error)
        try:
            pipe.send(answer)
        except OSError:  # the reader has gone
            return


def _failed(error: Exception) -> Answer:
    if isinstance(error, (ValueError, OSError)):
        return Answer(reason=str(error))
    if isinstance(error, UserError):
        return Answer(refused=error.message)
    said = machine_error(error)  # memory that one job needs and is not there
    if said is not None:
        return Answer(reason=said.message)
    reason = f"defect: {type(error).__name__}: {error}"
    return Answer(reason=reason, trace=traceback.format_exc())


def die_with_parent() -> None:
    """End this process as soon as its parent has, also in the middle of a job that hangs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
