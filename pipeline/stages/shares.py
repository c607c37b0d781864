"""Which of the videos a process is to make, of several that are started together."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.annotations import Dataset
from pipeline.data.order import deal
from pipeline.data.remote.videos import RemoteVideo
from pipeline.data.videos.failures import Failure, listed_failures
from pipeline.data.videos.finding import Source
from pipeline.progress import say
from pipeline.run_folder.joined.sharing import Work
from pipeline.run_folder.stage import Stage
from pipeline.runs.joint import is_finished
from pipeline.runs.run import Run
from pipeline.shards import NONE, Shard, shard_of

_GOLDEN = 0.618034  # its multiples are spread evenly over 0 to 1, however many there are


@dataclass(frozen=True)
class Shares:
    """Videos, and what each weighs, dealt to processes that are started together: shares come out about equal."""

    videos: Sequence[str]
    weights: Sequence[float]

    def of(self, shard: Shard | None) -> list[str]:
        """The videos of a share, the heaviest first.

        All of them without a share; one of no known count says where to begin.
        """
        count = shard.count if shard is not None and shard.count else 1
        place = shard.index if shard is not None else 0
        mine = [self.videos[index] for index in deal(self.weights, count)[place % count]]
        if shard is None or shard.count:
            return mine
        begin = int(len(mine) * (place * _GOLDEN % 1))
        return mine[begin:] + mine[:begin]


def failed_elsewhere(
    folder: Path, missing: Iterable[str], shares: Shares, shard: Shard | None, work: Work
) -> dict[str, Failure]:
    """Of videos that are not done, those that are listed as failed, and that no process tries again now.

    Who has them in its share does.
    """
    listed = listed_failures(folder)
    found = [video for video in missing if video in listed and not work.is_done(video)]
    if not found:
        return {}
    said = {note.shard or NONE for note in work.others()}
    tried = set(shares.of(shard)).union(*(shares.of(shard_of(text, {})) for text in said))
    return {video: listed[video] for video in found if video not in tried}


def was_finished(run: Run, stage: Stage, name: str, missing: Iterable[str]) -> bool:
    """Whether the work is done although this process did not finish it; `missing` are the videos without an output.

    Raises UserError if too much has failed.
    """
    missing, failures = set(missing), listed_failures(stage.folder)
    if missing - failures.keys():
        return False
    if is_finished(stage):
        say(f"{name}: complete; another process finished it")
        return True
    left_out = run.left_out(name)
    left_out.known({video: failures[video] for video in missing})
    left_out.settle()
    return False


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
    except OSError:  # a broken link: reading it reports so
        return 0
