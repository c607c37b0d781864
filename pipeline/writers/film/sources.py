"""Where a film's pictures come from: a video file, or a folder of frames; each picture with its time."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import av

from feature_extraction.frame_listing import whole_set
from feature_extraction.video.frame_folder import FrameFolder, FramesReader
from feature_extraction.video.frame_times import TIME_EPSILON, LateSeekError
from feature_extraction.video.opening import check_file
from feature_extraction.video.pyav_file import VideoFile
from feature_extraction.video.reader import VideoError
from pipeline.writers.film.upright import Colours, FromPictures, Upright, pixel_aspect

USUAL_RATE = Fraction(30)  # frames per second, of a file that does not say
MOST_RATE = 1000
SEEK_BACK = 10.0  # seconds further back where a first seek landed too late


class Look(NamedTuple):
    """What an encoder has to know: size in pixels (even), a tick in seconds, frames per second, shape of a pixel."""

    size: tuple[int, int]
    tick: Fraction
    rate: Fraction
    aspect: Fraction | None
    colours: Colours


class Shown(NamedTuple):
    """A picture, and from when until when it is shown: in seconds and in ticks from the first picture on."""

    seconds: float
    until: float
    tick: int
    until_tick: int
    raw: Any  # for `frame` of where it comes from


class Pictures(ABC):
    """An open source; a context manager. `first_tick` is the first picture's time by the file's own clock.

    `file` is the path whose sound belongs to it, if any. `seeks`: whether `shown` need not read all before `since`.
    """

    look: Look
    first_tick: int = 0
    file: Path | None = None
    seeks: bool = False

    @abstractmethod
    def shown(self, since: float = 0.0) -> Iterator[Shown]:
        """Every picture shown, from the first one or one before `since` seconds on. Once. Raises VideoError."""

    @abstractmethod
    def frame(self, shown: Shown) -> av.VideoFrame:
        """A picture as displayed, as yuv420p of even size; a frame of its own, which may be drawn into."""

    def damaged(self) -> list[tuple[float, float]]:
        """Spans of seconds that did not decode or are missing, of a source that was read to its end."""
        return []

    @abstractmethod
    def close(self) -> None:
        """Release the source."""

    def __enter__(self) -> Pictures:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_pictures(source: Path | FrameFolder, duration: float) -> Pictures:
    """Open a video, or a folder of frames: one of an unknown rate lasts `duration` seconds. Raises VideoError."""
    if isinstance(source, FrameFolder):
        return _Folder(source)
    if source.is_dir():
        return _Folder(FrameFolder(source, (_rate_of(source, duration),)))
    check_file(source)
    return _File(source)


class _File(Pictures):
    def __init__(self, path: Path) -> None:
        self.file = path
        self._video = VideoFile(path, allow_partial=True, threads=0)
        try:
            head = self._video.head
            self._upright = Upright(self._video.first_frame)
            self._end: float | None = None
            self.first_tick = head.first
            self.seeks = head.timed
            tick = Fraction(head.stream.time_base or 0)
            rate = Fraction(head.fps).limit_denominator(1001)
            self.look = Look(
                self._upright.size,
                tick,
                rate if 0 < rate <= MOST_RATE else USUAL_RATE,
                pixel_aspect(head.stream, self._upright.turned),
                self._upright.colours,
            )
        except BaseException:
            self.close()
            raise

    def shown(self, since: float = 0.0) -> Iterator[Shown]:
        """See Pictures.shown."""
        given = -1
        for back in (0.0, SEEK_BACK, None):
            if back is None:
                self._again(unless=not (since > 0 and self.seeks))
            elif not (self.seeks and back < since and self._video.seek(since - back, since)):
                continue
            try:
                for shown in self._from_here(None if back is None else since):
                    if (
                        shown.tick > given
                    ):  # what an attempt gave before it failed is not given again
                        yield shown
                        given = shown.tick
                return
            except LateSeekError:
                continue
        raise VideoError(f"{self.file}: frames could not be reached; convert the video")

    def _again(self, *, unless: bool) -> None:
        """Read from the start of the file once more, unless nothing but that was read."""
        if unless:
            return
        assert self.file is not None
        self._video.close()
        self._video = VideoFile(self.file, allow_partial=True, threads=0)

    def _from_here(self, sought: float | None = None) -> Iterator[Shown]:
        video, first = self._video, self.first_tick
        held: av.VideoFrame | None = None
        shown = gap = 0
        for frame in (frame for item in video.items() for frame in video.decode(item)):
            tick = video.ticks(frame) - first
            if held is not None:
                yield self._shown(held, shown, tick)
            elif sought is not None and tick * video.head.tick > sought + TIME_EPSILON:
                raise LateSeekError
            held, gap, shown = frame, tick - shown, tick
        if held is None:
            raise LateSeekError
        seconds = video.shown_seconds(held, gap * video.head.tick)
        self._end = shown * video.head.tick + seconds
        yield self._shown(held, shown, shown + max(1, round(seconds / video.head.tick)))

    def _shown(self, frame: av.VideoFrame, tick: int, until: int) -> Shown:
        unit = self._video.head.tick
        return Shown(tick * unit, until * unit, tick, until, frame)

    def frame(self, shown: Shown) -> av.VideoFrame:
        """See Pictures.frame."""
        return self._upright.frame(shown.raw)

    def damaged(self) -> list[tuple[float, float]]:
        """See Pictures.damaged."""
        return [] if self._end is None else self._video.damaged(self._end)

    def close(self) -> None:
        """See Pictures.close."""
        self._video.close()


class _Folder(Pictures):
    def __init__(self, source: FrameFolder) -> None:
        self._reader = FramesReader(source)
        info = self._reader.info
        self._ready = FromPictures(info.width, info.height)
        rate = Fraction(info.fps).limit_denominator(1001)
        self._fps, self.seeks = info.fps, True
        self.look = Look(self._ready.size, 1 / rate, rate, None, self._ready.colours)

    def shown(self, since: float = 0.0) -> Iterator[Shown]:
        """See Pictures.shown."""
        first = max(0, math.floor(since * self._fps) - 1)
        times = (number / self._fps for number in count(first))
        for number, (_, picture) in enumerate(self._reader.frames_at(times), start=first):
            yield Shown(number / self._fps, (number + 1) / self._fps, number, number + 1, picture)

    def frame(self, shown: Shown) -> av.VideoFrame:
        """See Pictures.frame."""
        return self._ready.frame(shown.raw)

    def close(self) -> None:
        """See Pictures.close."""
        self._reader.close()


def _rate_of(folder: Path, duration: float) -> float:
    """Frames per second of a folder whose frames last so many seconds. Raises VideoError."""
    try:
        frames = whole_set(folder, None)
    except (ValueError, OSError) as error:
        raise VideoError(str(error)) from error
    if not (math.isfinite(duration) and duration > 0):
        raise VideoError(
            f"{folder}: the frames per second of this folder are not known; set them (dataset.frame_fps)"
        )
    return len(frames.numbers) / duration
