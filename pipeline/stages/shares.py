"""Which of the videos a process is to make, of several that are started together."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.data.annotations import Dataset
from pipeline.data.order import deal
from pipeline.data.remote.videos import RemoteVideo
from pipeline.data.videos.failures import Failure, listed_failures
from pipeline.data.videos.finding import Source
from pipeline.run_folder.joined.sharing import Work
from pipeline.shards import Shard

_GOLDEN = 0.618034  # its multiples are spread evenly over 0 to 1, however many there are


def share_of(shard: Shard | None, videos: Sequence[str], weights: Sequence[float]) -> list[str]:
    """The videos of a share, the heaviest first; shares come out about equal.

    All of them without a share; one of no known count says where to begin.
    """
    count = shard.count if shard is not None and shard.count else 1
    place = shard.index if shard is not None else 0
    mine = [videos[index] for index in deal(weights, count)[place % count]]
    if shard is None or shard.count:
        return mine
    begin = int(len(mine) * (place * _GOLDEN % 1))
    return mine[begin:] + mine[:begin]


def failed_elsewhere(
    folder: Path, missing: Iterable[str], share: Collection[str], work: Work
) -> dict[str, Failure]:
    """Of videos that are not done, those of other shares that are listed as failed: who has these tries them again."""
    mine, listed = set(share), listed_failures(folder)
    found = (video for video in missing if video in listed and video not in mine)
    return {video: listed[video] for video in found if not work.is_done(video)}


def lengths_of(videos: Sequence[str], paths: Mapping[str, Source], dataset: Dataset) -> list[float]:
    """About how long each video is: as the annotations tell, or, where they do not of all, by the bytes of its file."""
    told = dict(zip(dataset.videos["video"], dataset.videos["duration"], strict=True))
    if all(told.get(video, math.nan) > 0 for video in videos):
        return [float(told[video]) for video in videos]
    return [float(_size(paths.get(video))) for video in videos]


def _size(source: Source | None) -> int:
    if isinstance(source, RemoteVideo):
        return source.size
    try:
        return 0 if source is None else os.stat(source).st_size
    except OSError:  # a broken link: reading it will say so
        return 0
