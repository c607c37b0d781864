"""Which stages lie ahead, and whether one of them would refuse what it is given."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.data.videos.left_out import LeftOut
from pipeline.progress import say
from pipeline.ranks import ranks
from pipeline.runs.graph import StageRow
from pipeline.runs.run import Run
from pipeline.runs.soundness.checks import check_stages
from pipeline.runs.soundness.lengths import of_whole_files, require_lengths
from pipeline.runs.ways import in_order

FIRST = "finetune"


def require_sound(run: Run, stages: Sequence[StageRow]) -> None:
    """Refuse what a stage that is still to be done would refuse, be it one of `stages` or one after them.

    A configuration for a classifier alone has no stage after fine-tuning, nor has fine-tuning by itself on
    annotations of whole files. Raises UserError, as that stage would.
    """
    ahead = stages_ahead(run, stages)
    check_stages(run, ahead)
    decodes = FIRST in ahead and run.config.finetune.source == "video"
    if decodes:  # extract, where it comes first, looks for its videos at once
        _videos_are_there(run, every="extract" in ahead)
    if ranks().is_main:  # it looks for all
        for line in require_lengths(run, [*ahead, *(stage.name for stage in stages)]):
            say(line)


def stages_ahead(run: Run, stages: Sequence[StageRow]) -> list[str]:
    """The names of the stages that are not done, from the first of `stages` to the last there is."""
    order = [stage.name for stage in in_order(run.ways)]
    asked = [stage.name for stage in stages if stage.name in order]
    if not asked:
        return []
    if asked == [FIRST] and (not _detects(run) or of_whole_files(run)):
        ahead = {FIRST}
    else:
        ahead = set(order[min(map(order.index, asked)) :])
    return [
        stage.name
        for stage in in_order(run.ways)
        if stage.name in ahead and (run.force or not _is_done(run, stage))
    ]


def _detects(run: Run) -> bool:
    return not run.config.lacking


def _is_done(run: Run, stage: StageRow) -> bool:
    manifest = run.facts().manifest(stage.name)
    folder = run.path(stage.name)
    done = manifest is not None and manifest.complete
    return done and all((folder / output).is_file() for output in stage.outputs)


def _videos_are_there(run: Run, *, every: bool) -> None:
    """Refuse where more videos are missing than may be: of all, or of those that have a segment."""
    from pipeline.data.videos.finding import require_videos  # loads torch

    settings, runtime = run.config.dataset, run.config.runtime
    rows = run.dataset.annotations
    wanted = run.videos if every else rows["video"][rows["subset"].isin(run.subsets)].tolist()
    require_videos(
        settings,
        run.dataset,
        [video for video in wanted if video not in run.skipped],
        LeftOut(FIRST, run.path(FIRST), allowed=runtime.allow_failures, writes=False),
    )
