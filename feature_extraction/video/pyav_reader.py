"""The default reader: PyAV, one sequential pass, or a seek for a clip; frames by their own times.

Packets have presentation times before anything is decoded, so a frame that was not requested and no
other frame refers to is not decoded at all. Where packets do not have them (AVI, missing or doubled
times, frames the decoder drops), everything is decoded and the frames' own times decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np

from feature_extraction.video.frame_times import (
    AskedTimes,
    LateSeekError,
    Remembered,
    UnplannableError,
)
from feature_extraction.video.pyav_file import VideoFile
from feature_extraction.video.pyav_passes import Answers, Pass, plain_pass, planned_pass
from feature_extraction.video.reader import Picture, Reader, VideoError

Shown = TypeVar("Shown")  # a picture, wherever it lies
SEEK_MARGIN = 1.0  # seconds further back when a first seek landed too late


class PyavReader(Reader):
    """Reader over PyAV. Raises VideoError."""

    def __init__(self, path: Path, *, allow_partial: bool = False, threads: int = 1) -> None:
        super().__init__(path)
        self._path = path
        self._allow_partial = allow_partial
        self._threads = threads
        self._in_use: list[VideoFile] = []
        self._idle: VideoFile | None = self._open()
        self._unread = True  # the idle file has only been read to its first frame
        self._timed = self._plannable = self._idle.head.timed
        self.info = self._idle.info("pyav")

    def close(self) -> None:
        """Release the file, also under a pass that is still going on. Again is no error."""
        super().close()
        if self._idle is not None:
            self._idle.close()
        for video in self._in_use:
            video.close()
        self._idle, self._in_use = None, []

    def frames_at(
        self, times: Iterable[float], *, final_fps: float | None = None
    ) -> Iterator[tuple[int, Picture]]:
        """See Reader.frames_at."""
        return self._passed(times, final_fps, _picture)

    def _passed(
        self,
        times: Iterable[float],
        final_fps: float | None,
        convert: Callable[[Any, av.VideoFrame], Shown],
    ) -> Iterator[tuple[int, Shown]]:
        """One pass, with `convert(file, frame)` for the pictures."""
        remembered = Remembered(times)
        while True:
            video = self._borrow(unread=True)
            go = planned_pass if self._plannable else plain_pass
            try:
                answers = go(video, AskedTimes(remembered.again()), final_fps)
                for index, picture in self._pictures(video, answers, convert):
                    remembered.forget(index)
                    yield index, picture
                    if self._closed:
                        raise VideoError(f"{self._path}: the reader was closed during a pass")
                return
            except UnplannableError:
                self._plannable = False  # once more, the other way, from where this one got to
            finally:
                self._give_up(video)

    def clip(self, times: Sequence[float]) -> Picture:
        """See Reader.clip."""
        wanted = self._clip_times(times)
        order = np.argsort(wanted, kind="stable")
        ascending = np.maximum(wanted[order], 0.0).tolist()
        pictures = self._clip_ascending(ascending)
        clip = np.empty((len(order), *pictures[0].shape), dtype=np.uint8)
        for place, picture in zip(order, pictures, strict=True):
            clip[place] = picture
        return clip

    def _clip_ascending(self, times: list[float]) -> list[Picture]:
        """Try a seek, seeks further back, and the way from the start, planned before plain."""
        for seek_to in self._ways_back(times[0]):
            for go in (planned_pass, plain_pass):
                if go is planned_pass and not self._plannable:
                    continue
                try:
                    return self._clip_from(seek_to, go, times)
                except UnplannableError:
                    self._plannable = self._plannable and seek_to is not None
                except LateSeekError:
                    break
        raise VideoError(f"{self._path}: frames could not be reached; convert the video")

    def _ways_back(self, first: float) -> Iterator[float | None]:
        """Where to seek to for a time: there, then ever further back; None is the start of the file."""
        back = 0.0
        while self._timed and back < first:
            yield first - back
            back = 2 * back or SEEK_MARGIN
        yield None

    def _clip_from(self, seek_to: float | None, go: Pass, times: list[float]) -> list[Picture]:
        video = self._borrow(unread=seek_to is None)
        try:
            if seek_to is not None and not video.seek(seek_to, times[0]):
                raise LateSeekError
            asked = AskedTimes(iter(enumerate(times)))
            answers = go(video, asked, from_start=seek_to is None, clamp=True)
            found = [picture for _, picture in self._pictures(video, answers, _picture)]
        except BaseException:
            self._give_up(video)
            raise
        self._in_use.remove(video)
        self._idle, self._unread = video, False
        if len(found) != len(times):
            raise LateSeekError
        return found

    def _pictures(
        self, video: VideoFile, answers: Answers, convert: Callable[[Any, av.VideoFrame], Shown]
    ) -> Iterator[tuple[int, Shown]]:
        """Convert what a pass finds; at the end, check it is one, and give the closing frame."""
        closing = None
        for indices, frame in answers:
            picture = convert(video, frame)
            for index in indices:
                if index < 0:
                    closing = picture
                else:
                    yield index, picture
        if video.end is not None:
            video.check_end(video.end)
            self.end_time, self.damaged = video.end, video.damaged(video.end)
        else:  # as far as it was read
            self.damaged = video.damaged_so_far()
        if closing is not None:
            yield -1, closing

    def measure(self) -> float:
        """See Reader.measure."""
        found = self.info.duration
        if found is None and self._idle is not None:
            found = self._idle.head.measured_duration()
        return found if found is not None else super().measure()

    def key_frame_seconds(self) -> float | None:
        """See Reader.key_frame_seconds."""
        return None if self._idle is None else self._idle.head.key_frame_seconds()

    def _open(self) -> VideoFile:
        self._check_open()
        return VideoFile(self._path, allow_partial=self._allow_partial, threads=self._threads)

    def _borrow(self, *, unread: bool) -> VideoFile:
        """Take the idle file, or open another where it is in use or read from already."""
        video, self._idle = self._idle, None
        if video is not None and unread and not self._unread:
            video.close()
            video = None
        if video is None:
            video = self._open()
        self._in_use.append(video)
        return video

    def _give_up(self, video: VideoFile) -> None:
        video.close()
        if video in self._in_use:
            self._in_use.remove(video)


def _picture(video: VideoFile, frame: av.VideoFrame) -> Picture:
    return video.picture(frame)
