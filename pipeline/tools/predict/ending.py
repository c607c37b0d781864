"""The end of the work on many videos: what all processes have made and what failed, and the files of all together."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.data.features import FEATURES
from pipeline.data.videos.failures import listed_failures
from pipeline.data.videos.left_out import LeftOut
from pipeline.prediction.choosing import Choice, choose
from pipeline.prediction.found import Prediction
from pipeline.prediction.model import Model
from pipeline.progress import say
from pipeline.run_folder.joined.opening import closing
from pipeline.run_folder.joined.sharing import Work
from pipeline.run_folder.ledger import fold
from pipeline.run_folder.temporary import clear_temporary
from pipeline.runs.joint import take_over
from pipeline.stages.shares import Shares, failed_elsewhere
from pipeline.tools.predict.files.kept import RAW
from pipeline.tools.predict.files.outputs import FILES
from pipeline.tools.predict.files.together import say_bare, write_together
from pipeline.tools.predict.looking import Videos, jobs_of
from pipeline.tools.predict.request import Request
from pipeline.tools.predict.working import Job


class Found:
    """What is wanted of each video that was processed so far."""

    def __init__(self, choice: Choice, heads: Sequence[tuple[str, ...]]) -> None:
        self._choice, self._heads = choice, tuple(heads)
        self.videos: dict[str, Prediction] = {}
        self.best: dict[str, float] = {}  # the best score of a video of which nothing is wanted

    def take(self, whole: Prediction) -> Prediction:
        """Of what was found in a video what is wanted."""
        chosen = choose(whole, self._choice, self._heads)
        self.videos[chosen.video] = chosen
        if len(whole.detections) and not len(chosen.detections):
            self.best[chosen.video] = float(whole.detections["score"].max())
        return chosen


def keep_records(folder: Path) -> None:
    """Put what processes at work recorded into files of the folder of predictions, without incomplete files of killed processes.

    Raises UserError.
    """
    take_over(folder, "predict")
    for name in (FILES, RAW, FEATURES):
        clear_temporary(folder / name)
    for name in (RAW, FILES):
        fold(folder / name)


@dataclass(frozen=True)
class ToMake:
    """The videos of a call, those with anything to do, and how they are shared."""

    videos: Videos
    jobs: Mapping[str, Job]
    shares: Shares


def finish(
    work: Work,
    making: ToMake,
    model: Model,
    request: Request,
    found: Found,
    left_out: LeftOut,
) -> bool:
    """Write the files of all videos together where all is done; False where another process has.

    Raises UserError if more videos failed than are allowed.
    """
    work.look()
    known = failed_elsewhere(request.folder, making.jobs, making.shares, request.shard, work)
    coming = [video for video in making.jobs if not work.is_done(video) and video not in known]
    if coming:
        say(
            f"predict: shard {request.shard} is done; {len(coming)} videos of other shards are not done yet"
        )
        return True
    with closing(work, partial(keep_records, request.folder)) as last:
        if not last:
            return False
        left_out.take({video: str(line["reason"]) for video, line in work.failed.items()})
        left_out.known(known)
        _write_all(making.videos, model, request, found, left_out.reasons)
        left_out.settle()
    return True


def _write_all(
    videos: Videos, model: Model, request: Request, found: Found, failed: Container[str]
) -> None:
    """Write the files of all videos together, of what other processes found, too."""
    wanted = [video for video in videos.sources if video not in failed]
    others = [video for video in wanted if video not in found.videos]
    for video in others:
        found.take(videos.shown(video, model, request))
    if others:
        say(f"predict: {len(others)} of {len(wanted)} videos were made by other processes")
    say_bare(found.best, len(wanted))
    together = [found.videos[video] for video in wanted]
    for line in write_together(together, request.folder, request.options, model):
        say(f"predict: {line}")


def was_finished(videos: Videos, model: Model, request: Request) -> bool:
    """Whether the work is done although this process did not finish it. Raises UserError if too much has failed."""
    left, failures = jobs_of(videos, model, request), listed_failures(request.folder)
    if left.keys() - failures.keys():
        return False
    left_out = LeftOut(
        "predict", request.folder, allowed=request.allow_failures, writes=False, skips=False
    )
    left_out.known({video: failures[video] for video in left})
    left_out.settle()
    say("predict: another process has written the files of all videos together")
    return True
