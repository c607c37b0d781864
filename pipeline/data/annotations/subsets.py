"""Which part of the annotation files is the data set: without some videos, without some labels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import pandas as pd

from pipeline.data.annotations.columns.spelling import other_spelling
from pipeline.data.annotations.dataset import Dataset
from pipeline.data.names import one_form
from pipeline.errors import UserError


def without(dataset: Dataset, videos: Collection[str], labels: Collection[str]) -> Dataset:
    """The data set, its ids in their one form, without some videos, and with labels that are not a class of it.

    Segments of ignored labels stay in `annotations`; `rows` does not give them, and `heads` does not name
    them. Names that are not in the files are counted in `notes`: another file of the data set has them.
    Raises UserError for an ignored label that the files spell differently.
    """
    for label in labels:
        other = other_spelling(label, dataset.annotations["label"].unique().tolist())
        if other is not None:
            raise UserError(
                f"eval.ignore_labels: {label!r} is {other!r} in the annotations; use that spelling"
            )
    videos = {one_form(video) for video in videos}
    there = dataset.videos["video"]
    gone = there.isin(videos)
    excluded = tuple(there[gone])
    notes = dataset.notes.copy()
    notes["videos that dataset.exclude_videos leaves out"] += len(excluded)
    notes["names in dataset.exclude_videos that are not annotated"] += len(videos - set(there))
    kept = dataset.annotations[~dataset.annotations["video"].isin(excluded)]
    ignored = kept["label"].isin(labels) if len(labels) else pd.Series(False, index=kept.index)
    notes["segments of eval.ignore_labels, neither trained on nor evaluated"] += int(ignored.sum())
    heads = dataset.heads
    if len(heads) == 1 and labels:
        heads = (tuple(name for name in heads[0] if name not in labels),)
    return replace(
        dataset,
        annotations=kept.reset_index(drop=True),
        videos=dataset.videos[~gone].reset_index(drop=True),
        heads=heads,
        notes=+notes,
        ignored=tuple(labels),
        excluded=excluded,
    )


def with_subsets(dataset: Dataset, wanted: Sequence[str]) -> Dataset:
    """The data set with the subsets named as the configuration names them, where case alone differs.

    THUMOS14 is around with `test` and with `Test`.
    """
    known = set(dataset.videos["subset"])
    names = {
        name: as_wanted
        for as_wanted in wanted
        if as_wanted not in known
        for name in known
        if name.casefold() == as_wanted.casefold()
    }
    if not names:
        return dataset
    return replace(
        dataset,
        annotations=dataset.annotations.assign(subset=dataset.annotations["subset"].replace(names)),
        videos=dataset.videos.assign(subset=dataset.videos["subset"].replace(names)),
    )
