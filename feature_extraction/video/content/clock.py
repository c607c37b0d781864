"""The times of frames in the order in which a decoder shows them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from feature_extraction.video.frame_times import LONGEST_SECONDS, LateSeekError
from feature_extraction.video.reader import VideoError

if TYPE_CHECKING:
    import av

# DivX's mark of streams whose packets hold a picture and the one shown before it, the next packet nothing
_PACKED = re.compile(rb"DivX[0-9]+(?:Build|b)[0-9]+p")
BACKWARD_SECONDS = 1.0  # times running back further than this make no timeline


class Head(Protocol):
    """What is used of a file's head."""

    path: Path
    decode_times: bool
    tick: float
    first: int

    def seconds(self, ticks: int) -> float: ...
    @property
    def usual_seconds(self) -> float: ...


class Clock:
    """Gives each frame shown its time, always rising. `newest` is the last one given, in ticks."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._sought = False
        self.newest: int | None = None

    def restart(self, *, sought: bool = False) -> None:
        """Begin again, from the start of the file or from where it was sought to."""
        self.newest, self._sought = None, sought

    def ticks(self, frame: av.VideoFrame) -> int:
        """The presentation time of the next frame of the decoder, in ticks; always rising.

        AVI stores no presentation times, and of packed pictures they are another's: there the decode
        times, which rise one per frame shown, are the ones to choose settings by. Raises VideoError if times run far back or leap ahead.
        """
        own = frame.dts if self._head.decode_times or frame.pts is None else frame.pts
        if self._sought and frame.pts is None:
            raise LateSeekError  # only reading from the start shows when this is displayed
        if self.newest is None:
            self.newest = own if own is not None else self._head.first
            return self.newest
        if own is None:
            own = self.newest + round(self.shown_seconds(frame, 0.0) / self._head.tick)
        elif (self.newest - own) * self._head.tick > BACKWARD_SECONDS:
            raise self._no_timeline("run back", own)
        elif (own - self.newest) * self._head.tick > LONGEST_SECONDS:
            raise self._no_timeline("jump", own)
        self.newest = max(own, self.newest + 1)
        return self.newest

    def shown_seconds(self, frame: av.VideoFrame, gap: float) -> float:
        """Seconds a frame is shown: as it says itself, else `gap`, else as is usual."""
        seconds = (frame.duration or 0) * self._head.tick
        return seconds if 0 < seconds <= LONGEST_SECONDS else gap or self._head.usual_seconds

    def _no_timeline(self, how: str, ticks: int) -> VideoError:
        last = self._head.first if self.newest is None else self.newest
        return VideoError(
            f"{self._head.path}: times {how} from {self._head.seconds(last):.2f} s to "
            f"{self._head.seconds(ticks):.2f} s; re-encode it (ffmpeg -i IN OUT.mp4)"
        )


def is_packed(codec: str, extradata: bytes) -> bool:
    """Whether packets hold two pictures and none by turns, so that their times are not those of what comes out.

    Such streams come from AVI files, and keep it when they are copied to another container.
    """
    return codec == "mpeg4" and _PACKED.search(extradata) is not None


def clock_seconds(text: str) -> float | None:
    """Read Matroska's H:MM:SS.fraction; None for anything else."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None
