"""What a stage that lies ahead would refuse is refused here, before the first one works for hours.

Looks at settings, at annotations and at which videos there are; decodes none. `tada-loc doctor` looks closer.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.errors import TableError
from evaluation.tables import check_annotations
from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.data.annotations import training_rows
from pipeline.data.beyond import require_within
from pipeline.data.hold_out import chooses_epoch, nothing_to_choose_by, require_use, training_parts
from pipeline.data.videos.left_out import LeftOut, skipped_ids
from pipeline.errors import UsageError, UserError
from pipeline.progress import say
from pipeline.ranks import ranks
from pipeline.results.scoring import truth_rows
from pipeline.run_folder.manifests import MANIFEST
from pipeline.runs.graph import StageRow, in_order, row
from pipeline.runs.run import Run

FIRST = "finetune"
KINDS = ("training", "evaluation")
_READ = {FIRST: KINDS, "bmn": KINDS[:1], "eval": KINDS[1:], "eval-classifier": KINDS[1:]}


def require_sound(run: Run, stages: Sequence[StageRow]) -> None:
    """Refuse what a stage that is still to be done would refuse, be it one of `stages` or one after them.

    A configuration for a classifier alone has no stage after fine-tuning, nor has fine-tuning by itself on
    annotations of whole files. Raises UserError, as that stage would.
    """
    ahead = stages_ahead(run, stages)
    check_stages(run, ahead)
    if FIRST in ahead:  # extract, where it comes first, looks for its videos at once
        _videos_are_there(run, every="extract" in ahead)
    if ranks().is_main:  # it looks for all
        for line in require_lengths(run, [*ahead, *(stage.name for stage in stages)]):
            say(line)


def require_lengths(run: Run, names: Sequence[str], *, look: bool = True) -> list[str]:
    """What to say of segments behind their videos' ends, of those these stages read. Raises UserError: too many.

    Without `look` only videos count that were looked at before.
    """
    subsets = {subset for name in names for subset in _READ.get(name, ())}
    chosen = [run.subsets[KINDS.index(kind)] for kind in KINDS if kind in subsets]
    rows = run.dataset.annotations
    if not chosen or _of_whole_files(run):
        return []
    videos = rows["video"][rows["subset"].isin(chosen)].unique().tolist()
    measured = run.lengths(videos, look=look)
    return require_within(run.config.dataset, run.dataset, chosen, measured, run.skipped)


def stages_ahead(run: Run, stages: Sequence[StageRow]) -> list[str]:
    """The names of the stages that are not done, from the first of `stages` to the last there is."""
    order = [stage.name for stage in in_order()]
    asked = [stage.name for stage in stages if stage.name in order]
    if not asked:
        return []
    if asked == [FIRST] and (not _detects(run) or _of_whole_files(run)):
        ahead = {FIRST}
    else:
        ahead = set(order[min(map(order.index, asked)) :])
    return [
        stage.name
        for stage in in_order()
        if stage.name in ahead and (run.force or not _is_done(run, stage))
    ]


def check_stages(run: Run, names: Sequence[str]) -> None:
    """Refuse settings and annotations that one of these stages would refuse. Raises UserError."""
    if any(name != FIRST for name in names):
        run.config.detection()
    for name in names:
        for check in _CHECKS.get(name, ()):
            check(run)


def require_head(folder: Path, stages: Sequence[StageRow]) -> None:
    """Refuse stages that need a classifier where there is none, of imported features. Raises UserError."""
    finetune = row(FIRST)
    if finetune in stages and not (folder / finetune.folder / MANIFEST).exists():
        raise UserError(
            f"{folder}: its features were imported and it has no classifier head to name classes with; "
            "the proposals in bmn/proposals/proposals.csv are its result, or run `tada-loc finetune` on the "
            "network the features come from"
        )


def _detects(run: Run) -> bool:
    sections = ("extract", "bmn", "proposals", "classify", "eval")
    return all(getattr(run.config, section) is not None for section in sections)


def _of_whole_files(run: Run) -> bool:
    return math.inf in run.dataset.annotations["end"].to_numpy()


def _is_done(run: Run, stage: StageRow) -> bool:
    manifest = run.facts().manifest(stage.name)
    folder = run.path(stage.name)
    done = manifest is not None and manifest.complete
    return done and all((folder / output).is_file() for output in stage.outputs)


def _trains(run: Run) -> None:
    require_use(run.config)
    training, _ = training_parts(run.config, run.dataset)
    if training.empty:
        name = run.subsets[0]
        why = "; ".join(f"{n} {line}" for line, n in training_rows(run.dataset, name)[1].items())
        said = f"no segment to train on ({why})" if why else "no segment to train on"
        raise UserError(f"dataset.train_subset {name!r}: {said}")


def _finetunes(run: Run) -> None:
    _trains(run)
    _shares_batches(FIRST, run.config.finetune)
    if chooses_epoch(run.config.finetune):
        _judges(run)


def _trains_bmn(run: Run) -> None:
    _trains(run)
    settings = run.detection.bmn
    _shares_batches("bmn", settings)
    training, _ = training_parts(run.config, run.dataset)
    if not _some_window_holds(run, training):
        require_lengths(run, ["bmn"])  # where the times are wrong, no setting helps
        raise UserError(
            f"bmn: no window of {settings.temporal_scale} positions holds a whole training segment; "
            "raise bmn.temporal_scale or bmn.feature_step"
        )
    if chooses_epoch(settings):
        rows, held_out = _judges(run)
        if not _some_window_holds(run, rows):
            raise nothing_to_choose_by(run.config.dataset, held_out=held_out)


def _judges(run: Run) -> tuple[pd.DataFrame, bool]:
    """The segments that choose an epoch, and whether they are held out. Raises UserError without any."""
    settings = run.config.dataset
    _, rows = training_parts(run.config, run.dataset)
    held_out = not rows.empty
    if not held_out:
        rows, _ = training_rows(run.dataset, settings.eval_subset)
        rows = rows[~rows["video"].isin(skipped_ids(run.config.runtime.skip))]
    if rows.empty:
        raise nothing_to_choose_by(settings, held_out=False)
    return rows, held_out


def _some_window_holds(run: Run, rows: pd.DataFrame) -> bool:
    """Whether a window could hold one of the segments, were its video as long as it can be."""
    from pipeline.data.windows.cells import windows_with_segments  # loads torch

    told: Mapping[str, float] = dict(
        zip(run.dataset.videos["video"], run.dataset.videos["duration"], strict=True)
    )
    config = run.detection
    scale = config.bmn.temporal_scale * config.bmn.feature_step
    window = scale * config.extract.stride / config.extract.fps
    for video, group in rows.groupby("video", sort=False):
        segments = group[["start", "end"]].to_numpy(float)
        if not np.isfinite(segments).all():
            return True  # that these are no segments to detect is said of the evaluation
        longest = np.nanmax([segments.max(), told[str(video)]]) + window
        if windows_with_segments(config, segments, float(longest)):
            return True
    return False


def _shares_batches(title: str, settings: OptimisationSettings) -> None:
    size, batch = ranks().size, settings.batch_size
    if batch < size:
        shared = f"{title}.batch_size {batch} cannot be shared by {size} processes"
        raise UserError(f"{shared}; give at least {size}")


def _decodes(run: Run) -> None:
    if run.detection.extract.decoder == "decord" and importlib.util.find_spec("decord") is None:
        raise UsageError(
            "extract.decoder = 'decord': it is not installed; pip install decord, or use --decoder pyav"
        )


def _decodes_proposals(run: Run) -> None:
    if (run.detection.classify.mode, run.detection.classify.source) == ("proposal", "video"):
        _decodes(run)


def _proposes(run: Run) -> None:
    name = run.config.dataset.eval_subset
    if not set(run.dataset.video_ids(name)) - skipped_ids(run.config.runtime.skip):
        raise UserError(f"dataset.eval_subset {name!r}: no video to propose for")


def _evaluates(run: Run) -> None:
    settings = run.config.dataset
    truth = truth_rows(settings, run.dataset)
    if _of_whole_files(run):
        raise UserError(
            f"dataset.format {settings.format}: its segments are whole files, and detection is measured on "
            "segments with a start and an end; give such annotations, or do finetune and eval-classifier alone"
        )
    try:
        check_annotations(truth)
    except TableError as error:
        raise UserError(str(error)) from error


def _videos_are_there(run: Run, *, every: bool) -> None:
    """Refuse where more videos are missing than may be: of all, or of those that have a segment."""
    from pipeline.data.videos.finding import require_videos  # loads torch

    settings, runtime = run.config.dataset, run.config.runtime
    rows = run.dataset.annotations
    wanted = run.videos if every else rows["video"][rows["subset"].isin(run.subsets)].tolist()
    skip = skipped_ids(runtime.skip)
    require_videos(
        settings.videos,
        run.dataset,
        [video for video in wanted if video not in skip],
        LeftOut(FIRST, run.path(FIRST), allowed=runtime.allow_failures, writes=False),
        settings.frame_fps,
    )


# What a stage would refuse; what it refuses at once, and no stage before it needs to, is left to it.
_CHECKS: Mapping[str, Sequence[Callable[[Run], None]]] = {
    "finetune": (_finetunes,),
    "extract": (_decodes,),
    "bmn": (_trains_bmn,),
    "proposals": (_proposes,),
    "classify": (_decodes_proposals,),
    "eval": (_evaluates,),
}
