"""The segments fine-tuning trains on, and those it is validated on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from feature_extraction.video.reader import VideoInfo
from pipeline.configuration.settings import Config
from pipeline.data.annotations import Dataset, training_rows
from pipeline.data.clips.segments import Segments, make_segments, mirrored_classes
from pipeline.data.hold_out import (
    chooses_epoch,
    chosen_by,
    held_out_line,
    hold_out_videos,
    nothing_to_choose_by,
)
from pipeline.data.videos.damage import takes_parts
from pipeline.data.videos.finding import require_videos
from pipeline.data.videos.left_out import LeftOut
from pipeline.data.videos.lengths import look_at_ends
from pipeline.data.videos.probing import PROBE_SECONDS
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.progress import say

ASPECT_STEP = 0.05  # videos whose aspects differ by less share batches, trimmed to the narrowest


def training_segments(
    config: Config,
    dataset: Dataset,
    left_out: LeftOut,
    seconds: Mapping[str, float] | None = None,
) -> tuple[Segments, Segments]:
    """Training and validation segments; videos skipped or not there are counted by `left_out`.

    `seconds`: how long the videos are whose length is known; segments are cut there. With `dataset.hold_out` some of the training videos are validated on, and train nothing. What is
    left out is reported. Raises UserError if more videos are missing than allowed, or nothing trains,
    or there is nothing to choose the epoch by.
    """
    for line, count in dataset.notes.items():
        say(f"annotations: {count} {line}")
    parts = []
    wanted = (config.dataset.train_subset, config.dataset.eval_subset)
    ids = [video for subset in wanted for video in dataset.rows(subset)["video"].unique()]
    ids = left_out.without_skipped(ids)
    paths = require_videos(config.dataset, dataset, ids, left_out)
    for subset in wanted:
        rows, counts = training_rows(dataset, subset, seconds)
        for reason, count in counts.items():
            say(f"annotations, {subset}: {count} segments: {reason}")
        segments = make_segments(rows, dataset.targets(rows), paths, takes_parts(config))
        if config.finetune.flip_swaps_sides and len(dataset.heads) == 1:
            mirrored = mirrored_classes(dataset.heads[0])
            segments = replace(segments, mirrored=mirrored)
        if len(segments) < len(rows):
            gone = len(rows) - len(segments)
            say(f"annotations, {subset}: {gone} segments of missing or skipped videos left out")
        parts.append(segments)
    if not len(parts[0]):
        raise UserError(f"dataset.train_subset {wanted[0]!r}: no segment to train on")
    train, validation = judged_by(config, *parts)
    if config.finetune.crop == "whole":
        train = replace(train, shapes=aspect_shapes(train, config.runtime.workers))
    return train, validation


def judged_by(config: Config, train: Segments, validation: Segments) -> tuple[Segments, Segments]:
    """The segments that train and those that are validated on: of training videos held out, if any are.

    Raises UserError if there is nothing to choose the epoch by.
    """
    settings = config.finetune
    videos = list(dict.fromkeys(train.videos))
    _, held_out = hold_out_videos(videos, config.dataset.hold_out, settings.seed)
    if config.dataset.hold_out:
        say(f"finetune: {held_out_line(train.videos, held_out)}")
    if held_out:
        apart = np.isin(np.array(train.videos), held_out)
        train, validation = train.only(~apart), train.only(apart)
    if chooses_epoch(settings):
        if not len(validation):
            raise nothing_to_choose_by(config.dataset, held_out=bool(held_out))
        count = len(set(validation.videos))
        say(f"finetune: {chosen_by(config.dataset, count, held_out=bool(held_out))}")
    return train, validation


def aspect_shapes(segments: Segments, workers: int) -> np.ndarray:
    """The numbers [n] of `shapes_of`; `workers` processes look at the videos.

    The main process looks for all: were a video to fail on one alone, batches would differ.
    """
    paths = {video: segments.paths[video] for video in dict.fromkeys(segments.videos)}

    def look() -> list[int]:
        infos, _ = look_at_ends(paths, workers, timeout=PROBE_SECONDS)  # reading says what failed
        return [int(shape) for shape in shapes_of(segments.videos, infos)]

    return np.array(distributed.from_main_process(look), int)


def shapes_of(videos: Sequence[str], infos: Mapping[str, VideoInfo]) -> np.ndarray:
    """A number per segment [n], one for all whose videos have nearly one aspect; `videos` [n] are theirs.

    A video of which nothing is known has the commonest: among others' clips its own can be left out.
    """
    number = {
        video: round(math.log(info.width / info.height) / math.log(1 + ASPECT_STEP))
        for video, info in infos.items()
    }
    known = Counter(number[video] for video in videos if video in number)
    commonest = known.most_common(1)[0][0] if known else 0
    return np.array([number.get(video, commonest) for video in videos], int)
