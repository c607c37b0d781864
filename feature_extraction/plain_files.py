"""Whether a path is a plain file, found out before it is opened: a pipe blocks, a device never ends."""

from __future__ import annotations

import os
import stat

_SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def what_else(path: str | os.PathLike[str]) -> str | None:
    """What a path is that is not a plain file, as messages say it; None of a plain file.

    A link to nothing and one that leads back to itself count; FileNotFoundError where there is nothing at all.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if os.path.islink(path):
            return f"a link to {os.readlink(path)}, which does not exist"
        raise
    except OSError as error:
        return f"cannot be reached ({error.strerror})"
    return None if stat.S_ISREG(mode) else _SPECIAL.get(stat.S_IFMT(mode), "a special file")
