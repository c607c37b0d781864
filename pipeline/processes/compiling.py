"""Where torch caches what it compiled: nowhere until something is; then in the user's cache folder.

Importing torchvision brings in torch's compiler, which immediately makes a temporary folder.
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
    os.environ[_KEY] = tempfile.gettempdir()  # which exists: nothing has to be made
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
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: the home folder is unknown
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = caches / "tada-loc" / "compiled"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            os.environ[_KEY] = str(folder)
            _keep_headers_in(folder / "precompiled_headers")


def _keep_headers_in(folder: Path) -> None:
    """Headers that torch precompiles go there too; torch supports a single place for these."""
    from torch._inductor import codecache  # slow, and of no later use

    for name, place in (("_HEADER_DIR", folder), ("_HEADER_LOCK_DIR", folder / "locks")):
        if hasattr(codecache, name):
            setattr(codecache, name, str(place))
