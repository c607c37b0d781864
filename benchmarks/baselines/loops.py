"""The baselines of BMN's targets, decoding and soft-NMS: loops in Python over cells and picks."""

from __future__ import annotations

import math

import numpy as np


def overlap_ratio(low: float, high: float, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """tIoU of one segment with others [n]."""
    shared = np.maximum(0.0, np.minimum(high, ends) - np.maximum(low, starts))
    return shared / ((high - low) + (ends - starts) - shared)


def region_share(low: float, high: float, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Share of one span that each of the regions [n] covers."""
    shared = np.maximum(0.0, np.minimum(high, ends) - np.maximum(low, starts))
    return shared / (high - low)


def baseline_targets(
    segments: np.ndarray, window: tuple[float, float], temporal_scale: int, duration_scale: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A window's start [T], end [T] and tIoU [D, T] targets, a cell at a time.

    segments [N, 2] in seconds, N at least 1.
    """
    positions = (segments - window[0]) * (temporal_scale / (window[1] - window[0]))
    starts, ends = positions[:, 0], positions[:, 1]
    start, end = np.zeros(temporal_scale), np.zeros(temporal_scale)
    for t in range(temporal_scale):
        span = (t - 0.5, t + 1.5)
        start[t] = np.max(region_share(*span, starts - 1.5, starts + 1.5))
        end[t] = np.max(region_share(*span, ends - 1.5, ends + 1.5))
    iou = np.zeros((duration_scale, temporal_scale))
    for d in range(duration_scale):
        for t in range(temporal_scale):
            iou[d, t] = np.max(overlap_ratio(t, t + d + 1, starts, ends))
    return start, end, iou


def baseline_peaks(values: np.ndarray) -> list[bool]:
    """Strict local maxima, and everything above half the maximum."""
    half = 0.5 * max(values)
    peaks = []
    for t, value in enumerate(values):
        inner = 0 < t < len(values) - 1 and value > values[t - 1] and value > values[t + 1]
        peaks.append(bool(inner or value > half))
    return peaks


def baseline_decode(start: np.ndarray, end: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Every pair of peaks and its score, cell by cell: [n, 7] in `PROPOSAL_COLUMNS`."""
    length = len(start)
    is_start, is_end = baseline_peaks(start), baseline_peaks(end)
    is_start[0] = is_end[-1] = True
    rows = []
    for d in range(maps.shape[1]):
        for s in range(length):
            e = s + d + 1
            if e < length and is_start[s] and is_end[e]:
                classified, regressed = maps[1, d, s], maps[0, d, s]
                score = start[s] * end[e] * classified * regressed
                rows.append(
                    [s / length, e / length, start[s], end[e], classified, regressed, score]
                )
    return np.array(rows).reshape(-1, 7)


def baseline_soft_nms(
    segments: np.ndarray,
    scores: np.ndarray,
    *,
    alpha: float,
    low: float,
    high: float,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Picks and their decayed scores; every pick is compared with every remaining proposal.

    segments [n, 2] as shares of the video.
    """
    starts, ends = segments[:, 0].copy(), segments[:, 1].copy()
    remaining = [float(score) for score in scores]
    numbers = list(range(len(remaining)))
    picks, kept = [], []
    while remaining and len(picks) < count:
        best = int(np.argmax(remaining))
        tiou = overlap_ratio(starts[best], ends[best], starts, ends)
        limit = low + (high - low) * (ends[best] - starts[best])
        for other in range(len(remaining)):
            if other != best and tiou[other] > limit:
                remaining[other] *= math.exp(-(tiou[other] ** 2) / alpha)
        picks.append(numbers.pop(best))
        kept.append(remaining.pop(best))
        starts, ends = np.delete(starts, best), np.delete(ends, best)
    return np.array(picks, dtype=np.int64), np.array(kept)
