"""Memory that processes share and that has no name: nothing of it stays, however they end.

It needs no space in /dev/shm, of which a container often has little.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from multiprocessing import reduction
from typing import Any, BinaryIO

from pipeline.errors import UserError


class UnnamedMemory:
    """Bytes that this process shares with those forked later, and with those it is sent to while they start."""

    def __init__(self) -> None:
        self._file = _unnamed_file()
        self._map: mmap.mmap | None = None

    def bytes(self, size: int) -> mmap.mmap:
        """Its first `size` bytes at least; it grows with what is asked for.

        Raises UserError if the machine does not have enough memory for them.
        """
        if self._map is None or len(self._map) < size:
            try:
                if os.fstat(self._file.fileno()).st_size < size:
                    _reserve(self._file.fileno(), size)
                self._map = mmap.mmap(self._file.fileno(), size)
            except OSError as error:
                raise UserError(
                    f"not enough memory for {size / 1e6:.1f} MB that processes share ({error.strerror or error}); "
                    "use fewer --workers (--workers 0 needs none) or a smaller --batch-size"
                ) from error
        return self._map

    def close(self) -> None:
        """Give the memory back, as soon as nothing refers to it any longer."""
        self._map = None
        self._file.close()

    def __getstate__(self) -> dict[str, Any]:
        """What a process that is being started is sent: the file itself."""
        # DupFd is there where processes are sent files; its type is not known to type checkers.
        return {"file": reduction.DupFd(self._file.fileno())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._file = open(state["file"].detach(), "r+b")  # noqa: SIM115 (closed by `close`)
        self._map = None


def _unnamed_file() -> BinaryIO:
    if hasattr(os, "memfd_create"):
        try:
            return open(os.memfd_create("tada-loc"), "r+b")
        except OSError as error:
            if error.errno not in (
                errno.ENOSYS,
                errno.EPERM,
            ):  # a system that has none, or forbids it
                raise
    file: Any = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
    return file  # type: ignore[no-any-return]


def _reserve(descriptor: int, size: int) -> None:
    """Make a file that long, its memory or disk being there: otherwise its lack would end the process by a signal."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)
