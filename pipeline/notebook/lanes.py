"""What a picture of a video's detections shows: a lane per class, the class with the highest score first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.colours import looks_of
from pipeline.prediction.found import Prediction

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000)


@dataclass(frozen=True)
class Lane:
    """A class of a video: `found` [n, 3] start, end (seconds) and share of the best score, the best last.

    `truth` [m, 2]: start and end of the ground truth. `name` is what people call the class, `colour` that of the
    class on our pages, `#rrggbb`. `more`: how many detections of the class are not in `found`.
    """

    name: str
    colour: str
    found: np.ndarray
    truth: np.ndarray
    more: int = 0


def lanes_of(prediction: Prediction, most: int, bars: int) -> tuple[list[Lane], int]:
    """At most `most` lanes of a video, each of its best `bars` detections, and how many classes have none.

    Classes of the ground truth that were not found come after those that were.
    """
    found, truth = prediction.detections, prediction.truth
    best = found["score"].max() if len(found) else 0.0
    share = (found["score"] / best if best > 0 else found["score"] * 0.0).clip(0.0, 1.0)
    table = found.assign(share=share).sort_values("share", ascending=False, kind="stable")
    labels = list(dict.fromkeys(table["label"]))
    if truth is not None:
        labels = list(dict.fromkeys([*labels, *sorted(truth["label"])]))
    lanes, looks = [], looks_of(labels[:most], prediction.classes)
    for label in labels[:most]:
        of_class = table[table["label"] == label][["start", "end", "share"]]
        rows = of_class.head(bars)
        true = _of_class(truth, label)
        name, bars_of_class = prediction.name_of(label), rows.to_numpy(float)[::-1]
        more = len(of_class) - len(rows)
        lanes.append(Lane(name, looks[label].fill, bars_of_class, true, more))
    return lanes, len(labels) - len(lanes)


def left_out(lanes: list[Lane], more: int, bars: int) -> str:
    """What a picture of these lanes does not show, in words: `more` classes, and but the best `bars` of a class."""
    said = [f"and {more:,} more {'class' if more == 1 else 'classes'}"] if more else []
    if any(lane.more for lane in lanes):
        said.append(f"the best {bars:,} of a class are drawn")
    return "; ".join(said)


def end_of(prediction: Prediction) -> float:
    """Where the picture of a video ends, seconds: the video's end, or that of what comes after it."""
    ends = [prediction.duration, 0.0]
    ends += [float(prediction.detections["end"].max())] if len(prediction.detections) else []
    if prediction.truth is not None and len(prediction.truth):
        ends.append(float(prediction.truth["end"].max()))
    return max((end for end in ends if np.isfinite(end)), default=0.0) or 1.0


def ticks(end: float, most: int = 8) -> list[float]:
    """Round moments from 0 to `end` seconds, at most this many and the one at 0."""
    if end < 1:
        return [0.0]
    step = next((step for step in _STEPS if end / step <= most), end / most)
    return [float(moment) for moment in np.arange(0.0, end, step)]


def clock(seconds: float, end: float) -> str:
    """A moment of a video that ends at `end`, as people say it: `12 s`, `1:05`, `2:00:09`."""
    if end < 120:
        return f"{seconds:.4g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if end >= 3600 else f"{minutes}:{rest:02d}"


def _of_class(truth: pd.DataFrame | None, label: str) -> np.ndarray:
    if truth is None:
        return np.zeros((0, 2))
    rows: np.ndarray = truth[truth["label"] == label][["start", "end"]].to_numpy(float)
    finite: np.ndarray = rows[np.isfinite(rows).all(1)]
    return finite
