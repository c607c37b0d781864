"""What is known of the videos of a table, beside the table's rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pipeline.errors import UserError
from pipeline.prediction.found import NO_CURVES, Prediction

COLUMNS = ("video", "start", "end", "label", "score")
NUMBERS = ("start", "end", "score")


def no_rows(columns: Iterable[str] = COLUMNS) -> pd.DataFrame:
    """A table without rows."""
    return pd.DataFrame(
        {name: pd.Series(dtype=float if name in NUMBERS else str) for name in columns}
    )


def with_rows(known: Prediction | None, video: str, rows: pd.DataFrame) -> Prediction:
    """A video with these rows as its detections, best first; an unknown video ends with the last of them."""
    ordered = rows.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    if known is not None:
        return replace(known, detections=ordered)
    end = float(ordered["end"].max()) if len(ordered) else 0.0
    proposals = no_rows(("video", "start", "end", "score"))
    return Prediction(video, Path(video), end, ordered, proposals, NO_CURVES, "", "")


def without_rows(prediction: Prediction) -> Prediction:
    """The same without its detections, which a table holds."""
    return replace(prediction, detections=prediction.detections.iloc[:0])


def together(predictions: Iterable[Prediction]) -> tuple[Prediction, ...]:
    """Each video once, as last seen."""
    found: Mapping[str, Prediction] = {one.video: one for one in predictions}
    return tuple(found.values())


def require_videos(wanted: Iterable[str], known: Iterable[object]) -> None:
    """Refuse a video that is not among those known. Raises UserError naming it and some of these."""
    ids = sorted({str(video) for video in known})
    for video in wanted:
        if video not in ids:
            more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
            raise UserError(
                f"video {video!r} is not here; the videos are {', '.join(ids[:5]) or 'none'}{more}"
            )
