"""Standard streams that are closed, and those that nobody reads any longer."""

from __future__ import annotations

import io
import os
import stat
import sys
from typing import Any

_NOBODY_READS = (BrokenPipeError, ConnectionResetError)


def open_closed_streams() -> None:
    """Point standard streams that are closed (`2>&-`) at the null device.

    Otherwise the next file that is opened takes the free number, and what a library says on its
    standard error lands in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)  # the workers have none either
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115  # for good


def outlive_readers() -> None:
    """From here on, a reader that goes away (`| head -1`) ends the output, not the work.

    Full disks and other failures to write stay errors.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and _can_lose_readers(number):
            stream.flush()
            setattr(sys, name, _rebuilt(stream, number))


def _can_lose_readers(number: int) -> bool:
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _rebuilt(stream: io.TextIOWrapper, number: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_Pipe(number, "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,  # python -u
    )


class _Pipe(io.FileIO):
    """A pipe that becomes the null device when its reader goes away, for this process's children too."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except _NOBODY_READS:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return memoryview(data).nbytes
