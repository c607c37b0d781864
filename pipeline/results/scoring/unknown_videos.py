"""Rows of videos that are not evaluated: refused, counted as false positives, or left out; always reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from evaluation.errors import SubmissionError
from evaluation.video_ids import near_miss, require_once, resolve_ids
from pipeline.data.annotations import Dataset
from pipeline.errors import UserError
from pipeline.progress import say

UnknownVideos = Literal["refuse", "count", "leave-out"]
SHOWN = 3  # ids named in a message


@dataclass(frozen=True)
class Settled:
    """A table with its videos as the annotations write them, and what was decided of the others."""

    table: pd.DataFrame
    unknown_videos: int
    unknown_rows: int

    def as_json(self, how: UnknownVideos) -> dict[str, Any]:
        """What a report keeps of it; nothing where every row is of an evaluated video."""
        if not self.unknown_rows:
            return {}
        counts = {"videos": self.unknown_videos, "rows": self.unknown_rows}
        return {"unknown_videos": {"decision": how, **counts}}


def settle_videos(
    table: pd.DataFrame, dataset: Dataset, subset: str, path: Path, how: UnknownVideos
) -> Settled:
    """Write the ids of a table as the annotations do, and deal with those that are not evaluated.

    Videos that the data set excludes are left out whatever `how` says, as the official evaluators leave
    out what is blocked. Raises UserError if `how` is `refuse` and a row is of an unknown video, or where
    no row is left.
    """
    codes, names = pd.factorize(table["video"])
    names = [str(name) for name in names]
    found = resolve_ids(names, dataset.video_ids(subset))
    excluded = np.array([name is not None for name in resolve_ids(names, dataset.excluded)], bool)
    known = np.array([name is not None for name in found], bool)
    unknown = ~known & ~excluded
    try:
        require_once([name for name in found if name is not None], str(path))
    except SubmissionError as error:
        raise UserError(str(error)) from error
    rows = np.bincount(codes, minlength=len(names))
    if (excluded & ~known).any():
        gone = int(rows[excluded & ~known].sum())
        say(f"{path}: {gone} rows of videos in dataset.exclude_videos left out")
    strangers = [name for name, is_one in zip(names, unknown, strict=True) if is_one]
    count = int(rows[unknown].sum())
    if strangers:
        _decide(strangers, count, dataset, subset, path, how)
    kept = known | (unknown if how == "count" else False)
    chosen = kept[codes] if len(codes) else np.zeros(0, bool)
    if len(table) and not chosen.any():
        raise UserError(
            f"{path}: none of its videos is evaluated; give the annotations it was made for"
        )
    ids = [name or own for name, own in zip(found, names, strict=True)]
    if ids != names:
        video = pd.Series(np.array(ids, object)[codes], dtype=str, index=table.index)
        table = table.assign(video=video)
    if not chosen.all():  # a copy of a large table otherwise
        table = table[chosen]
    return Settled(table.reset_index(drop=True), len(strangers), count)


def _decide(
    names: Sequence[str], rows: int, dataset: Dataset, subset: str, path: Path, how: UnknownVideos
) -> None:
    evaluated = _number(len(dataset.video_ids(subset)), "video")
    what = (
        f"{path}: {_number(rows, 'row')} of {_number(len(names), 'video')} outside the {evaluated} of subset "
        f"{subset!r}: {_reasons(names, dataset, subset)}"
    )
    if how == "refuse":
        other = _only_subset(names, dataset)
        instead = f"; dataset.eval_subset={other} evaluates that one" if other else ""
        raise UserError(
            f"{what}{instead}; --unknown-videos count counts them as false positives, as the official evaluators do, "
            "--unknown-videos leave-out ignores them"
        )
    done = "counted as false positives" if how == "count" else "left out"
    say(f"{what}; {done}")


def _only_subset(names: Sequence[str], dataset: Dataset) -> str | None:
    """The subset of all of these videos, if they have the same one."""
    subsets = dict(zip(dataset.videos["video"], dataset.videos["subset"], strict=True))
    found = {subsets.get(other or "") for other in resolve_ids(names, list(subsets))}
    return found.pop() if len(found) == 1 else None


def _reasons(names: Sequence[str], dataset: Dataset, subset: str) -> str:
    """Where unknown videos are, one part per reason: in another subset, in none, or spelled almost like an evaluated one."""
    elsewhere = dataset.videos[dataset.videos["subset"] != subset]
    subsets = dict(zip(elsewhere["video"], elsewhere["subset"], strict=True))
    parts: dict[str, list[str]] = {}
    for name, other in zip(names, resolve_ids(names, list(subsets)), strict=True):
        where = f"of subset {subsets[other]!r}" if other is not None else "not annotated"
        parts.setdefault(where, []).append(name)
    evaluated = dataset.video_ids(subset)
    said = []
    for where, members in parts.items():
        shown = []
        for name in members[:SHOWN]:
            near = near_miss(name, evaluated) if where == "not annotated" else None
            shown.append(f"{name!r} ({near}?)" if near else repr(name))
        more = ", ..." if len(members) > SHOWN else ""
        said.append(f"{len(members)} {where} ({', '.join(shown)}{more})")
    return ", ".join(said)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
