"""The videos that several results can be compared on: those evaluated in all of them, with the same segments."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pipeline.errors import UserError
from pipeline.results.scoring import task_columns
from pipeline.tools.compare.results import Result


def on_common_videos(results: Sequence[Result]) -> tuple[list[Result], list[str]]:
    """The results on the videos that all have with the same ground truth, and what to report about the others.

    Raises UserError if there is no such video, or they are of other tasks.
    """
    first = results[0]
    for other in results[1:]:
        if list(task_columns(other.dataset)) != list(task_columns(first.dataset)):
            raise UserError(f"{other.path}: has other classes (verbs and nouns) than {first.path}")
    shared = set(first.videos).intersection(*(result.videos for result in results[1:]))
    rows = [_segments(result) for result in results]
    same = {
        video
        for video in shared
        if all(of.get(video, ()) == rows[0].get(video, ()) for of in rows[1:])
    }
    common = [video for video in first.videos if video in same]
    if not any(video in rows[0] for video in common):
        names = ", ".join(str(result.path) for result in results)
        raise UserError(f"{names}: no video is evaluated with the same segments in all of them")
    notes = []
    everything = set().union(*(result.videos for result in results))
    if len(shared) < len(everything):
        notes.append(f"{len(everything) - len(shared)} videos are not evaluated in all; left out")
    if len(same) < len(shared):
        notes.append(f"{len(shared) - len(same)} videos are annotated differently; left out")
    return [result.of_videos(common) for result in results], notes


def _segments(result: Result) -> dict[str, tuple[tuple[object, ...], ...]]:
    """The segments of each video, in an order of their own."""
    rows = pd.concat([result.truth, result.ignored], ignore_index=True)
    rows = rows.sort_values(["video", "start", "end", "label"])[["video", "start", "end", "label"]]
    found: dict[str, list[tuple[object, ...]]] = {}
    for video, *segment in rows.itertuples(index=False, name=None):
        found.setdefault(video, []).append(tuple(segment))
    return {video: tuple(segments) for video, segments in found.items()}
