"""What a training would refuse of settings and of its segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.annotations import training_rows
from pipeline.data.features.imported import require_imported
from pipeline.data.hold_out import chooses_epoch, nothing_to_choose_by, require_use, training_parts
from pipeline.data.sequences.refusals import nothing_learnt
from pipeline.errors import UserError
from pipeline.ranks import ranks
from pipeline.runs.run import Run
from pipeline.runs.soundness.lengths import require_lengths

# Whether one of a video's segments [N, 2] could be trained on, in a video of this many seconds (NaN: unknown).
Holds = Callable[[np.ndarray, float], bool]


def finetunes(run: Run) -> None:
    """Refuse what fine-tuning would refuse. Raises UserError."""
    if run.ways.head_on_features:
        require_imported(imported=run.ways.imported)
    _trains(run, "finetune", run.config.finetune)
    if chooses_epoch(run.config.finetune):
        _judges(run)


def trains_bmn(run: Run) -> None:
    """Refuse what the training of BMN would refuse. Raises UserError."""
    settings = run.detection.bmn
    training = _trains(run, "bmn", settings)
    holds = partial(_window_holds, run.detection)
    if not _some_holds(run, training, holds):
        require_lengths(run, ["bmn"])  # where the times are wrong, no setting helps
        raise UserError(
            f"bmn: no window of {settings.temporal_scale} positions holds a whole training segment; "
            "raise bmn.temporal_scale or bmn.feature_step"
        )
    _can_choose(run, settings, holds)


def trains_actionformer(run: Run) -> None:
    """Refuse what the training of ActionFormer would refuse. Raises UserError."""
    settings = run.detection.actionformer
    training = _trains(run, "actionformer", settings)
    holds = partial(_position_learns, run.detection)
    if not _some_holds(run, training, holds):
        require_lengths(run, ["actionformer"])
        raise nothing_learnt(len(training))
    _can_choose(run, settings, lambda segments, told: True)


def _can_choose(run: Run, settings: OptimisationSettings, holds: Holds) -> None:
    """Refuse to choose an epoch by nothing. Raises UserError."""
    if chooses_epoch(settings):
        rows, held_out = _judges(run)
        if not _some_holds(run, rows, holds):
            raise nothing_to_choose_by(run.config.dataset, held_out=held_out)


def _trains(run: Run, title: str, settings: OptimisationSettings) -> pd.DataFrame:
    """The segments that train. Raises UserError without any, and for a batch that processes cannot share."""
    require_use(run.config)
    training, _ = training_parts(run.config, run.dataset)
    if training.empty:
        name = run.subsets[0]
        why = "; ".join(f"{n} {line}" for line, n in training_rows(run.dataset, name)[1].items())
        said = f"no segment to train on ({why})" if why else "no segment to train on"
        raise UserError(f"dataset.train_subset {name!r}: {said}")
    _shares_batches(title, settings)
    return training


def _judges(run: Run) -> tuple[pd.DataFrame, bool]:
    """The segments that choose an epoch, and whether they are held out. Raises UserError without any."""
    settings = run.config.dataset
    _, rows = training_parts(run.config, run.dataset)
    held_out = not rows.empty
    if not held_out:
        rows, _ = training_rows(run.dataset, settings.eval_subset)
        rows = rows[~rows["video"].isin(run.skipped)]
    if rows.empty:
        raise nothing_to_choose_by(settings, held_out=False)
    return rows, held_out


def _some_holds(run: Run, rows: pd.DataFrame, holds: Holds) -> bool:
    """Whether one of the segments could be trained on, were its video as long as it can be."""
    seconds: Mapping[str, float] = dict(
        zip(run.dataset.videos["video"], run.dataset.videos["duration"], strict=True)
    )
    for video, group in rows.groupby("video", sort=False):
        segments = group[["start", "end"]].to_numpy(float)
        if not np.isfinite(segments).all():
            return True  # that these are no segments to detect is reported by the evaluation
        if holds(segments, seconds[str(video)]):
            return True
    return False


def _window_holds(config: DetectionConfig, segments: np.ndarray, seconds: float) -> bool:
    """Whether a window of BMN holds one of a video's segments [N, 2]; `seconds` seconds long, or unknown (NaN)."""
    from pipeline.data.windows.cells import windows_with_segments  # loads torch

    scale = config.bmn.temporal_scale * config.bmn.feature_step
    window = scale * config.extract.stride / config.extract.fps
    longest = np.nanmax([segments.max(), seconds]) + window
    return windows_with_segments(config, segments, float(longest)) > 0


def _position_learns(config: DetectionConfig, segments: np.ndarray, seconds: float) -> bool:
    """Whether a position of ActionFormer learns one of a video's segments [N, 2]; `seconds` as above."""
    from pipeline.data.sequences.learning import learns_some  # loads torch

    if np.isnan(seconds) and config.actionformer.mode == "rescale":
        return True  # how long a position is, is not known
    longest = float(np.nanmax([segments.max(), seconds]))
    return learns_some(config, segments, longest)


def _shares_batches(title: str, settings: OptimisationSettings) -> None:
    size, batch = ranks().size, settings.batch_size
    if batch < size:
        shared = f"{title}.batch_size {batch} cannot be shared by {size} processes"
        raise UserError(f"{shared}; give at least {size}")
