"""Rare classes drawn more often: the clips of an epoch where `finetune.balance` is not `none`."""

from __future__ import annotations

import numpy as np

from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.data.clips.segments import Segments
from pipeline.seeds import step_seed

POWERS = {"none": 0.0, "sqrt": 0.5, "full": 1.0}


def clip_numbers(segments: Segments, settings: FinetuneSettings, epoch: int) -> np.ndarray:
    """The numbers [n * clips_per_segment] of the clips an epoch takes of n segments, not shuffled.

    A clip's number is (its segment) + n * (which of that segment's clips it is), so two clips of
    one segment differ. `none` takes as many of each; else they are drawn, from the run's seed and the
    epoch alone. Every epoch has as many clips of each shape, and so as many batches.
    """
    count = len(segments)
    clips = count * settings.clips_per_segment
    if settings.balance == "none":
        return np.arange(clips)
    expected = expected_times(segments, settings)
    classes = _classes(segments.targets)[0]
    generator = np.random.default_rng(step_seed(settings.seed, 10, epoch))
    times = np.zeros(count, np.int64)
    shapes = np.zeros(count) if segments.shapes is None else segments.shapes
    members = [np.flatnonzero(shapes == shape) for shape in np.unique(shapes)]
    sums = _whole_numbers(np.array([expected[rows].sum() for rows in members]))
    for rows, total in zip(members, sums.tolist(), strict=True):
        times[rows] = _drawn_times(expected[rows], classes[rows], total, generator)
    drawn = np.repeat(np.arange(count), times)
    return drawn + count * (np.arange(clips) - np.repeat(np.cumsum(times) - times, times))


def expected_times(segments: Segments, settings: FinetuneSettings) -> np.ndarray:
    """How often each segment [n] comes in an epoch on average; the sum is the epoch's clips.

    In proportion to count ** -0.5 (sqrt) or count ** -1 (full), `count` being the segments of its
    class. With a verb and a noun head the class is the pair, the action: however rare, a segment is
    then drawn at most (clips / pairs) times. Weights by verb and by noun have no such bound.
    """
    numbers, counts = _classes(segments.targets)
    weights = counts[numbers] ** -POWERS[settings.balance]
    clips = len(segments) * settings.clips_per_segment
    times: np.ndarray = weights * (clips / weights.sum())
    return times


def balance_line(segments: Segments, settings: FinetuneSettings) -> str:
    """What a user should know of a balanced epoch, in a line."""
    times = expected_times(segments, settings)
    few = np.minimum(times, 1).sum()
    return (
        f"balance {settings.balance}: an epoch takes about {few:.0f} of {len(times)} segments, "
        f"each {times.min():.2g} to {times.max():.2g} times on average"
    )


def _classes(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The class of each segment [n] as a number, and how many segments each class has."""
    _, numbers, counts = np.unique(targets, axis=0, return_inverse=True, return_counts=True)
    return numbers.reshape(-1), counts.astype(np.float64)


def _whole_numbers(sums: np.ndarray) -> np.ndarray:
    """Positive whole numbers as near to `sums` [k] as may be, with their total (at least k)."""
    whole = np.maximum(1, np.floor(sums + 1e-9)).astype(np.int64)
    while (gap := round(sums.sum()) - int(whole.sum())) != 0:
        # One more for the one most short of its sum; one less for the one most beyond it.
        lack = np.where((whole > 1) | (gap > 0), np.sign(gap) * (sums - whole), -np.inf)
        whole[np.argmax(lack)] += np.sign(gap)
    return whole


def _drawn_times(
    expected: np.ndarray, classes: np.ndarray, total: int, generator: np.random.Generator
) -> np.ndarray:
    """How often each segment [n] is drawn, `total` in all: its expected times, rounded down or up.

    Systematic resampling: equally spaced marks, shifted together at random, over the segments laid
    end to end, each as long as its expected times. Laid class by class, a class comes as often as
    expected too, give or take one; in random order within a class, no two segments go together.
    """
    laid = np.lexsort((generator.random(len(expected)), classes))
    ends = np.cumsum(expected[laid])
    ends *= total / ends[-1]
    # Marks lie at shift, shift + 1, ...: this many are before each end.
    before = np.ceil(ends - generator.random()).clip(0, total)
    before[-1] = total
    times = np.empty(len(expected), np.int64)
    times[laid] = np.diff(before, prepend=0)
    return times
