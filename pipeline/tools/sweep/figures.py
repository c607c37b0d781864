"""Detections to the figures of a setting, over all evaluation videos and over two halves of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.ties import Ties
from pipeline.errors import UserError
from pipeline.results import scoring
from pipeline.runs.run import Run


@dataclass(frozen=True)
class Figures:
    """mAP in percent: over the thresholds of `eval.iou`, their mean, and the mean of every task."""

    map: tuple[float, ...]
    average: float
    tasks: Mapping[str, float]


@dataclass(frozen=True)
class Measured:
    """The figures of a setting: over all videos, and over the halves, where there are any."""

    all: Figures
    chosen_on: Figures | None = None
    held_out: Figures | None = None

    @property
    def criterion(self) -> tuple[float, ...]:
        """What settings are sorted by: the average mAP of the half they are chosen on, or of all videos."""
        figures = self.chosen_on or self.all
        return (figures.average, *figures.map)

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        found: dict[str, Any] = asdict(self.all)
        halves = {"chosen_on": self.chosen_on, "held_out": self.held_out}
        return found | {name: asdict(half) for name, half in halves.items() if half is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Measured:
        """What `as_json` gave. Raises KeyError and TypeError if it is something else."""
        halves = [_figures(values[n]) if n in values else None for n in ("chosen_on", "held_out")]
        return cls(_figures(values), *halves)


@dataclass(frozen=True)
class Halves:
    """The evaluation videos in two halves, by a seed: settings are chosen on one and measured on the other."""

    seed: int
    chosen_on: frozenset[str]
    held_out: frozenset[str]


def halves_of(run: Run, seed: int) -> Halves:
    """The halves of a run's evaluation videos, annotated ones and others each halved.

    Raises UserError if fewer than two have segments.
    """
    truth = scoring.truth_rows(run.config.dataset, run.dataset)
    annotated = set(truth["video"])
    if len(annotated) < 2:
        raise UserError(
            "--honest: only one evaluation video has segments, but two halves need at least two; annotate more or leave --honest out"
        )
    rng = np.random.default_rng(seed)
    halves: tuple[set[str], set[str]] = (set(), set())
    videos = sorted(run.dataset.video_ids(run.subsets[1]))
    for group in ([v for v in videos if v in annotated], [v for v in videos if v not in annotated]):
        for place, index in enumerate(rng.permutation(len(group))):
            halves[place % 2].add(group[index])
    return Halves(seed, *map(frozenset, halves))


def measured(run: Run, detections: pd.DataFrame, halves: Halves | None) -> Measured:
    """The figures of detections, by the evaluation of `eval`."""
    whole = _measure(run, detections, None)
    if halves is None:
        return Measured(whole)
    return Measured(
        whole, *(_measure(run, detections, v) for v in (halves.chosen_on, halves.held_out))
    )


def _measure(run: Run, detections: pd.DataFrame, videos: frozenset[str] | None) -> Figures:
    settings = run.detection.eval
    ties: Ties = "official" if settings.ties == "official" else "stable"
    truth = scoring.truth_rows(run.config.dataset, run.dataset)
    ignored = run.dataset.ignored_rows(run.subsets[1])
    if videos is not None:
        truth, detections, ignored = (
            rows[rows["video"].isin(videos)].reset_index(drop=True)
            for rows in (truth, detections, ignored)
        )
    tasks = scoring.score_tasks(
        truth, detections, run.dataset, settings.iou, ties=ties, ignored=ignored
    )
    leading = next(iter(tasks.values()))
    return Figures(
        tuple(leading["map"]),
        leading["average"],
        {name: task["average"] for name, task in tasks.items()},
    )


def _figures(values: Mapping[str, Any]) -> Figures:
    return Figures(
        tuple(map(float, values["map"])), float(values["average"]), dict(values["tasks"])
    )
