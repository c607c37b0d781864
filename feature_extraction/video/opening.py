"""Videos as frames in time: one reader interface over PyAV, decord by name, and folders of frames.

Times are seconds counted from the first presented frame. A reader gives, for an asked time, the
frame whose presentation time is nearest (the earlier one where two are equally near), as
displayed: rotated and mirrored as the file says, 3 x 8 bit RGB.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np

DECODERS = ("auto", "pyav", "decord")


class VideoError(ValueError):
    """A video that cannot be read, or not to its end; the message names the file and the fix."""


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


class Reader(Protocol):
    """An open video; a context manager. Use it in the process and the thread that opened it."""

    @property
    def info(self) -> VideoInfo:
        """What the file says about itself."""

    @property
    def end_time(self) -> float | None:
        """Seconds from the first frame to the end of the last, known once a pass reached it."""

    @property
    def damaged(self) -> Sequence[tuple[float, float]]:
        """Spans of seconds that did not decode or are missing, known once a pass reached the end.

        Empty unless a part of a video is allowed. A span lasts to the next sound key frame.
        """

    def frames_at(
        self, times: Iterable[float], *, final_fps: float | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Give (index into `times`, frame uint8 [H, W, 3]) for ascending times, in one pass.

        `times` may be endless: those at or after the end of the last frame are not given, and the
        pass then leaves `end_time` set. Equal frames are one array. With `final_fps`, the pass
        closes with (-1, frame) for the largest k / final_fps before the end. Raises VideoError,
        also where the file ends before it says it does.
        """

    def clip(self, times: Sequence[float]) -> np.ndarray:
        """Give the frames uint8 [T, H, W, 3] nearest to `times` by random access.

        Times before the first frame or after the last are clamped to them. Equal to `frames_at`.
        """

    def close(self) -> None:
        """Release the file; the reader gives nothing after this."""

    def __enter__(self) -> Reader: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_video(
    path: str | os.PathLike[str],
    decoder: str = "auto",
    *,
    allow_partial: bool = False,
    threads: int = 1,
) -> Reader:
    """Open a video and decode its first frame; use the result in a `with` statement.

    `decoder` is "auto" (PyAV), "pyav" or "decord". `allow_partial` takes a file that breaks off
    or does not decode in places for as much as it holds, instead of raising. `threads` is how
    many threads decode (1 costs least CPU; 0 lets FFmpeg choose). For a `FrameFolder` in place of
    the path these say nothing. Raises VideoError.
    """
    if decoder not in DECODERS:
        raise VideoError(f"decoder is {decoder!r}, must be one of {', '.join(DECODERS)}")
    from feature_extraction.video.frame_folder import FrameFolder, FramesReader

    if isinstance(path, FrameFolder):
        return FramesReader(path)
    path = Path(path)
    _check_file(path)
    # imported here: neither decoder is loaded into a process that reads no video
    if decoder == "decord":
        from feature_extraction.video.decord_reader import DecordReader

        return DecordReader(path)  # takes no part of a broken file, and reads with one thread
    from feature_extraction.video.pyav_reader import PyavReader

    return PyavReader(path, allow_partial=allow_partial, threads=threads)


def probe(
    path: str | os.PathLike[str],
    decoder: str = "auto",
    exact: bool = False,
    *,
    allow_partial: bool = False,
) -> VideoInfo:
    """Tell size, rate and duration of a video; the first frame is decoded.

    `exact` decodes the whole file: the duration is then the true one, and a file that breaks off
    is found out (VideoError). Otherwise it is what the file says, or, where it says nothing,
    what its packets say.
    """
    with open_video(path, decoder, allow_partial=allow_partial) as reader:
        info = reader.info
        if info.duration is not None and not exact:
            return info
        # asking for one time beyond any video runs through a file and converts no frame; of a folder
        # of frames, every one is asked for
        times = itertools.count() if info.decoder == "frames" else ()
        for _ in reader.frames_at(itertools.chain((k / info.fps for k in times), [math.inf])):
            pass
        return replace(info, duration=reader.end_time)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise VideoError(f"{path}: is a folder, not a video file (of frames? give a FrameFolder)")
    if not path.exists():
        raise VideoError(f"{path}: no such video file")
    if not os.access(path, os.R_OK):
        raise VideoError(f"{path}: no permission to read this video file")
    if path.is_file() and path.stat().st_size == 0:
        raise VideoError(f"{path}: the video file is empty (0 bytes); get it again")
