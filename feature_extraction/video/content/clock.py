"""The times of frames in the order in which a decoder shows them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from feature_extraction.video.frame_times import LONGEST_SECONDS, LateSeekError
from feature_extraction.video.reader import VideoError

if TYPE_CHECKING:
    import av

BACKWARD_SECONDS = 1.0  # times running back further than this make no timeline


class Head(Protocol):
    """What is used of a file's head."""

    path: Path
    avi: bool
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

        AVI stores no presentation times: there the decode times, which rise one a frame shown,
        are the ones to go by. Raises VideoError where times run far back or leap ahead.
        """
        own = frame.dts if self._head.avi or frame.pts is None else frame.pts
        if self._sought and frame.pts is None:
            raise LateSeekError  # only the way from the start tells when this is shown
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
