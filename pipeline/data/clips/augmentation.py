"""What `finetune.augment` asks for, of a clip and of a batch of clips."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.seeds import step_seed


def augmented(clip: Tensor, settings: FinetuneSettings, epoch: int, number: int) -> Tensor:
    """A training clip uint8 [T, 3, H, W], augmented; the key (epoch, number) is that of `Clips`.

    What is drawn follows from the run's seed and the key alone, and moves no other draw.
    """
    wanted = settings.augment
    if not _wanted(settings):
        return clip
    from feature_extraction.augmentation import augment  # with torchvision, which takes seconds

    return augment(
        clip,
        color_jitter=wanted.color_jitter,
        rand_augment=wanted.rand_augment,
        erasing=wanted.erasing,
        generator=torch.Generator().manual_seed(step_seed(settings.seed, 11, epoch, number)),
    )


def load_augmentation(settings: FinetuneSettings) -> None:
    """Load what augments clips, where they are: once here, and not in each process that is forked to read them."""
    if _wanted(settings):
        import feature_extraction.augmentation  # noqa: F401


def _wanted(settings: FinetuneSettings) -> bool:
    wanted = settings.augment
    return bool(wanted.color_jitter or wanted.rand_augment or wanted.erasing)
