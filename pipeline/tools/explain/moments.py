"""What is explained of a video: its best detections, or one moment."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from feature_extraction.sampling import ClipGrid
from pipeline.errors import UsageError, UserError
from pipeline.prediction.choosing import Choice, Heads, choose
from pipeline.prediction.found import NO_CURVES, Prediction, names_of
from pipeline.progress import say
from pipeline.tools.explain.targets import Target, targets_of_label, with_against

TOP = 3  # detections, unless more are asked for
MOST_SECONDS = 60.0  # of a detection, from its middle
_SLACK = 0.1  # of a clip, for which no further one is laid


@dataclass(frozen=True)
class Moment:
    """A detection, or a moment that was asked for (no score, start and end alike), in seconds, and its classes.

    `targets` is empty where the classifier's best class is to be explained.
    """

    start: float
    end: float
    score: float | None
    name: str
    targets: tuple[Target, ...]

    def centres(self, grid: ClipGrid) -> np.ndarray:
        """Middles [n] of clips that cover it, evenly, at least one; of a long one its middle part."""
        start, end = self.start, self.end
        if end - start > MOST_SECONDS:
            middle = (start + end) / 2
            start, end = middle - MOST_SECONDS / 2, middle + MOST_SECONDS / 2
        clips = (end - start) * grid.fps / (grid.frames * grid.interval)
        count = max(1, math.ceil(clips - _SLACK))
        centres: np.ndarray = start + (np.arange(count) + 0.5) * (end - start) / count
        return centres


def detected_moments(
    detections: pd.DataFrame,
    choice: Choice,
    heads: Heads,
    against: tuple[Target, ...],
    video: str,
) -> list[Moment]:
    """The wanted detections of a video, best first. Raises UserError if there is none."""
    choice = replace(choice, top=choice.top or TOP)
    rows = choose(_as_prediction(detections, video), choice, heads).detections
    if not len(rows):
        best = detections["score"].max() if len(detections) else None
        found = f"{len(detections)}, the best with a score of {best:.3f}" if best else "none at all"
        raise UserError(
            f"video {video}: no detection is selected (of {found}); lower --threshold, leave out --classes, or explain a "
            "moment with --at SECONDS"
        )
    names = names_of(heads, rows)
    moments = []
    for row in rows.itertuples():
        label = str(row.label)
        targets = with_against(targets_of_label(heads, label), against)
        name = names.get(label, label)
        moments.append(Moment(float(row.start), float(row.end), float(row.score), name, targets))
    _say_long(moments, video)
    return moments


def moment_at(seconds: float, named: tuple[Target, ...], against: tuple[Target, ...]) -> Moment:
    """A moment of a video: of the classes that are named, else of the best one. Raises UsageError."""
    if not (np.isfinite(seconds) and seconds >= 0):
        raise UsageError(f"--at {seconds:g}: give seconds from the start of the video, 0 or more")
    targets = with_against(named, against) if named else against
    return Moment(seconds, seconds, None, "", targets)


def _as_prediction(detections: pd.DataFrame, video: str) -> Prediction:
    best_first = detections.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    return Prediction(video, Path(), 0.0, best_first, best_first, NO_CURVES, "", "")


def _say_long(moments: list[Moment], video: str) -> None:
    long = [moment for moment in moments if moment.end - moment.start > MOST_SECONDS]
    if long:
        say(
            f"explain: {video}: of {len(long)} detections longer than {MOST_SECONDS:g} s the middle "
            f"{MOST_SECONDS:g} s are shown"
        )
