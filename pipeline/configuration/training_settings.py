"""The settings of the two trainings: fine-tuning the classifier, and the boundary-matching network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainValidator, model_validator

from pipeline.configuration.sections import (
    Formerly,
    Fraction,
    NonNegative,
    NoResult,
    Positive,
    PositiveFloat,
    Precision,
    Section,
    Share,
)

EMA_DECAY = 0.99  # of `keep: ema` where `ema_decay` says nothing: about the last hundred steps


class OptimisationSettings(Section):
    """What fine-tuning and BMN share: optimiser, schedule and length of a training, what is kept of it.

    `min_steps` raises the epochs of a small set until the training has that many steps, and lowers the
    batch to at most a quarter of the samples; `keep`: the last weights, those of the epoch that
    validated best, or their exponential moving average (decay `ema_decay`); `patience` ends a training
    after so many epochs without a better validation.
    """

    optimizer: Literal["sgd", "adamw", "adam"]
    base_lr: PositiveFloat
    base_batch: Positive | None = None
    batch_size: Positive
    epochs: Positive
    min_steps: Annotated[int, Field(ge=0)] = 0
    warmup_epochs: NonNegative = 0
    warmup_lr: NonNegative = 0
    weight_decay: NonNegative = 1e-4
    momentum: Fraction = 0.9
    grad_clip: PositiveFloat | None = None
    gradient_accumulation: Annotated[Positive, Formerly("accumulate")] = 1
    ema_decay: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, Formerly("average")] = None
    keep: Literal["last", "best", "ema"] = "last"
    patience: Positive | None = None
    precision: Precision = "float32"
    seed: Annotated[int, Field(ge=0)] = 0
    checkpoint_seconds: Annotated[PositiveFloat, NoResult()] = 45

    @model_validator(mode="after")
    def _warms_up(self) -> OptimisationSettings:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"{self.epochs} epochs with a warm-up of {self.warmup_epochs:g}: "
                "lower warmup_epochs below epochs too"
            )
        return self

    @property
    def batch_ratio(self) -> float:
        """The batch that runs over the batch the learning rates are stated for; they scale with it."""
        return self.batch_size / (self.base_batch or self.batch_size)

    @property
    def effective_ema_decay(self) -> float | None:
        """The decay of the EMA of the weights, None where there is none."""
        return EMA_DECAY if self.ema_decay is None and self.keep == "ema" else self.ema_decay


class AugmentSettings(Section):
    """What is done to training clips besides jitter, crop and mirror: the same to every frame of a clip.

    None of it is in the paper's TAda2D protocols; public recipes for these data sets use it.
    `color_jitter` and `erasing` are probabilities, `rand_augment` is (operations, magnitude 0 to 30),
    `mixup` and `cutmix` the alpha of their beta distribution, 0 for none.
    """

    color_jitter: Fraction = 0.0
    rand_augment: tuple[Positive, Annotated[int, Field(ge=0, le=30)]] | None = None
    erasing: Fraction = 0.0
    mixup: NonNegative = 0.0
    cutmix: NonNegative = 0.0


class FinetuneSettings(OptimisationSettings):
    """Trimmed segments to a classifier (Appendix A).

    `crop` is the side of a square in pixels, or `whole` for whole frames; `short_segments` says what a
    segment shorter than a clip gives: frames `around` it too, or frames `inside` alone, its first and
    last ones repeated; `balance` draws rare classes more often: in proportion to
    count ** -0.5 (sqrt) or count ** -1 (full) a segment; `flip_swaps_sides` gives a mirrored clip the class
    with left and right, clockwise and counter-clockwise exchanged; `freeze_norm` keeps batch norm as it was loaded.
    """

    fps: PositiveFloat
    frames: Positive = 8
    interval: Positive = 8
    sampling: Literal["interval", "segments"] = "interval"
    short_segments: Literal["around", "inside"] = "around"
    short_side: tuple[Positive, Positive] = (256, 320)
    crop: Positive | Literal["whole"] = 224
    eval_short_side: Positive = 256
    flip: Fraction = 0.5
    flip_swaps_sides: bool = False
    augment: AugmentSettings = AugmentSettings()
    balance: Literal["none", "sqrt", "full"] = "none"
    freeze_norm: bool = False
    label_smoothing: Share = 0.0
    clips_per_segment: Positive = 1
    compile: bool = False
    activation_checkpointing: Annotated[bool, NoResult(), Formerly("recompute")] = False

    @model_validator(mode="after")
    def _crop_fits(self) -> FinetuneSettings:
        smallest = min(*self.short_side, self.eval_short_side)
        if self.short_side[0] > self.short_side[1]:
            raise ValueError(f"short_side {list(self.short_side)}: the smaller comes first")
        if self.crop != "whole" and self.crop > smallest:
            raise ValueError(f"crop {self.crop} is larger than the smallest short side {smallest}")
        return self


def _none_or_half(value: object) -> float:
    # A whole 0 stays one: it is recorded as it was.
    for allowed in (0, 0.5):
        if value == allowed and not isinstance(value, bool):
            return allowed
    raise ValueError("input should be 0 or 0.5")


class BMNSettings(OptimisationSettings):
    """The boundary-matching network and its training (Lin et al. 2019; Appendix A.2).

    `positions` makes a position of `feature_step` features: the first of `every` group, their
    `average`, or by linear interpolation; `random_windows` shifts the windows anew every epoch;
    `windows_to_end` lets windows begin until the video's end, as the public code does, not until one
    reaches it; `boundary_center`: where in its position a boundary's label is centred and decoded;
    `regression` adds the output that moves each cell's start and end.
    """

    mode: Literal["windows", "rescale"]
    temporal_scale: Annotated[int, Field(gt=1)]
    duration_scale: Positive
    feature_step: Positive = 1
    positions: Literal["every", "average", "interpolate"] = "every"
    window_step: Positive | None = None
    windows_to_end: bool = False
    random_windows: bool = False
    min_inside: Fraction = 0.999
    normalize: bool = False
    hidden_1d: Positive = 256
    hidden_2d: Positive = 128
    hidden_3d: Positive = 512
    num_samples: Annotated[int, Field(gt=1)] = 32
    samples_per_bin: Positive = 3
    boundary_ratio: NonNegative = 0.5
    boundary_center: Annotated[float, PlainValidator(_none_or_half)] = 0
    regression: bool = False
    groups: Positive = 4

    @model_validator(mode="after")
    def _groups_fit(self) -> BMNSettings:
        if self.hidden_1d % self.groups:
            raise ValueError(f"hidden_1d {self.hidden_1d} is no multiple of groups {self.groups}")
        return self
