"""Readers of videos kept open: the next clip of the same video is read without opening its file again.

Each process has its own, and the thread that uses them: none is opened before a fork. What a kept reader gives is
what one opened for this clip alone would give: where it fails or finds damage, a new one reads again.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from feature_extraction.video.opening import open_video
from feature_extraction.video.reader import Reader, VideoError
from pipeline.data.videos.finding import Source

MOST_FILES = 12
MOST_BYTES = 192 << 20
_FRAMES = 20  # that an open decoder may hold
_PIXEL_BYTES = 1.5

Value = TypeVar("Value")
_Place = tuple[str, str]  # where it is, decoder


@dataclass(frozen=True)
class _Kept:
    reader: Reader
    stamp: tuple[int, ...]  # what shows that another file took its place

    @property
    def bytes(self) -> float:
        info = self.reader.info
        return info.width * info.height * _PIXEL_BYTES * _FRAMES


class KeptReaders:
    """The readers that were used last, at most MOST_FILES and about MOST_BYTES of decoded frames."""

    def __init__(self) -> None:
        self._owner = _owner()
        self._kept: OrderedDict[_Place, _Kept] = OrderedDict()

    def read(self, source: Source, use: Callable[[Reader], Value], decoder: str = "auto") -> Value:
        """What `use` makes of a reader of a video that takes a part of it. Raises what opening and `use` raise."""
        if self._owner != _owner():  # forked, or another thread: what is open is not ours
            self._owner, self._kept = _owner(), OrderedDict()
        place = (str(source), decoder)
        kept = self._kept.pop(place, None)
        if kept is not None:
            try:
                if kept.stamp == _stamp(source):
                    value = use(kept.reader)
                    if not kept.reader.damaged:
                        self._keep(place, kept)
                        return value
            except (VideoError, OSError):
                pass  # whatever it is, a new reader says it
            except BaseException:
                kept.reader.close()
                raise
            kept.reader.close()
        return self._read_anew(source, use, place)

    def _read_anew(self, source: Source, use: Callable[[Reader], Value], place: _Place) -> Value:
        stamp = _stamp(source)
        reader = open_video(source, place[1], allow_partial=True)
        try:
            value = use(reader)
        except BaseException:
            reader.close()
            raise
        if reader.damaged or stamp is None:
            reader.close()
        else:
            self._keep(place, _Kept(reader, stamp))
        return value

    def _keep(self, place: _Place, kept: _Kept) -> None:
        self._kept[place] = kept
        while len(self._kept) > MOST_FILES or (
            len(self._kept) > 1 and sum(one.bytes for one in self._kept.values()) > MOST_BYTES
        ):
            self._kept.popitem(last=False)[1].reader.close()

    def close(self) -> None:
        """Close all files; further ones may be read after this."""
        mine = self._owner == _owner()
        for kept in self._kept.values() if mine else ():
            kept.reader.close()
        self._kept = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)


def _owner() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def _stamp(source: Source) -> tuple[int, ...] | None:
    """What distinguishes one file from another at its place; None if there is none."""
    try:
        found = os.stat(source)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
