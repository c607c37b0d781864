"""Whose class a label of a file is: by name, by a name spelled differently, or by number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.data.scores.raw import Label, Raw
from pipeline.errors import UserError


@dataclass(frozen=True)
class Matched:
    """Which class of the annotations each label is, None for one they lack.

    `respelt`: labels with the class each was taken for, where the spelling differs. `numbered`: whether
    labels are numbers.
    """

    index: Mapping[Label, int | None]
    respelt: Mapping[str, str]
    numbered: bool = False

    @property
    def unknown(self) -> list[Label]:
        """The labels that the annotations lack."""
        return [label for label, place in self.index.items() if place is None]


def match_labels(raw: Raw, classes: Sequence[str]) -> Matched:
    """Find the class of each label of a file; `classes` are those of the annotations, in their order.

    Raises UserError if a label could be several classes, or several labels one, or a number is none.
    """
    of_rows: Sequence[Label] = raw.classes or range(len(classes))
    labels = list(of_rows) if raw.rows else raw.labels
    known = set(classes)
    if labels and not any(label in known for label in labels) and all(map(_is_number, labels)):
        return Matched({label: _by_number(label, raw, classes) for label in labels}, {}, True)
    return _by_name(raw, [str(label) for label in labels], classes, labels)


def _by_name(
    raw: Raw, names: Sequence[str], classes: Sequence[str], labels: Sequence[Label]
) -> Matched:
    place = {name: number for number, name in enumerate(classes)}
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(_plain(name), []).append(name)
    index: dict[Label, int | None] = {}
    respelt: dict[str, str] = {}
    taken: dict[str, str] = {name: name for name in names if name in place}
    for label, name in zip(labels, names, strict=True):
        if name in place:
            index[label] = place[name]
            continue
        found = alike.get(_plain(name), [])
        if len(found) > 1:
            both = " or ".join(map(repr, found))
            raise UserError(
                f"{raw.file}: label {name!r} could be {both}; write it exactly as the class"
            )
        if found and found[0] in taken:
            raise UserError(
                f"{raw.file}: labels {taken[found[0]]!r} and {name!r} are both class {found[0]!r}; keep one"
            )
        index[label] = place[found[0]] if found else None
        if found:
            respelt[name], taken[found[0]] = found[0], name
    return Matched(index, respelt)


def _by_number(label: Label, raw: Raw, classes: Sequence[str]) -> int | None:
    """The class a number stands for: of the file's own list, else in the order of the annotations'."""
    names, number = raw.classes or tuple(classes), int(label)
    if not 0 <= number < len(names):
        raise UserError(
            f"{raw.file}: label {label!r} is not a class number; there are {len(names)} classes, counted from 0"
        )
    if raw.classes is None:
        return number
    return match_labels(Raw(raw.file, labelled={"": {names[number]: 0.0}}), classes).index[
        names[number]
    ]


def _is_number(label: Label) -> bool:
    return isinstance(label, int) or bool(re.fullmatch(r"[0-9]{1,6}", label))


def _plain(name: str) -> str:
    """A name without what spellings differ in: case, underscores, hyphens and blanks."""
    return " ".join(re.sub(r"[_\-\s]+", " ", name).split()).casefold()
