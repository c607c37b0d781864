"""Which training videos train, and which are held out to choose the epoch that is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import pandas as pd

from pipeline.configuration.sections.dataset import DatasetSettings
from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.configuration.settings import Config
from pipeline.data.annotations import Dataset, training_rows
from pipeline.data.names import skipped_ids
from pipeline.errors import UsageError, UserError


def hold_out_videos(videos: Sequence[str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """The videos that train and those held out, each in the order given.

    A video is held out where a number in [0, 1) made of `seed` and its id alone is below `share`:
    so the order of the videos does not matter, and one that is added or removed moves no other.
    Hence `share` of them are held out on average, not exactly. Two things come before that: with a
    share above 0 at least one of two or more videos is held out (the lowest number), and at least
    one always trains (the highest).
    """
    numbers = {video: _number(video, seed) for video in dict.fromkeys(videos)}
    chosen = {video for video, number in numbers.items() if number < share}
    if share > 0 and len(numbers) > 1 and not chosen:
        chosen = {min(numbers, key=numbers.__getitem__)}
    if len(chosen) == len(numbers):
        chosen -= {max(numbers, key=numbers.__getitem__, default="")}
    return (
        [video for video in videos if video not in chosen],
        [video for video in videos if video in chosen],
    )


def training_parts(config: Config, dataset: Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The segments that train, both networks alike, and those of training videos held out.

    Videos skipped are in neither. Raises UsageError if `runtime.skip` cannot be read.
    """
    rows, _ = training_rows(dataset, config.dataset.train_subset)
    rows = rows[~rows["video"].isin(skipped_ids(config.runtime.skip))]
    videos = list(rows["video"].unique())
    training, held_out = hold_out_videos(videos, config.dataset.hold_out, config.finetune.seed)
    return rows[rows["video"].isin(training)], rows[rows["video"].isin(held_out)]


def chooses_epoch(settings: OptimisationSettings) -> bool:
    """Whether a training's validation decides which weights it keeps, or when it ends."""
    return settings.keep == "best" or settings.patience is not None


def require_use(config: Config) -> None:
    """Refuse to hold videos out where no training chooses by them. Raises UsageError."""
    trainings: dict[str, OptimisationSettings] = {"finetune": config.finetune}
    head = config.detector.name
    if head not in config.lacking and isinstance(of := config.section(head), OptimisationSettings):
        trainings[head] = of
    if not config.dataset.hold_out or any(map(chooses_epoch, trainings.values())):
        return
    keys = " or ".join(f"{name}.keep=best or {name}.patience" for name in trainings)
    raise UsageError(
        f"dataset.hold_out={config.dataset.hold_out:g} keeps videos from training, and nothing is chosen "
        f"by them; set {keys}, or dataset.hold_out=0"
    )


def held_out_line(videos: Sequence[str], held_out: Collection[str]) -> str:
    """How much is held out; `videos` are those of all segments, one per segment."""
    apart = set(held_out)
    segments = sum(video in apart for video in videos)
    return (
        f"{len(apart)} of {len(set(videos))} training videos are held out (dataset.hold_out), "
        f"with {segments} of {len(videos)} segments"
    )


def chosen_by(dataset: DatasetSettings, videos: int, *, held_out: bool) -> str:
    """What chooses the epoch to keep: videos held out, or those the reported number comes from, said as such.

    `held_out`: whether any video was; of a single training video none is, whatever the setting.
    """
    if held_out:
        return f"the epoch is chosen by {videos} training videos held out (dataset.hold_out)"
    line = (
        f"the epoch is chosen by the {videos} videos of {dataset.eval_subset}, which flatters the "
        "figures measured on them; "
    )
    if dataset.hold_out:
        return line + "dataset.hold_out needs two training videos or more"
    return line + "dataset.hold_out=0.2 chooses by a part of the training videos"


def nothing_to_choose_by(dataset: DatasetSettings, *, held_out: bool) -> UserError:
    """The refusal of a training that is to choose an epoch and has nothing to choose it by."""
    if held_out:
        return UserError(
            "dataset.hold_out: the videos held out have no segment to choose the epoch by; raise "
            "dataset.hold_out, or keep: last without patience"
        )
    return UserError(
        f"dataset.eval_subset {dataset.eval_subset!r} has no segment to choose the epoch by; "
        "set dataset.hold_out, or keep: last without patience"
    )


def _number(video: str, seed: int) -> float:
    digest = hashlib.sha256(f"{seed}\0{video}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
