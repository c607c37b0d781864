"""Which of a model's detections are wanted: of which classes, above which score, how many."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np
import pandas as pd

from pipeline.errors import UsageError
from pipeline.prediction.found import Prediction

Heads = tuple[tuple[str, ...], ...]
_PAIR = re.compile(r"(\d+),(\d+)")


@dataclass(frozen=True)
class Choice:
    """Which detections of a video are wanted; the best `top` of those at or above `threshold`, of some `classes`.

    `classes` are names: labels, or of verbs and nouns a verb, a noun, both ("open drawer") or their numbers
    ("3,17"). None, or no name, leaves all. Raises UsageError for what is not a threshold and no number.
    """

    threshold: float | None = None
    top: int | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        threshold, top = self.threshold, self.top
        if threshold is not None and not (isinstance(threshold, Real) and 0 <= threshold <= 1):
            raise UsageError(f"threshold {threshold}: give a score from 0 to 1")
        if top is not None and not (isinstance(top, Integral) and top >= 1):
            raise UsageError(
                f"top {top}: give a whole number of at least 1, or leave it out for all"
            )


def choose(prediction: Prediction, choice: Choice, heads: Heads) -> Prediction:
    """The prediction with the wanted detections alone. Raises UsageError for a class the model does not have."""
    rows = prediction.detections
    if choice.classes:
        rows = rows[_of_classes(rows, require_classes(heads, choice.classes), heads)]
    if choice.threshold is not None:
        rows = rows[rows["score"] >= choice.threshold]
    if choice.top is not None:
        rows = rows.head(choice.top)
    return replace(prediction, detections=rows.reset_index(drop=True))


def why_none(prediction: Prediction, choice: Choice, heads: Heads) -> str | None:
    """A line on a video with detections of which none are wanted; None otherwise."""
    rows = prediction.detections
    if not len(rows) or len(choose(prediction, choice, heads).detections):
        return None
    wanted = choose(prediction, Choice(classes=choice.classes), heads).detections
    if not len(wanted):
        return f"video {prediction.video}: none of its {len(rows):,} detections is of {', '.join(choice.classes)}"
    return (
        f"video {prediction.video}: no detection reaches the threshold of {choice.threshold:g}; "
        f"the best of {len(wanted):,} has a score of {wanted['score'].max():.2g}"
    )


def require_classes(heads: Heads, names: Sequence[str]) -> tuple[str, ...]:
    """Class names, one each; a text that is not a class is a list of them, `a,b`. Raises UsageError for others."""
    found: list[str] = []
    for text in names:
        whole = text.strip()
        parts = [whole] if _is_class(heads, whole) else [part.strip() for part in text.split(",")]
        for name in parts:
            if not _is_class(heads, name):
                raise _unknown(heads, name)
        found += parts
    return tuple(dict.fromkeys(found))


def _is_class(heads: Heads, name: str) -> bool:
    if any(name in head for head in heads):
        return True
    return len(heads) == 2 and bool(_pairs_called(heads, name))


def _pairs_called(heads: Heads, name: str) -> list[tuple[int, int]]:
    """The pairs of a verb and a noun that a name means: "3,17", or both names with a space between."""
    verbs, nouns = heads
    if numbers := _PAIR.fullmatch(name):
        verb, noun = map(int, numbers.groups())
        return [(verb, noun)] if verb < len(verbs) and noun < len(nouns) else []
    cuts = [place for place, letter in enumerate(name) if letter == " "]
    halves = [(name[:cut], name[cut + 1 :]) for cut in cuts]
    return [(verbs.index(v), nouns.index(n)) for v, n in halves if v in verbs and n in nouns]


def _of_classes(rows: pd.DataFrame, names: Sequence[str], heads: Heads) -> np.ndarray:
    """Which rows are of these classes [n]."""
    if len(heads) == 1:
        wanted: np.ndarray = rows["label"].isin(names).to_numpy()
        return wanted
    wanted = np.zeros(len(rows), dtype=bool)
    for name in names:
        pairs = _pairs_called(heads, name)
        wanted |= rows["label"].isin([f"{verb},{noun}" for verb, noun in pairs]).to_numpy()
        for head, column in zip(heads, ("verb", "noun"), strict=True):
            if name in head:
                wanted |= (rows[column] == head.index(name)).to_numpy()
    return wanted


def _unknown(heads: Heads, name: str) -> UsageError:
    known = [label for head in heads for label in head]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {len(known)}: {', '.join(known[:6])}"
    more = ", ..." if not near and len(known) > 6 else ""
    return UsageError(f"class {name!r}: the model has no such class ({hint}{more})")
