"""What a folder of frames holds, listed once for as long as it does not change."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from feature_extraction.frame_names import FrameSet, compact, frame_sets, parse_pattern

USUAL = "img_00001.jpg, frame_0000000001.jpg, 000001.png"


class FrameNamesError(ValueError):
    """A folder that holds no frames, or several sets of them, or a set with gaps; the message says which."""


@dataclass(frozen=True)
class Listing:
    """The sets of frames in a folder, the largest first, and whether it holds anything else."""

    sets: tuple[FrameSet, ...]
    has_others: bool

    def shown(self) -> str:
        """The sets as messages name them."""
        some = ", ".join(f"{one.pattern} ({len(one.numbers)})" for one in self.sets[:4])
        return some + (", ..." if len(self.sets) > 4 else "")


def list_folder(folder: Path) -> Listing:
    """What a folder holds. Raises OSError if it cannot be listed."""
    return _listed(str(folder), os.stat(folder).st_mtime_ns)


def chosen_set(folder: Path, pattern: str | None = None) -> FrameSet:
    """The frames of a folder: those of the pattern, or, without one, the only set there is.

    Raises FrameNamesError if there is none, or more than one, ValueError for what is not a pattern,
    and OSError where the folder cannot be listed.
    """
    listing = list_folder(folder)
    if pattern is not None:
        found = _given(str(folder), os.stat(folder).st_mtime_ns, pattern)
        if found is None:
            held = f"; it holds {listing.shown()}" if listing.sets else ""
            raise FrameNamesError(f"{folder}: holds no frames {pattern}{held}; see dataset.frames")
        return found
    if not listing.sets:
        raise FrameNamesError(f"{folder}: holds no frames ({USUAL}, ...)")
    if len(listing.sets) > 1:
        raise FrameNamesError(
            f"{folder}: holds frames of {len(listing.sets)} patterns, {listing.shown()}; keep one, or choose "
            f"one with dataset.frames={listing.sets[0].pattern}"
        )
    return listing.sets[0]


def whole_set(folder: Path, pattern: str | None = None) -> FrameSet:
    """As `chosen_set`; raises FrameNamesError if frames are missing, naming the first."""
    found = chosen_set(folder, pattern)
    if found.missing:
        raise FrameNamesError(
            f"{folder}: {found.missing} frames are missing, the first is {found.first_missing}; restore them"
        )
    return found


@lru_cache(maxsize=65536)  # listing a hundred thousand names for every clip would cost more than it
def _listed(folder: str, changed: int) -> Listing:
    """What a folder held when it was `changed` [ns], so that a cached listing is never old."""
    sets, others = frame_sets(os.listdir(folder))
    return Listing(tuple(sets), bool(others))


@lru_cache(maxsize=65536)
def _given(folder: str, changed: int, pattern: str) -> FrameSet | None:
    """The frames of a pattern, None if there are none."""
    wanted = parse_pattern(pattern)
    for one in _listed(folder, changed).sets:
        if one.pattern == wanted:
            return one
    numbers = compact(wanted.numbers(os.listdir(folder)))  # img_%d.jpg of img_100.jpg, ...
    return FrameSet(wanted, numbers) if numbers else None
