"""Names of clips: they sort best first, say label, times and score, and any file system takes them."""

from __future__ import annotations

import re
import unicodedata

LONGEST_LABEL = 80  # bytes; the whole name stays far below 255
_NAME = re.compile(r"\d{3,}_.+_\d+\.\d\d-\d+\.\d\ds_-?\d+\.\d{3}\.mp4", re.DOTALL)
_MARKS = "-."
_LETTERS = "LMN"  # categories of letters, marks on them, and digits


def clip_name(rank: str, label: str, span: tuple[float, float], score: float) -> str:
    """The name of a clip of `span` seconds: 001_open_drawer_12.40-15.93s_0.912.mp4."""
    start, end = (max(0.0, time) for time in span)
    return f"{rank}_{safe_label(label)}_{start:.2f}-{end:.2f}s_{score:.3f}.mp4"


def is_clip_name(name: str) -> bool:
    """Whether a file's name is one that `clip_name` gives."""
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
