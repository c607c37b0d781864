"""The figures of a result, and the same of resamples of its videos: what intervals are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.bootstrap import BootstrapMap, bootstrap_map, draw, draws, percentiles
from evaluation.error_types import ErrorTypes, error_types, resampled_gains
from evaluation.errors import TableError
from evaluation.recall import recall_by_truth
from pipeline.errors import UserError
from pipeline.results.scoring import task_columns
from pipeline.tools.compare.results import Result

_WIDTH = 1e-9  # below it, a difference is one of rounding


@dataclass(frozen=True)
class How:
    """How results are compared: the thresholds of mAP, that of error types, AR's counts, the resamples."""

    tious: tuple[float, ...]
    at: float
    counts: tuple[int, ...]
    resamples: int
    seed: int
    level: float


@dataclass(frozen=True)
class Sampled:
    """mAP by task; errors of the leading task and their gains [R, K + 2]; AR [K] and its samples [R, K]."""

    tasks: dict[str, BootstrapMap]
    errors: ErrorTypes
    gains: np.ndarray
    recall: np.ndarray | None
    recall_samples: np.ndarray | None


def sampled(result: Result, how: How, videos: list[str]) -> Sampled:
    """The figures of a result; `videos` are drawn from, the same for all that are compared. Raises UserError for tables that cannot be scored."""
    try:
        return _sampled(result, how, videos)
    except TableError as error:
        raise UserError(f"{result.path}: {error}") from error


def difference(
    first: np.ndarray,
    second: np.ndarray,
    samples: tuple[np.ndarray, np.ndarray],
    level: float,
    *,
    alone: bool,
) -> list[dict[str, float | None]]:
    """Second less first with the interval of it, in percent: values [K], samples [R, K]; `alone` as for `ends`."""
    low, high = percentiles(samples[1] - samples[0], level)
    rows = zip((second - first).tolist(), low.tolist(), high.tolist(), strict=True)
    return [
        {"difference": 100 * value} | ends(lower, upper, alone=alone)
        for value, lower, upper in rows
    ]


def ends(low: float, high: float, *, alone: bool) -> dict[str, float | None]:
    """Both ends of an interval, fractions, in percent; None if it says nothing.

    Which is so for NaN, and for one without width where the ground truth is of one video `alone`: drawn again it
    stays the same, however little it tells of other videos.
    """
    nothing = bool(np.isnan(low)) or (alone and high - low < _WIDTH and abs(low) > _WIDTH)
    if nothing:
        return {"low": None, "high": None}
    return {"low": 100 * low, "high": 100 * high}


def _sampled(result: Result, how: How, videos: list[str]) -> Sampled:
    tables: dict[str, Any] = {"ties": result.ties, "ignored": result.ignored}
    tasks = {}
    for name, column in task_columns(result.dataset).items():
        tasks[name] = bootstrap_map(
            result.truth.assign(label=result.truth[column]),
            result.detections.assign(label=result.detections[column]),
            how.tious,
            resamples=how.resamples,
            seed=how.seed,
            videos=videos,
            **tables,
        )
    gains = resampled_gains(
        result.truth,
        result.detections,
        how.at,
        lambda found: draws(found, videos, how.resamples, how.seed),
        **tables,
    )
    errors = error_types(result.truth, result.detections, how.at, **tables)
    recall, samples = _recall(result, how, videos)
    return Sampled(tasks, errors, gains, recall, samples)


def _recall(
    result: Result, how: How, videos: list[str]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    if result.proposals is None:
        return None, None
    share = recall_by_truth(result.truth, result.proposals, how.tious, how.counts)
    place = pd.Index(videos).get_indexer(pd.Index(result.truth["video"]))
    weights = draw(len(videos), how.resamples, how.seed)[:, place].astype(np.float64)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1)
    return share.mean(axis=0), weights @ share / total
