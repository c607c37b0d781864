"""What is known of the time of each video whose features come from elsewhere, and of their clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from feature_extraction.sampling import ClipGrid
from pipeline.data.annotations import Dataset
from pipeline.data.foreign.arrays import UnfitError
from pipeline.data.videos.lengths import Measured

Measure = Callable[[Sequence[str]], Mapping[str, Measured]]


@dataclass(frozen=True)
class Known:
    """A video's seconds, the end of its last segment (seconds, 0 without one) and its frames per second.

    NaN if unknown.
    """

    duration: float
    last_end: float
    fps: float


@dataclass(frozen=True)
class Stated:
    """How features were made, as the user states it: their clip grid, layout, and whether it differs by video.

    `layout`: "nc" for [features, channels], "cn" for [channels, features]. `rates`: "" where all are on
    `grid`; "video" where its frames are those of each video at its own rate; "rescaled" where each video
    has `count` features whatever its length, feature i standing for [i, i + 1) * duration / count.
    """

    grid: ClipGrid
    layout: str = "nc"
    rates: str = ""
    count: int = 0

    def grid_of(self, known: Known, number: int) -> ClipGrid:
        """The grid of a video of this many features. Raises UnfitError if what it takes is not known."""
        if self.rates == "video":
            if not known.fps > 0:
                raise UnfitError(
                    "of a video whose rate is not known (--fps video takes it from the annotations or --videos)"
                )
            return replace(self.grid, fps=known.fps)
        if self.rates != "rescaled":
            return self.grid
        if number != self.count:
            raise UnfitError(f"with another number of features than --rescaled {self.count}")
        if not known.duration > 0:
            raise UnfitError(
                "of a video whose length is not known (--rescaled takes it from the annotations or --videos)"
            )
        return ClipGrid(number / known.duration, 1, 1, 1)

    def longest(self, known: Mapping[str, Known]) -> ClipGrid:
        """One grid for all, for estimates: where each video has its own, that with the longest cells."""
        rates = [k.fps for k in known.values() if k.fps > 0]
        if self.rates == "rescaled":
            rates = [self.count / k.duration for k in known.values() if k.duration > 0]
        return replace(self.grid, fps=min(rates)) if self.rates and rates else self.grid


def seconds_of(known: Known, grid: ClipGrid, number: int) -> float:
    """A video's seconds; where they are not known, those that its features stand for."""
    return known.duration if known.duration > 0 else grid.origin + number * grid.seconds_per_clip


def what_is_known(
    dataset: Dataset, videos: Sequence[str], measure: Measure, *, rates: bool
) -> dict[str, Known]:
    """Of each video, by the annotations; what they do not give (with `rates`, frames per second too) by its file.

    `measure` looks at the files of some videos, those that are there; it is asked only for what is needed.
    """
    table = dataset.videos.drop_duplicates("video").set_index("video")
    ends = dataset.annotations.groupby("video")["end"].max()
    known = {}
    for video in videos:
        duration, fps = (float(table.at[video, name]) for name in ("duration", "fps"))
        end = float(ends.get(video, 0.0))
        known[video] = Known(
            duration if duration > 0 else math.nan, end if math.isfinite(end) else 0.0, fps
        )
    unknown = [v for v, k in known.items() if not k.duration > 0 or (rates and not k.fps > 0)]
    for video, found in (measure(unknown) if unknown else {}).items():
        before = known[video]
        known[video] = replace(
            before,
            duration=before.duration if before.duration > 0 else found.seconds or math.nan,
            fps=before.fps if before.fps > 0 else found.fps or math.nan,
        )
    return known
