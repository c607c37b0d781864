"""Stopping when asked to: signals are noted, and obeyed where nothing is lost by it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from pipeline.errors import UserError

# What asks a run to stop: Ctrl-C, a scheduler, a terminal that goes away.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

_AGAIN_SECONDS = 0.01


class Interrupted(UserError):
    """The user or the scheduler asked the run to stop; the checkpoint is on disk."""

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name}; the checkpoint is written, the same command goes on")
        self.exit_code = 128 + number


class Terminated(KeyboardInterrupt):
    """A signal where nothing has to be finished first: it ends a command as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class StopNow(BaseException):
    """Raised out of a wait that may be broken off; no `except Exception` on the way takes it."""

    def __init__(self, stop: Stop | None = None) -> None:
        super().__init__()
        self.stop = stop


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
            raise StopNow(self)
        with contextlib.suppress(OSError):  # the terminal may be what is gone
            # Not print: this may interrupt a print, which allows none inside it.
            os.write(2, b"stopping at the next step ...\n")

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
    """Collect signals instead of dying in the middle of a step; a second one kills."""
    stop = Stop()
    with _handled(stop.note, *SIGNALS), _nothing_dropped():
        yield stop


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Turn signals but Ctrl-C into Terminated, so that what is open is closed on the way out."""

    def end(number: int, frame: Any) -> None:
        raise Terminated(number)

    with _handled(end, *SIGNALS[1:]), _nothing_dropped():
        yield


@contextlib.contextmanager
def _nothing_dropped() -> Iterator[None]:
    """Send a signal again where Python drops what its handler raised: in destructors and weak references."""
    before = sys.unraisablehook

    def again(dropped: Any) -> None:
        error = dropped.exc_value
        if not isinstance(error, (KeyboardInterrupt, StopNow)) or not hasattr(
            signal, "pthread_kill"
        ):
            before(dropped)
            return
        stop = getattr(error, "stop", None)
        number = stop.number if stop else getattr(error, "number", signal.SIGINT)
        if stop:
            stop.number = None  # it comes for the first time
        thread = threading.main_thread().ident
        timer = threading.Timer(_AGAIN_SECONDS, signal.pthread_kill, [thread, number])
        timer.daemon = True
        timer.start()

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextlib.contextmanager
def unbroken(*hidden: signal.Signals) -> Iterator[None]:
    """Signals wait until this is left; processes started inside never see those `hidden` from them.

    A start that is broken off leaves a process that complains of it, or an exception that nobody gets.
    """
    come: list[int] = []
    try:
        # Both: other threads' signals run the handlers of this one, whatever it has blocked.
        with _blocked(*hidden), _handled(lambda number, frame: come.append(number), *SIGNALS):
            yield
    finally:
        for number in come:
            signal.raise_signal(number)


@contextlib.contextmanager
def _blocked(*numbers: signal.Signals) -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _handled(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # whoever runs us handles signals
        return
    # nohup has SIGHUP ignored, and means it.
    heard = [n for n in numbers if n == signal.SIGINT or signal.getsignal(n) != signal.SIG_IGN]
    with contextlib.ExitStack() as restored:
        for number in heard:
            restored.callback(signal.signal, number, signal.signal(number, handler))
        yield
