"""Stopping on request: signals are noted, and obeyed where nothing is lost."""

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
from typing import Any

from pipeline.errors import UserError

# What asks a run to stop: Ctrl-C, a scheduler, a terminal that goes away.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

_AGAIN_SECONDS, _SELDOM_SECONDS = 0.01, 1.0  # until a signal is sent again: twice as long each time
SignalHandler = Callable[[int, FrameType | None], None]


class Interrupted(UserError):
    """The user or the scheduler asked the run to stop; the checkpoint is on disk."""

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        text = "the checkpoint is written; run the same command again to resume"
        super().__init__(f"stopped by {name}; {text}")
        self.exit_code = 128 + number


class Terminated(KeyboardInterrupt):
    """A signal where nothing has to be finished first: it ends a command as Ctrl-C always does."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class StopNow(BaseException):
    """Raised out of a wait that may be broken off; no `except Exception` on the way takes it."""


class _Raised:
    """What a signal raises in the main thread, until `over`: it comes again where it was dropped on its way.

    C code that asks whether an attribute is there drops any error, and so does a bare `except` of a library.
    """

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error
        self._begun = self._over = self._sent = False
        self._sending = _thread.allocate_lock()

    def sent(self) -> bool:
        """Whether the signal that a handler was just called for is one of ours; call it once per call."""
        sent, self._sent = self._sent, False
        return sent

    def throw(self, error: BaseException, frame: FrameType | None, number: int, sent: bool) -> None:
        """Raise, in a handler; not where it would be dropped, nor `sent` again what is on its way."""
        comes_again = self._begun or self._begin(number)
        if sent and (self._over or any(isinstance(e, self._error) for e in _handled_errors())):
            return
        if not (comes_again and _would_be_dropped(frame)):
            raise error

    def over(self) -> None:
        """It is out, or nothing may be raised any more: no signal is sent once this returns."""
        self._over = True
        with self._sending:
            pass

    def _begin(self, number: int) -> bool:
        # Not threading.Thread: the signal may have interrupted its start, which holds locks.
        with contextlib.suppress(RuntimeError):  # no thread is available
            _thread.start_new_thread(self._send, (number,))
            self._begun = True
        return self._begun

    def _send(self, number: int) -> None:
        seconds = _AGAIN_SECONDS
        while True:
            time.sleep(seconds)
            with self._sending:
                if self._over:
                    return
                self._sent = True
                _to_main_thread(number)
            seconds = min(2 * seconds, _SELDOM_SECONDS)


class Stop:
    """Whether a signal has come, and which; `at_once` marks what may be broken off."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._breakable = False
        self._raised = _Raised(StopNow)

    def __bool__(self) -> bool:
        return self.number is not None

    def note(self, number: int, frame: FrameType | None) -> None:
        """The handler: a first signal is noted (or breaks off), a second one ends the process."""
        sent = self._raised.sent()
        if self and not sent:
            os._exit(128 + number)
        self.number = number
        if self._breakable:
            self._raised.throw(StopNow(), frame, number, sent)
        elif not sent:
            with contextlib.suppress(OSError):  # the terminal itself may be gone
                # Not print: this may interrupt a print, which allows none inside it.
                os.write(2, b"stopping at the next step ...\n")

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise StopNow on a signal inside, at its end at the latest, and for one that came before."""
        if self:
            raise StopNow
        self._breakable = True
        try:
            yield
        finally:
            self._breakable = False
            if self:
                self._raised.over()
        if self:
            raise StopNow


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """Collect signals instead of dying in the middle of a step; a second one kills.

    A signal that was not checked for when this is left comes again, to the handler there was before.
    """
    stop = Stop()
    with _handled(stop.note, *SIGNALS):
        yield stop
    if stop.number is not None:
        signal.raise_signal(stop.number)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Turn signals into Terminated, so that what is open is closed on the way out.

    However this is left: once a signal has come, Terminated is raised, if something dropped it before.
    """
    raised, come = _Raised(Terminated), list[int]()

    def end(number: int, frame: FrameType | None) -> None:
        come.append(number)
        raised.throw(Terminated(number), frame, number, raised.sent())

    with _handled(end, *SIGNALS):
        try:
            yield
        finally:
            raised.over()
            if come and not isinstance(sys.exc_info()[1], Terminated):
                raise Terminated(come[0])


def _handled_errors() -> Iterator[BaseException]:
    """The error that is handled here, and those that were when it was raised."""
    error = sys.exc_info()[1]
    while error is not None:
        yield error
        error = error.__context__


def _would_be_dropped(frame: FrameType | None) -> bool:
    """Whether Python would drop (and print) what is raised in a frame instead of passing it on.

    It does so in destructors, in callbacks of weak references and in generators without a reference.
    """
    if any(isinstance(error, GeneratorExit) for error in _handled_errors()):
        return True
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__":
            return True
        # A callback is given its reference, which is dead by then; a method's first argument is its object.
        names = code.co_varnames[: min(2, code.co_argcount)]
        given: list[Any] = [frame.f_locals.get(name) for name in names]
        if any(weakref.ref in type(value).__mro__ and value() is None for value in given):
            return True
        frame = frame.f_back
    return False


def _to_main_thread(number: int) -> None:
    if not hasattr(signal, "pthread_kill"):
        _thread.interrupt_main(signal.Signals(number))  # which breaks off no wait
        return
    signal.pthread_kill(threading.main_thread().ident or 0, number)


@contextlib.contextmanager
def unbroken(*hidden: signal.Signals) -> Iterator[None]:
    """Signals wait until this is left; processes started inside never see those `hidden` from them.

    A start that is broken off leaves a process that reports an error, or an exception that nothing receives.
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
        yield  # the caller handles signals
        return
    # What started this process with a signal ignored means it: nohup, a shell's job in the background.
    heard = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    with contextlib.ExitStack() as restored:
        for number in heard:
            restored.callback(signal.signal, number, signal.signal(number, handler))
        yield
