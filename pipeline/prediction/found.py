"""What a model finds in one video: the type that writers, pages and notebooks use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Curves:
    """Start and end probability [L] of each position of a video, whose middles are at `times` [L] seconds.

    They are BMN's: of another head, and where none are known, L is 0.
    """

    times: np.ndarray
    start: np.ndarray
    end: np.ndarray


NO_CURVES = Curves(*(np.zeros(0, np.float32) for _ in range(3)))


@dataclass(frozen=True)
class Prediction:
    """What a model finds in a video.

    `source` is the video file, or the folder of frames. `duration` in seconds. `detections`: video, start, end
    (seconds), label, score, and of EPIC-KITCHENS verb and noun, best first. `proposals`: video, start, end,
    score, best first. `names`: what people call a label ("3,17" -> "open drawer"); a label that is not in it is its
    own name. `truth`: start, end, label of the ground truth, where there is some. `model` is the model's
    name, `digest` the digest of its content. `classes`: all the labels the model knows, found or not, so that a class
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


Heads = tuple[tuple[str, ...], ...]


def with_truth(found: Prediction, truth: pd.DataFrame | None, heads: Heads) -> Prediction:
    """The prediction beside its ground truth, whose labels have names too."""
    if truth is None:
        return replace(found, truth=None)
    return replace(found, truth=truth, names={**found.names, **names_of(heads, truth)})


def names_of(heads: Heads, table: pd.DataFrame) -> dict[str, str]:
    """What people call the labels "3,17" of a table; labels of one head are their own names."""
    if len(heads) == 1:
        return {}
    verbs, nouns = heads
    names = {}
    for label in table["label"].unique():
        verb, _, noun = str(label).partition(",")
        numbers = verb.isdecimal() and noun.isdecimal()
        if numbers and int(verb) < len(verbs) and int(noun) < len(nouns):
            names[label] = f"{verbs[int(verb)]} {nouns[int(noun)]}"
    return names
