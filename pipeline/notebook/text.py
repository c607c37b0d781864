"""Detections in a terminal: a strip of text a class, with time from left to right."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from unicodedata import combining, east_asian_width

import numpy as np

from pipeline.notebook.lanes import Lane, clock, end_of, lanes_of, left_out
from pipeline.prediction.found import Prediction
from pipeline.printing import printable

_MARKS, _PLAIN = " ░▒▓█", " .-=#"
_NAME, _LANES, _BARS, _WIDEST = 24, 5, 500, 120


def strips(prediction: Prediction) -> str:
    """The lines of a video: its name with its length, and a strip for each of its most certain classes.

    The darker a mark, the nearer a detection's score is to the best one of the video. Ground truth is not shown.
    """
    end = end_of(prediction)
    lanes, more = lanes_of(replace(prediction, truth=None), _LANES, _BARS)
    names = [_cut(printable(lane.name)) for lane in lanes]
    room = max(map(_width, names), default=0)
    cells = max(20, min(shutil.get_terminal_size().columns, _WIDEST) - room - 5)
    lines = [f"{printable(prediction.video)}  {clock(prediction.duration or end, end)}"]
    for lane, name in zip(lanes, names, strict=True):
        lines.append(f"  {name}{' ' * (room - _width(name))} |{_strip(lane, end, cells)}|")
    if note := left_out(lanes, more, _BARS):
        lines.append(f"  {note}")
    if not lanes:
        lines.append("  no detection")
    return "\n".join(lines)


def found_table(prediction: Prediction, rows: int = 10) -> str:
    """The strips of a video, and a line for each of its best detections."""
    found = prediction.detections.head(rows)
    end = end_of(prediction)
    cells = [
        (
            _moment(row.start, end),
            _moment(row.end, end),
            f"{row.score:.3f}",
            prediction.name_of(row.label),
        )
        for row in found.itertuples()
    ]
    widths = [max(len(cell[place]) for cell in cells) for place in range(3)] if cells else []
    lines = [strips(prediction)]
    for *numbers, name in cells:
        shown = (number.rjust(width) for number, width in zip(numbers, widths, strict=True))
        lines.append(f"  {'  '.join(shown)}  {printable(name)}")
    more = len(prediction.detections) - len(found)
    return "\n".join(lines + ([f"  and {more:,} more"] if more else []))


def _moment(seconds: float, end: float) -> str:
    """A moment with two digits after the point, by which a short detection's start and end differ."""
    hundredths = round(100 * seconds)
    if end < 120:
        return f"{hundredths / 100:.2f} s"
    return f"{clock(hundredths // 100, end)}.{hundredths % 100:02d}"


def _strip(lane: Lane, end: float, cells: int) -> str:
    level = np.zeros(cells)
    for start, stop, share in lane.found:
        first = min(max(int(start / end * cells), 0), cells - 1)
        last = max(first + 1, min(round(stop / end * cells), cells))
        level[first:last] = np.maximum(level[first:last], max(share, 1e-9))
    marks = _MARKS if _can_write(_MARKS) else _PLAIN
    return "".join(marks[value] for value in np.ceil(level * 4).astype(int))


def _can_write(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeError, LookupError):
        return False
    return True


def _width(text: str) -> int:
    """How many columns a text takes in a terminal."""
    return sum(
        0 if combining(mark) else 2 if east_asian_width(mark) in "WF" else 1 for mark in text
    )


def _cut(text: str) -> str:
    """A text of at most `_NAME` columns."""
    if _width(text) <= _NAME:
        return text
    while _width(text) > _NAME - 3:
        text = text[:-1]
    return f"{text}..."
