"""A seal at the end of a feature file: what is not whole is found before the HDF5 library looks at it.

A damaged HDF5 file can crash that library, or keep it busy for ever. So after the HDF5 part, where the
library does not look, stand checksums (CRC-32) of the features and of all around them. Before them stands
what the file says of itself, in one piece: the library takes ten times as long to find as much out.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

_MARK = b"TADA-LOC"
_FORM = struct.Struct("<8sQQII")  # mark, where the features lie, their bytes, two checksums
_CHECK = struct.Struct("<I")  # of the above
SIZE = _FORM.size + _CHECK.size
_END = struct.Struct("<Q8s")  # after a description: its bytes, mark
_DESCRIBED = b"TADA-DES"
_LONGEST = 1 << 16  # bytes of a description
_BLOCK = 1 << 20


class SealError(ValueError):
    """A file without a seal, or other than it was when it was sealed."""


def seal(image: bytes, offset: int, size: int) -> bytes:
    """The seal of a file's bytes, whose features are the `size` ones from `offset` on."""
    features = image[offset : offset + size]
    around = zlib.crc32(image[offset + size :], zlib.crc32(image[:offset]))
    form = _FORM.pack(_MARK, offset, size, around, zlib.crc32(features))
    return form + _CHECK.pack(zlib.crc32(form))


def described(image: bytes, description: bytes) -> bytes:
    """A file's bytes with a description after them, which its seal is to cover."""
    return image + description + _END.pack(len(description), _DESCRIBED)


class Sealed(NamedTuple):
    """What comes after a whole file: bytes of its features, and what it says of itself; older ones say nothing."""

    size: int
    description: bytes | None


def check_seal(path: str | os.PathLike[str], *, features: bool) -> Sealed:
    """Compare a file with its seal: all but the features, and those too where asked.

    Raises SealError if it has none or does not agree, OSError where it cannot be read.
    """
    with Path(path).open("rb") as file:
        length = file.seek(0, os.SEEK_END) - SIZE
        file.seek(max(0, length))
        form, check = file.read(_FORM.size), file.read(_CHECK.size)
        if length < 0 or not form.startswith(_MARK) or _CHECK.pack(zlib.crc32(form)) != check:
            raise SealError("not written by this program, or damaged: no checksum at its end")
        _, offset, size, around, inside = _FORM.unpack(form)
        file.seek(0)
        found = _checksum(file, offset, 0)
        if features and _checksum(file, size, 0) != inside:
            raise SealError("damaged: the features differ from what was written")
        file.seek(offset + size)
        if _checksum(file, length - offset - size, found) != around:
            raise SealError("damaged: it differs from what was written")
        return Sealed(size, _description(file, offset + size, length))


def _description(file: BinaryIO, first: int, stop: int) -> bytes | None:
    """What stands before a seal that begins at `stop`, after features that end at `first`."""
    if stop - first < _END.size:
        return None
    file.seek(stop - _END.size)
    length, mark = _END.unpack(file.read(_END.size))
    if mark != _DESCRIBED or length > min(_LONGEST, stop - _END.size - first):
        return None
    file.seek(stop - _END.size - length)
    return file.read(length)


def _checksum(file: BinaryIO, size: int, value: int) -> int:
    while size > 0:
        block = file.read(min(size, _BLOCK))
        if not block:
            raise SealError("damaged: a part is missing")
        value = zlib.crc32(block, value)
        size -= len(block)
    return value
