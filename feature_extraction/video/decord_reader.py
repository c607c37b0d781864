"""The decord reader, for those who ask for it by name; refused where decord is known to be wrong.

Against frames with their number drawn in, decord gives wrong frames on AVI, transport streams,
HEVC and files with an edit list, and is right on other MP4 and Matroska files whose packets it
times as they are. So the file's own packet times, read with PyAV, say which frame is when; decord
has to agree with them, and with PyAV's first frame, before it is let at the pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from feature_extraction.video.frame_times import (
    LONGEST_SECONDS,
    TIME_EPSILON,
    boundary,
    last_grid_time,
)
from feature_extraction.video.pyav_file import VideoFile
from feature_extraction.video.reader import Picture, Reader, VideoError

CHUNK_BYTES = 128 * 2**20  # of frames held at a time
CLOSE_SECONDS = 2e-3  # decord keeps times in float32: about this coarse after some hours
CLOSE_LEVELS = 4.0  # mean difference of two decoders' first frames, of 255


class _Batch(Protocol):
    def asnumpy(self) -> Picture: ...


class _Frames(Protocol):
    """What is used of decord's VideoReader; decord itself has no types."""

    def __len__(self) -> int: ...

    def get_batch(self, numbers: list[int]) -> _Batch: ...

    def get_frame_timestamp(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]: ...

    def seek(self, number: int) -> None: ...


class DecordReader(Reader):
    """Reader over decord. Raises VideoError."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path
        with closing(VideoFile(path, allow_partial=False, threads=1)) as video:
            self._check_kind(video)
            first = video.picture(video.first_frame)
            self._times, self._end = self._packet_times(video)
            video.check_end(self._end)
            self.info = video.info("decord")
        self._frames = self._open()
        self._check_times()
        self._check_first(first)

    def close(self) -> None:
        """Release the file. Again is no error."""
        if not self._closed:
            del (
                self._frames
            )  # decord knows no closing: the file is closed when its holder is deleted
        super().close()

    def frames_at(
        self, times: Iterable[float], *, final_fps: float | None = None
    ) -> Iterator[tuple[int, Picture]]:
        """See Reader.frames_at."""
        height, width = self.info.height, self.info.width
        size = max(1, CHUNK_BYTES // (height * width * 3))
        chunk: list[tuple[int, int]] = []  # (index into times, frame number)
        for index, time in enumerate(times):
            if time > self._end - TIME_EPSILON:
                break
            chunk.append((index, self._nearest(time)))
            if len(chunk) == size:
                yield from self._read_chunk(chunk)
                chunk = []
        else:
            yield from self._read_chunk(chunk)
            if final_fps is None:
                return  # asked for no more: the end has not been looked at
            chunk = []
        if final_fps is not None:
            chunk.append((-1, self._nearest(last_grid_time(self._end, final_fps))))
        self.end_time = self._end
        yield from self._read_chunk(chunk)

    def clip(self, times: Sequence[float]) -> Picture:
        """See Reader.clip."""
        return self._read([self._nearest(time) for time in self._clip_times(times)])

    def _nearest(self, time: float) -> int:
        """Number of the frame nearest to a time, the earlier one on a tie; clamped."""
        later = int(np.searchsorted(self._times, time))
        if later == len(self._times):
            return later - 1
        if later and time <= boundary(self._times[later - 1], self._times[later]):
            return later - 1
        return later

    def _read_chunk(self, chunk: list[tuple[int, int]]) -> Iterator[tuple[int, Picture]]:
        numbers = sorted({number for _, number in chunk})
        if numbers:
            frames = dict(zip(numbers, self._read(numbers), strict=True))
            for index, number in chunk:
                yield index, frames[number]

    def _read(self, numbers: list[int]) -> Picture:
        self._check_open()
        try:
            frames = self._frames.get_batch(numbers).asnumpy()
            # left as it is, decord goes on decoding into memory without bound; a seek stops it
            self._frames.seek(0)
        except Exception as error:  # decord's own, which derives from nothing narrower
            self._refuse(f"decord failed ({_reason(error)})")
        return frames

    def _check_kind(self, video: VideoFile) -> None:
        if not video.head.timed:
            self._refuse(f"decord returns wrong frames for {video.head.format} files")
        if video.head.stream.codec_context.name == "hevc":
            self._refuse("decord returns wrong frames for HEVC video")

    def _packet_times(self, video: VideoFile) -> tuple[NDArray[np.float64], float]:
        """Presentation times [frames] in seconds and the end, from the packets alone."""
        head = video.head
        packets = [item.packet for item in video.items() if item.packet is not None]
        if any(packet.is_discard for packet in packets):
            self._refuse("decord returns wrong frames for files with an edit list")
        if "mp4" in head.format and head.first != 0:
            self._refuse("decord returns wrong frames for files with an edit list or a late start")
        shown = sorted((p.pts, p.duration or 0) for p in packets if p.pts is not None)
        if len(shown) < len(packets):
            self._refuse("the packets have no times to check decord against")
        times = np.array([head.seconds(ticks) for ticks, _ in shown])
        if np.diff(times).max(initial=0.0) > LONGEST_SECONDS:
            self._refuse("the packets' times jump ahead")
        gap = times[-1] - times[-2] if len(times) > 1 else head.usual_seconds
        return times, float(times[-1] + (shown[-1][1] * head.tick or gap))

    def _open(self) -> _Frames:
        try:
            # imported here: it is not on every machine, and only those who ask pay for it
            import decord
        except (ImportError, OSError, RuntimeError) as error:
            raise VideoError(
                f"decord cannot be loaded ({_reason(error)}); "
                "install it (pip install decord) or use --decoder pyav"
            ) from error
        try:
            frames: _Frames = decord.VideoReader(str(self._path.absolute()), num_threads=1)
        except Exception as error:  # decord's own, which derives from nothing narrower
            self._refuse(f"decord cannot open it ({_reason(error)})")
        return frames

    def _check_times(self) -> None:
        """Hold decord's frame count and times against the packets'."""
        count = len(self._frames)
        if count != len(self._times):
            self._refuse(f"decord counts {count} frames, the file has {len(self._times)}")
        found = np.asarray(self._frames.get_frame_timestamp(np.arange(count)), dtype=np.float64)
        starts = found.reshape(count, -1)[:, 0]
        sound = np.isfinite(starts).all() and (np.diff(starts) > 0).all()
        if not sound or np.abs(starts - starts[0] - self._times).max() > CLOSE_SECONDS:
            self._refuse("decord's times of the frames are impossible")

    def _check_first(self, expected: np.ndarray) -> None:
        found = self._read([0])[0]
        if (
            found.shape != expected.shape
            or np.abs(found.astype(np.int16) - expected).mean() > CLOSE_LEVELS
        ):
            self._refuse("decord's first frame is not the file's")

    def _refuse(self, reason: str) -> NoReturn:
        raise VideoError(f"{self._path}: {reason}; use --decoder pyav")


def _reason(error: BaseException) -> str:
    """The first line of an error without decord's clock, source line and path before it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].split("] ")[-1].rstrip(".")
