"""Statistics of a user's own videos and table: the figures a configuration is chosen from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from feature_extraction.video.reader import VideoInfo
from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.data.annotations import Dataset, annotation_files, load_annotations, training_rows
from pipeline.data.annotations.table import HELD_OUT
from pipeline.data.beyond import require_within
from pipeline.data.clips.segments import mirrored_classes
from pipeline.data.videos.finding import find_videos
from pipeline.data.videos.lengths import look_at_ends
from pipeline.data.videos.near_misses import near_misses
from pipeline.data.videos.probing import PROBE_SECONDS
from pipeline.errors import UserError
from pipeline.progress import say
from pipeline.tools.doctor.videos import measured_of

SIDES = re.compile(r"(?<![a-z])(left|right|(counter|anti)?[ -]?clockwise)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Footage:
    """Counts, and the middle of rates and sizes; all lengths are seconds.

    `shortest`, `quarter` and `longest` are the 5th, 25th and 98th percentile of the annotated segments'
    lengths, cut at their video's end, of videos that can be read; `seconds` is all footage together,
    `short_side` (pixels) that of the middle video; `rarest` and `commonest` count a class's training segments;
    `sided` are labels a mirror image would make wrong, `paired` says that each of these has its mirror image
    among the labels. `longest_video` in seconds, 0 where it is not known; `verbs_and_nouns` says that a segment has
    two labels.
    """

    videos: int
    segments: int
    training_segments: int
    classes: int
    rarest: int
    commonest: int
    fps: float
    short_side: int
    seconds: float
    shortest: float
    quarter: float
    longest: float
    sided: tuple[str, ...]
    paired: bool
    longest_video: float = 0.0
    verbs_and_nouns: bool = False


def look_at(settings: DatasetSettings, workers: int) -> Footage:
    """Read the annotations and the first frame of every video.

    Raises UserError if there is no video, or no segment, to choose settings by. What cannot be read is reported, and
    what lies beyond a video's end.
    """
    dataset = load_annotations(settings)
    for line, count in dataset.notes.items():
        say(f"annotations: {count} {line}")
    subsets = (settings.train_subset, settings.eval_subset)
    _check_split(settings, dataset)
    ids = [video for subset in subsets for video in dataset.video_ids(subset)]
    infos = _readable(settings, dataset, ids, workers)
    for line in require_within(settings, dataset, subsets, measured_of(infos)):
        say(line)
    rows = dataset.annotations[dataset.annotations["subset"].isin(subsets)]
    rows = _inside(rows[rows["video"].isin(list(infos))], infos)
    lengths = (rows["end"] - rows["start"]).to_numpy()
    train, _ = training_rows(replace(dataset, annotations=rows), subsets[0])
    for subset in subsets:
        of_it = (rows["subset"] == subset).to_numpy()
        if not (lengths[of_it] > 0).any() or not len(train):
            raise UserError(
                f"{_files(settings)}: no segment of subset {subset!r} lasts longer than 0 s in a video that "
                "can be read; training and validation need at least one each"
            )
    return _figures(dataset, infos, rows, train)


def _figures(
    dataset: Dataset,
    infos: Mapping[str, VideoInfo],
    rows: pd.DataFrame,
    train: pd.DataFrame,
) -> Footage:
    """The figures of videos that can be read, their segments, and those of them that train."""
    lengths = (rows["end"] - rows["start"]).to_numpy()
    lengths = lengths[lengths > 0]
    last = rows.groupby("video")["end"].max()
    seconds = [info.duration or float(last.get(v, 0.0)) for v, info in infos.items()]
    counts = np.unique(dataset.targets(train), axis=0, return_counts=True)[1]
    names = sorted({name for head in dataset.heads for name in head})
    sided = tuple(name for name in names if SIDES.search(name))
    mirror = mirrored_classes(names)
    pairs = all(mirror[names.index(name)] != names.index(name) for name in sided)
    return Footage(
        videos=len(infos),
        segments=len(rows),
        training_segments=len(train),
        classes=len(counts),
        rarest=int(counts.min()),
        commonest=int(counts.max()),
        fps=float(np.median([info.fps for info in infos.values() if info.fps > 0] or [30.0])),
        short_side=int(np.median([min(info.width, info.height) for info in infos.values()])),
        seconds=float(sum(seconds)),
        shortest=float(np.quantile(lengths, 0.05)),
        quarter=float(np.quantile(lengths, 0.25)),
        longest=float(np.quantile(lengths, 0.98)),
        sided=sided,
        paired=len(dataset.heads) == 1 and pairs,
        longest_video=float(max(seconds)),
        verbs_and_nouns=len(dataset.heads) == 2,
    )


def _readable(
    settings: DatasetSettings, dataset: Dataset, ids: list[str], workers: int
) -> dict[str, VideoInfo]:
    """What each video that can be read says of itself; the others are reported."""
    paths, missing = find_videos(settings, dataset, ids)
    if missing:
        near = near_misses(settings.videos, missing, settings.frames)
        say(
            f"{len(missing)} of {len(ids)} annotated videos are not in {settings.videos}: {_some(missing)}"
            + f"; {near}" * bool(near)
        )
    infos, failures = look_at_ends(paths, workers, timeout=PROBE_SECONDS)
    for video, reason in failures.items():
        say(f"video {video} cannot be read: {reason}")
    if not infos:
        raise UserError(
            f"{settings.videos}: none of the {len(ids)} annotated videos can be read there"
        )
    return infos


def _check_split(settings: DatasetSettings, dataset: Dataset) -> None:
    """Refuse annotations that leave no video to train on, and say what to do."""
    if dataset.video_ids(settings.train_subset):
        return
    known = dataset.videos["subset"].unique()
    if len(dataset.videos) == 1:
        why = " (the table has no subset column)" if HELD_OUT in dataset.notes else ""
        raise UserError(
            f"{_files(settings)}: its only video is for validation{why}, and none is left to train on; cut "
            "it into two files, or annotate another"
        )
    raise UserError(
        f"{_files(settings)}: no video of subset {settings.train_subset!r} to train on; it has "
        f"{', '.join(sorted(known))}; set them with --train-subset NAME --eval-subset NAME"
    )


def _inside(rows: pd.DataFrame, infos: Mapping[str, VideoInfo]) -> pd.DataFrame:
    """Segments cut at their video's end, without those that begin after it."""
    ends = {video: info.duration or math.inf for video, info in infos.items()}
    limit = rows["video"].map(ends).astype(float)
    beyond = rows["start"] >= limit
    return rows.assign(end=np.minimum(rows["end"], limit))[~beyond]


def _files(settings: DatasetSettings) -> str:
    return " and ".join(map(str, annotation_files(settings).values()))


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
