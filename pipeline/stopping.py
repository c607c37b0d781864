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


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying in the middle of a step; a second one kills."""
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        print("stopping at the next step ...", file=sys.stderr, flush=True)

    try:
        old = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever runs us handles signals
        old = {}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
