"""Labels that are probably one class spelled twice: reported, never joined."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

_MOST = 20  # pairs that are reported; a file of free text has them without end


def spelled_twice(labels: Iterable[str]) -> Counter[str]:
    """A note for each rarer spelling: how many segments have it, beside how many of the commonest.

    Spellings are alike where they differ in case, blanks, hyphens and underscores alone, or in how
    Unicode writes a letter, or as `3` and `3.0` do.
    """
    counts = Counter(labels)
    alike: dict[str, list[str]] = {}
    for label in counts:
        alike.setdefault(_core(label), []).append(label)
    notes: Counter[str] = Counter()
    left = 0
    for spellings in sorted(alike.values()):
        if len(spellings) < 2:
            continue
        first, *others = sorted(spellings, key=lambda label: (-counts[label], label))
        for other in others:
            line = f"segments of label {other!r} beside {counts[first]} of {first!r}: probably one class"
            if len(notes) < _MOST:
                notes[line] = counts[other]
            else:
                left += 1
    if left:
        notes["more labels that are probably one class with two spellings"] = left
    return notes


def joined_blanks(written: Iterable[str]) -> Counter[str]:
    """A note for each label that is in a table with and without blanks around it, which are left away.

    Where a file has a blank before every label, as after each comma, there is nothing to say.
    """
    counts = Counter(written)
    notes: Counter[str] = Counter()
    for label, count in sorted(counts.items()):
        plain = label.strip()
        if plain and plain != label and plain in counts:
            line = f"segments of label {label!r}, read as {plain!r} like {counts[plain]} others"
            if len(notes) < _MOST:
                notes[line] = count
    return notes


def other_spelling(label: str, labels: Iterable[str]) -> str | None:
    """The one of `labels` that is probably `label` with another spelling; None if it is itself there, or none is."""
    known = sorted(set(labels))
    if label in known:
        return None
    return next((other for other in known if _core(other) == _core(label)), None)


def _core(label: str) -> str:
    plain = re.sub(r"[\s_\-]+", "", unicodedata.normalize("NFKC", label).casefold())
    return re.sub(r"^(\d+)\.0+$", r"\1", plain)  # 3.0, as pandas writes 3 beside empty cells
