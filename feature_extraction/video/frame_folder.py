"""Videos shipped as folders of still frames: img_00001.jpg, img_00002.jpg, ..."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_extraction.frame_listing import whole_set
from feature_extraction.frame_names import PICTURES
from feature_extraction.plain_files import what_else
from feature_extraction.video.frame_times import TIME_EPSILON, last_grid_time
from feature_extraction.video.reader import Picture, Reader, VideoError, VideoInfo

RATE_TOLERANCE = 0.005  # how far, relatively, frames over rate may be from the known duration
_FORMATS = tuple(sorted(set(PICTURES.values())))
_DEEP = ("I", "F")  # how PIL's modes of more than 8 bits begin


@dataclass(frozen=True)
class FrameFolder(os.PathLike[str]):
    """A folder of numbered frames, and the frames a second they may have been taken at.

    Of several `rates` the one holds with which the frames last `duration` seconds best (the frames of
    EPIC-KITCHENS-100 were taken at 60 or 50 a second, whatever the video has). `pattern` says how the
    frames are named, as ffmpeg writes it (img_%05d.jpg); None: as the only numbered pictures there are.
    The first frame, whatever its number, is at 0 seconds. `open_video` takes it in place of a path.
    """

    folder: Path
    rates: tuple[float, ...]
    duration: float | None = None
    pattern: str | None = None

    def __fspath__(self) -> str:
        return str(self.folder)

    def __str__(self) -> str:
        return str(self.folder)


class FramesReader(Reader):
    """Reader over a folder of frames. Frame n, counted from the first as 0, is shown from n / fps on.

    Raises VideoError: no or missing frames, frames of several patterns, a damaged one, or no rate that
    fits the duration.
    """

    def __init__(self, source: FrameFolder) -> None:
        super().__init__(source)
        self._folder = source.folder
        try:
            frames = whole_set(source.folder, source.pattern)
        except ValueError as error:
            raise VideoError(str(error)) from error
        except OSError as error:
            raise VideoError(f"{source}: cannot be read ({error.strerror})") from error
        self._pattern, self._first = frames.pattern, frames.numbers[0]
        self._count = len(frames.numbers)
        self._fps = _rate(source, self._count)
        self._shape: tuple[int, ...] | None = None
        height, width, _ = self._read(0).shape
        self.info = VideoInfo(
            str(source), width, height, self._fps, self._count / self._fps, "frames"
        )

    def frames_at(
        self, times: Iterable[float], *, final_fps: float | None = None
    ) -> Iterator[tuple[int, Picture]]:
        """See Reader.frames_at."""
        end = self._count / self._fps
        shown, picture, newest = -1, np.empty(0, dtype=np.uint8), -math.inf
        for index, time in enumerate(times):
            if not time >= newest:
                raise ValueError(f"requested times must ascend: {time} s comes after {newest} s")
            newest = time
            if time >= end - TIME_EPSILON:
                break
            if (number := self._nearest(time)) != shown:
                shown, picture = number, self._read(number)
            yield index, picture
        self.end_time = end
        if final_fps is not None:
            number = self._nearest(last_grid_time(end, final_fps))
            yield -1, picture if number == shown else self._read(number)

    def clip(self, times: Sequence[float]) -> Picture:
        """See Reader.clip."""
        numbers = [self._nearest(time) for time in self._clip_times(times).tolist()]
        pictures = {number: self._read(number) for number in set(numbers)}
        return np.stack([pictures[number] for number in numbers])

    def _nearest(self, time: float) -> int:
        """The frame, from 0, nearest to a time; the earlier one where two are equally near."""
        number = math.ceil((time - TIME_EPSILON) * self._fps - 0.5)
        return min(max(number, 0), self._count - 1)

    def _read(self, number: int) -> Picture:
        from PIL import Image  # not loaded where no frame is read

        self._check_open()
        path = self._folder / self._pattern.name(self._first + number)
        try:
            if (other := what_else(path)) is not None:
                raise VideoError(f"{path}: is {other}, not a frame; get the file again")
            with Image.open(path, formats=_FORMATS) as image:
                if image.mode.startswith(_DEEP):
                    raise VideoError(
                        f"{path}: has more than 8 bits per colour ({image.mode}); write it with 8"
                    )
                picture = np.array(image.convert("RGB"))  # a copy that may be written to
        except VideoError:
            raise
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            reason = " ".join(str(error).split())[:120]
            raise VideoError(f"{path}: does not decode ({reason}); get the file again") from error
        if self._shape is None:
            self._shape = picture.shape
        if picture.shape != self._shape:
            found, first = (f"{shape[1]}x{shape[0]}" for shape in (picture.shape, self._shape))
            raise VideoError(f"{path}: is {found} pixels, the first frame {first}")
        return picture


def _rate(source: FrameFolder, count: int) -> float:
    """The rate of a folder of `count` frames. Raises VideoError if none fits."""
    rates = sorted({rate for rate in source.rates if rate > 0 and math.isfinite(rate)})
    if not rates:
        raise VideoError(
            f"{source}: the frames per second of this folder are not known; set them (dataset.frame_fps)"
        )
    duration = source.duration
    if duration is None:
        if len(rates) > 1:
            raise VideoError(f"{source}: frame_fps has several rates: give the video's duration")
        return rates[0]
    rate = min(rates, key=lambda rate: abs(count / rate - duration))
    allowed = max(RATE_TOLERANCE * duration, 2 / rate)
    if abs(count / rate - duration) > allowed:
        raise VideoError(
            f"{source}: {count} frames last {count / rate:.2f} s at {rate:g} per second, but the video is "
            f"{duration:.2f} s long; frames are missing, or the rate is wrong"
        )
    return rate
