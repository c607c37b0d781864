"""Stopping when asked to: SIGINT and SIGTERM are noted, and obeyed where nothing is lost by it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

from pipeline.errors import UserError


class Interrupted(UserError):
    """The user or the scheduler asked the run to stop; the checkpoint is on disk."""

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name}; the checkpoint is written, the same command goes on")
        self.exit_code = 128 + number


class Terminated(KeyboardInterrupt):
    """SIGTERM, where nothing has to be finished first: it ends a command as Ctrl-C does."""


class StopNow(BaseException):
    """Raised out of a wait that may be broken off; no `except Exception` on the way takes it."""


class Stop:
    """Whether a signal has come, and which; `at_once` marks what may be broken off."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._breakable = False

    def __bool__(self) -> bool:
        return self.number is not None

    def note(self, number: int, frame: Any) -> None:
        """The handler: a first signal is noted (or breaks off), a second one ends the process."""
        if self:
            os._exit(128 + number)
        self.number = number
        if self._breakable:
            raise StopNow
        print("stopping at the next step ...", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise StopNow on a signal inside, and for one that came before."""
        if self:
            raise StopNow
        self._breakable = True
        try:
            yield
        finally:
            self._breakable = False


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """Collect SIGINT and SIGTERM instead of dying in the middle of a step; a second one kills."""
    stop = Stop()
    with _handled(stop.note, signal.SIGINT, signal.SIGTERM):
        yield stop


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Turn SIGTERM into Terminated, so that what is open is closed on the way out."""

    def end(number: int, frame: Any) -> None:
        raise Terminated

    with _handled(end, signal.SIGTERM):
        yield


@contextlib.contextmanager
def _handled(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    try:
        old = {number: signal.signal(number, handler) for number in numbers}
    except ValueError:  # not the main thread: whoever runs us handles signals
        old = {}
    try:
        yield
    finally:
        for number, before in old.items():
            signal.signal(number, before)
