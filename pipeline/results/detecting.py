"""A video's features through ActionFormer to its detections, or to segments without classes (Zhang et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from actionformer import ActionFormerError, Level, pad_batch
from actionformer.decoding import Candidates, decode
from actionformer.suppression import suppress
from evaluation import fusion
from pipeline.configuration.sections.actionformer import ActionFormerSettings, DetectionsSettings
from pipeline.configuration.settings import DetectionConfig
from pipeline.data.features.timed import Features
from pipeline.data.sequences.grids import PositionGrid, position_grid, position_rows
from pipeline.errors import UserError
from pipeline.processes.device import autocast, one_thread
from pipeline.results.classification.fusing import presented
from pipeline.training.networks.actionformer import Networks, sizes_of


class Found(NamedTuple):
    """What was found in a video, best first, and how much lay wholly `beyond` it and is left out."""

    table: pd.DataFrame
    beyond: int


def detect_video(
    model: Networks,
    features: Features,
    video: str,
    config: DetectionConfig,
    heads: Sequence[Sequence[str]],
    device: torch.device,
) -> pd.DataFrame:
    """A video's detections, best first: video, start, end (seconds), label, score (and verb, noun).

    `heads` are the names of the classes. With `actionformer.classes: none` it is the segments that were found:
    video, start, end, score. On a CPU one thread does it, so that results do not depend on how many there are.
    Raises UserError if the network's outputs are not finite.
    """
    return found_in(model, features, video, config, heads, device).table


def found_in(
    model: Networks,
    features: Features,
    video: str,
    config: DetectionConfig,
    heads: Sequence[Sequence[str]],
    device: torch.device,
) -> Found:
    """As `detect_video`, and how many of the detections are wholly beyond the video."""
    sizes = sizes_of(config.actionformer, heads)
    levels = video_levels(model, position_rows(features, config.actionformer), config, device)
    try:
        candidates = candidates_of(levels, model.first.strides, sizes, config.detections)
        kept = suppressed(candidates, config.detections)
    except ActionFormerError as error:
        raise UserError(
            f"actionformer: video {video}: {error}; train again with a lower actionformer.base_lr"
        ) from error
    grid = position_grid(features.grid, features.duration, config.actionformer)
    return placed(kept, grid, features.duration, video, heads if sizes else ())


@torch.inference_mode()
def video_levels(
    model: Networks, rows: np.ndarray, config: DetectionConfig, device: torch.device
) -> list[list[Level]]:
    """The output of each network for a video's positions [L, C]: Levels of a batch of one, float32 on the CPU."""
    settings: ActionFormerSettings = config.actionformer
    batch, mask = pad_batch(model.first, [torch.from_numpy(rows.T).to(device)])
    with one_thread(), autocast(device, settings.precision):
        made = model(batch, mask)
    return [
        [
            Level(level.logits.float().cpu(), level.offsets.float().cpu(), level.mask.cpu())
            for level in levels
        ]
        for levels in made
    ]


def segments_in(detections: pd.DataFrame) -> pd.DataFrame:
    """The segments of detections without their classes, each once, with its best score: video, start, end, score."""
    first = detections.drop_duplicates(
        ["video", "start", "end"]
    )  # of several the best, since it comes first
    return first[["video", "start", "end", "score"]].reset_index(drop=True)


def candidates_of(
    levels: Sequence[Sequence[Level]],
    strides: Sequence[int],
    sizes: Sequence[int],
    settings: DetectionsSettings,
) -> Candidates:
    """A video's candidates in positions, before NMS; label k is class k of the one set of `sizes`.

    Of verbs and nouns [V, N] a candidate is a pair at a point, label verb x N + noun; its score is the product of
    both, and its segment, where each has a network, lies in the middle of what the two say at that point.
    """
    if len(sizes) == 2:
        parts = [
            _pairs(level, sizes, stride, settings)
            for level, stride in zip(joined(levels), strides, strict=True)
        ]
        return Candidates(*(torch.cat(column) for column in zip(*parts, strict=True)))
    return decode(
        levels[0],
        strides=strides,
        score_threshold=settings.score_threshold,
        top_k=settings.top,
        min_duration=settings.min_duration,
    )


def suppressed(candidates: Candidates, settings: DetectionsSettings) -> Candidates:
    """The candidates that NMS keeps, best first, moved by voting where there is any."""
    return suppress(
        *candidates,
        method=settings.nms,
        iou_threshold=settings.iou,
        sigma=settings.sigma,
        min_score=settings.min_score,
        count=settings.count,
        per_class=settings.per_class,
        voting=settings.voting,
    )


def placed(
    kept: Candidates,
    grid: PositionGrid,
    duration: float,
    video: str,
    heads: Sequence[Sequence[str]],
) -> Found:
    """Candidates in positions as a table in seconds, cut to the video; without `heads` they have no class."""
    ends = grid.to_seconds(kept.segments.numpy()).clip(0.0, duration)
    inside = ends[:, 1] > ends[:, 0]
    ends, labels = ends[inside], kept.labels.numpy()[inside]
    columns = {"video": video, "start": ends[:, 0], "end": ends[:, 1]}
    scores = kept.scores.numpy()[inside].astype(np.float64)
    if len(heads) == 2:
        verb, noun = np.divmod(labels, len(heads[1]))
        names = [f"{v},{n}" for v, n in zip(verb.tolist(), noun.tolist(), strict=True)]
        made = {"label": np.array(names, object), "score": scores, "verb": verb, "noun": noun}
    elif heads:
        made = {"label": np.array(heads[0], object)[labels], "score": scores}
    else:
        made = {"score": scores}
    table = presented(pd.DataFrame(columns | made, index=range(len(ends))))
    return Found(table, int((~inside).sum()))


def joined(levels: Sequence[Sequence[Level]]) -> list[Level]:
    """The levels of one network; of two, the logits of both beside one another, and the mean of their offsets."""
    return [
        Level(
            torch.cat([part.logits for part in parts], -1),
            torch.stack([part.offsets for part in parts]).mean(0),
            parts[0].mask,
        )
        for parts in zip(*levels, strict=True)
    ]


def _pairs(
    level: Level, sizes: Sequence[int], stride: int, settings: DetectionsSettings
) -> Candidates:
    """The best pairs of verb and noun of a level's points, those above the thresholds, best first."""
    logits, offsets = level.logits[0], level.offsets[0]
    if not bool(logits.isfinite().all() & offsets.isfinite().all()):
        raise ActionFormerError(f"outputs of the level of stride {stride} are not all finite")
    verbs, nouns = torch.split(logits.sigmoid(), list(sizes), 1)
    best = verbs.amax(1) * nouns.amax(1)
    point = ((best > settings.score_threshold) & level.mask[0]).nonzero().flatten()
    verb, noun, score = fusion.best_pairs(
        verbs[point].numpy(),
        nouns[point].numpy(),
        settings.top_verbs,
        settings.top_nouns,
        settings.pairs,
    )
    place = np.nonzero(score.reshape(-1) > settings.score_threshold)[0]
    place = place[np.argsort(-score.reshape(-1)[place], kind="stable")[: settings.top]]
    at = point[torch.from_numpy(place // max(1, score.shape[1]))]
    ends = at[:, None] * stride + offsets[at] * stride * offsets.new_tensor([-1.0, 1.0])
    long = ends[:, 1] - ends[:, 0] > settings.min_duration
    label = torch.from_numpy((verb * sizes[1] + noun).reshape(-1)[place])
    return Candidates(
        ends[long], torch.from_numpy(score.reshape(-1)[place])[long].float(), label[long]
    )
