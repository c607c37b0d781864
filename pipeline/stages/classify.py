"""Stage 4: proposals x class scores -> detections (Appendix A.2, Classification)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from evaluation import fusion
from feature_extraction.asked_clips import features_at
from feature_extraction.backbones import InferenceNetwork, for_inference
from feature_extraction.extractor import ExtractionError
from feature_extraction.video import VideoError
from pipeline import annotations, artifacts
from pipeline.config import Config
from pipeline.device import pick_device
from pipeline.errors import UserError
from pipeline.features import (
    check_channels,
    feature_shape,
    load_features,
    require_head,
    videos_with_features,
)
from pipeline.models import load_classifier
from pipeline.opening import begin_alone
from pipeline.progress import Progress, say
from pipeline.stages.extract import clip_grid
from pipeline.videos import Source, require_videos

DETECTIONS = "detections.csv"


def run(config: Config, folder: Path, *, force: bool = False) -> None:
    """Write `classify/detections.csv`: video, start, end, label, score (and verb, noun)."""
    require_head(folder)
    stage = begin_alone(config, folder, "classify", force=force)
    if stage.complete:
        say("classify: complete, nothing to do")
        return
    dataset = annotations.load(config.dataset)
    proposals = read_proposals(folder)
    device = pick_device(config.runtime.device)
    model = load_classifier(config.backbone, dataset.num_classes, folder, device)
    ids = dataset.video_ids(config.dataset.eval_subset)
    videos = videos_with_features(config, folder, ids)
    if videos:
        check_channels(folder, feature_shape(folder, videos[0])[1], model.feature_dim)
    say(f"classify: {len(proposals)} proposals of {len(videos)} videos, by {config.classify.mode}")
    if config.classify.mode == "video":
        detections = _by_video(config, folder, dataset, model, proposals, videos, device)
    else:
        detections = _by_proposal(config, folder, dataset, model, proposals, device)
    with artifacts.atomic_path(stage.folder / DETECTIONS) as temporary:
        detections.to_csv(temporary, index=False)
    stage.finish({"detections": len(detections)})
    say(f"classify: {len(detections)} detections")


def read_proposals(folder: Path) -> pd.DataFrame:
    """The proposal table of a run."""
    path = folder / "bmn" / "proposals" / "proposals.csv"
    return pd.read_csv(path, dtype={"video": str}, keep_default_na=False)


def read_detections(folder: Path) -> pd.DataFrame:
    """The detection table of a run; classes are text, however they look."""
    text, numbers = ("video", "label"), ("start", "end", "score")
    types = (
        dict.fromkeys(text, str)
        | dict.fromkeys(numbers, float)
        | {"verb": "int64", "noun": "int64"}
    )
    return pd.read_csv(folder / "classify" / DETECTIONS, dtype=types, keep_default_na=False)


def spread_positions(start: np.ndarray, end: np.ndarray, count: int) -> np.ndarray:
    """Times [n, count] in the middle of `count` equal parts of each proposal."""
    parts = (np.arange(count) + 0.5) / count
    return start[:, None] + (end - start)[:, None] * parts


@torch.inference_mode()
def class_probabilities(
    model: nn.Module, features: np.ndarray, device: torch.device
) -> list[np.ndarray]:
    """Softmax of the head on features [n, C]: one array [n, classes] a head."""
    logits = model.classify(torch.from_numpy(features).to(device))
    heads = logits if isinstance(logits, tuple) else (logits,)
    return [head.float().softmax(1).cpu().numpy() for head in heads]


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
) -> pd.DataFrame:
    """The head at positions spread over each proposal, averaged; verb x noun where there are two heads.

    By `classify.source` on the stored features of those moments, or on clips decoded there.
    """
    sizes = [len(head) for head in dataset.heads]
    scores = [np.zeros((len(proposals), size), np.float32) for size in sizes]
    groups: Mapping[str, np.ndarray] = proposals.groupby("video", sort=False).indices
    paths: Mapping[str, Source] = {}
    if config.classify.source == "video":
        paths = require_videos(config.dataset, dataset, groups, 0)
        network = for_inference(
            model, precision=config.extract.precision, compiled=config.extract.compile
        )
    with Progress(len(groups), "classify", unit="video") as bar:
        for video, rows in groups.items():
            table = proposals.iloc[rows]
            times = spread_positions(
                table["start"].to_numpy(), table["end"].to_numpy(), config.classify.positions
            )
            if paths:
                features, cells = _decoded(config, paths[video], times, network, device)
            else:
                features, _ = load_features(config, folder, video)
                cells = clip_grid(config.extract).clips_at(times, len(features))
            for total, head in zip(
                scores, class_probabilities(model, features, device), strict=True
            ):
                total[rows] = head[cells].mean(1)
            bar.update(1)
    if len(scores) == 1:
        return fusion.per_proposal(proposals, scores[0], dataset.heads[0], config.classify.top)
    return _verb_noun(config, proposals, *scores)


def _decoded(
    config: Config,
    path: Source,
    times: np.ndarray,
    network: InferenceNetwork,
    device: torch.device,
) -> tuple[np.ndarray, np.ndarray]:
    """Features [n, C] of clips decoded at the distinct `times`, and which of them each time has."""
    centers, cells = np.unique(times, return_inverse=True)
    settings = config.extract
    try:
        features = features_at(
            network,
            path,
            centers,
            clip_grid(settings),
            short_side=settings.short_side,
            batch_size=settings.batch_size,
            device=device,
            decoder=settings.decoder,
            mean=config.backbone.mean,
            std=config.backbone.std,
        )
    except (VideoError, ExtractionError) as error:
        raise UserError(str(error)) from error
    return features, cells.reshape(times.shape)


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
