"""The one exception a user sees, and what the machine refuses told as what to do about it."""

from __future__ import annotations

import errno
from pathlib import Path

from pipeline.printing import printable

# A full disk, a full quota, the largest file that is allowed.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_GOES_ON = "the same command goes on from what is on disk"
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN})
_LONGEST = 1500  # characters of a message; a value can have millions


class UserError(Exception):
    """Something the user can fix; the message names it, its value and the fix.

    It is one line whatever was in the value: line ends and characters that steer a terminal are escaped,
    and what is too long to read is cut in the middle. `exit_code` is what the command ends with; `damaged`
    names a file that was read and is not what it should be.
    """

    exit_code = 1

    def __init__(self, message: str, *, damaged: Path | None = None) -> None:
        self.damaged = damaged
        if len(message) > _LONGEST:
            message = f"{message[:1000]} [...] {message[-400:]}"
        self.message = printable(message)
        super().__init__(self.message)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it (IPython asks for it by this name): the line, without the way it came."""
        return [f"{type(self).__name__}: {self.message}"]


class UsageError(UserError):
    """A wrong option or configuration value (exit code 2, as a wrong option's own)."""

    exit_code = 2


def cannot_write(path: Path, error: OSError) -> UserError:
    """What a user is told when a file cannot be written, and how to go on."""
    fix = "make room and run the same command again: it goes on from here"
    if error.errno not in FULL and error.errno is not None:  # None: numpy, where a write fell short
        in_the_way = error.errno in {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY}
        way = "move away what lies there" if in_the_way else "make it writable"
        fix = f"{way} and run the same command again"
    return UserError(f"{path}: cannot be written ({error.strerror or error}); {fix}")


def cannot_read(path: Path, error: OSError) -> UserError:
    """What a user is told of a file that is there and cannot be read: it may be whole, so it stays."""
    fix = "it may be whole, so keep it; see to the disk or network it lies on"
    if error.errno in (errno.EACCES, errno.EPERM):
        fix = "give this user the right to read it"
    reason = error.strerror or error
    return UserError(f"{path}: cannot be read ({reason}); {fix}, then run the same command again")


def was_refused(error: OSError) -> bool:
    """Whether the system gave no bytes; else what was read is wrong.

    Libraries raise errors without a number for content, and a damaged zip file leads to places
    before its beginning (EINVAL).
    """
    return error.errno not in (None, errno.EINVAL)


def machine_error(error: Exception) -> UserError | None:
    """The line for an output no disk holds, for a process that has gone, and for files and memory that ran out.

    None for other errors.
    """
    if isinstance(error, BrokenPipeError):
        return UserError(
            f"another process that this one talks to has gone (broken pipe); {_GOES_ON}"
        )
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
