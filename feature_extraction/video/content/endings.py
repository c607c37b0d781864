"""Whether a file ends where its own structure says: found from the sizes in it, without reading its pictures.

A length in seconds in a file's head may be the sound's, or wrong. Sizes of boxes, elements and packets are not:
where the last one goes beyond the end of the file, the file was cut; where all end with it, nothing is missing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

TAIL_BYTES = 1 << 17
_EBML_HEAD, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_ASF_HEAD = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
RIFF_SLACK = 16  # some writers count the eight bytes in front of the size, too


def is_whole(path: Path, kind: str) -> bool | None:
    """Whether a file of FFmpeg's format `kind` is whole; None if its structure does not show it.

    False is sure: a part of the file itself is not there. True is sure as far as the structure goes.
    """
    look = next((look for names, look in _LOOKS if any(name in kind for name in names)), None)
    if look is None:
        return None
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            return look(file, size)
    except (OSError, EOFError, struct.error, IndexError):
        return None


def boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """The name and the length in bytes of each box of an MP4, from the first on; of the last it may go beyond the end.

    A length below 8 says nothing (0: to the end of the file, wherever that is), and ends it.
    """
    place, length = 0, 8
    while length >= 8 and place + 8 <= size:
        file.seek(place)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big") if len(head) == 16 else 0
        yield name, length
        place += length


def _mp4(file: BinaryIO, size: int) -> bool | None:
    place, fragmented = 0, False
    for name, length in boxes(file, size):
        if length < 8 or not all(32 <= byte < 127 for byte in name):
            return None
        fragmented = fragmented or name == b"moof"
        place += length
    if place > size:
        return False
    return True if place == size and not fragmented else None


def _matroska(file: BinaryIO, size: int) -> bool | None:
    name, length = _element(file)
    if name != _EBML_HEAD or length is None:
        return None
    file.seek(length, 1)
    name, length = _element(file)
    if name != _SEGMENT:
        return None
    live = length is None  # written live: of unknown size; what is in it still has one
    end = size if length is None else file.tell() + length
    if end > size:
        return False
    while file.tell() < end:
        place = file.tell()
        try:
            name, length = _element(file)
        except EOFError:
            return False if live and place < size else None
        if length is not None:
            file.seek(length, 1)
        elif name == _CLUSTER:
            live = True  # what is in it follows
        else:
            return None
    if live:
        return False if file.tell() > end else None
    return True if file.tell() == end else None


def _element(file: BinaryIO) -> tuple[int, int | None]:
    """The name and the size of the next EBML element; None is a size that is not known.

    Raises EOFError if the file ends in it, IndexError for what is none.
    """
    name, width = _number(file)
    if width > 4:
        raise IndexError("no such element")
    size, width = _number(file)
    most = (1 << 7 * width) - 1
    return name, None if size & most == most else size & most


def _number(file: BinaryIO) -> tuple[int, int]:
    """A number with the mark of its width in front, and the width in bytes."""
    first = file.read(1)
    width = 9 - first[0].bit_length() if first else 1
    if width > 8:
        raise IndexError("no such number")
    content = first + file.read(width - 1)
    if len(content) < width:
        raise EOFError
    return int.from_bytes(content, "big"), width


def _avi(file: BinaryIO, size: int) -> bool | None:
    place = 0
    while place + 12 <= size:
        file.seek(place)
        name, length = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF" or length in (0, 0xFFFFFFFF):
            return None
        place += 8 + length + length % 2
    return (
        False if place > size + RIFF_SLACK else None
    )  # whole by this may be an index that is wrong


def _flv(file: BinaryIO, size: int) -> bool | None:
    head = file.read(9)
    if head[:3] != b"FLV":
        return None
    place = int.from_bytes(head[5:9], "big") + 4
    while place + 11 <= size:
        file.seek(place)
        tag = file.read(4)
        if tag[0] & 31 not in (8, 9, 18):
            return None
        place += 11 + int.from_bytes(tag[1:4], "big") + 4
    # tags alone do not say how many there should be; some writers leave out the size after the last one
    return None if size in (place, place - 4) else False


def _asf(file: BinaryIO, size: int) -> bool | None:
    if file.read(16) != _ASF_HEAD:
        return None
    place = 0
    while place + 24 <= size:
        file.seek(place + 16)
        (length,) = struct.unpack("<Q", file.read(8))
        if length < 24:
            return None  # written live
        place += length
    if place > size:
        return False
    return True if place == size else None


def _transport(file: BinaryIO, size: int) -> bool | None:
    """False where the last packet is cut; packets are of 188 bytes, with a time stamp 192, with a code 204."""
    file.seek(max(0, size - TAIL_BYTES))
    tail = file.read(TAIL_BYTES)
    for length in (188, 192, 204):
        for first in range(len(tail) - 1, len(tail) - 1 - length, -1):
            marks = tail[first::-length][:6]
            if len(marks) == 6 and set(marks) == {0x47}:
                before = 4 if length == 192 else 0  # of a packet, what precedes its mark
                return False if len(tail) - (first - before) < length else None
    return None


def _program(file: BinaryIO, size: int) -> bool | None:
    """False where the last packet of an MPEG program stream goes beyond the end."""
    file.seek(max(0, size - TAIL_BYTES))
    tail = file.read(TAIL_BYTES)
    place = tail.rfind(b"\0\0\1\xba")
    if place < 0 or place + 14 > len(tail):
        return None if place < 0 else False
    place += 14 + (tail[place + 13] & 7) if tail[place + 4] >> 6 == 1 else 12
    while place + 6 <= len(tail):
        if tail[place : place + 3] != b"\0\0\1" or tail[place + 3] < 0xB9:
            return None
        if tail[place + 3] == 0xB9:
            return None  # the end, as it should be
        place += 6 + int.from_bytes(tail[place + 4 : place + 6], "big")
    return False if place > len(tail) else None


def _ogg(file: BinaryIO, size: int) -> bool | None:
    file.seek(max(0, size - TAIL_BYTES))
    tail = file.read(TAIL_BYTES)
    place = tail.rfind(b"OggS")
    if place < 0:
        return None
    page = tail[place:]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    return False if 27 + page[26] + sum(page[27 : 27 + page[26]]) > len(page) else None


_LOOKS: tuple[tuple[tuple[str, ...], Callable[[BinaryIO, int], bool | None]], ...] = (
    (("mp4",), _mp4),
    (("matroska",), _matroska),
    (("avi",), _avi),
    (("flv",), _flv),
    (("asf",), _asf),
    (("mpegts",), _transport),
    (("mpeg",), _program),
    (("ogg",), _ogg),
)
