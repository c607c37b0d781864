"""Stage 5: proposals x class scores -> detections (Appendix A.2, Classification)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from evaluation import fusion
from feature_extraction.backbones import VideoNetwork
from pipeline.configuration.detection_settings import ClassifySettings
from pipeline.data.videos.failures import read_failures
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.processes.workers import Handler, Heartbeat, outcomes
from pipeline.progress import Progress, say
from pipeline.results.class_scores import Parts, ScoreJob, decoded_scores, drop_parts
from pipeline.results.classifier_extractor import SILENCE_SECONDS
from pipeline.results.tables import DETECTIONS, read_proposals, write_table
from pipeline.run_folder.manifests import read_manifest
from pipeline.runs.run import Run
from pipeline.training.classifier import class_probabilities, load_classifier


def run(run: Run) -> None:
    """Write `classify/detections.csv`: video, start, end, label, score (and verb, noun)."""
    _require_head(run)
    stage = run.open("classify")
    if stage.complete and not read_failures(stage.folder):  # videos that failed are tried again
        say("classify: complete, nothing to do")
        return
    proposals = read_proposals(run.path("proposals"), run.dataset, run.subsets[1])
    model = load_classifier(run.config.backbone, run.dataset.num_classes, run.folder, run.device)
    left_out = run.left_out("classify")
    videos = run.features.available(run.dataset.video_ids(run.subsets[1]), left_out)
    _check_channels(run, videos, model)
    mode = run.detection.classify.mode
    say(f"classify: {len(proposals)} proposals of {len(videos)} videos, by {mode}")
    without: list[str] = []
    if mode == "video":
        detections = _by_video(run, model, proposals, videos)
    else:
        detections, without = _by_proposal(run, model, proposals, left_out)
    write_table(stage.folder / DETECTIONS, detections)
    stage.finish({"detections": len(detections), "left_out": without})
    if not read_failures(stage.folder):
        drop_parts(stage.folder)
    say(f"classify: {len(detections)} detections")


def spread_positions(
    start: np.ndarray, end: np.ndarray, count: int, *, spread: str = "middle", span: float = 0.0
) -> np.ndarray:
    """Times [n, count] spread over proposals from `start` to `end` [n], in seconds, as `spread` says.

    middle: the centres of `count` equal parts. over: from start to end, both included. inside: as far
    apart as clips of `span` seconds, centred on them, stay inside the proposal; all at its middle where
    it is shorter than a clip. A single time is the middle.
    """
    if spread == "middle" or count == 1:
        parts = (np.arange(count) + 0.5) / count
        middles: np.ndarray = start[:, None] + (end - start)[:, None] * parts
        return middles
    margin = np.minimum(span, end - start) / 2 if spread == "inside" else 0.0
    first, last = start + margin, end - margin
    parts = np.arange(count) / (count - 1)
    times: np.ndarray = first[:, None] + (last - first)[:, None] * parts
    return times


def _by_video(
    run: Run, model: VideoNetwork, proposals: pd.DataFrame, videos: Sequence[str]
) -> pd.DataFrame:
    """The head on the mean feature of each video; its top classes go to every proposal."""
    settings, heads = run.detection.classify, run.dataset.heads
    scores: dict[str, list[np.ndarray]] = {}
    for video in videos:
        mean = run.features(video).array.mean(0, keepdims=True)
        scores[video] = class_probabilities(model, mean, run.device)
    if len(heads) == 1:
        of_video = {video: rows[0][0] for video, rows in scores.items()}
        return fusion.video_level(proposals, of_video, heads[0], settings.top)
    verb, noun = (np.concatenate([scores[v][i] for v in proposals["video"]]) for i in range(2))
    return _verb_noun(settings, proposals, verb, noun)


def _by_proposal(
    run: Run, model: VideoNetwork, proposals: pd.DataFrame, left_out: LeftOut
) -> tuple[pd.DataFrame, list[str]]:
    """The head at positions spread over each proposal, averaged; verb x noun where there are two heads.

    By `classify.source` on the stored features of those moments, or on clips decoded there. Also gives
    the videos left out, whose clips could not be decoded.
    """
    settings, heads = run.detection.classify, run.dataset.heads
    scores = [np.zeros((len(proposals), len(head)), np.float32) for head in heads]
    groups: Mapping[str, np.ndarray] = proposals.groupby("video", sort=False).indices
    times = _times(run, proposals, groups)
    if settings.source == "video":
        kept = left_out.without_skipped(times)
        asked = {video: times[video] for video in kept}
        made = _decoded_scores(run, asked, left_out)
    else:
        made = _stored_scores(run, model, times)
    for video, of_heads in made.items():
        for total, head in zip(scores, of_heads, strict=True):
            total[groups[video]] = head
    without = sorted(times.keys() - made.keys())
    if without:
        say(f"classify: {len(without)} videos without scores count as having no detections")
        rows = (~proposals["video"].isin(without)).to_numpy()
        proposals, scores = proposals[rows], [total[rows] for total in scores]
    if len(heads) == 1:
        return fusion.per_proposal(proposals, scores[0], heads[0], settings.top), without
    return _verb_noun(settings, proposals, *scores), without


def _times(
    run: Run, proposals: pd.DataFrame, groups: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Seconds [n, positions] at which each video's proposals are looked at."""
    settings, clips = run.detection.classify, run.detection.extract
    start, end = proposals["start"].to_numpy(), proposals["end"].to_numpy()
    span = (clips.frames - 1) * clips.interval / clips.fps
    return {
        video: spread_positions(
            start[rows], end[rows], settings.positions, spread=settings.spread, span=span
        )
        for video, rows in groups.items()
    }


def _decoded_scores(
    run: Run, times: Mapping[str, np.ndarray], left_out: LeftOut
) -> dict[str, list[np.ndarray]]:
    """Scores [n, classes] a head of each video's proposals, from clips decoded at them."""
    arguments = (run, run.dataset.num_classes)
    workers = run.config.runtime.workers
    return decoded_scores(
        Parts(run.path("classify"), [len(head) for head in run.dataset.heads]),
        times,
        left_out,
        find=lambda videos: run.sources(videos, left_out),
        score=lambda jobs: outcomes(
            score_handler, arguments, jobs, workers=workers, timeout=SILENCE_SECONDS
        ),
    )


def score_handler(run: Run, num_classes: int | tuple[int, int]) -> Handler:
    """What a worker process does with a job: write the scores of a video's proposals."""
    model, extractor = run.classifier(num_classes)
    parts = Parts(run.path("classify"), [])

    def handle(job: ScoreJob, heartbeat: Heartbeat) -> None:
        video, path, times = job
        centres, cells = np.unique(times, return_inverse=True)
        features = extractor.at(path, centres, heartbeat=heartbeat)
        cells = cells.reshape(times.shape)
        scores = class_probabilities(model, features, run.device)
        parts.write(video, [head[cells].mean(1) for head in scores])

    return handle


def _stored_scores(
    run: Run, model: VideoNetwork, times: Mapping[str, np.ndarray]
) -> dict[str, list[np.ndarray]]:
    """Scores [n, classes] a head of each video's proposals, from the features stored nearest."""
    made = {}
    with Progress(len(times), "classify", unit="video") as bar:
        for video, asked in times.items():
            features = run.features(video)
            heads = class_probabilities(model, features.array, run.device)
            made[video] = [head[features.at(asked)].mean(1) for head in heads]
            bar.update(1)
    return made


def _verb_noun(
    settings: ClassifySettings, proposals: pd.DataFrame, verb: np.ndarray, noun: np.ndarray
) -> pd.DataFrame:
    return fusion.verb_noun(
        proposals,
        verb,
        noun,
        top_verbs=min(settings.top_verbs, verb.shape[1]),
        top_nouns=min(settings.top_nouns, noun.shape[1]),
        pairs=settings.pairs,
    )


def _require_head(run: Run) -> None:
    """Refuse to classify imported features in a run that has no classifier. Raises UserError."""
    if run.has_imported_features and read_manifest(run.path("finetune")) is None:
        raise UserError(
            f"{run.folder}: its features were imported and it has no classifier head to name classes with; "
            "the proposals in bmn/proposals/proposals.csv are its result, or run `tada-loc finetune` on the "
            "network the features come from"
        )


def _check_channels(run: Run, videos: Sequence[str], model: VideoNetwork) -> None:
    """Refuse features the classifier's head cannot take. Raises UserError."""
    channels = run.features.common_channels(videos)
    if videos and channels != model.feature_dim:
        raise UserError(
            f"{run.folder}: features have {channels} channels and the classifier's head takes "
            f"{model.feature_dim}; they come from another network than finetune trained"
        )
