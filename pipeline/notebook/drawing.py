"""Detections drawn with matplotlib, over the ground truth where there is some."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from pipeline.data.annotations import read_annotations
from pipeline.data.names import one_form, without_ending
from pipeline.errors import UserError
from pipeline.notebook.lanes import Lane, end_of, lanes_of, left_out
from pipeline.prediction.found import Prediction
from pipeline.printing import printable
from pipeline.progress import say
from pipeline.run_folder.identity import named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A table of video, start, end (seconds), label, or files of annotations in any form that is read.
Truth: TypeAlias = pd.DataFrame | str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_LANES, _BARS, _VIDEOS, _NAME = 12, 300, 8, 40


class Picture:
    """`found.plot`: called it draws the timelines of detections; its other names are those of pandas' `plot`."""

    def __init__(self, table: pd.DataFrame, videos: Callable[[], Sequence[Prediction]]) -> None:
        self._table, self._videos = table, videos

    def __call__(
        self, truth: Truth | None = None, ax: Axes | Sequence[Axes] | None = None, **pandas: Any
    ) -> Any:
        """Draw a lane per class of each video, darker where the score is higher, over lines for the ground truth.

        `truth`: a table of video, start, end (seconds), label, or files of annotations; None: the run's own, where
        it has one. `ax`: axes to draw on, one per video; None makes a figure of the first videos. With options of
        pandas' `plot`, such as `kind`, it is that. Gives the axes, an array of them of several videos. Raises UserError.
        """
        if pandas:
            return self._table.plot(ax=ax, **pandas)
        known = self._videos()
        predictions = [one for one in known if len(one.detections)] or known
        if not predictions:
            raise UserError("plot: there is no video to draw; the table is empty and knows none")
        if truth is not None:
            predictions = with_truth(predictions, truth)
        return draw(predictions, ax)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table.plot, name)


def with_truth(predictions: Sequence[Prediction], truth: Truth) -> list[Prediction]:
    """The same videos with this ground truth; those that it does not name are reported. Raises UserError."""
    if not isinstance(truth, pd.DataFrame):
        paths = [truth] if isinstance(truth, str | os.PathLike) else truth
        truth = read_annotations([Path(path) for path in paths]).annotations
    if missing := {"video", "start", "end", "label"} - set(truth.columns):
        raise UserError(
            f"truth: no column {min(missing)!r}; ground truth is video, start, end (seconds), label"
        )
    names = truth["video"].astype(str).map(one_form).map(without_ending)
    ids = [one.video for one in predictions]
    groups = {video: names == without_ending(one_form(video)) for video in ids}
    if bare := [video for video, rows in groups.items() if not rows.any()]:
        say(f"plot: the ground truth names no segment of {named(bare)}")
    rows = truth[["start", "end", "label"]]
    return [replace(one, truth=rows[groups[one.video]]) for one in predictions]


def draw(predictions: Sequence[Prediction], ax: Axes | Sequence[Axes] | None = None) -> Any:
    """Draw each video on axes of its own, and give them: the axes of one video, an array of several.

    `ax`: the axes to draw on, one per video; None makes a figure. Raises UserError if they are too few.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        if len(predictions) > _VIDEOS:
            say(f"plot: the first {_VIDEOS} of {len(predictions)} videos; found.of(VIDEO) chooses")
        predictions = predictions[:_VIDEOS]
        lanes = [max(1, len(lanes_of(one, _LANES, 1)[0])) for one in predictions]
        figure, axes = plt.subplots(
            len(predictions),
            1,
            squeeze=False,
            figsize=(10, 0.32 * sum(lanes) + 0.9 * len(lanes) + 0.2),
            height_ratios=lanes,
            layout="constrained",
        )
        given = axes[:, 0]
        figure.supxlabel("seconds", fontsize=9)
    else:
        given = np.asarray(ax, dtype=object).reshape(-1)
        if len(given) < len(predictions):
            raise UserError(
                f"plot: {len(predictions)} videos and {len(given)} axes; give one per video, or choose videos: "
                "found.of(VIDEO).plot(ax=ax)"
            )
    for one, prediction in zip(given, predictions, strict=False):
        _draw_video(one, prediction)
    return given[0] if len(predictions) == 1 else given[: len(predictions)]


def _draw_video(axis: Axes, prediction: Prediction) -> None:
    lanes, more = lanes_of(prediction, _LANES, _BARS)
    for row, lane in enumerate(lanes):
        _draw_lane(axis, row, lane)
    axis.set_yticks(range(len(lanes)), [_words(lane.name) for lane in lanes], fontsize=9)
    axis.set_ylim(max(len(lanes), 1) - 0.4, -0.6)
    axis.set_xlim(0, end_of(prediction))
    note = left_out(lanes, more, _BARS)
    note = f"  ({note})" if note else ""
    truth = "  line: ground truth" if prediction.truth is not None else ""
    nothing = "" if lanes else "  no detection"
    axis.set_title(_words(prediction.video) + note + truth + nothing, fontsize=9, loc="left")
    axis.spines[["top", "right"]].set_visible(False)


def _draw_lane(axis: Axes, row: int, lane: Lane) -> None:
    for start, stop, share in lane.found:
        axis.barh(
            row, stop - start, left=start, height=0.6, color=lane.colour, alpha=0.08 + 0.92 * share
        )
    ink = axis.xaxis.label.get_color()  # reads on the style that is chosen
    for start, stop in lane.truth:
        axis.plot([start, stop], [row + 0.4, row + 0.4], color=ink, lw=2, solid_capstyle="butt")


def _words(name: str) -> str:
    """A name as matplotlib draws it: short, printable, and without formulas."""
    shown = printable(name)
    shown = shown if len(shown) <= _NAME else f"{shown[: _NAME - 1]}…"
    return shown.replace("$", r"\$")
