"""Detections of result files as columns: taken out of the JSON fast, and checked all at once.

Each check looks at whole columns; only when one fails is the first bad row looked for, to be named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain, islice
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np

from evaluation.errors import SubmissionError
from evaluation.result_entries import Entries

Where = Callable[[int], str]
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_PAIR = re.compile(r"(0|[1-9]\d{0,8}),(0|[1-9]\d{0,8})", re.ASCII)


class Numbers(dict[str, int]):
    """Strings and a number for each, from 0 on in the order of their first use."""

    def __missing__(self, name: str) -> int:
        number = self[name] = len(self)
        return number

    def of(self, names: Sequence[str]) -> np.ndarray:
        """The numbers of strings: int32 [n]."""
        return np.fromiter(map(self.__getitem__, names), np.int32, len(names))


class Pairs:
    """Verb and noun of each label "verb,noun" of `names`, which may grow: -1 where it reads otherwise."""

    def __init__(self, names: Numbers) -> None:
        self._names, self._known = names, np.zeros((0, 2), np.int64)

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """The pairs of labels by their numbers: int64 [n, 2]."""
        if len(self._known) < len(self._names):
            new = islice(self._names, len(self._known), None)
            self._known = np.concatenate([self._known, [_pair(name) for name in new]])
        pairs: np.ndarray = self._known[numbers]
        return pairs


def column(entries: Entries, key: str) -> list[Any]:
    """One field of every row. Raises SubmissionError naming the first row that lacks it."""
    if entries.typed:
        return list(map(attrgetter(key), entries.rows))
    try:
        return list(map(itemgetter(key), entries.rows))
    except KeyError:
        row = _first(entries.rows, lambda value: key not in value)
        found = ", ".join(entries.rows[row]) or "none"
        raise SubmissionError(f"{entries.where(row)}: no {key!r}; its fields are {found}") from None


def has_field(entries: Entries, row: int, key: str) -> bool:
    """Whether a row has a field."""
    return entries.typed or key in entries.rows[row]


def require_without(entries: Entries, key: str) -> None:
    """Refuse rows with a field that the rows before them do not have. Raises SubmissionError naming the first."""
    row = next((n for n in range(len(entries.rows)) if has_field(entries, n, key)), None)
    if row is not None:
        raise SubmissionError(
            f"{entries.where(row)}: has a {key!r}, and the rows before it have none; give it to all or to none"
        )


def number_column(entries: Entries, key: str) -> np.ndarray:
    """A field of numbers as float64 [n]. Raises SubmissionError naming the first other value."""
    if entries.typed:
        return np.fromiter(map(attrgetter(key), entries.rows), np.float64, len(entries.rows))
    return _numbers(column(entries, key), key, entries.where)


def integer_column(entries: Entries, key: str) -> np.ndarray:
    """A field of whole numbers as int64 [n]. Raises SubmissionError naming the first other."""
    values = column(entries, key)
    if not entries.typed and not set(map(type, values)) <= {int}:
        row = _first(values, lambda value: type(value) is not int)
        raise SubmissionError(
            f"{entries.where(row)}: {key} is {values[row]!r}; give a whole number"
        )
    return _clipped(values)


def text_column(entries: Entries, key: str) -> list[str]:
    """A field of strings. Raises SubmissionError naming the first row of another kind."""
    values = column(entries, key)
    if not entries.typed and not set(map(type, values)) <= {str}:
        row = _first(values, lambda value: not isinstance(value, str))
        raise SubmissionError(f"{entries.where(row)}: {key} is {values[row]!r}; give a string")
    return values


def segment_columns(entries: Entries) -> tuple[np.ndarray, np.ndarray]:
    """The `segment` fields as start and end, float64 [n], seconds; raises SubmissionError."""
    if entries.typed:
        times = chain.from_iterable(map(attrgetter("segment"), entries.rows))
        pairs = np.fromiter(times, np.float64, 2 * len(entries.rows))
        return pairs[0::2], pairs[1::2]
    values = column(entries, "segment")
    if not set(map(type, values)) <= {list} or not set(map(len, values)) <= {2}:
        row = _first(values, lambda value: not isinstance(value, list) or len(value) != 2)
        raise SubmissionError(
            f"{entries.where(row)}: segment is {values[row]!r}; give [start, end]"
        )
    flat = _numbers(
        list(chain.from_iterable(values)), "segment", lambda row: entries.where(row // 2)
    )
    return flat[0::2], flat[1::2]


def check_segments(
    start: np.ndarray, end: np.ndarray, score: np.ndarray, where: Where, zero_length: bool
) -> None:
    """Finite numbers, and start < end (start <= end where `zero_length` is allowed)."""
    for name, values in (("start", start), ("end", end), ("score", score)):
        row = first_bad(~np.isfinite(values))
        if row is not None:
            raise SubmissionError(f"{where(row)}: {name} is {values[row]}; give a finite number")
    row = first_bad(end < start if zero_length else end <= start)
    if row is not None:
        wanted = "start <= end" if zero_length else "start < end"
        raise SubmissionError(
            f"{where(row)}: segment [{start[row]}, {end[row]}] does not have {wanted}; "
            "correct it or leave the detection out"
        )


def check_range(values: np.ndarray, limit: int, name: str, where: Where) -> None:
    """Class numbers in [0, limit)."""
    row = first_bad((values < 0) | (values >= limit))
    if row is not None:
        raise SubmissionError(
            f"{where(row)}: {name} is {values[row]}; classes are 0 to {limit - 1}"
        )


def check_actions(
    actions: Sequence[Any], verb: np.ndarray, noun: np.ndarray, name: str, where: Where
) -> None:
    """Actions must read "verb,noun"."""
    wanted = action_labels(verb, noun)
    if list(actions) != wanted:
        row = _first(zip(actions, wanted, strict=True), lambda pair: pair[0] != pair[1])
        raise SubmissionError(
            f"{where(row)}: {name} is {actions[row]!r}, verb {verb[row]} and noun {noun[row]}; "
            f"give {name} {wanted[row]!r}"
        )


def check_labels(labels: Sequence[str], classes: Collection[str] | None, where: Where) -> None:
    """Labels must be among the classes, where these are given."""
    if classes is None:
        return
    unknown = set(labels) - set(classes)
    if unknown:
        row = _first(labels, lambda label: label in unknown)
        raise SubmissionError(
            f"{where(row)}: label {labels[row]!r} is not one of the {len(classes)} classes; "
            "correct it or leave the detection out"
        )


def action_labels(verb: np.ndarray, noun: np.ndarray) -> list[str]:
    """The label "verb,noun" of each row."""
    return [f"{v},{n}" for v, n in zip(verb.tolist(), noun.tolist(), strict=True)]


def first_bad(bad: np.ndarray) -> int | None:
    """The first row where `bad` [n] holds, None if there is none."""
    return int(bad.argmax()) if bad.any() else None


def _numbers(values: list[Any], name: str, where: Where) -> np.ndarray:
    if not set(map(type, values)) <= {int, float}:
        values = [_number(value) for value in values]
    if not set(map(type, values)) <= {int, float}:
        row = _first(values, lambda value: type(value) not in (int, float))
        raise SubmissionError(f"{where(row)}: {name} holds {values[row]!r}; give a number")
    try:
        return np.array(values, np.float64)
    except OverflowError:
        # A whole number of more than 308 digits: infinite to the checks that follow.
        return np.array([value if abs(value) < 1e300 else np.inf for value in values], np.float64)


def _number(value: Any) -> Any:
    """A number that was written as text, which the official evaluators read too; others as they are."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    return float(value)


def _pair(name: str) -> tuple[int, int]:
    if not _PAIR.fullmatch(name):
        return -1, -1
    verb, noun = name.split(",")
    return int(verb), int(noun)


def _clipped(values: list[int]) -> np.ndarray:
    """Whole numbers as int64; those beyond it, which are out of any range, as its largest."""
    try:
        return np.array(values, np.int64)
    except OverflowError:
        limit = np.iinfo(np.int64).max
        return np.array([value if abs(value) < limit else limit for value in values], np.int64)


def _first(values: Iterable[Any], bad: Callable[[Any], bool]) -> int:
    return next(row for row, value in enumerate(values) if bad(value))
