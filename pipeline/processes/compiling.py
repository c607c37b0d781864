"""Where torch keeps what it compiled: nowhere, while nothing is; then where a user's caches are.

Importing torchvision brings in torch's compiler, which at once makes a folder in the temporary one.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

_KEY = "TORCHINDUCTOR_CACHE_DIR"


@contextlib.contextmanager
def no_compiler_folder() -> Iterator[None]:
    """Inside, torch makes no folder when it is imported; one that the user has named stays named."""
    if _KEY in os.environ:
        yield
        return
    os.environ[_KEY] = tempfile.gettempdir()  # which is there: nothing has to be made
    try:
        yield
    finally:
        os.environ.pop(_KEY, None)


def use_compiler_cache() -> None:
    """Have torch keep what it compiles from here on in `~/.cache/tada-loc/compiled`.

    The next command finds it there. Where the user has named a folder, or no such one can be made,
    torch's own choice stays.
    """
    if os.environ.get(_KEY, tempfile.gettempdir()) != tempfile.gettempdir():
        return
    os.environ.pop(_KEY, None)
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: nobody's home is known
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = caches / "tada-loc" / "compiled"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            os.environ[_KEY] = str(folder)
            _keep_headers_in(folder / "precompiled_headers")


def _keep_headers_in(folder: Path) -> None:
    """What torch compiled of its own headers goes there, too; of all it keeps, that knows one place alone."""
    from torch._inductor import codecache  # slow, and of no use but now

    for name, place in (("_HEADER_DIR", folder), ("_HEADER_LOCK_DIR", folder / "locks")):
        if hasattr(codecache, name):
            setattr(codecache, name, str(place))
