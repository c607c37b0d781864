"""How long a training is: steps count where sets are small, epochs where they are large."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.configuration.sections.training import BMNSettings, FinetuneSettings
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.training import epoch_clips
from pipeline.data.order import epoch_order, full_batches
from pipeline.progress import say
from pipeline.ranks import ranks

FEW_STEPS = 300  # below this a network learns almost nothing
LEAST_BATCH = 8  # batch norm sees too little in smaller ones

Settings = TypeVar("Settings", bound=OptimisationSettings)
Settings_co = TypeVar("Settings_co", bound=OptimisationSettings, covariant=True)


@dataclass(frozen=True)
class Length(Generic[Settings_co]):
    """A training as it runs: its settings made long enough, and the sizes of an epoch's batches.

    `samples` are counted in `unit`s: clips, windows or videos.
    """

    section: str
    settings: Settings_co
    samples: int
    unit: str
    batches: tuple[int, ...]

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return len(self.batches)


def finetune_length(settings: FinetuneSettings, segments: Segments) -> Length[FinetuneSettings]:
    """How long fine-tuning on these segments is."""

    def batches(settings: FinetuneSettings) -> list[list[int]]:
        return epoch_clips(segments, settings, 0)

    count = len(segments) * settings.clips_per_segment
    longer = long_enough(settings, count, lambda s: len(batches(s)), least_batch=LEAST_BATCH)
    return Length("finetune", longer, count, "clips", tuple(map(len, batches(longer))))


def bmn_length(settings: BMNSettings, windows: int) -> Length[BMNSettings]:
    """How long a training of BMN on this many windows is."""

    def batches(settings: BMNSettings) -> list[list[int]]:
        return epoch_order(windows, settings.batch_size, settings.seed, 0)

    longer = long_enough(settings, windows, lambda s: len(batches(s)))
    return Length("bmn", longer, windows, "windows", tuple(map(len, batches(longer))))


def actionformer_length(
    settings: ActionFormerSettings, videos: int
) -> Length[ActionFormerSettings]:
    """How long a training of ActionFormer on this many videos is."""

    def batches(settings: ActionFormerSettings) -> list[list[int]]:
        return full_batches(videos, settings.batch_size, settings.seed, 0)

    longer = long_enough(settings, videos, lambda s: len(batches(s)))
    return Length("actionformer", longer, videos, "videos", tuple(map(len, batches(longer))))


def long_enough(
    settings: Settings, samples: int, steps_of: Callable[[Settings], int], *, least_batch: int = 1
) -> Settings:
    """Settings with the batch and the epochs a set of this many samples needs for `min_steps` steps.

    The batch is at most a quarter of the samples (at least `least_batch`, and one for each process of
    the run); `steps_of` gives the steps of an epoch. The warm-up stays the same part of the training.
    Without `min_steps` nothing changes.
    """
    if not settings.min_steps:
        return settings
    size = min(settings.batch_size, max(least_batch, ranks().size, samples // 4))
    settings = settings.model_copy(update={"batch_size": size})
    epochs = max(settings.epochs, math.ceil(settings.min_steps / max(1, steps_of(settings))))
    warmup = settings.warmup_epochs * epochs / settings.epochs
    return settings.model_copy(update={"epochs": epochs, "warmup_epochs": warmup})


def length_line(settings: OptimisationSettings, samples: int, unit: str, steps: int) -> str:
    """What a training consists of: samples, batch, epochs and steps in all."""
    return (
        f"{samples} {unit} in batches of {settings.batch_size}: {settings.epochs} epochs of {steps} "
        f"steps, {settings.epochs * steps} in all"
    )


def length_warning(section: str, settings: OptimisationSettings, steps: int) -> str | None:
    """What to say of a training that is too short to learn; None of another."""
    total = settings.epochs * steps
    if total >= FEW_STEPS:
        return None
    return (
        f"{total} steps are too few to train a network; set {section}.min_steps={FEW_STEPS} or more, which "
        f"raises the epochs"
    )


def say_length(length: Length[OptimisationSettings]) -> None:
    """Say how long a training will be, and whether that is too short."""
    section, settings, steps = length.section, length.settings, length.steps
    say(f"{section}: {length_line(settings, length.samples, length.unit, steps)}")
    if (warning := length_warning(section, settings, steps)) is not None:
        say(f"{section}: warning: {warning}")
