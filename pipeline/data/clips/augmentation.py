"""What `finetune.augment` asks for, of a clip and of a batch of clips."""

from __future__ import annotations

import torch
from torch import Tensor

from feature_extraction.augmentation import augment
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.seeds import step_seed


def augmented(clip: Tensor, settings: FinetuneSettings, epoch: int, number: int) -> Tensor:
    """A training clip uint8 [T, 3, H, W], augmented; the key (epoch, number) is that of `Clips`.

    What is drawn follows from the run's seed and the key alone, and moves no other draw.
    """
    return augment(
        clip,
        color_jitter=settings.augment.color_jitter,
        rand_augment=settings.augment.rand_augment,
        erasing=settings.augment.erasing,
        generator=torch.Generator().manual_seed(step_seed(settings.seed, 11, epoch, number)),
    )
