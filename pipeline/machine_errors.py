"""What the machine refuses, told as what to do about it."""

from __future__ import annotations

import errno
from pathlib import Path

from pipeline.artifacts import FULL, cannot_write
from pipeline.errors import UserError

_GOES_ON = "the same command goes on from what is on disk"
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN})


def machine_error(error: Exception) -> UserError | None:
    """The line for an output nobody reads or no disk holds, and for files and memory that ran out.

    None for other errors.
    """
    if isinstance(error, BrokenPipeError):
        return UserError(f"nobody reads the output any more (broken pipe); {_GOES_ON}")
    if isinstance(error, OSError):
        if error.errno in FULL and error.filename is None:
            return cannot_write(Path("the output"), error)
        if error.errno in _TOO_MANY:
            return UserError(
                f"{error.strerror}: raise the limit (ulimit -n, ulimit -u) or give fewer --workers; {_GOES_ON}"
            )
    if _out_of_memory(error):
        reason = " ".join(str(error).split()).partition(". ")[0] or "out of memory"
        return UserError(
            f"not enough memory ({reason}); give a smaller --batch-size or fewer --workers"
        )
    return None


def _out_of_memory(error: Exception) -> bool:
    # By name and text: to know torch's own classes here, every command would have to import it.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )
