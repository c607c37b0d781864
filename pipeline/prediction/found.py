"""What a model finds in one video: the type that writers, pages and notebooks take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Curves:
    """Start and end probability [L] of each position of a video, whose middles are at `times` [L] seconds."""

    times: np.ndarray
    start: np.ndarray
    end: np.ndarray


@dataclass(frozen=True)
class Prediction:
    """What a model finds in a video.

    `source` is the video file, or the folder of frames. `duration` in seconds. `detections`: video, start, end
    (seconds), label, score, and of EPIC-KITCHENS verb and noun, best first. `proposals`: video, start, end,
    score, best first. `names`: what people call a label ("3,17" -> "open drawer"); a label that is not in it is its
    own name. `truth`: start, end, label of the ground truth, where there is some. `model` is the model's
    name, `digest` what names it by content. `classes`: all the labels the model knows, found or not, so that a class
    has the same colour on every page; empty where they are pairs of a verb and a noun. `damaged`: spans
    of seconds that did not decode and were filled with the nearest frames, where the model takes such videos.
    """

    video: str
    source: Path
    duration: float
    detections: pd.DataFrame
    proposals: pd.DataFrame
    curves: Curves
    model: str
    digest: str
    names: Mapping[str, str] = field(default_factory=dict)
    truth: pd.DataFrame | None = None
    classes: tuple[str, ...] = ()
    damaged: tuple[tuple[float, float], ...] = ()

    def name_of(self, label: str) -> str:
        """What people call a label."""
        return self.names.get(label, label)

    @property
    def is_file(self) -> bool:
        """Whether the video is a file; else it is a folder of frames."""
        return not self.source.is_dir()


def names_of(heads: tuple[tuple[str, ...], ...], detections: pd.DataFrame) -> dict[str, str]:
    """What people call the labels "verb,noun" of detections; labels of one head are their own names."""
    if len(heads) == 1:
        return {}
    verbs, nouns = heads
    pairs = detections[["label", "verb", "noun"]].drop_duplicates("label")
    return {row.label: f"{verbs[row.verb]} {nouns[row.noun]}" for row in pairs.itertuples()}
