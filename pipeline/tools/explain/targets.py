"""The classes that are explained, as numbers of a classifier's heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.prediction.choosing import Heads, require_classes


class Target(NamedTuple):
    """A class of a head: its number, its name, and whether it is the one that the others are compared with."""

    head: int
    number: int
    name: str
    against: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """The class as `class_maps` takes it."""
        return self.head, self.number


def targets_of_label(heads: Heads, label: str) -> tuple[Target, ...]:
    """The class of a detection's label; of a label "3,17" its verb and its noun."""
    if len(heads) == 1:
        return (Target(0, heads[0].index(label), label),)
    numbers = [int(part) for part in label.split(",")]
    return tuple(Target(head, number, heads[head][number]) for head, number in enumerate(numbers))


def targets_named(heads: Heads, names: Sequence[str], *, against: bool) -> tuple[Target, ...]:
    """Classes by what people call them: of verbs and nouns a verb, a noun, or both ("open drawer", "3,17").

    Raises UsageError for a name that the model does not have.
    """
    found: list[Target] = []
    for name in require_classes(heads, names):
        found += [target._replace(against=against) for target in _called(heads, name)]
    return tuple(dict.fromkeys(found))


def with_against(targets: tuple[Target, ...], against: tuple[Target, ...]) -> tuple[Target, ...]:
    """The classes, and those they are compared with that are not among them."""
    known = {target.key for target in targets}
    return (*targets, *(target for target in against if target.key not in known))


def _called(heads: Heads, name: str) -> tuple[Target, ...]:
    single = [
        Target(head, names.index(name), name) for head, names in enumerate(heads) if name in names
    ]
    if single or len(heads) == 1:
        return tuple(single)
    verbs, nouns = heads
    for verb_number, verb in enumerate(verbs):
        for noun_number, noun in enumerate(nouns):
            if name in (f"{verb} {noun}", f"{verb_number},{noun_number}"):
                return (Target(0, verb_number, verb), Target(1, noun_number, noun))
    raise UsageError(f"class {name!r}: the model has no such class")
