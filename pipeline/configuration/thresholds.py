"""tIoU thresholds as a user writes them: `start:step:end` (end included) or a comma list."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

_FORM = "write start:step:end (0.5:0.05:0.95) or a comma list (0.3,0.5,0.7)"


def parse_iou(value: str | float | Iterable[float]) -> tuple[float, ...]:
    """Thresholds in (0, 1], rising and distinct.

    Raises ValueError with the value and the accepted forms.
    """
    try:
        if isinstance(value, str):
            numbers = _parse_range(value) if ":" in value else _floats(value.split(","))
        elif isinstance(value, bool):
            raise TypeError("a truth value")
        elif isinstance(value, (int, float)):
            numbers = [float(value)]
        else:
            parts = list(value)
            if any(isinstance(part, (str, bool)) for part in parts):
                raise TypeError("no list of numbers")
            numbers = _floats(parts)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{value!r} is not a list of tIoU thresholds: {_FORM}") from error
    if not numbers or any(not 0 < number <= 1 for number in numbers):
        raise ValueError(f"{value!r}: tIoU thresholds lie above 0 and at most at 1; {_FORM}")
    if any(b <= a for a, b in pairwise(numbers)):
        raise ValueError(f"{value!r}: tIoU thresholds must rise; {_FORM}")
    return tuple(numbers)


def _floats(parts: Iterable[str | float]) -> list[float]:
    return [float(part) for part in parts]


def _parse_range(text: str) -> list[float]:
    start, step, end = _floats(text.split(":"))
    if not all(math.isfinite(x) for x in (start, step, end)) or step <= 0 or end < start:
        raise ValueError(text)
    count = (end - start) / step
    if count > 1000:
        raise ValueError(text)
    steps = math.floor(count + 1e-9)
    if steps == 0:
        return [start]
    # Spaced as the official evaluators space them: the third of 0.1:0.1:0.5 is a rounding above 0.3, and a
    # pair whose tIoU is exactly 0.3 does not reach it.
    last = end if abs(start + steps * step - end) < 1e-9 else start + steps * step
    return [*(start + i * ((last - start) / steps) for i in range(steps)), last]
