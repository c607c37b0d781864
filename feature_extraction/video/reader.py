"""What a reader of a video is: frames by time, whatever the frames are stored in.

Times are seconds counted from the first presented frame. A reader gives, for an asked time, the
frame whose presentation time is nearest (the earlier one where two are equally near), as
displayed: rotated and mirrored as the file says, 3 x 8 bit RGB.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

TOUCHING = 1e-6  # seconds; as near as this is in a span
Picture = NDArray[np.uint8]  # a frame [H, W, 3]


class VideoError(ValueError):
    """A video that cannot be read, or not to its end; the message names the file and the fix."""


class DamagedVideoError(VideoError):
    """A video that breaks off or does not decode in places: `allow_partial` uses its readable part."""


@dataclass(frozen=True)
class VideoInfo:
    """What a file says about itself: size in pixels as displayed, frames a second, seconds.

    `fps` is the average rate (0.0 where the file has none); `duration` runs from the first frame
    to the end of the last and is None where the file does not say (`probe` finds it then).
    """

    path: str
    width: int
    height: int
    fps: float
    duration: float | None
    decoder: str


class Reader(ABC):
    """An open video; a context manager. Use it in the process and the thread that opened it.

    `end_time` is the seconds from the first frame to the end of the last, known once a pass
    reached it. `damaged` are the spans of seconds that did not decode or are missing, known then,
    too, and after `clip` as far as it read: empty unless a part of a video is allowed; a span lasts to
    the next sound key frame.
    """

    info: VideoInfo  # what the file says about itself

    def __init__(self, source: str | os.PathLike[str]) -> None:
        self._source = source  # what messages name
        self._closed = False
        self._kept = ExitStack()
        self.end_time: float | None = None
        self.damaged: list[tuple[float, float]] = []

    @abstractmethod
    def frames_at(
        self, times: Iterable[float], *, final_fps: float | None = None
    ) -> Iterator[tuple[int, Picture]]:
        """Give (index into `times`, frame uint8 [H, W, 3]) for ascending times, in one pass.

        `times` may be endless: those at or after the end of the last frame are not given, and the
        pass then leaves `end_time` set. Equal frames are one array. With `final_fps`, the pass
        closes with (-1, frame) for the largest k / final_fps before the end. Raises VideoError,
        also where the file ends before it says it does.
        """

    def tensors_at(
        self, times: Iterable[float], *, final_fps: float | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """As `frames_at`, with frames as tensors uint8 [H, W, 3], on the device that decodes. Equal frames are one."""
        import torch  # here: who reads pictures alone does not load it

        before, tensor = None, torch.empty(0)
        for index, picture in self.frames_at(times, final_fps=final_fps):
            if picture is not before:
                before, tensor = picture, torch.from_numpy(picture)
            yield index, tensor

    @abstractmethod
    def clip(self, times: Sequence[float]) -> Picture:
        """Give the frames uint8 [T, H, W, 3] nearest to `times` by random access.

        Times before the first frame or after the last are clamped to them. Equal to `frames_at`.
        Raises VideoError.
        """

    def measure(self) -> float:
        """Seconds from the first frame to the end of the last, from the file's packets where possible."""
        if self.info.duration is not None:
            return self.info.duration
        for _ in self.frames_at([math.inf]):  # beyond any video: no frame is converted
            pass
        assert self.end_time is not None  # a pass to the end leaves it
        return self.end_time

    def key_frame_seconds(self) -> float | None:
        """The longest time from one key frame to the next by the file's index; None if there is none."""
        return None

    def touches_damage(self, times: Sequence[float]) -> bool:
        """Whether one of these seconds lies in a span of `damaged`; after its end, where that is damaged."""
        end = math.inf if self.end_time is None else self.end_time - TOUCHING
        return any(
            start - TOUCHING <= time and (time < stop or stop >= end)
            for start, stop in self.damaged
            for time in times
        )

    def close(self) -> None:
        """Release the file; the reader gives nothing after this. Again is no error."""
        self._closed = True
        self._kept.close()

    def keep(self, kept: ExitStack) -> None:
        """Leave `kept` when this is closed: what the file needs to stay where it is."""
        self._kept = kept

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        """Raise VideoError after `close`."""
        if self._closed:
            raise VideoError(f"{self._source}: the reader is closed")

    def _clip_times(self, times: Sequence[float]) -> NDArray[np.float64]:
        """The times [T] of a clip. Raises VideoError if they are none."""
        wanted = np.asarray(times, dtype=np.float64)
        if wanted.ndim != 1 or not wanted.size or not np.isfinite(wanted).all():
            raise VideoError(f"{self._source}: a clip's times must be finite numbers, at least one")
        return wanted
