"""Which videos validate where an annotation file names no subsets."""

from __future__ import annotations

from collections.abc import Iterable

HELD_OUT = "videos held out for validation (no subset is named)"  # a note


def held_out(videos: Iterable[str]) -> set[str]:
    """Every fifth video, sorted by name; of fewer than five the last."""
    names = sorted(set(videos))
    return set(names[4::5] or names[-1:])
