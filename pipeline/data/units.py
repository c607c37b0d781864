"""The unit of times that are not seconds: the one in which they fit into their videos."""

from __future__ import annotations

import numpy as np

RATES = (15.0, 24.0, 25.0, 30.0, 50.0, 60.0)  # frames per second that tools count at
TINY_UNITS = {"microseconds": 1e6, "nanoseconds": 1e9}
SPREAD = 0.05  # how far into their videos three quarters of the ends come
FITS = 0.98  # of the segments: real tables have some that are wrong in any unit
REACHED = 0.5  # how far into some video the times must come, or the unit is too large
OWN_REACHED = 0.2  # the same of frames at the video's own rate, which is the likeliest
FEW = 5  # segments from which it means something that all lie at the beginning


def guess_unit(
    starts: np.ndarray, ends: np.ndarray, lengths: np.ndarray, rates: np.ndarray
) -> str | None:
    """What times [n] are that end after their videos' ends; None if no unit makes them fit.

    `lengths` (seconds) and `rates` (frames per second, 0 where not known) are those of the segments' videos.
    """
    times = np.concatenate([starts, ends])
    found = []
    sixties = len(ends) >= FEW and np.mean(times % 60 == 0) >= FITS
    if sixties and _reach(ends / 60, lengths) >= REACHED:
        return "mm:ss that a spreadsheet saved as hh:mm:ss"  # 01:30 as 01:30:00
    if np.mean(times == np.round(times)) >= FITS and (frames := _frames(ends, lengths, rates)):
        found.append(f"frames at {frames}")
    if _reach(ends / 1000, lengths) >= REACHED:
        found.append("milliseconds")
    for unit, per_second in TINY_UNITS.items():
        # nearly any number fits: the times must spread over their videos
        spread = np.quantile(ends / per_second / np.maximum(lengths, 1e-9), 0.25) >= SPREAD
        if spread and _reach(ends / per_second, lengths) >= REACHED:
            found.append(unit)
    if ends.max(initial=0.0) <= 100 and _reach(ends / 100 * lengths, lengths) >= REACHED:
        found.append("percent of the video")
    return ", or ".join(found) or None


def suspected_unit(ends: np.ndarray, lengths: np.ndarray) -> str | None:
    """What ends [n] may be that all lie at the beginning of their videos: fractions, or minutes."""
    if len(ends) < FEW:
        return None
    if ends.max() <= 1 and np.median(lengths) > 2:
        return "inside the first second of their videos: are these fractions of the video?"
    if np.max(lengths) > 60 and _reach(ends * 60, lengths) >= REACHED:
        return "inside the first sixtieth of their videos: are these minutes?"
    return None


def _frames(ends: np.ndarray, lengths: np.ndarray, rates: np.ndarray) -> str:
    """The rates at which ends fit as numbers of frames, as words: the common one that fits best, and the video's."""
    found: dict[float, str] = {}
    own = _reach(ends / rates, lengths) if (rates > 0).all() else 0.0
    if own < REACHED:
        fitting = [rate for rate in RATES if _reach(ends / rate, lengths) >= REACHED]
        found = {rate: f"{rate:g}" for rate in fitting[: 1 if own >= OWN_REACHED else 2]}
    if own >= OWN_REACHED:
        same = np.ptp(rates) < 0.01 * rates.max()
        rate = float(np.median(rates))
        near = any(abs(rate - other) < 0.01 * other for other in found)
        if not (same and near):
            found[rate] = f"{rate:.4g}" if same else "each video's own rate"
    words = " or ".join(found.values())
    return words if not words or "own" in words else f"{words} per second"


def _reach(seconds: np.ndarray, lengths: np.ndarray) -> float:
    """How far into some video ends come, a share of its length; 0 where they do not fit.

    A frame is rounded up at most.
    """
    inside = seconds <= lengths + 0.1
    if not len(seconds) or inside.mean() < FITS:
        return 0.0
    return float((seconds / np.maximum(lengths, 1e-9))[inside].max())
