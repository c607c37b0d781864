"""Stage 5: proposals x class scores -> detections (Appendix A.2, Classification)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from feature_extraction.backbones import VideoNetwork
from feature_extraction.video.reader import DamagedVideoError, VideoError
from pipeline.data.scores.given import scores_of
from pipeline.data.videos.damage import extraction_takes_parts, told
from pipeline.data.videos.failures import read_failures
from pipeline.data.videos.finding import Source
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.processes.workers import Handler, Heartbeat, outcomes
from pipeline.progress import Progress, say
from pipeline.results.classification.class_scores import Parts
from pipeline.results.classification.classifying import (
    scores_on_clips,
    scores_on_features,
    times_of,
)
from pipeline.results.classification.feature_classifier import load_feature_classifier
from pipeline.results.classification.fusing import fused
from pipeline.results.classifier_extractor import SILENCE_SECONDS
from pipeline.results.tables import DETECTIONS, write_table
from pipeline.run_folder.identity import named
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.runs.found import proposals_of
from pipeline.runs.inputs.fields import VIDEOS, made_by
from pipeline.runs.run import Run
from pipeline.training.networks.classifier import load_classifier

Groups = Mapping[str, np.ndarray]  # the rows of each video's proposals
ScoreJob = tuple[str, Source, np.ndarray]  # video, its source, times [n, positions] in seconds


def run(run: Run) -> None:
    """Write a file of class scores a video, then `classify/detections.csv` of all.

    Its columns are video, start, end, label, score (and verb, noun). Only videos whose proposals, features,
    network or settings are others than they were are classified again.
    """
    stage = run.open("classify")
    failed = read_failures(stage.folder)  # tried again
    if stage.complete and not failed and run.is_complete("classify"):
        say("classify: complete, nothing to do")
        return
    proposals = proposals_of(run)
    groups: Groups = proposals.groupby("video", sort=False).indices
    left_out = run.left_out("classify")
    given = run.detection.classify.scores
    how = f"scores in {given}" if given is not None else run.detection.classify.mode
    say(f"classify: {len(proposals)} proposals of {len(groups)} videos, by {how}")
    parts = Parts(stage.folder, made_by(stage.fields), stage.fields[VIDEOS], stage.verify)
    ledger = Ledger(stage.folder)
    _score_all(run, parts, ledger, proposals, groups, left_out)
    left_out.settle()
    without = sorted(left_out.reasons)
    if without:
        say(f"classify: {len(without)} videos without scores count as having no detections")
        proposals = proposals[~proposals["video"].isin(without)].reset_index(drop=True)
    of_video = {video: parts.read(video) for video in proposals["video"].unique()}
    detections = fused(run.detection.classify, run.dataset.heads, proposals, of_video)
    write_table(stage.folder / DETECTIONS, detections)
    ledger.write()
    stage.finish({"detections": len(detections), "left_out": without})
    say(f"classify: {len(detections)} detections")


def _score_all(
    run: Run,
    parts: Parts,
    ledger: Ledger,
    proposals: pd.DataFrame,
    groups: Groups,
    left_out: LeftOut,
) -> None:
    """Make the parts that are not current; each is recorded as soon as it is there."""
    for video in parts.todo([video for video in parts.of if video not in groups], ledger):
        nothing = [np.zeros((0, len(head)), np.float32) for head in run.dataset.heads]
        ledger.note(parts.write(video, nothing))
    todo = parts.todo(list(groups), ledger)
    if not todo:
        return
    with Progress(len(groups), "classify", unit="video", start=len(groups) - len(todo)) as bar:
        for made in _scored(run, parts, proposals, {v: groups[v] for v in todo}, left_out):
            ledger.note(made)
            bar.update(1)


def _scored(
    run: Run, parts: Parts, proposals: pd.DataFrame, groups: Groups, left_out: LeftOut
) -> Iterator[Made]:
    """The parts of videos, by what their scores come from."""
    settings = run.detection.classify
    if settings.scores is not None:
        return _given(run, parts, list(groups), left_out)
    if settings.decodes:
        grid = run.features.grid
        times = {v: times_of(settings, proposals.iloc[rows], grid) for v, rows in groups.items()}
        return _decoded(run, parts, times, left_out)
    return _of_features(run, parts, proposals, groups)


def _given(run: Run, parts: Parts, videos: Sequence[str], left_out: LeftOut) -> Iterator[Made]:
    """Parts of scores made elsewhere, one row a video; videos without any are counted."""
    scores = scores_of(run.detection, run.dataset)
    for note in scores.notes:
        say(f"classify: {scores.file}: {note}")
    missing = scores.require_few(list(parts.of), left_out.allowed)
    if scores.unscored:
        say(f"classify: no scores of the classes {named(scores.unscored)}: they are never detected")
    left_out.take(dict.fromkeys(missing, f"no class scores in {scores.file}"))
    for video in videos:
        if video not in missing:
            yield parts.write(video, [scores.rows[video][None]])


def _of_features(run: Run, parts: Parts, proposals: pd.DataFrame, groups: Groups) -> Iterator[Made]:
    """Parts of scores on stored features, of a network's head or of a classifier trained on them."""
    settings, classes = run.detection.classify, run.dataset.num_classes
    on_features = run.config.finetune.source == "features"
    model = (
        load_feature_classifier(classes, run.folder, run.device)
        if on_features
        else load_classifier(run.config.backbone, classes, run.folder, run.device)
    )
    _check_channels(run, list(groups), model)
    for video, rows in groups.items():
        scores = scores_on_features(
            model,
            run.features(video),
            proposals.iloc[rows],
            settings,
            run.device,
            on_means=on_features,
        )
        yield parts.write(video, scores)


def _decoded(
    run: Run, parts: Parts, times: Mapping[str, np.ndarray], left_out: LeftOut
) -> Iterator[Made]:
    """Parts of scores on clips decoded at the proposals; videos that fail are counted."""
    paths = run.sources(times, left_out)
    jobs = [(video, paths[video], times[video]) for video in times if video in paths]
    arguments = (run, run.dataset.num_classes, parts)
    workers = run.config.runtime.workers
    for outcome in outcomes(
        score_handler, arguments, jobs, workers=workers, timeout=SILENCE_SECONDS
    ):
        if outcome.reason is not None:
            left_out.failed(outcome.job[0], outcome.reason)
        else:
            yield outcome.result


def score_handler(run: Run, num_classes: int | tuple[int, int], parts: Parts) -> Handler:
    """What a worker process does with a job: write the scores of a video's proposals."""
    torch.set_num_threads(1)  # as in extraction
    model, extractor = run.classifier(num_classes)
    takes = extraction_takes_parts(run.detection)

    def handle(job: ScoreJob, heartbeat: Heartbeat) -> Made:
        video, path, times = job
        try:
            scores = scores_on_clips(model, extractor, path, times, heartbeat=heartbeat)
        except DamagedVideoError as error:
            raise VideoError(told(error, takes)) from error
        return parts.write(video, scores)

    return handle


def _check_channels(run: Run, videos: Sequence[str], model: VideoNetwork) -> None:
    """Refuse features the classifier's head cannot take. Raises UserError."""
    channels = run.features.common_channels(videos)
    if videos and channels != model.feature_dim:
        raise UserError(
            f"{run.folder}: features have {channels} channels and the classifier's head takes "
            f"{model.feature_dim}; they come from another network than finetune trained"
        )
