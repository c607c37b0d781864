"""Proposals and class scores to detections, and at which times of a proposal its class is predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from evaluation import fusion
from pipeline.configuration.sections.detection import ClassifySettings


def fused(
    settings: ClassifySettings,
    heads: Sequence[Sequence[str]],
    proposals: pd.DataFrame,
    of_video: Mapping[str, Sequence[np.ndarray]],
) -> pd.DataFrame:
    """Proposals x class scores: of a video for each of its proposals, or of the proposals themselves.

    `of_video`: of each video with proposals its scores, arrays [rows, classes], one per head. Each video's
    detections come best first, with significant digits.
    """
    return presented(_fused(settings, heads, proposals, of_video))


def presented(detections: pd.DataFrame) -> pd.DataFrame:
    """Detections in the form that later stages read: videos in their order, each best first (equal scores in their order).

    Times are rounded to milliseconds and scores have seven digits, those of the float32 that networks compute in. Rows so
    short that they would end where they begin keep their times.
    """
    video, _ = pd.factorize(detections["video"])
    order = np.lexsort((-detections["score"].to_numpy(), video))
    found = detections.iloc[order].reset_index(drop=True)
    times = found[["start", "end"]].round(3)
    long = (times["end"] > times["start"]).to_numpy()
    return found.assign(
        start=times["start"].where(long, found["start"]),
        end=times["end"].where(long, found["end"]),
        score=np.array([float(f"{score:.7g}") for score in found["score"]], np.float64),
    )


def _fused(
    settings: ClassifySettings,
    heads: Sequence[Sequence[str]],
    proposals: pd.DataFrame,
    of_video: Mapping[str, Sequence[np.ndarray]],
) -> pd.DataFrame:
    groups = proposals.groupby("video", sort=False).indices
    if settings.scores is not None:
        means = {video: scores[0][0] for video, scores in of_video.items()}
        found = fusion.video_level(proposals, means, heads[0], settings.top)
        # NONE stands for a class the file gives the video no score of: that is not a detection.
        return found[~np.signbit(found["score"])].reset_index(drop=True)
    if settings.mode == "video" and len(heads) == 1:
        means = {video: scores[0][0] for video, scores in of_video.items()}
        return fusion.video_level(proposals, means, heads[0], settings.top)
    scores = [np.zeros((len(proposals), len(head)), np.float32) for head in heads]
    for video, made in of_video.items():
        for total, head in zip(scores, made, strict=True):
            total[groups[video]] = head
    if len(heads) == 1:
        return fusion.per_proposal(proposals, scores[0], heads[0], settings.top)
    return _verb_noun(settings, proposals, *scores)


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
