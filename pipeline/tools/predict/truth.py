"""The ground truth of videos that are predicted, where there is some: of the run, or of annotations that are given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from pipeline.data.annotations import Dataset, read_annotations
from pipeline.data.videos.identity import read_sightings
from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.runs.run import run_of

Truth: TypeAlias = pd.DataFrame  # start, end (seconds), label
_COLUMNS = ["start", "end", "label"]


def truth_of(
    model: Path, annotations: Path | None, identities: Mapping[str, str]
) -> dict[str, Truth]:
    """The segments of each video that has any; `identities` say which video each name is.

    Of a run those of its annotations, where the video is the one it knows by that name, by content. Raises UserError for
    annotations that are given and cannot be read, or are of none of the videos.
    """
    if annotations is not None:
        found = _segments(read_annotations([annotations]), list(identities))
        if not found and identities:
            raise UserError(
                f"{annotations}: has no segments for any of the videos ({next(iter(identities))}, ...); "
                "its names must be those of the video files"
            )
        return found
    if not model.is_dir():
        return {}
    seen = read_sightings(model)
    same = [v for v, digest in identities.items() if v in seen and seen[v].digest == digest]
    if not same:
        return {}
    try:
        return _segments(run_of(model).dataset, same)
    except UserError as error:  # not asked for
        say(f"predict: no ground truth is shown: {error.message}")
        return {}


def _segments(dataset: Dataset, videos: list[str]) -> dict[str, Truth]:
    rows = dataset.annotations
    rows = rows[rows["video"].isin(videos) & ~rows["label"].isin(dataset.ignored)]
    return {
        str(video): group[_COLUMNS].reset_index(drop=True)
        for video, group in rows.groupby("video", sort=False)
    }
