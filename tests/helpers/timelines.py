"""What a page is made of: a prediction of a made-up video, and a small video that every Chromium plays."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers.numbered_videos import encode
from pipeline.prediction.found import Curves, Prediction

SECONDS = 8.0
# start, end, label, score: rows 3 and 4 overlap better ones
FOUND = (
    (1.0, 2.0, "pour", 0.9), (3.0, 4.5, "stir", 0.8), (6.0, 7.0, "pour", 0.7),
    (3.5, 4.8, "cut", 0.5), (0.5, 2.2, "stir", 0.3), (5.0, 5.2, "cut", 0.02),
)  # fmt: skip
# the first is found; the second is found as "stir", the third at wrong boundaries, the last not at all
TRUTH = ((1.1, 2.1, "pour"), (3.1, 4.4, "cut"), (6.5, 8.0, "pour"), (2.5, 2.9, "stir"))


def segments(rows: Any, *more: str) -> pd.DataFrame:
    """Rows of (start, end, ...) as a table."""
    return pd.DataFrame(list(rows), columns=["start", "end", *more])


def prediction(source: Path, **changes: Any) -> Prediction:
    """The prediction of a video of eight seconds; `changes` are fields of Prediction."""
    detections = segments(FOUND, "label", "score")
    times = (np.arange(40) + 0.5) * SECONDS / 40
    fields: dict[str, Any] = {
        "video": "kitchen",
        "source": source,
        "duration": SECONDS,
        "detections": detections,
        "proposals": detections.drop(columns="label"),
        "curves": Curves(times, np.abs(np.sin(times)), np.abs(np.cos(times))),
        "model": "own",
        "digest": "0123456789abcdef",
    }
    return Prediction(**{**fields, **changes})


def with_truth(source: Path, **changes: Any) -> Prediction:
    """The same, beside its ground truth."""
    return prediction(source, truth=segments(TRUTH, "label"), **changes)


def many(rows: int, *, seconds: float, classes: int, positions: int) -> dict[str, Any]:
    """Fields of a prediction of a long video with so many detections and proposals."""
    rng = np.random.default_rng(3)
    start = rng.uniform(0, seconds - 30, rows)
    table = pd.DataFrame({
        "start": start,
        "end": start + rng.uniform(0.5, 30, rows),
        "label": [f"class {number}" for number in rng.integers(0, classes, rows)],
        "score": rng.beta(0.5, 3, rows),
    }).sort_values("score", ascending=False, ignore_index=True)  # fmt: skip
    times = (np.arange(positions) + 0.5) * seconds / positions
    return {
        "duration": seconds,
        "detections": table,
        "proposals": table.drop(columns="label"),
        "curves": Curves(times, rng.uniform(size=positions), rng.uniform(size=positions)),
    }


def small_video(path: Path, late: float = 0.0) -> Path:
    """Eight seconds of VP8, ten frames per second, with a key frame per second; the first is shown `late` seconds in."""
    ticks = [round(1000 * late) + 100 * number for number in range(80)]
    options = {"codec": "libvpx", "tick": Fraction(1, 1000), "g": "10", "deadline": "realtime"}
    return encode(path, ticks, **options)
