"""What is known of the time of each video whose features come from elsewhere, and of their clips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from feature_extraction.sampling import ClipGrid
from pipeline.configuration.settings import Config
from pipeline.data.annotations import Dataset
from pipeline.data.foreign.arrays import UnfitError
from pipeline.data.videos.finding import find_videos, is_folder
from pipeline.data.videos.probing import probe_all
from pipeline.errors import UserError
from pipeline.progress import say


@dataclass(frozen=True)
class Known:
    """A video's seconds, the end of its last segment (seconds, 0 without one) and its frames a second.

    NaN where nothing tells.
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
        """The grid of a video of so many features. Raises UnfitError where what it takes is not known."""
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
    config: Config, dataset: Dataset, videos: Sequence[str], *, rates: bool
) -> dict[str, Known]:
    """Of each video, by the annotations; what they do not tell (with `rates`, frames a second too) by its file.

    Files are looked at only where they are needed and there.
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
    for video, (duration, fps) in _probed(config, dataset, unknown).items():
        before = known[video]
        known[video] = replace(
            before,
            duration=before.duration if before.duration > 0 else duration,
            fps=before.fps if before.fps > 0 else fps,
        )
    return known


def _probed(
    config: Config, dataset: Dataset, videos: Sequence[str]
) -> Mapping[str, tuple[float, float]]:
    """Seconds and frames a second of the videos whose files are there and say so."""
    settings = config.dataset
    if not videos or not is_folder(settings.videos):
        return {}
    try:
        paths, _ = find_videos(settings, dataset, videos)
    except UserError as error:
        say(f"import-features: lengths of videos stay unknown: {error.message}")
        return {}
    infos, _ = probe_all(paths, "auto", deep=False, workers=config.runtime.workers)
    return {
        video: (info.duration or math.nan, info.fps or math.nan) for video, info in infos.items()
    }
