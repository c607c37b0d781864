"""How processes end: what an exit code most likely means, and a limit to waits on their pipes."""

from __future__ import annotations

import contextlib
import multiprocessing.process
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any

_SURELY_TAKEN = 1 << 12  # bytes; a pipe holds more, whether anyone reads or not
_TICK = 1.0  # seconds; of a wait in which this process was suspended no more than that is counted
# What most likely sent a signal that the process itself or its machine did, and what helps.
_CAUSES = {
    "SIGKILL": "memory most likely ran out, and the system killed it; use fewer --workers or a smaller "
    "--batch-size",
    "SIGBUS": "memory or disk that it had mapped was missing (a full /dev/shm or disk); use "
    "--workers 0, or give the container more with `docker run --shm-size=1g`",
    "SIGXCPU": "its processor time was used up (ulimit -t)",
    "SIGXFSZ": "a file grew beyond its limit (ulimit -f)",
}
_CRASHES = ("SIGSEGV", "SIGABRT", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS")


def death(code: int | None) -> str:
    """How a process died, in words, from its exit code (below zero: killed by a signal).

    None: it has not ended yet, though it was killed.
    """
    if code is None:
        return "its process does not end (it is waiting for a disk or a network)"
    if code >= 0:
        return f"its process died (exit code {code})"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    said = f"its process died ({name})"
    if name in _CRASHES:
        return f"{said}: a library it uses crashed"
    return f"{said}: {_CAUSES[name]}" if name in _CAUSES else said


@contextlib.contextmanager
def killed_after(process: BaseProcess, seconds: float) -> Iterator[None]:
    """Kill a process for which the block waits longer than that; whatever the block waits for then fails."""
    done = threading.Event()

    def watch() -> None:
        left = seconds
        while left > 0:
            if done.wait(min(left, _TICK)):
                return
            left -= _TICK
        process.kill()

    watcher = threading.Thread(target=watch, daemon=True)
    with contextlib.suppress(RuntimeError):  # no thread is available: then nothing watches
        watcher.start()
    try:
        yield
    finally:
        done.set()
        if watcher.ident is not None:
            watcher.join(_TICK)


def send(pipe: Connection, process: BaseProcess, value: Any, seconds: float) -> None:
    """Send a value to a process; one that does not receive it in time is killed. Raises OSError if it is dead."""
    message = ForkingPickler.dumps(value)
    if len(message) < _SURELY_TAKEN:
        pipe.send_bytes(message)
        return
    with killed_after(process, seconds):
        pipe.send_bytes(message)


def receive(pipe: Connection, process: BaseProcess, seconds: float) -> Any:
    """What a process has begun to send; it is killed where the rest does not come in time.

    Raises EOFError or OSError if it is dead.
    """
    with killed_after(process, seconds):
        return pipe.recv()


def let_go(process: BaseProcess) -> None:
    """Do not wait at exit for a process that even a kill does not end: it is waiting for a disk or a network."""
    children = getattr(multiprocessing.process, "_children", None)
    if process.is_alive() and children is not None:
        children.discard(process)
