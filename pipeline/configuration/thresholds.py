"""tIoU thresholds as a user writes them: `start:step:end` (end included) or a comma list."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

_FORM = "write start:step:end (0.5:0.05:0.95) or a comma list (0.3,0.5,0.7)"
_MOST = 1000  # thresholds of a range
_SLACK = 1e-6  # steps by which rounding may make a range miss its end


def parse_iou(value: str | float | Iterable[float]) -> tuple[float, ...]:
    """Thresholds in (0, 1], rising and distinct.

    Raises ValueError with the value and the accepted forms.
    """
    try:
        if isinstance(value, str):
            numbers = _floats(value.split(":" if ":" in value else ","))
        elif isinstance(value, bool):
            raise TypeError("a truth value")
        elif isinstance(value, (int, float)):
            numbers = [float(value)]
        else:
            parts = list(value)
            if any(isinstance(part, (str, bool)) for part in parts):
                raise TypeError("no list of numbers")
            numbers = _floats(parts)
        ranged = isinstance(value, str) and ":" in value
        if not all(map(math.isfinite, numbers)) or (ranged and len(numbers) != 3):
            raise ValueError("not numbers, or not three of them")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{value!r} is not a list of tIoU thresholds: {_FORM}") from error
    _in_range(value, numbers, ranged=ranged)
    if ranged:
        return tuple(_steps(str(value), *numbers))
    if any(b <= a for a, b in pairwise(numbers)):
        raise ValueError(f"{value!r}: tIoU thresholds must increase; {_FORM}")
    return tuple(numbers)


def missed_end(value: object) -> str | None:
    """What to say of a range whose steps do not end at its end: which thresholds it gives; else None."""
    if not isinstance(value, str) or value.count(":") != 2:
        return None
    end, found = float(value.split(":")[2]), parse_iou(value)
    if abs(found[-1] - end) < _SLACK:
        return None
    shown = ", ".join(map(_short, found[:5])) + (", ..." if len(found) > 5 else "")
    return f"tIoU thresholds {value}: no step ends at {_short(end)}; the thresholds are {shown}"


def as_range(thresholds: Sequence[float]) -> str | None:
    """`start:step:end` if it gives exactly these thresholds; else None."""
    if len(thresholds) < 3:
        return None
    start, *_, end = thresholds
    text = _range(start, (end - start) / (len(thresholds) - 1), end)
    return text if parse_iou(text) == tuple(thresholds) else None


def _floats(parts: Iterable[str | float]) -> list[float]:
    return [float(part) for part in parts]


def _in_range(value: object, numbers: list[float], *, ranged: bool) -> None:
    """Refuse thresholds, or a start, step and end, that are not in (0, 1]. Raises ValueError."""
    if numbers and all(0 < number <= 1 for number in numbers):
        return
    advice = _FORM
    if numbers and all(1 <= number <= 100 for number in numbers) and max(numbers) > 1:
        sign = ":" if ranged else ","
        advice = f"in percent? write {sign.join(_short(number / 100) for number in numbers)}"
    elif ranged and numbers[1] <= 0:
        raise ValueError(
            f"{value!r}: the step between tIoU thresholds, in the middle, is above 0; {_FORM}"
        )
    elif ranged and numbers[0] == 0 and 0 < numbers[1] < numbers[2] <= 1:
        start, step, end = numbers[1], numbers[1], numbers[2]
        advice = f"write {_range(start, step, end)} without the 0, which every pair reaches"
    raise ValueError(f"{value!r}: tIoU thresholds are above 0 and at most 1; {advice}")


def _steps(text: str, start: float, step: float, end: float) -> list[float]:
    """The thresholds from `start` to `end`, or to the last step before it. Raises ValueError if there is none."""
    count = (end - start) / step
    if count > _MOST:
        raise ValueError(f"{text!r}: more than {_MOST} tIoU thresholds; take a larger step")
    steps = round(count) if abs(count - round(count)) <= _SLACK else math.floor(count)
    if start == end:
        said = f"{text!r}: tIoU thresholds are start:step:end, and this is {_short(start)} alone"
        raise ValueError(
            f"{said}; {_swapped(start, step, end) or f'write {_short(start)} for that'}"
        )
    if end < start or steps < 1:
        raise ValueError(
            f"{text!r}: tIoU thresholds are start:step:end, and no step reaches this end; "
            f"{_swapped(start, step, end) or _FORM}"
        )
    if abs(count - steps) > _SLACK:  # `missed_end` says so
        end = start + steps * step
    # Spaced as the official evaluators space them: the third of 0.1:0.1:0.5 is a rounding above 0.3, and a
    # pair whose tIoU is exactly 0.3 does not reach it.
    return [*(start + i * ((end - start) / steps) for i in range(steps)), end]


def _swapped(start: float, step: float, end: float) -> str:
    """What to write where start:end:step was written, as numpy has it; nothing where that is not a range."""
    start, step, end = start, end, step
    count = (end - start) / step
    if not 0.999999 < count <= _MOST or abs(count - round(count)) > _SLACK:
        return ""
    return f"write {_range(start, step, end)}"


def _range(start: float, step: float, end: float) -> str:
    """A range as a user writes it."""
    return ":".join(map(_short, (start, step, end)))


def _short(number: float) -> str:
    return f"{number:.10g}"
