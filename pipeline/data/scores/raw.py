"""What a file of class scores holds, whatever its form: a row of scores or labels with scores per video."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

Label = str | int  # a name, or the number of a class


@dataclass
class Raw:
    """The scores of a file as they are in it.

    `classes`: the file's own list of class names, in the order of rows and numbers; None without one.
    `rows`: by video, a score per class; `labelled`: by video, labels with their scores.
    """

    file: Path
    classes: tuple[str, ...] | None = None
    rows: dict[str, list[float]] = field(default_factory=dict)
    labelled: dict[str, dict[Label, float]] = field(default_factory=dict)

    @property
    def videos(self) -> list[str]:
        """The videos that have any score, in the order of the file."""
        return [*self.rows, *self.labelled]

    @property
    def labels(self) -> list[Label]:
        """Every label with a score, once."""
        return list(dict.fromkeys(label for one in self.labelled.values() for label in one))

    def add_row(self, video: str, scores: Iterable[Any]) -> None:
        """Take a video's score of each class. Raises UserError if one is not a number."""
        where = f"{self.file}: video {video}"
        self.rows[video] = [number(value, where) for value in scores]

    def add_label(self, video: str, label: Any, score: Any, where: str = "") -> None:
        """Take one label's score of a video. Raises UserError if it is not a score, or there is one already."""
        where = where or f"{self.file}: video {video}"
        if isinstance(label, bool) or not isinstance(label, (str, int)):
            raise UserError(f"{where}: label {label!r} is neither a name nor the number of a class")
        scores = self.labelled.setdefault(video, {})
        if label in scores:
            raise UserError(f"{where}: label {label!r} has two scores; give it once")
        scores[label] = number(score, where)
        if scores[label] < 0:
            raise UserError(f"{where}: score {score!r} of label {label!r}; give probabilities")


def number(value: Any, where: str) -> float:
    """A score. Raises UserError for what is not a finite number."""
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError
        found = float(value)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{where}: score {value!r} is not a number") from error
    if not math.isfinite(found):
        raise UserError(f"{where}: score {value!r} is not finite")
    return found
