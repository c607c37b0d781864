"""Bits of compressed pictures: fields of this many bits, numbers of variable length, units between start codes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise


class Bits:
    """Bits of some bytes, read from the first on. Past the last byte, IndexError."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def take(self, count: int) -> int:
        """The next `count` bits as a number, the first one the highest."""
        value = 0
        for _ in range(count):
            byte, bit = divmod(self._place, 8)
            value = value << 1 | self._content[byte] >> (7 - bit) & 1
            self._place += 1
        return value

    def exp_golomb(self) -> int:
        """The next number in the variable-length code of H.264 and HEVC."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise IndexError("no such number")
        return (1 << zeros) - 1 + self.take(zeros)


def start_codes(content: bytes) -> Iterator[int]:
    """The places of the bytes behind each 00 00 01."""
    place = content.find(b"\0\0\1")
    while place >= 0:
        yield place + 3
        place = content.find(b"\0\0\1", place + 3)


def units(content: bytes, length_size: int) -> Iterator[bytes]:
    """The NAL units of a packet: after start codes where `length_size` is 0, else each after its length."""
    if length_size:
        place = 0
        while place + length_size < len(content):
            size = int.from_bytes(content[place : place + length_size], "big")
            place += length_size
            yield content[place : place + size]
            place += size
        return
    for place, following in pairwise([*start_codes(content), len(content) + 3]):
        yield content[place : following - 3]
