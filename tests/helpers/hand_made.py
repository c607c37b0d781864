"""Predictions put together by hand, for what is written of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.prediction.found import Curves, Prediction

Row = tuple[float, float, str, float]  # start, end, label, score
ROWS: tuple[Row, ...] = (
    (1.5, 3.5, "right", 0.9),
    (2.0, 6.25, "up", 0.8),
    (7.0, 8.0, "right", 0.3),
    (0.0, 9.0, "down", 0.05),
)
# Labels that a file of any form has to hold as they are.
HOSTILE = (
    "<script>alert(1)</script>",
    'it\'s "quoted" & more',
    "--> 00:00:01,000",
    "🏃‍♀️ läuft",
    "\u202eright to left\u202c",
    "=HYPERLINK(1)",
    "]]>&amp;",
    "3,17",
    "../../etc",
    "{\\an8}top",
)
EPIC_NAMES = {"3,17": "open drawer", "0,2": "take pan: lid"}


def found(
    rows: Sequence[Row] = ROWS,
    *,
    source: Path = Path("videos/v06.mp4"),
    video: str | None = None,
    names: Mapping[str, str] | None = None,
    duration: float = 9.0,
) -> Prediction:
    """A prediction with these detections, best first; those of `names` have verbs and nouns."""
    table = pd.DataFrame(list(rows), columns=["start", "end", "label", "score"])
    table = table.astype({"start": float, "end": float, "score": float, "label": object})
    table = table.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    table.insert(0, "video", source.stem if video is None else video)
    if names:
        numbers = [tuple(map(int, label.split(","))) for label in table["label"]]
        table["verb"], table["noun"] = (np.array(n, np.int64) for n in zip(*numbers, strict=True))
    times = np.arange(9.0)
    return Prediction(
        video=source.stem if video is None else video,
        source=source,
        duration=duration,
        detections=table,
        proposals=table[["video", "start", "end", "score"]],
        curves=Curves(times, np.zeros_like(times), np.zeros_like(times)),
        model="own",
        digest="0123abcd",
        names=names or {},
    )


def epic(**more: object) -> Prediction:
    """A prediction of verbs and nouns, with the names of its classes."""
    rows = ((1.5, 3.5, "3,17", 0.9), (2.0, 4.0, "0,2", 0.5), (5.0, 6.0, "9,9", 0.25))
    return found(rows, names=EPIC_NAMES, **more)


def many(count: int, seconds: float = 600.0, labels: int = 200) -> Prediction:
    """A prediction with many detections of all lengths, some of no length, that overlap one another."""
    rng = np.random.default_rng(5)
    starts = rng.uniform(0, seconds, count)
    lengths = rng.choice([0.0, 1e-4, 0.02, 1.0, 30.0], count) * rng.uniform(0.5, 1.5, count)
    ends = np.minimum(starts + lengths, seconds)
    names = [f"class {number}" for number in rng.integers(0, labels, count)]
    scores = rng.uniform(0, 1, count)
    rows = list(zip(starts.tolist(), ends.tolist(), names, scores.tolist(), strict=True))
    return found(rows, duration=seconds)


def converted(folder: Path, *files: Path, ending: str = "csv", **inputs: object) -> pd.DataFrame:
    """What `tada-loc convert` makes of files, read again: video, start, end, label in order of time."""
    from pipeline.data.annotations.dataset import Inputs
    from pipeline.data.annotations.formats import format_of, read_format
    from pipeline.tools.convert import convert

    target = folder / f"converted.{ending}"
    convert(list(files), target, inputs=Inputs(list(files), **inputs), force=True)
    table = read_format(format_of([target]), Inputs([target])).annotations
    return table[["video", "start", "end", "label"]].sort_values(
        ["video", "start", "end", "label"], ignore_index=True
    )


def expected(*predictions: Prediction) -> pd.DataFrame:
    """The detections in the order of `converted`."""
    table = pd.concat([prediction.detections for prediction in predictions])
    return table[["video", "start", "end", "label"]].sort_values(
        ["video", "start", "end", "label"], ignore_index=True
    )
