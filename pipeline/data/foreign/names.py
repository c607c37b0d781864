"""Which video a file or a key is of: by its name, with what people put before and after it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.data.names import one_form, other_prefix, without_ending

# What stands after an id in the names of common packs.
_MARKS = re.compile(
    r"[._-](features?|feats?|rgb|flow|i3d|c3d|tsn|tsp|slowfast|videomae)$", re.IGNORECASE
)


class Names:
    """The ids of videos, to be found by the names that files have.

    Names are compared in Unicode's composed form (NFC), which some systems' files do not have.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        ids = list(ids)
        self._ids = {one_form(video): video for video in ids}
        self._ids |= {video: video for video in ids}  # of two that are composed alike, each its own

    def video(self, name: str) -> str | None:
        """The id that a name without its ending stands for; None if there is none, or more than one.

        First the name itself, then with `v_` put before it or taken away, then without the ending of a
        video or a known mark (`_features`, `_rgb`).
        """
        forms = [name, *_shorter(one_form(name))]
        for group in ([form] for form in (name, one_form(name))):
            if found := self._of(group):
                return found.pop()
        found = self._of(forms[1:])
        return found.pop() if len(found) == 1 else None

    def _of(self, forms: list[str]) -> set[str]:
        for kind in (lambda form: form, other_prefix):
            found = {self._ids[kind(form)] for form in forms if kind(form) in self._ids}
            if found:
                return found
        return set()


def _shorter(name: str) -> list[str]:
    """The name, and what is left of it as endings and marks are taken away one by one."""
    forms = [name]
    while True:
        stem = without_ending(name)
        shorter = stem if stem != name else _MARKS.sub("", name)
        if shorter in ("", name):
            return forms
        name = shorter
        forms.append(name)
