"""The settings of what is done to training clips besides jitter, crop and mirror."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.configuration.sections.base import (
    Fraction,
    NonNegative,
    Positive,
    Section,
    Whole,
    setting,
)

Magnitude = Annotated[Whole, Field(ge=0, le=30)]


class AugmentSettings(Section):
    """Augmentation of training clips besides jitter, crop and mirror: the same for every frame of a clip.

    None of it is in the protocols of the TAdaConv paper; public recipes for these data sets use it.
    """

    color_jitter: Fraction = setting(
        "Probability that a clip's colours are changed.",
        default=0.0,
        why="Raise it if light and cameras differ between training and test. Not where colour is what tells classes apart.",
    )
    rand_augment: tuple[Positive, Magnitude] | None = setting(
        "[operations, magnitude] of RandAugment: how many operations a clip gets, and how "
        "strong they are, 0 to 30. null: none.",
        default=None,
        unit="operations, magnitude",
        why="[2, 9] against overfitting in long trainings of large networks. Small data sets need more epochs with it.",
    )
    erasing: Fraction = setting(
        "Probability that a rectangle of a clip is erased.",
        default=0.0,
        why="Raise it against overfitting, so that no single place of the picture decides the class.",
    )
    mixup: NonNegative = setting(
        "Alpha of the beta distribution that clips are blended by. 0: no blending.",
        default=0.0,
        why="0.2 to 0.8 against overfitting; training then takes more epochs. A larger alpha blends more evenly.",
    )
    cutmix: NonNegative = setting(
        "Alpha of the beta distribution that boxes of clips are exchanged by. 0: no exchange.",
        default=0.0,
        why="1 against overfitting, alone or with `mixup`: each batch then takes one of the two.",
    )
