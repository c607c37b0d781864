"""Files looked at before they are read: a pipe would block, a device never ends, a bomb fills the memory."""

from __future__ import annotations

import bz2
import errno
import gzip
import json
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Bytes of a file that is read whole, unpacked. The largest of official annotations have under 100 MB.
LARGEST_TEXT = 512 << 20
LARGEST_FILE = 32 << 30  # of one that is not text; initial weights have 1 GB
# Endings of packed files. Text packs to a tenth; what unpacks to more than this many times its size is not text.
PACKED = (".gz", ".bz2", ".xz", ".zip")
MOST_PACKED, ANY_PACKED = 100, 16 << 20  # times the file's size, and bytes that are always taken
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def require_plain(path: str | os.PathLike[str], largest: int | None = None) -> int:
    """The size of a plain file in bytes, before anything opens it.

    Raises OSError that says, as its `strerror`, what else it is (a pipe, a socket, a device, a folder, a link to
    nothing), or that it has more than `largest` bytes; FileNotFoundError where there is nothing.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        if not os.path.islink(path):
            raise
        said = f"it is a link to {os.readlink(path)}, which does not exist"
        raise OSError(errno.EINVAL, said, str(path)) from error
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "a special file")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))
    if largest is not None and found.st_size > largest:
        raise too_large(path, bytes_text(found.st_size), largest)
    return found.st_size


def read_bytes(path: Path, largest: int = LARGEST_TEXT, *, packed: bool = False) -> bytes:
    """All of a plain file, of one that is `packed` (by its ending) what is in it.

    Raises OSError as `require_plain` does, and where more than `largest` bytes, or more than packing explains, come out
    of it: no more than that is ever held.
    """
    size = require_plain(path, largest)
    if not packed or path.suffix.lower() not in PACKED:
        return path.read_bytes()
    most = min(largest, max(ANY_PACKED, MOST_PACKED * size))
    try:
        with _unpacking(path) as stream:
            content: bytes = stream.read(most + 1)
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError) as error:
        raise OSError(errno.EINVAL, f"it does not unpack: {error}", str(path)) from error
    if len(content) > most:
        raise too_large(path, f"{bytes_text(size)}, unpacked more", most)
    return content


def read_text(path: Path, largest: int = LARGEST_TEXT, encoding: str = "utf-8") -> str:
    """The text of a plain file, unpacked, with any line ends, without a byte order mark.

    Raises OSError as `require_plain`, UnicodeDecodeError.
    """
    text = read_bytes(path, largest, packed=True).decode(encoding).removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(
    path: Path,
    largest: int = LARGEST_TEXT,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """The value of a JSON file; `pairs` makes an object of what is in it.

    Raises OSError as `require_plain`, ValueError and RecursionError where it is not JSON.
    """
    return json.loads(read_text(path, largest), object_pairs_hook=pairs)


def distinct_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a JSON file, for `pairs`; of a key that appears twice, json would silently keep the last.

    Raises ValueError naming the key.
    """
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"{key[:200]!r} appears twice")
            seen.add(key)
    return content


def too_large(path: str | os.PathLike[str], found: str, largest: int) -> OSError:
    """The error for a file larger than is ever needed; `found` says how large."""
    said = f"it is too large: {found}, and at most {bytes_text(largest)} are read"
    return OSError(errno.EINVAL, said, str(path))


def bytes_text(size: int) -> str:
    """A number of bytes as messages show it."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.2f} MB"


def _unpacking(path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return gzip.open(path)
    if suffix == ".bz2":
        return bz2.open(path)
    if suffix == ".xz":
        return lzma.open(path)
    with zipfile.ZipFile(path) as archive:  # its members stay readable when it is closed
        names = archive.namelist()
        if len(names) != 1:
            raise OSError(errno.EINVAL, f"it holds {len(names)} files, not one", str(path))
        return archive.open(names[0])
