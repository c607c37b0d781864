"""Annotated segments against the real lengths of their videos: what comes after an end, and why it may."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.data.annotations import Dataset, annotation_files
from pipeline.data.units import guess_unit, suspected_unit
from pipeline.data.videos.lengths import Measured
from pipeline.errors import UserError

SHOWN = 3
DIFFERS = 0.05  # of a video's length: from here on an annotated duration contradicts it
DIFFERS_SECONDS = 0.5


@dataclass(frozen=True)
class Beyond:
    """The segments of a subset that end after their video's end.

    `count` segments have a video whose length is known; `late` are those of them that end after it, with
    column `length` (seconds), of which `begin` begin there; `unit`: what their times may be instead of seconds;
    `odd`: what else is strange about the times.
    """

    subset: str
    count: int
    late: pd.DataFrame
    begin: int
    unit: str | None = None
    odd: str | None = None

    @property
    def share(self) -> float:
        """The share of the segments that end after their video's end."""
        return len(self.late) / self.count if self.count else 0.0

    @property
    def text(self) -> str:
        """How many there are, and the first few."""
        return (
            f"{len(self.late)} of {self.count} {self.subset} segments end after their video's end, "
            f"{self.begin} of them begin there ({some(self.examples())})"
        )

    def examples(self) -> tuple[str, ...]:
        """Each of them: video, length, segment."""
        return tuple(
            f"{row.video} of {row.length:.2f} s: {row.start:.10g} to {row.end:.10g}"
            for row in self.late.itertuples(index=False)
        )


def beyond_end(
    dataset: Dataset,
    subset: str,
    measured: Mapping[str, Measured],
    skipped: Collection[str] = (),
) -> Beyond:
    """Look at every segment of a subset whose video's length is known: as its file says, else as annotated.

    Segments that are whole files are never beyond; those of videos `skipped` do not count.
    """
    rows, known = dataset.rows(subset), lengths_of(dataset, measured)
    counts = rows["video"].isin(list(known.keys() - set(skipped)))
    rows = rows[counts & np.isfinite(rows["end"])]
    told = [known[video] for video in rows["video"]]
    rows = rows.assign(length=np.array([one.seconds for one in told], float))
    slack = np.array([one.slack for one in told], float)
    begins = rows["start"] > rows["length"] + slack
    begins |= (rows["start"] >= rows["length"]) & (rows["end"] > rows["start"])
    late = begins | (rows["end"] > rows["length"] + slack)
    starts, ends, lengths = (rows[name].to_numpy(float) for name in ("start", "end", "length"))
    rates = np.array([one.fps for one in told], float)
    return Beyond(
        subset,
        len(rows),
        rows[late],
        int(begins.sum()),
        guess_unit(starts, ends, lengths, rates) if late.any() else None,
        suspected_unit(ends, lengths) if not late.any() else None,
    )


def lengths_of(dataset: Dataset, measured: Mapping[str, Measured]) -> dict[str, Measured]:
    """The length of each video: as its file says, else as it is annotated."""
    told = zip(dataset.videos["video"], dataset.videos["duration"], strict=True)
    return {video: Measured(float(seconds)) for video, seconds in told if seconds > 0} | {
        video: one for video, one in measured.items() if one.seconds > 0
    }


def contradictions(
    dataset: Dataset, subsets: Sequence[str], measured: Mapping[str, Measured]
) -> tuple[tuple[str, ...], int]:
    """The videos whose annotated duration is not that of their file, as words, and how many were compared."""
    differing, compared = [], 0
    for row in dataset.videos[dataset.videos["subset"].isin(subsets)].itertuples(index=False):
        if row.video in measured and row.duration > 0:
            compared += 1
            real = measured[row.video].seconds
            allowed = max(DIFFERS_SECONDS, DIFFERS * real, measured[row.video].slack)
            if abs(real - row.duration) > allowed:
                differing.append(f"{row.video} of {real:.2f} s, annotated {row.duration:.2f} s")
    return tuple(differing), compared


def require_within(
    settings: DatasetSettings,
    dataset: Dataset,
    subsets: Sequence[str],
    measured: Mapping[str, Measured],
    skipped: Collection[str] = (),
) -> list[str]:
    """Messages about segments beyond their videos' ends, and of durations that are not the files'.

    Raises UserError if of a subset more than `dataset.allow_beyond` run behind them.
    """
    lines, (differing, compared) = [], contradictions(dataset, subsets, measured)
    if differing:
        lines.append(
            f"annotations: {len(differing)} of {compared} annotated durations are not the files' "
            f"({some(differing)}); training segments are cut at the earlier of the two"
        )
    for subset in subsets:
        found = beyond_end(dataset, subset, measured, skipped)
        if found.share > settings.allow_beyond:
            raise UserError(f"{_files(settings)}: {found.text}; {how_to_fix(found)}")
        if len(found.late):
            lines.append(f"annotations: {found.text}; {_what_becomes(settings, subset)}")
        if found.odd:
            lines.append(
                f"annotations: warning: all {found.count} {subset} segments are {found.odd}"
            )
    return lines


def some(texts: Sequence[str]) -> str:
    """The first few."""
    return "; ".join(texts[:SHOWN]) + "; ..." * (len(texts) > SHOWN)


def how_to_fix(found: Beyond) -> str:
    """What to do about segments that are too many."""
    if found.unit:
        return f"these look like {found.unit}: write times in seconds"
    return (
        "correct the times or the videos, or raise dataset.allow_beyond, the share that is allowed"
    )


def _what_becomes(settings: DatasetSettings, subset: str) -> str:
    if subset == settings.train_subset:
        return "they are cut there, or left out of training"
    return "no detection can reach them"


def _files(settings: DatasetSettings) -> str:
    files: list[Path] = [
        path for role, path in annotation_files(settings).items() if "annotations" in role
    ]
    return " and ".join(map(str, files))
