"""What one's own videos and table are like: the figures a configuration is chosen from."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from pipeline import annotations
from pipeline.config import Dataset as DatasetSettings
from pipeline.errors import UserError
from pipeline.probing import probe_all
from pipeline.progress import say
from pipeline.segments import mirrored_classes
from pipeline.videos import find_videos

SIDES = re.compile(r"(?<![a-z])(left|right|(counter|anti)?[ -]?clockwise)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Footage:
    """Counts, and the middle of rates and sizes; all lengths are seconds.

    `shortest`, `quarter` and `longest` are the 5th, 25th and 98th percentile of the annotated segments'
    lengths; `seconds` is all footage together, `short_side`
    (pixels) that of the middle video; `rarest` and `commonest` count a class's training segments;
    `sided` are labels a mirror image would make wrong, `paired` says that each of these has its mirror image
    among the labels.
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


def look_at(settings: DatasetSettings, workers: int) -> Footage:
    """Read the annotations and the first frame of every video.

    Raises UserError where there is no video, or no segment, to go by. What cannot be read is said.
    """
    dataset = annotations.load(settings)
    for line, count in dataset.notes.items():
        say(f"annotations: {count} {line}")
    subsets = (settings.train_subset, settings.eval_subset)
    ids = [video for subset in subsets for video in dataset.video_ids(subset)]
    paths, missing = find_videos(settings, dataset, ids)
    if missing:
        say(
            f"{len(missing)} of {len(ids)} annotated videos are not in {settings.videos}: {_some(missing)}"
        )
    infos, failures = probe_all(paths, "auto", deep=False, workers=workers)
    for video, reason in failures.items():
        say(f"video {video} cannot be read: {reason}")
    if not infos:
        raise UserError(
            f"{settings.videos}: none of the {len(ids)} annotated videos can be read there"
        )
    train, _ = annotations.training_rows(dataset, subsets[0])
    rows = dataset.annotations[dataset.annotations["subset"].isin(subsets)]
    lengths = (rows["end"] - rows["start"]).to_numpy()
    lengths = lengths[lengths > 0]
    if not len(train) or not len(lengths):
        raise UserError(f"{settings.annotations}: no segment of subset {subsets[0]!r} to go by")
    last = dataset.annotations.groupby("video")["end"].max()
    seconds = sum(info.duration or float(last.get(v, 0.0)) for v, info in infos.items())
    counts = np.unique(dataset.targets(train), axis=0, return_counts=True)[1]
    names = sorted({name for head in dataset.heads for name in head})
    sided = tuple(name for name in names if SIDES.search(name))
    mirror = mirrored_classes(names)
    return Footage(
        videos=len(infos),
        segments=len(rows),
        training_segments=len(train),
        classes=len(counts),
        rarest=int(counts.min()),
        commonest=int(counts.max()),
        fps=float(np.median([info.fps for info in infos.values() if info.fps > 0] or [30.0])),
        short_side=int(np.median([min(info.width, info.height) for info in infos.values()])),
        seconds=float(seconds),
        shortest=float(np.quantile(lengths, 0.05)),
        quarter=float(np.quantile(lengths, 0.25)),
        longest=float(np.quantile(lengths, 0.98)),
        sided=sided,
        paired=len(dataset.heads) == 1
        and all(mirror[names.index(name)] != names.index(name) for name in sided),
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
