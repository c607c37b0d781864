"""Times as people write them, to seconds: 12.5, 12,5, 0:12.5, 00:00:12,500."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UserError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf(inity)?)", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d{1,2}(?:[.,]\d*)?)")
_COMMA = re.compile(r"[+-]?\d*,\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_FRAMES = re.compile(r"\d+:\d{1,2}:\d{1,2}[:;]\d+")


def seconds_column(
    texts: Sequence[str], lines: Sequence[int], name: str, file: Path, separator: str
) -> list[float]:
    """The times of a column in seconds; `lines` are the lines of the file they are on.

    A decimal comma is one where `separator` is not a comma, or where it cannot be a thousands separator.
    Raises UserError naming file, line and value of the first that is not a time.
    """
    seconds = []
    for place, text in enumerate(texts):
        try:
            seconds.append(float(text) if text.isascii() and "_" not in text else _other(text))
        except ValueError:
            try:
                seconds.append(_written(text, separator))
            except ValueError as error:
                raise UserError(f"{file}, line {lines[place]}: {name} {text!r} {error}") from error
    return seconds


def clock_seconds(text: str) -> float | None:
    """Seconds of hh:mm:ss(.fff) or mm:ss(.fff), None if it is no such time."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, rest = found.groups()
    seconds = float(rest.replace(",", "."))
    if seconds >= 60 or (hours is not None and int(minutes) >= 60):
        return None
    return int(hours or 0) * 3600 + int(minutes) * 60 + seconds


def _other(text: str) -> float:
    raise ValueError(text)


def _written(text: str, separator: str) -> float:
    """Seconds of what is not a plain number. Raises ValueError with what is wrong."""
    text = text.strip().lower()
    text = re.sub(r"(?<=\d)\s*(s|sec|secs|seconds)$", "", text)
    if text.isascii() and _NUMBER.fullmatch(text):
        return float(text)
    if len(text) > 40:
        raise ValueError("is not a number")
    seconds = clock_seconds(text) if text.isascii() else None
    if seconds is not None:
        return seconds
    if _FRAMES.fullmatch(text):
        raise ValueError("ends in a frame number; write seconds or hh:mm:ss.fff")
    if separator == "," and _THOUSANDS.fullmatch(text):
        raise ValueError("may be a thousands or a decimal comma; use a decimal point")
    if _COMMA.fullmatch(text) and text.isascii():
        return float(text.replace(",", "."))
    if ":" in text:
        raise ValueError("is not a time; write seconds, mm:ss.fff or hh:mm:ss.fff")
    raise ValueError("is not a number")


def is_clock(text: str) -> bool:
    """Whether a text is hh:mm:ss.fff, as subtitle editors and annotation tools write it."""
    return text.count(":") == 2 and clock_seconds(text) is not None


def is_number(text: str) -> bool:
    """Whether a text is a finite number, with a point or a comma."""
    text = text.strip().replace(",", ".")
    return len(text) < 40 and _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))
