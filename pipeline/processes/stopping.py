"""Stopping when asked to: signals are noted, and obeyed where nothing is lost by it."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import FrameType

from pipeline.errors import UserError

# What asks a run to stop: Ctrl-C, a scheduler, a terminal that goes away.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

_AGAIN_SECONDS = 0.01
SignalHandler = Callable[[int, FrameType | None], None]


class Interrupted(UserError):
    """The user or the scheduler asked the run to stop; the checkpoint is on disk."""

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name}; the checkpoint is written, the same command goes on")
        self.exit_code = 128 + number


class Terminated(KeyboardInterrupt):
    """A signal where nothing has to be finished first: it ends a command as Ctrl-C always does."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class StopNow(BaseException):
    """Raised out of a wait that may be broken off; no `except Exception` on the way takes it."""


class Stop:
    """Whether a signal has come, and which; `at_once` marks what may be broken off."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._breakable = False

    def __bool__(self) -> bool:
        return self.number is not None

    def note(self, number: int, frame: FrameType | None) -> None:
        """The handler: a first signal is noted (or breaks off), a second one ends the process."""
        if self:
            os._exit(128 + number)
        if self._breakable and _would_be_dropped(frame) and _comes_again(number):
            return
        self.number = number
        if self._breakable:
            raise StopNow
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
    with _handled(stop.note, *SIGNALS):
        yield stop


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Turn signals into Terminated, so that what is open is closed on the way out."""

    def end(number: int, frame: FrameType | None) -> None:
        if not (_would_be_dropped(frame) and _comes_again(number)):
            raise Terminated(number)

    with _handled(end, *SIGNALS):
        yield


def _would_be_dropped(frame: FrameType | None) -> bool:
    """Whether Python would drop (and print) what is raised in a frame instead of passing it on.

    It does so in destructors, in callbacks of weak references and in generators that nobody holds any more.
    """
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, GeneratorExit):
            return True
        error = error.__context__
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__":
            return True
        # A callback is given its reference, which is dead by then; a method's first argument is its object.
        given = (frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount][:2])
        if any(isinstance(value, weakref.ref) and value() is None for value in given):
            return True
        frame = frame.f_back
    return False


def _comes_again(number: int) -> bool:
    """Send a signal to the main thread once more, soon, for the handler there is by then."""
    if not hasattr(signal, "pthread_kill"):
        return False
    main = threading.main_thread().ident
    assert main is not None

    def send() -> None:
        time.sleep(_AGAIN_SECONDS)
        signal.pthread_kill(main, number)

    # Not threading.Thread: the signal may have interrupted its start, which holds locks.
    _thread.start_new_thread(send, ())
    return True


@contextlib.contextmanager
def unbroken(*hidden: signal.Signals) -> Iterator[None]:
    """Signals wait until this is left; processes started inside never see those `hidden` from them.

    A start that is broken off leaves a process that complains of it, or an exception that nobody gets.
    """
    come: list[int] = []

    def keep(number: int, frame: FrameType | None) -> None:
        come.append(number)

    try:
        # Both: other threads' signals run the handlers of this one, whatever it has blocked.
        with _blocked(*hidden), _handled(keep, *SIGNALS):
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
def _handled(handler: SignalHandler, *numbers: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # whoever runs us handles signals
        return
    # What started this process with a signal ignored means it: nohup, a shell's job in the background.
    heard = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    with contextlib.ExitStack() as restored:
        for number in heard:
            restored.callback(signal.signal, number, signal.signal(number, handler))
        yield
