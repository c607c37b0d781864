"""The signals that stop a run, for tests that send them, whatever started the tests ignores of them."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from pipeline.processes.stopping import SIGNALS


def as_usual() -> None:
    """In a new process: what a shell starts in front has. nohup and background jobs ignore some."""
    for number in SIGNALS:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """In this process, for as long as a test runs."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    as_usual()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
