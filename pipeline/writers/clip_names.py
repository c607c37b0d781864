"""Names of clips: they sort best first, say label, times and score, and any file system takes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from pipeline.prediction.found import Prediction

LONGEST_LABEL = 80  # bytes; the whole name stays far below 255
_NAME = re.compile(r"\d{3,}_.+_\d+\.\d\d-\d+\.\d\ds_-?\d+\.\d{3}\.mp4", re.DOTALL)
_MARKS = "-."
_LETTERS = "LMN"  # categories of letters, marks on them, and digits


def clip_names(prediction: Prediction) -> Iterator[tuple[float, float, str]]:
    """Start and end in seconds and the file's name of each detection, best first.

    001_open_drawer_12.40-15.93s_0.912.mp4
    """
    found = prediction.detections.sort_values("score", ascending=False, kind="stable")
    digits = max(3, len(str(len(found))))
    rows = zip(found["start"], found["end"], found["label"], found["score"], strict=True)
    for number, (start, end, label, score) in enumerate(rows, start=1):
        name = safe_label(prediction.name_of(str(label)))
        times = f"{max(0.0, start):.2f}-{max(0.0, end):.2f}s"
        yield float(start), float(end), f"{number:0{digits}d}_{name}_{times}_{score:.3f}.mp4"


def is_clip_name(name: str) -> bool:
    """Whether a file's name is one that `clip_names` gives."""
    return _NAME.fullmatch(name) is not None


def safe_label(label: str) -> str:
    """The label in letters, digits, `-` and `.`, with `_` for all else; at most 80 bytes, never empty.

    Letters of any script stay, in the one form (NFC) that file systems agree on.
    """
    text = "".join(
        mark if mark in _MARKS or unicodedata.category(mark)[0] in _LETTERS else "_"
        for mark in unicodedata.normalize("NFC", label)
    )
    text = re.sub(r"_+", "_", re.sub(r"\.\.+", ".", text)).strip("_.-")
    short = text.encode()[:LONGEST_LABEL].decode(errors="ignore")
    return short.strip("_.-") or "action"
