"""How a result does on each video, and which videos differ most between two of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from evaluation.error_types import ErrorTypes
from pipeline.tools.compare.results import Result

MOST = 10  # videos that are listed


def video_f1(result: Result, errors: ErrorTypes, threshold: float) -> pd.DataFrame:
    """Of each evaluated video the F1 (percent), right, wrong and missed of detections from a score on.

    Right: detections that take a segment; wrong: other ones. A video of neither segments nor detections has
    an F1 of 100.
    """
    kept = result.detections["score"].to_numpy() >= threshold
    right, wrong = kept & (errors.kind == -1), kept & (errors.kind >= 0)
    videos = pd.Index(result.videos)

    def count(rows: np.ndarray | slice, table: pd.DataFrame) -> np.ndarray:
        places = videos.get_indexer(pd.Index(table["video"][rows]))
        counted: np.ndarray = np.bincount(places[places >= 0], minlength=len(videos))
        return counted

    segments = count(slice(None), result.truth)
    hits, misses = count(right, result.detections), count(wrong, result.detections)
    both = hits + misses + segments
    f1 = np.where(both > 0, 200 * hits / np.maximum(both, 1), 100.0)
    columns = {"f1": f1, "right": hits, "wrong": misses, "missed": segments - hits}
    return pd.DataFrame(columns, index=videos)


def changed_most(first: pd.DataFrame, second: pd.DataFrame) -> list[dict[str, Any]]:
    """The videos whose F1 differs most, the largest differences first: name, difference, and both sides."""
    difference = second["f1"] - first["f1"]
    order = np.argsort(-difference.abs().to_numpy(), kind="stable")[:MOST]
    return [
        {
            "video": str(first.index[place]),
            "difference": float(difference.iloc[place]),
            "first": _plain(first.iloc[place]),
            "second": _plain(second.iloc[place]),
        }
        for place in order
        if difference.iloc[place] != 0
    ]


def _plain(row: pd.Series) -> dict[str, float]:
    return {str(name): value if name == "f1" else int(value) for name, value in row.items()}
