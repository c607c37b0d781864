"""Clip features with the times they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from feature_extraction.sampling import ClipGrid


@dataclass(frozen=True)
class Features:
    """A video's clip features with their times: `array` float32 [clips, C], clip grid, seconds of video.

    Row i is clip `first + i` of the grid: a part of a video's features keeps its times. To NumPy it is `array`.
    """

    array: np.ndarray
    grid: ClipGrid
    duration: float
    first: int = 0
    ndim = 2  # clips and channels

    def __repr__(self) -> str:
        return f"<Features {list(self.shape)}, {self.dtype}, of {self.duration:.4g} s>"

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        """The middle of each clip's cell in seconds, and its feature [C]."""
        return zip(self.times.tolist(), self.array, strict=True)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        kept = copy is None  # which NumPy 1 does not know: a copy where one is needed
        return np.asarray(self.array, dtype) if kept else np.array(self.array, dtype, copy=copy)

    def __getitem__(self, clips: Any) -> Any:
        """Of a span of clips the features with their times; of any other index what the array gives."""
        if not isinstance(clips, slice) or clips.step not in (None, 1):
            return self.array[clips]
        first = self.first + clips.indices(len(self))[0]
        return replace(self, array=self.array[clips], first=first)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many clips and channels there are."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the numbers, float32."""
        return self.array.dtype

    @property
    def times(self) -> np.ndarray:
        """The middle of each clip's cell, seconds [clips]."""
        middles: np.ndarray = self.grid.centers(self.first + len(self))[self.first :]
        return middles

    def at(self, seconds: np.ndarray) -> np.ndarray:
        """Rows of `array` whose cells hold these moments (any shape), clamped to those there are."""
        clips: np.ndarray = self.grid.clips_at(seconds, self.first + len(self)) - self.first
        return clips.clip(min=0)

    def between(self, start: float, end: float) -> Features:
        """The clips whose cells share time with [start, end) seconds; at least one."""
        first = int(self.at(np.array(start)))
        covered = self.grid.origin + (self.first + len(self)) * self.grid.seconds_per_clip
        stop = self.grid.num_clips(max(min(end, covered), 0.0)) - self.first
        return replace(
            self, array=self.array[first : max(stop, first + 1)], first=self.first + first
        )
