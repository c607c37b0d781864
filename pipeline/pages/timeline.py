"""The timeline page: a video and what a model finds in it, on one scale of time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.colours import looks_of
from pipeline.pages.rendering import address, render
from pipeline.pages.thinning import best_rows, opening_threshold, seconds, short, thinned
from pipeline.pages.verdicts import TIOU, verdicts
from pipeline.prediction.found import Curves, Prediction
from pipeline.prediction.playing import browser_begins
from pipeline.printing import printable
from pipeline.run_folder.files import write_text

_MOST_TRUTHS = 2000
_MOST_SPANS = 1000  # that did not decode
# The three numbers of the first line: element, term, value until the script knows it. They follow the threshold.
_NUMBERS = (("n-shown", "shown", "–"), ("n-classes", "classes", "–"), ("n-best", "best score", "–"))
_NUMBERS_WITH_TRUTH = (
    ("n-right", "right", "–"),
    ("n-wrong", "errors", "–"),
    ("n-missed", "missed", "–"),
)
_SCORE_DIGITS = 6  # of detections: as many as a threshold is typed with, and more


def write_timeline(prediction: Prediction, path: Path) -> None:
    """Write the page whole. The video is named by its path from the page's folder, so both can move together.

    Raises UserError if it cannot be written.
    """
    video, begins = None, 0.0
    if prediction.is_file:
        # As a browser goes up from the page: by names, not through links.
        video = os.path.relpath(os.path.abspath(prediction.source), os.path.abspath(path.parent))
        begins = browser_begins(prediction)
    write_text(path, timeline_page(prediction, video_path=video, begins=begins))


def timeline_page(prediction: Prediction, *, video_path: str | None, begins: float = 0.0) -> str:
    """The page as text. `video_path`: where the video is, from the page's folder; None: nothing to play.

    `begins`: when the video's first frame is shown by its own clock, seconds; times of the page count from there.
    """
    detections, proposals = best_rows(prediction.detections), best_rows(prediction.proposals)
    data = {**_data(prediction, detections, proposals), "begins": seconds([begins])[0]}
    return render(
        "timeline.html.j2",
        scripts=("common.js", "tracks.js", "timeline.js"),
        data=data,
        title=printable(prediction.video),
        model=printable(prediction.model),
        digest=prediction.digest[:12],
        video_path=None if video_path is None else printable(video_path),
        video_url=None if video_path is None else address(video_path),
        numbers=_NUMBERS if prediction.truth is None else _NUMBERS_WITH_TRUTH,
        has_truth=prediction.truth is not None,
        has_curves=len(prediction.curves.times) > 0,
        left_out=_left_out(prediction, detections, proposals),
        damaged=prediction.damaged,
        tiou=TIOU,
    )


def _data(
    prediction: Prediction, detections: pd.DataFrame, proposals: pd.DataFrame
) -> dict[str, Any]:
    """What the script draws. Rows of a class name it by its place in `classes`."""
    truth = None if prediction.truth is None else prediction.truth.head(_MOST_TRUTHS)
    classes = _labels(prediction, detections, truth)
    found: dict[str, Any] = {
        **_labelled(detections, classes),
        "score": short(detections["score"], _SCORE_DIGITS),
    }
    true = None
    if truth is not None and prediction.truth is not None:
        judged = verdicts(
            best_rows(prediction.detections, len(prediction.detections)), prediction.truth
        )
        found["verdict"] = judged.words[: len(detections)]
        scores = short(judged.found_by[: len(truth)], _SCORE_DIGITS)
        true = {**_labelled(truth, classes), "found": [None if s != s else s for s in scores]}
    tables = [detections, proposals, *([] if truth is None else [truth])]
    ends = [prediction.duration, 0.001, *(table["end"].max() for table in tables if len(table))]
    return {
        "span": seconds([max(ends)])[0],
        "duration": seconds([prediction.duration])[0],
        "step": _step(prediction),
        "threshold": short([opening_threshold(detections)], _SCORE_DIGITS)[0],
        "classes": _classes(prediction, classes),
        "detections": found,
        "total": len(prediction.detections),
        "proposals": {**_segments(proposals), "score": short(proposals["score"])},
        "truth": true,
        "damaged": [seconds(span) for span in prediction.damaged[:_MOST_SPANS]],
        "tiou": TIOU,
        "curves": _curves(prediction.curves),
    }


def _labels(
    prediction: Prediction, detections: pd.DataFrame, truth: pd.DataFrame | None
) -> list[str]:
    """The labels of a page, those that are found most surely first: of 200 classes a video shows a few."""
    best: dict[str, float] = {} if truth is None else dict.fromkeys(truth["label"], 0.0)
    best |= detections.groupby("label")["score"].max().to_dict()
    return sorted(
        best, key=lambda label: (-best[label], prediction.name_of(label).casefold(), label)
    )


def _labelled(table: pd.DataFrame, classes: list[str]) -> dict[str, Any]:
    places = {label: place for place, label in enumerate(classes)}
    return {**_segments(table), "class": [places[label] for label in table["label"]]}


def _classes(prediction: Prediction, labels: list[str]) -> list[dict[str, Any]]:
    looks = looks_of(labels, prediction.classes)
    return [
        {"label": label, "name": prediction.name_of(label), **vars(looks[label])}
        for label in labels
    ]


def _segments(table: pd.DataFrame) -> dict[str, Any]:
    return {"start": seconds(table["start"]), "end": seconds(table["end"])}


def _curves(curves: Curves) -> dict[str, Any]:
    drawn = {}
    for name, values in (("start", curves.start), ("end", curves.end)):
        kept = thinned(curves.times, values)
        points = zip(seconds(curves.times[kept]), short(values[kept]), strict=True)
        drawn[name] = [number for point in points for number in point]
    return drawn


def _step(prediction: Prediction) -> float:
    """Seconds from one position of the video to the next."""
    times = prediction.curves.times
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    return max(round(step, 4), 0.001)


def _left_out(
    prediction: Prediction, detections: pd.DataFrame, proposals: pd.DataFrame
) -> list[str]:
    """What the page leaves out, in words."""
    counts = [
        ("detections", len(detections), len(prediction.detections)),
        ("proposals", len(proposals), len(prediction.proposals)),
    ]
    said = [f"the best {kept:,} of {all_:,} {name}" for name, kept, all_ in counts if kept < all_]
    if prediction.truth is not None and len(prediction.truth) > _MOST_TRUTHS:
        said.append(f"the first {_MOST_TRUTHS:,} of {len(prediction.truth):,} ground truths")
    return said
