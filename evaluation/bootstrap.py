"""How far an mAP would move with other videos: the bootstrap over videos (Efron 1979).

A resample draws as many videos as there are, with replacement; a video comes with all its ground truth
and detections. Detections are matched within videos, so they are matched once, and a resample only counts
videos a number of times. Two result sets drawn with the same seed are resampled alike: their difference is a
paired one. Intervals are those between percentiles of the resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import TableError
from evaluation.matched import Matched, matched
from evaluation.resampling import means, ranked, resampled_precision
from evaluation.ties import Ties

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class BootstrapMap:
    """mAP of a result set and of its resamples; fractions of 1.

    classes: C of them; tious: float64 [T]
    ap: float64 [C, T]; map: float64 [T]; average: mean over the thresholds
    samples: float64 [R, T], mAP of each resample, over the classes it has ground truth of
    class_samples: float64 [R, C], AP of each class over the thresholds, NaN where the resample has none of it
    """

    classes: tuple[Any, ...]
    tious: np.ndarray
    ap: np.ndarray
    map: np.ndarray
    average: float
    samples: np.ndarray
    class_samples: np.ndarray

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The interval of the average mAP."""
        low, high = percentiles(self.samples.mean(axis=1), level)
        return float(low), float(high)


@dataclass(frozen=True)
class MapDifference:
    """The second result set less the first; fractions of 1.

    map, low, high: float64 [T + 1], of each threshold and last of the average, and the interval of each
    classes, low_classes, high_classes: float64 [C], of each class's average over the thresholds
    positive: share of resamples in which the second has the higher average
    """

    map: np.ndarray
    low: np.ndarray
    high: np.ndarray
    classes: np.ndarray
    low_classes: np.ndarray
    high_classes: np.ndarray
    positive: float


def bootstrap_map(
    annotations: pd.DataFrame,
    detections: pd.DataFrame,
    tious: Sequence[float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    videos: Sequence[Any] | None = None,
    ties: Ties = "stable",
    ignored: pd.DataFrame | None = None,
) -> BootstrapMap:
    """mAP of detections, and of bootstrap samples of the videos.

    annotations, detections, tious, ties, ignored: as for `detection_map`
    resamples: how many times the videos are drawn, with replacement
    seed: of the random numbers; the same seed draws the same videos
    videos: what is drawn from, including the videos of both tables. None: these. Give it if some videos
        have neither ground truth nor detections, and give the same to all result sets that are compared.

    Raises TableError for tables that cannot be scored.
    """
    found = matched(annotations, detections, tious, ties=ties, ignored=ignored)
    weights = draws(found, videos, resamples, seed)
    table = ranked(found)
    own = resampled_precision(table, np.ones((1, len(found.videos))))[0]
    samples = resampled_precision(table, weights)
    return BootstrapMap(
        classes=found.classes,
        tious=found.tious,
        ap=own,
        map=own.mean(axis=0),
        average=float(own.mean()),
        samples=means(samples),
        class_samples=samples.mean(axis=2),
    )


def map_difference(
    first: BootstrapMap, second: BootstrapMap, level: float = LEVEL
) -> MapDifference:
    """The difference second - first of two result sets, with the interval of `level`.

    Both must have the same ground truth, videos, seed and thresholds. Raises TableError if classes,
    thresholds or number of resamples differ.
    """
    if first.classes != second.classes or first.samples.shape != second.samples.shape:
        raise TableError(
            "the two result sets have different classes, thresholds or resamples; compare sets that share them"
        )
    by_threshold = second.samples - first.samples
    average = by_threshold.mean(axis=1)
    low, high = percentiles(np.column_stack([by_threshold, average]), level)
    low_classes, high_classes = percentiles(second.class_samples - first.class_samples, level)
    return MapDifference(
        map=np.append(second.map - first.map, second.average - first.average),
        low=low,
        high=high,
        classes=(second.ap - first.ap).mean(axis=1),
        low_classes=low_classes,
        high_classes=high_classes,
        positive=float((average > 0).mean()),
    )


def draws(found: Matched, videos: Sequence[Any] | None, resamples: int, seed: int) -> np.ndarray:
    """How often each of the matched videos is drawn: int64 [R, V].

    Raises TableError if `videos` lacks one, or for a number of resamples below 1.
    """
    if resamples < 1:
        raise TableError(f"resamples is {resamples}; give at least 1")
    names = pd.Index(found.videos if videos is None else sorted(set(videos)))
    places = names.get_indexer(pd.Index(found.videos))
    if (places < 0).any():
        missing = found.videos[int((places < 0).argmax())]
        raise TableError(f"videos: {missing!r} is in a table but not in `videos`; add it")
    return draw(len(names), resamples, seed)[:, places]


def draw(videos: int, resamples: int, seed: int) -> np.ndarray:
    """How often each of this many videos is drawn: int64 [R, videos]; a row a resample, summing to `videos`."""
    rng = np.random.default_rng(seed)
    drawn: np.ndarray = rng.multinomial(videos, np.full(videos, 1 / videos), size=resamples)
    return drawn


def percentiles(samples: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The interval that holds `level` of samples [R, ...], NaN left out; NaN where nothing is left."""
    edge = 50 * (1 - level)
    if np.isnan(samples).any():
        empty = np.isnan(samples).all(axis=0)
        filled = np.where(empty, 0.0, samples)
        low, high = np.nanpercentile(filled, [edge, 100 - edge], axis=0)
        return np.where(empty, np.nan, low), np.where(empty, np.nan, high)
    low, high = np.percentile(samples, [edge, 100 - edge], axis=0)
    return low, high
