"""What each stage would refuse of settings and annotations."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence

from evaluation.errors import TableError
from evaluation.tables import check_annotations
from pipeline.data.features.imported import require_imported
from pipeline.data.scores.given import scores_of
from pipeline.errors import UsageError, UserError
from pipeline.results.scoring import truth_rows
from pipeline.runs.run import Run
from pipeline.runs.soundness.lengths import of_whole_files
from pipeline.runs.soundness.trainings import finetunes, trains_actionformer, trains_bmn
from pipeline.training.logs.opening import require_trackers


def check_stages(run: Run, names: Sequence[str]) -> None:
    """Refuse settings and annotations that one of these stages would refuse. Raises UserError."""
    if any(name != "finetune" for name in names):
        run.config.detection()
    for name in names:
        for check in _CHECKS.get(name, ()):
            check(run)


def _decodes(run: Run) -> None:
    decoder = run.detection.extract.decoder
    if decoder == "nvdec":  # loads torch and PyAV
        from feature_extraction.video.hardware.acceleration import require_nvdec
        from feature_extraction.video.reader import VideoError

        try:
            require_nvdec(run.device)
        except VideoError as error:
            raise UsageError(f"extract.{error}") from error
    if decoder == "decord" and importlib.util.find_spec("decord") is None:
        raise UsageError(
            "extract.decoder = 'decord': it is not installed; pip install decord, or use --decoder pyav"
        )


def _extracts(run: Run) -> None:
    _extracts_first(run)
    _decodes(run)


def _extracts_first(run: Run) -> None:
    if run.ways.head_on_features:
        require_imported(imported=run.ways.imported)


def _classifies(run: Run) -> None:
    settings = run.detection.classify
    if settings.scores is not None:
        _all_are_scored(run)
    elif run.ways.head_on_features:
        if settings.decodes:
            raise UserError(
                "classify.source=video decodes clips for a network, and finetune.source=features trains none; "
                "set classify.source=features"
            )
    elif settings.decodes:
        _decodes(run)


def _tells(run: Run) -> None:
    require_trackers(run.config.runtime.log)


def _all_are_scored(run: Run) -> None:
    """Refuse a file of class scores that lacks more than may be lacking. Raises UserError."""
    wanted = [v for v in run.dataset.video_ids(run.subsets[1]) if v not in run.skipped]
    scores = scores_of(run.detection, run.dataset)
    scores.require_few(wanted, run.config.runtime.allow_failures)


def _proposes(run: Run) -> None:
    name = run.config.dataset.eval_subset
    if not set(run.dataset.video_ids(name)) - run.skipped:
        raise UserError(f"dataset.eval_subset {name!r}: no video to propose for")


def _evaluates(run: Run) -> None:
    settings = run.config.dataset
    truth = truth_rows(settings, run.dataset)
    if of_whole_files(run):
        raise UserError(
            f"dataset.format {settings.format}: its segments are whole files, and detection is measured on "
            "segments with a start and an end; give such annotations, or do finetune and eval-classifier alone"
        )
    try:
        check_annotations(truth)
    except TableError as error:
        raise UserError(str(error)) from error


# What a stage would refuse; what it refuses at once, and no stage before it needs to, is left to it.
_CHECKS: Mapping[str, Sequence[Callable[[Run], None]]] = {
    "finetune": (_tells, finetunes),
    "extract": (_extracts,),
    "bmn": (_tells, trains_bmn),
    "proposals": (_proposes,),
    "actionformer": (_tells, trains_actionformer),
    "segments": (_proposes,),
    "detections": (_proposes,),
    "classify": (_classifies,),
    "eval": (_tells, _evaluates),
}
