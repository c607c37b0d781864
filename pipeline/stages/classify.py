"""Stage 4: proposals x class scores -> detections (Appendix A.2, Classification)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from evaluation import fusion
from pipeline.configuration.reading import Config
from pipeline.data import annotations
from pipeline.data.clips.geometry import clip_grid
from pipeline.data.failures import read_failures
from pipeline.data.features import (
    check_channels,
    common_channels,
    load_features,
    require_head,
    videos_with_features,
)
from pipeline.data.skipping import without_skipped
from pipeline.processes.device import pick_device
from pipeline.progress import Progress, say
from pipeline.results.class_scores import decoded_scores, drop_parts
from pipeline.results.tables import DETECTIONS, read_proposals, write_table
from pipeline.stages.opening import begin_alone
from pipeline.training.classifier import class_probabilities, load_classifier


def run(config: Config, folder: Path, *, force: bool = False) -> None:
    """Write `classify/detections.csv`: video, start, end, label, score (and verb, noun)."""
    require_head(folder)
    stage = begin_alone(config, folder, "classify", force=force)
    if stage.complete and not read_failures(stage.folder):  # videos that failed are tried again
        say("classify: complete, nothing to do")
        return
    dataset = annotations.load(config.dataset)
    proposals = read_proposals(folder, dataset, config.dataset.eval_subset)
    device = pick_device(config.runtime.device)
    model = load_classifier(config.backbone, dataset.num_classes, folder, device)
    ids = dataset.video_ids(config.dataset.eval_subset)
    videos = videos_with_features(config, folder, ids, "classify")
    if videos:
        check_channels(folder, common_channels(folder, videos), model.feature_dim)
    say(f"classify: {len(proposals)} proposals of {len(videos)} videos, by {config.classify.mode}")
    left_out: list[str] = []
    if config.classify.mode == "video":
        detections = _by_video(config, folder, dataset, model, proposals, videos, device)
    else:
        detections, left_out = _by_proposal(config, folder, dataset, model, proposals, device)
    write_table(folder / DETECTIONS, detections)
    stage.finish({"detections": len(detections), "left_out": left_out})
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
        return start[:, None] + (end - start)[:, None] * parts
    margin = np.minimum(span, end - start) / 2 if spread == "inside" else 0.0
    first, last = start + margin, end - margin
    return first[:, None] + (last - first)[:, None] * (np.arange(count) / (count - 1))


def _by_video(
    config: Config,
    folder: Path,
    dataset: annotations.Dataset,
    model: nn.Module,
    proposals: pd.DataFrame,
    videos: list[str],
    device: torch.device,
) -> pd.DataFrame:
    """The head on the mean feature of each video; its top classes go to every proposal."""
    scores: dict[str, np.ndarray] = {}
    pairs: dict[str, list[np.ndarray]] = {}
    for video in videos:
        features, _ = load_features(config, folder, video)
        pairs[video] = class_probabilities(model, features.mean(0, keepdims=True), device)
        scores[video] = pairs[video][0][0]
    if len(dataset.heads) == 1:
        return fusion.video_level(proposals, scores, dataset.heads[0], config.classify.top)
    verb, noun = (np.concatenate([pairs[v][i] for v in proposals["video"]]) for i in range(2))
    return _verb_noun(config, proposals, verb, noun)


def _by_proposal(
    config: Config,
    folder: Path,
    dataset: annotations.Dataset,
    model: nn.Module,
    proposals: pd.DataFrame,
    device: torch.device,
) -> tuple[pd.DataFrame, list[str]]:
    """The head at positions spread over each proposal, averaged; verb x noun where there are two heads.

    By `classify.source` on the stored features of those moments, or on clips decoded there. Also gives
    the videos left out, whose clips could not be decoded.
    """
    sizes = [len(head) for head in dataset.heads]
    scores = [np.zeros((len(proposals), size), np.float32) for size in sizes]
    groups: Mapping[str, np.ndarray] = proposals.groupby("video", sort=False).indices
    settings, clips = config.classify, config.extract
    times = {
        video: spread_positions(
            proposals["start"].to_numpy()[rows],
            proposals["end"].to_numpy()[rows],
            settings.positions,
            spread=settings.spread,
            span=(clips.frames - 1) * clips.interval / clips.fps,
        )
        for video, rows in groups.items()
    }
    if config.classify.source == "video":
        kept, _ = without_skipped(config, times, "classify")
        asked = {video: times[video] for video in kept}
        made = decoded_scores(config, dataset, folder, asked)
    else:
        made = _stored_scores(config, folder, times, model, device)
    for video, heads in made.items():
        for total, head in zip(scores, heads, strict=True):
            total[groups[video]] = head
    left_out = sorted(times.keys() - made.keys())
    if left_out:
        say(f"classify: {len(left_out)} videos without scores count as having no detections")
        kept_rows = (~proposals["video"].isin(left_out)).to_numpy()
        proposals, scores = proposals[kept_rows], [total[kept_rows] for total in scores]
    if len(scores) == 1:
        detections = fusion.per_proposal(
            proposals, scores[0], dataset.heads[0], config.classify.top
        )
        return detections, left_out
    return _verb_noun(config, proposals, *scores), left_out


def _stored_scores(
    config: Config,
    folder: Path,
    times: Mapping[str, np.ndarray],
    model: nn.Module,
    device: torch.device,
) -> dict[str, list[np.ndarray]]:
    """Scores [n, classes] a head of each video's proposals, from the features stored nearest."""
    made = {}
    with Progress(len(times), "classify", unit="video") as bar:
        for video, asked in times.items():
            features, _ = load_features(config, folder, video)
            cells = clip_grid(config.extract).clips_at(asked, len(features))
            heads = class_probabilities(model, features, device)
            made[video] = [head[cells].mean(1) for head in heads]
            bar.update(1)
    return made


def _verb_noun(
    config: Config, proposals: pd.DataFrame, verb: np.ndarray, noun: np.ndarray
) -> pd.DataFrame:
    settings = config.classify
    return fusion.verb_noun(
        proposals,
        verb,
        noun,
        top_verbs=min(settings.top_verbs, verb.shape[1]),
        top_nouns=min(settings.top_nouns, noun.shape[1]),
        pairs=settings.pairs,
    )
