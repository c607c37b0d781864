"""What files for people share: labels as people read and pick them, and the way from a file to its video."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.prediction.found import Prediction
from pipeline.progress import say

# What no text file holds: control and half characters, and two that XML forbids.
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Segment(NamedTuple):
    """A detection as people see it: start and end in seconds, the text of its label, its score."""

    start: float
    end: float
    text: str
    score: float


def one_line(text: str) -> str:
    """A text as one line of any file: white space is one blank, what is not text stands as Python writes it."""
    return _NO_TEXT.sub(lambda mark: ascii(mark[0])[1:-1], " ".join(text.split()))


def shown(prediction: Prediction, label: str) -> str:
    """A label as people pick it in an annotation tool, from which the class can be read back.

    A label is its own text; one that has a name stands before it: "3,17 open drawer".
    """
    name = prediction.name_of(label)
    return one_line(label if name == label else f"{label} {name}")


def segments_of(prediction: Prediction) -> list[Segment]:
    """The detections, best first, with labels as people pick them."""
    rows = prediction.detections
    texts = {label: shown(prediction, label) for label in rows["label"].unique()}
    columns = (rows[name].tolist() for name in ("start", "end", "label", "score"))
    found = [
        Segment(s, e, texts[label], score) for s, e, label, score in zip(*columns, strict=True)
    ]
    return sorted(found, key=lambda segment: -segment.score)


def choices(predictions: Sequence[Prediction], classes: Iterable[str] = ()) -> list[str]:
    """The labels people pick from: those detected, the best first, then the other `classes` in their order."""
    texts: dict[str, None] = {}
    for found in predictions:
        texts |= dict.fromkeys(segment.text for segment in segments_of(found))
    others = (one_line(label) for label in classes)
    return list(texts | dict.fromkeys(filter(None, others)))


def whole_milliseconds(segment: Segment) -> tuple[int, int]:
    """Start and end in milliseconds; one at least lies between them."""
    start = round(segment.start * 1000)
    return start, max(round(segment.end * 1000), start + 1)


def way_to(source: Path, written: Path) -> str:
    """The way from the folder of a written file to a video, with slashes; the name alone on another drive.

    No path of the machine is in it, and the video's own name stays where that is a link.
    """
    real = os.path.join(os.path.realpath(source.parent), source.name)
    try:
        way = os.path.relpath(real, os.path.realpath(written.parent))
    except ValueError:  # on another drive
        return source.name
    return Path(way).as_posix()


def say_folders(predictions: Iterable[Prediction], written: Path, tool: str) -> None:
    """Say that a tool for annotation does not show videos that are folders of frames."""
    count = sum(not found.is_file for found in predictions)
    if count:
        say(
            f"{written}: {count} of its videos are folders of frames, which {tool} does not play; their segments "
            "are in the file, and a video file of the same name takes their place"
        )
