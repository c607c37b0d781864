"""Clip grids: the only place that turns seconds, frame numbers and clip numbers into one another.

A video is looked at through frame numbers at a target rate: frame k is the decoded frame whose
presentation time, counted from the first frame's, is nearest to k / fps. A grid puts one clip in
every cell of `stride` frames, centred on it, so feature i stands for the seconds
[i, i + 1) * stride / fps (paper, Section 6 and Appendix A.2). Other programs' clips may be centred
elsewhere: `shift` moves the cells with them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from feature_extraction.video.frame_times import TIME_EPSILON

COUNT_EPSILON = 1e-6  # clips; float error allowed before one more clip is counted


class SamplingError(ValueError):
    """A clip grid or a segment that cannot be sampled."""


class Moments(Protocol):
    """Frames of a video that somebody needs, each with a number, at `fps` frames per second."""

    @property
    def fps(self) -> float:
        """Frames per second."""

    def needed_times(self) -> Iterator[tuple[int, float]]:
        """Give (number, seconds) of the needed frames, ascending in time, perhaps without end."""


@dataclass(frozen=True)
class ClipGrid:
    """Clips of `frames` frames, `interval` frames apart, one clip every `stride` frames at `fps`.

    The first cell begins `shift` frames after the video does (before it, if that is below 0). Raises
    SamplingError if a value is not positive, or not whole where it counts frames.
    """

    fps: float
    frames: int
    interval: int
    stride: int
    shift: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise SamplingError(f"clip grid: fps is {self.fps!r}, must be a positive number")
        if not math.isfinite(self.shift):
            raise SamplingError(f"clip grid: shift is {self.shift!r}, must be a number of frames")
        for name in ("frames", "interval", "stride"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise SamplingError(f"clip grid: {name} is {value!r}, must be a whole number >= 1")

    @property
    def seconds_per_clip(self) -> float:
        """Seconds between the starts of two clips' cells."""
        return self.stride / self.fps

    @property
    def origin(self) -> float:
        """Seconds at which the first cell begins."""
        return self.shift / self.fps

    @property
    def first_center(self) -> float:
        """Frames, at `fps`, from the video's start to the centre of clip 0."""
        return self.stride / 2 + self.shift

    @property
    def first_offset(self) -> int:
        """Frame number of clip 0's first frame; negative where the clip is longer than its cell."""
        return math.floor((self.stride - (self.frames - 1) * self.interval) / 2 + self.shift)

    def num_clips(self, duration: float) -> int:
        """Clips in a video of `duration` seconds: its cells, a begun one included, at least one."""
        if not (math.isfinite(duration) and duration >= 0):
            raise SamplingError(f"duration is {duration!r} s, must be a number >= 0")
        frames = duration * self.fps - self.shift
        return max(1, math.ceil(frames / self.stride - COUNT_EPSILON))

    def frame_indices(self, clip: int) -> np.ndarray:
        """Frame numbers [frames] of a clip at the grid's fps, not clamped to the video."""
        start = clip * self.stride + self.first_offset
        return start + np.arange(self.frames, dtype=np.int64) * self.interval

    def last_frame(self, duration: float) -> int:
        """The largest frame number k with k / fps before the end of the video."""
        return max(0, math.floor((duration - TIME_EPSILON) * self.fps))

    def clip_indices(self, clip: int, last: int) -> np.ndarray:
        """Frame numbers [frames] of a clip, clamped to [0, last]."""
        clamped: np.ndarray = np.clip(self.frame_indices(clip), 0, last)
        return clamped

    def times(self, indices: np.ndarray) -> np.ndarray:
        """Seconds from the first frame of frame numbers at the grid's fps."""
        seconds: np.ndarray = np.asarray(indices) / self.fps
        return seconds

    def centers(self, count: int) -> np.ndarray:
        """Centres [count] in seconds of the cells of the first `count` clips."""
        return (np.arange(count) + 0.5) * self.seconds_per_clip + self.origin

    def times_around(self, centers: np.ndarray) -> np.ndarray:
        """Seconds [n, frames] of the frames of clips centred on `centers` [n], not clamped.

        A clip centred on a cell's centre has the frames of that cell's clip.
        """
        first = self.times(self.first_offset + np.arange(self.frames) * self.interval)
        begin = self.seconds_per_clip / 2 + self.origin  # of the first cell, before clip 0's centre
        times: np.ndarray = np.asarray(centers)[:, None] - begin + first
        return times

    def clips_at(self, seconds: np.ndarray, count: int) -> np.ndarray:
        """Numbers of the clips whose cells hold these times, clamped to the first `count`."""
        after = np.asarray(seconds) - self.origin
        cells = np.floor(after / self.seconds_per_clip + COUNT_EPSILON)
        return np.clip(cells.astype(np.int64), 0, count - 1)

    def needed_frames(self) -> Iterator[int]:
        """Every frame number some clip needs, ascending, each once, without end.

        Numbers before the video are clamped to 0; where the video ends is the caller's to know.
        """
        waiting: set[int] = set()
        clip = 0
        while True:
            waiting.update(np.maximum(self.frame_indices(clip), 0).tolist())
            clip += 1
            limit = max(0, int(self.frame_indices(clip)[0]))
            ready = sorted(index for index in waiting if index < limit)
            waiting.difference_update(ready)
            yield from ready

    def needed_times(self) -> Iterator[tuple[int, float]]:
        """Number and seconds of the `needed_frames`."""
        for number in self.needed_frames():
            yield number, number / self.fps


def training_clip_times(
    start: float, end: float, *, fps: float, frames: int, interval: int, offset: float
) -> np.ndarray:
    """Seconds [frames] of one clip inside the segment [start, end] (Appendix A.1: fixed interval).

    `offset` in [0, 1] slides the clip from the segment's start to its end; 0.5 centres it. In a
    segment shorter than the clip the clip is centred whatever the offset, and its outer frames
    lie outside the segment (a reader clamps those outside the video).
    """
    if not (math.isfinite(start) and math.isfinite(end) and start <= end):
        raise SamplingError(f"segment [{start}, {end}] s: start must not be after end")
    if not 0 <= offset <= 1:
        raise SamplingError(f"offset is {offset!r}, must be in [0, 1]")
    grid = ClipGrid(fps=fps, frames=frames, interval=interval, stride=1)
    span = (frames - 1) * interval / grid.fps
    slack = (end - start) - span
    first = start + offset * slack if slack > 0 else (start + end - span) / 2
    return first + grid.times(np.arange(frames) * interval)


def times_inside(times: np.ndarray, start: float, end: float, *, fps: float) -> np.ndarray:
    """Times moved into the segment [start, end), so that the frames nearest to them lie in it.

    `fps`: frames per second of the video. The last time is half a frame before the end: the frame
    nearest to the end itself may come after it. At the start it is the frame shown then, or the
    next; of a segment shorter than a frame, the one nearest to its start. Raises SamplingError.
    """
    if not (math.isfinite(start) and math.isfinite(end) and start <= end):
        raise SamplingError(f"segment [{start}, {end}] s: start must not be after end")
    if not (math.isfinite(fps) and fps > 0):
        raise SamplingError(f"fps is {fps!r}, must be a positive number")
    inside: np.ndarray = np.clip(times, start, max(start, end - 0.5 / fps))
    return inside


def segment_clip_times(start: float, end: float, *, places: np.ndarray) -> np.ndarray:
    """Seconds [frames] of one clip that spans the whole segment [start, end] (Appendix A.1, by segment).

    The segment is cut into as many equal parts as there are `places` [frames]; each gives the frame
    at its place, in [0, 1), of its part: drawn for training, one for all in evaluation.
    """
    if not (math.isfinite(start) and math.isfinite(end) and start <= end):
        raise SamplingError(f"segment [{start}, {end}] s: start must not be after end")
    places = np.asarray(places, dtype=np.float64)
    if places.ndim != 1 or not places.size or not ((places >= 0) & (places <= 1)).all():
        raise SamplingError("places must be numbers in [0, 1], one per frame")
    parts = np.arange(len(places)) + places
    times: np.ndarray = start + (end - start) * parts / len(places)
    return times


def view_offsets(clips: int) -> np.ndarray:
    """Where in a segment `clips` test clips lie: [clips] in [0, 1], evenly from its start to its end.

    A single clip is the centred one (Section 5, evaluation).
    """
    if clips < 1:
        raise SamplingError(f"{clips} clips: give at least one")
    return np.linspace(0.0, 1.0, clips) if clips > 1 else np.array([0.5])
