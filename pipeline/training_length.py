"""How long a training is: steps count where sets are small, epochs where they are large."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from pipeline.progress import say
from pipeline.training_settings import Optimisation

FEW_STEPS = 300  # below this a network learns next to nothing

Settings = TypeVar("Settings", bound=Optimisation)


def long_enough(
    settings: Settings, samples: int, steps_of: Callable[[Settings], int], *, least_batch: int = 1
) -> Settings:
    """Settings with the batch and the epochs a set of so many samples needs for `min_steps` steps.

    The batch is at most a quarter of the samples (at least `least_batch`); `steps_of` tells the steps of an
    epoch. The warm-up stays the same part of the training. Without `min_steps` nothing changes.
    """
    if not settings.min_steps:
        return settings
    size = min(settings.batch_size, max(least_batch, samples // 4))
    settings = settings.model_copy(update={"batch_size": size})
    epochs = max(settings.epochs, math.ceil(settings.min_steps / max(1, steps_of(settings))))
    warmup = settings.warmup_epochs * epochs / settings.epochs
    return settings.model_copy(update={"epochs": epochs, "warmup_epochs": warmup})


def length_line(settings: Optimisation, samples: int, unit: str, steps: int) -> str:
    """What a training consists of: samples, batch, epochs and steps in all."""
    return (
        f"{samples} {unit} in batches of {settings.batch_size}: {settings.epochs} epochs of {steps} "
        f"steps, {settings.epochs * steps} in all"
    )


def length_warning(section: str, settings: Optimisation, steps: int) -> str | None:
    """What to say of a training that is too short to learn; None of another."""
    total = settings.epochs * steps
    if total >= FEW_STEPS:
        return None
    return (
        f"{total} steps teach a network next to nothing; set {section}.min_steps={FEW_STEPS} or more, which "
        f"raises the epochs"
    )


def say_length(section: str, settings: Optimisation, samples: int, unit: str, steps: int) -> None:
    """Say how long a training will be, and whether that is too short."""
    say(f"{section}: {length_line(settings, samples, unit, steps)}")
    if (warning := length_warning(section, settings, steps)) is not None:
        say(f"{section}: warning: {warning}")
