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
from pipeline.run_folder.joined.claims import Claim
from pipeline.run_folder.joined.sharing import Work
from pipeline.run_folder.joined.todo import Todo
from pipeline.run_folder.ledger import Ledger, Made, plain
from pipeline.run_folder.stage import Stage
from pipeline.runs.found import proposals_of
from pipeline.runs.inputs.fields import VIDEOS, made_by
from pipeline.runs.joint import finishing, joined
from pipeline.runs.run import Run
from pipeline.stages.shares import Shares, failed_elsewhere, was_finished
from pipeline.training.networks.classifier import load_classifier

Groups = Mapping[str, np.ndarray]  # the rows of each video's proposals
# Of a video: its name, its source, times [n, positions] in seconds, the claim to make it (None: no other process can).
ScoreJob = tuple[str, Source, np.ndarray, Claim | None]
Scored = tuple[Claim, Made | None]


def run(run: Run) -> None:
    """Write a file of class scores per video, then `classify/detections.csv` of all.

    Its columns are video, start, end, label, score (and verb, noun). Only videos whose proposals, features,
    network or settings are others than they were are classified again.
    """
    while not _together(run):
        say("classify: other processes took this one for dead; starting again")


def _together(run: Run) -> bool:
    """Work until all is done, or this process's shard is; False if it has to start again."""
    with joined(run, "classify") as (stage, work):
        failed = read_failures(stage.folder)  # tried again
        if stage.complete and not failed and run.is_complete("classify"):
            say("classify: complete, nothing to do")
            return True
        proposals = proposals_of(run)
        groups: Groups = proposals.groupby("video", sort=False).indices
        left_out = run.left_out("classify")
        left_out.record = work.fail
        given = run.detection.classify.scores
        how = f"scores in {given}" if given is not None else run.detection.classify.mode
        say(f"classify: {len(proposals)} proposals of {len(groups)} videos, by {how}")
        parts = Parts(stage.folder, made_by(stage.fields), stage.fields[VIDEOS], stage.verify)
        missing, shares = _score_all(run, work, parts, proposals, groups, left_out)
        if not work.over:
            work.look()
            left_out.known(failed_elsewhere(stage.folder, missing, shares, run.shard, work))
            coming = [v for v in missing if not work.is_done(v) and v not in left_out.reasons]
            if coming:
                to_come = f"{len(coming)} videos of other shards are not done yet"
                say(f"classify: shard {run.shard} is done; {to_come}")
                return True
            with finishing(stage, work) as last:
                if last is not None:
                    _fuse(run, last, work, parts, proposals, left_out)
                    return True
    return was_finished(run, stage, "classify", parts.todo(list(groups), Ledger(stage.folder)))


def _fuse(
    run: Run, stage: Stage, work: Work, parts: Parts, proposals: pd.DataFrame, left_out: LeftOut
) -> None:
    """Write the detections of all videos with scores. Raises UserError if too much has failed."""
    left_out.take({video: str(line["reason"]) for video, line in work.failed.items()})
    left_out.settle()
    without = sorted(left_out.reasons)
    if without:
        say(f"classify: {len(without)} videos without scores count as having no detections")
        proposals = proposals[~proposals["video"].isin(without)].reset_index(drop=True)
    of_video = {video: parts.read(video) for video in proposals["video"].unique()}
    detections = fused(run.detection.classify, run.dataset.heads, proposals, of_video)
    write_table(stage.folder / DETECTIONS, detections)
    stage.finish({"detections": len(detections), "left_out": without})
    say(f"classify: {len(detections)} detections")


def _score_all(
    run: Run,
    work: Work,
    parts: Parts,
    proposals: pd.DataFrame,
    groups: Groups,
    left_out: LeftOut,
) -> tuple[list[str], Shares]:
    """Make the parts that are not current and that no other process makes; those that were to be made, and the shares.

    Each is recorded as soon as it is there.
    """
    work.member.sign(total=len(groups))
    ledger = Ledger(work.folder)
    for video in parts.todo([video for video in parts.of if video not in groups], ledger):
        nothing = [np.zeros((0, len(head)), np.float32) for head in run.dataset.heads]
        work.note(plain(parts.write(video, nothing)))
    missing = parts.todo(list(groups), ledger)
    shares = Shares(list(groups), [len(rows) for rows in groups.values()])
    if not missing:
        return [], shares
    wanted = set(missing)
    todo = Todo(work, [video for video in shares.of(run.shard) if video in wanted])
    start = len(groups) - len(missing)
    with Progress(len(groups), "classify", unit="video", start=start) as bar:
        mine = {video: groups[video] for video in missing}
        for claim, made in _scored(run, todo, parts, proposals, mine, left_out):
            if made is not None:
                work.note(plain(made))
            elif not claim.holds():
                todo.back(claim.name)
            work.claims.release(claim)
            bar.reach(todo.done)
    return missing, shares


def _scored(
    run: Run, todo: Todo, parts: Parts, proposals: pd.DataFrame, groups: Groups, left_out: LeftOut
) -> Iterator[Scored]:
    """The parts of claimed videos, by what their scores come from; None of one that failed or was taken over."""
    settings = run.detection.classify
    if settings.scores is not None:
        return _given(run, todo, parts, left_out)
    if settings.decodes:
        return _decoded(run, todo, parts, proposals, groups, left_out)
    return _of_features(run, todo, parts, proposals, groups)


def _given(run: Run, todo: Todo, parts: Parts, left_out: LeftOut) -> Iterator[Scored]:
    """Parts of scores made elsewhere, one row per video; videos without any are counted."""
    scores = scores_of(run.detection, run.dataset)
    for note in scores.notes:
        say(f"classify: {scores.file}: {note}")
    missing = scores.require_few(list(parts.of), left_out.allowed)
    if scores.unscored:
        say(f"classify: no scores of the classes {named(scores.unscored)}: they are never detected")
    left_out.take(dict.fromkeys(missing, f"no class scores in {scores.file}"))
    todo.leave(set(missing))
    for claim in todo.each():
        rows = scores.rows[claim.name][None]
        yield claim, parts.write(claim.name, [rows]) if claim.holds() else None


def _of_features(
    run: Run, todo: Todo, parts: Parts, proposals: pd.DataFrame, groups: Groups
) -> Iterator[Scored]:
    """Parts of scores on stored features, of a network's head or of a classifier trained on them."""
    settings, classes = run.detection.classify, run.dataset.num_classes
    on_features = run.config.finetune.source == "features"
    model = (
        load_feature_classifier(classes, run.folder, run.device)
        if on_features
        else load_classifier(run.config.backbone, classes, run.folder, run.device)
    )
    _check_channels(run, list(groups), model)
    for claim in todo.each():
        scores = scores_on_features(
            model,
            run.features(claim.name),
            proposals.iloc[groups[claim.name]],
            settings,
            run.device,
            on_means=on_features,
        )
        yield claim, parts.write(claim.name, scores) if claim.holds() else None


def _decoded(
    run: Run, todo: Todo, parts: Parts, proposals: pd.DataFrame, groups: Groups, left_out: LeftOut
) -> Iterator[Scored]:
    """Parts of scores on clips decoded at the proposals; videos that fail are counted."""
    paths = run.sources(groups, left_out)
    todo.leave(groups.keys() - paths.keys())
    settings, grid = run.detection.classify, run.features.grid

    def jobs() -> Iterator[ScoreJob | None]:
        for claim in todo.claims():
            if claim is None:
                yield None
            else:
                times = times_of(settings, proposals.iloc[groups[claim.name]], grid)
                yield claim.name, paths[claim.name], times, claim

    arguments = (run, run.dataset.num_classes, parts)
    workers = run.config.runtime.workers
    for outcome in outcomes(
        score_handler, arguments, jobs(), workers=workers, timeout=SILENCE_SECONDS
    ):
        *_, claim = outcome.job
        if outcome.reason is not None and claim.holds():
            left_out.failed(claim.name, outcome.reason)
        yield claim, outcome.result


def score_handler(run: Run, num_classes: int | tuple[int, int], parts: Parts) -> Handler:
    """What a worker process does with a job: write the scores of a video's proposals."""
    torch.set_num_threads(1)  # as in extraction
    model, extractor = run.classifier(num_classes)
    takes = extraction_takes_parts(run.detection)

    def handle(job: ScoreJob, heartbeat: Heartbeat) -> Made | None:
        video, path, times, claim = job
        try:
            scores = scores_on_clips(model, extractor, path, times, heartbeat=heartbeat)
        except DamagedVideoError as error:
            raise VideoError(told(error, takes)) from error
        return parts.write(video, scores) if claim is None or claim.holds() else None

    return handle


def _check_channels(run: Run, videos: Sequence[str], model: VideoNetwork) -> None:
    """Refuse features the classifier's head cannot take. Raises UserError."""
    channels = run.features.common_channels(videos)
    if videos and channels != model.feature_dim:
        raise UserError(
            f"{run.folder}: features have {channels} channels and the classifier's head takes "
            f"{model.feature_dim}; they come from another network than finetune trained"
        )
