"""The one exception a user sees, and what the machine refuses, said as what to do about it."""

from __future__ import annotations

import errno
from pathlib import Path

from pipeline.printing import printable

# A full disk, a full quota, the largest file that is allowed.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_GOES_ON = "run the same command again to resume from what is on disk"
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN})
_LONGEST = 1500  # characters of a message; a value can have millions


class UserError(Exception):
    """Something the user can fix; the message names it, its value and the fix.

    It is one line whatever was in the value: line ends and characters that control a terminal are escaped,
    and long messages are cut in the middle. `exit_code` is what the command ends with; `damaged`
    names a file that was read and is damaged.
    """

    exit_code = 1

    def __init__(self, message: str, *, damaged: Path | None = None) -> None:
        self.damaged = damaged
        if len(message) > _LONGEST:
            message = f"{message[:1000]} [...] {message[-400:]}"
        self.message = printable(message)
        super().__init__(self.message)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it (IPython looks for this name): the line, without the traceback."""
        return [f"{type(self).__name__}: {self.message}"]


class UsageError(UserError):
    """A wrong option or configuration value (exit code 2, as a wrong option's own)."""

    exit_code = 2


def require_system() -> None:
    """Refuse a system whose processes cannot lock folders against one another, which is Windows. Raises UserError."""
    try:
        import fcntl  # noqa: F401
    except ImportError:
        raise UserError(
            "tada-loc needs Linux or macOS: this system has no `fcntl`, by which processes lock folders; on "
            "Windows use WSL 2 (docs/start/install.md)"
        ) from None


def cannot_write(path: Path, error: OSError) -> UserError:
    """The message for a file that cannot be written, and how to resume."""
    fix = "free some space and run the same command again: it resumes from here"
    if error.errno not in FULL and error.errno is not None:  # None: numpy, where a write fell short
        in_the_way = error.errno in {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY}
        way = "move away what is there" if in_the_way else "make it writable"
        fix = f"{way} and run the same command again"
    return UserError(f"{path}: cannot be written ({error.strerror or error}); {fix}")


def cannot_read(path: Path, error: OSError) -> UserError:
    """The message for a file that exists and cannot be read: it may be whole, so it is kept."""
    fix = "it may be whole, so keep it; check the disk or network it is on"
    if error.errno in (errno.EACCES, errno.EPERM):
        fix = "give this user permission to read it"
    reason = error.strerror or error
    return UserError(f"{path}: cannot be read ({reason}); {fix}, then run the same command again")


def was_refused(error: OSError) -> bool:
    """Whether the system could not read; otherwise the content is wrong.

    Libraries raise errors without a number for bad content, and a damaged zip file seeks
    to before its beginning (EINVAL).
    """
    return error.errno not in (None, errno.EINVAL)


def machine_error(error: Exception) -> UserError | None:
    """The line for an output no disk holds, for a process that has ended, and for files and memory that ran out.

    None for other errors.
    """
    if isinstance(error, BrokenPipeError):
        return UserError(f"a process that this one talks to has ended (broken pipe); {_GOES_ON}")
    if isinstance(error, OSError):
        if error.errno in FULL and error.filename is None:
            return cannot_write(Path("the output"), error)
        if error.errno in _TOO_MANY:
            return UserError(
                f"{error.strerror}: raise the limit (ulimit -n, ulimit -u) or use fewer --workers; {_GOES_ON}"
            )
    if _out_of_memory(error):
        reason = " ".join(str(error).split()).partition(". ")[0] or "out of memory"
        return UserError(
            f"not enough memory ({reason}); use a smaller --batch-size or fewer --workers"
        )
    return None


def _out_of_memory(error: Exception) -> bool:
    # By name and text: to know torch's own classes here, every command would have to import it.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )
