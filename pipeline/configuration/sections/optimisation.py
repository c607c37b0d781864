"""The settings that both trainings have: optimiser, schedule, length, and which weights are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.configuration.sections.base import (
    Formerly,
    Fraction,
    NonNegative,
    NoResult,
    Positive,
    PositiveFloat,
    Precision,
    Real,
    Section,
    Seed,
    WholeFromZero,
)

EMA_DECAY = 0.99  # of `keep: ema` where `ema_decay` says nothing: about the last hundred steps


class OptimisationSettings(Section):
    """What fine-tuning and BMN share; a sample is a clip in the one, a window in the other."""

    optimizer: Literal["sgd", "adamw", "adam"] = Field(
        description="The optimiser; `sgd` is with Nesterov momentum."
    )
    base_lr: PositiveFloat = Field(
        description="Highest learning rate, for a batch of `base_batch` samples."
    )
    base_batch: Positive | None = Field(
        default=None,
        description="The batch, in samples, that the learning rates are stated for; they scale with "
        "`batch_size` / `base_batch`. null: they are taken as they are.",
    )
    batch_size: Positive = Field(
        description="Samples of a training step, over all processes together."
    )
    epochs: Positive = Field(description="Length of the training in epochs.")
    min_steps: WholeFromZero = Field(
        default=0,
        description="Steps the training has at least: where a set is small, the epochs are raised, and "
        "the batch is at most a quarter of the samples. 0: nothing is changed.",
    )
    warmup_epochs: NonNegative = Field(
        default=0, description="Epochs in which the learning rate rises; parts of one are allowed."
    )
    warmup_lr: NonNegative = Field(
        default=0,
        description="Learning rate at the start of the warm-up, for a batch of `base_batch` samples.",
    )
    weight_decay: NonNegative = Field(
        default=1e-4, description="Weight decay; biases and normalisation weights have none."
    )
    momentum: Fraction = Field(default=0.9, description="Momentum of `sgd`.")
    grad_clip: PositiveFloat | None = Field(
        default=None, description="Largest norm of a step's gradient. null: no limit."
    )
    gradient_accumulation: Annotated[Positive, Formerly("accumulate")] = Field(
        default=1,
        description="Pieces of a batch that are computed one after the other, to need less memory. "
        "Batch norm sees a piece at a time.",
    )
    ema_decay: Annotated[Annotated[Real, Field(gt=0, lt=1)] | None, Formerly("average")] = Field(
        default=None,
        description="Decay per step of the exponential moving average (EMA) of the weights, which is "
        f"then validated and kept. null: {EMA_DECAY} with `keep: ema`, else no EMA.",
    )
    keep: Literal["last", "best", "ema"] = Field(
        default="last",
        description="Which weights are used: the `last`, those of the epoch that validated `best`, or "
        "their exponential moving average (`ema`).",
    )
    patience: Positive | None = Field(
        default=None,
        description="Ends the training after so many epochs without a better validation. null: never.",
    )
    precision: Precision = Field(
        default="float32", description="Number format of the network while it is trained."
    )
    seed: Seed = Field(default=0, description="Seed of all that is drawn at random.")
    checkpoint_seconds: Annotated[PositiveFloat, NoResult()] = Field(
        default=45, description="Seconds from one checkpoint of the training to the next."
    )

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
