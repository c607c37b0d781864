"""Which shard of the videos a process makes: as `--shard` says, or the scheduler that started it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.errors import UsageError

NONE = "none"
_SLURM = "SLURM_ARRAY_TASK_"


@dataclass(frozen=True)
class Shard:
    """Shard `index`, from 0, of `count`; without a known count (0) it only says where in the videos to begin.

    `source`: where this comes from.
    """

    index: int
    count: int
    source: str = "--shard"

    def __str__(self) -> str:
        return f"{self.index}/{self.count}" if self.count else ""

    @property
    def said(self) -> str:
        """A line for the user."""
        if self.count:
            return f"shard {self} ({self.source}; --shard none works on all videos)"
        return (
            f"begins at place {self.index} ({self.source} gives no count), and works on all videos"
        )


def shard_of(text: str | None, environ: Mapping[str, str]) -> Shard | None:
    """The shard that `--shard` names or, without it, a job array's environment; None: all videos that are free.

    Raises UsageError for another text, and for an environment that contradicts itself.
    """
    if text is not None:
        return _named(text)
    for found in (_of_slurm, _of_kubernetes, _of_skypilot):
        shard = found(environ)
        if shard is not None:
            return shard if shard.count != 1 else None
    return None


def _named(text: str) -> Shard | None:
    if text == NONE:
        return None
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None:
        raise UsageError(f"--shard {text!r}: write I/N, such as 0/8, or none")
    return _checked(int(match[1]), int(match[2]), "--shard")


def _checked(index: int, count: int, source: str) -> Shard:
    if not 0 <= index < count:
        raise UsageError(
            f"{source}: {index}/{count} is not a shard: I of I/N counts from 0 and is below N; "
            "give --shard I/N, or --shard none"
        )
    return Shard(index, count, source)


def _of_slurm(environ: Mapping[str, str]) -> Shard | None:
    """An array's tasks may have any numbers; if these are evenly spaced the place is known, else only the number."""
    source = f"{_SLURM}ID"
    number = _whole(environ, source)
    if number is None:
        return None
    names = ("MIN", "MAX", "STEP", "COUNT")
    low, high, step, count = (_whole(environ, _SLURM + name) for name in names)
    step = step or 1
    if low is None or high is None:
        # Consecutive numbers, whatever the first is, all have different remainders.
        return Shard(number % count, count, source) if count else Shard(number, 0, source)
    whole_row = (high - low) // step + 1
    if count is not None and count != whole_row:  # a list with gaps, as 1,5,7
        return Shard(number, 0, source)
    return _checked((number - low) // step, whole_row, source)


def _of_kubernetes(environ: Mapping[str, str]) -> Shard | None:
    """An indexed job says the index alone; JOB_COMPLETIONS is for its file to set."""
    return _of_two(environ, "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS")


def _of_skypilot(environ: Mapping[str, str]) -> Shard | None:
    return _of_two(environ, "SKYPILOT_NODE_RANK", "SKYPILOT_NUM_NODES")


def _of_two(environ: Mapping[str, str], index: str, count: str) -> Shard | None:
    number, all_of_them = _whole(environ, index), _whole(environ, count)
    if number is None:
        return None
    return Shard(number, 0, index) if all_of_them is None else _checked(number, all_of_them, index)


def _whole(environ: Mapping[str, str], name: str) -> int | None:
    """A whole number of the environment; None if it is not set. Raises UsageError for another value."""
    text = environ.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UsageError(f"{name}={text!r}: is not a whole number; unset it, or give --shard I/N")
    return int(text)
