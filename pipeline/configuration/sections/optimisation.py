"""The settings that all trainings have: optimiser, schedule, length, and which weights are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

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
    setting,
)

EMA_DECAY = 0.99  # of `keep: ema` where `ema_decay` says nothing: about the last hundred steps


class OptimisationSettings(Section):
    """What all trainings share; a sample is a clip for fine-tuning, a window for BMN, a video for ActionFormer."""

    papers: ClassVar[
        Mapping[str, str]
    ] = {}  # of inherited keys, what is in a paper about this training

    optimizer: Literal["sgd", "adamw", "adam"] = setting(
        "The optimiser; `sgd` is with Nesterov momentum.",
        why="`adamw` suits small data sets and transformers and needs a smaller `base_lr`; change both together.",
    )
    base_lr: PositiveFloat = setting(
        "Highest learning rate, for a batch of `base_batch` samples.",
        why="Lower it if the loss jumps or becomes NaN. Raise it if the loss falls slowly and steadily.",
    )
    base_batch: Positive | None = setting(
        "Batch that the learning rates are stated for; they scale with `batch_size` / `base_batch`. null: no scaling.",
        default=None,
        unit="samples",
        why="Set it to the batch of a published recipe, so that its learning rates hold for your `batch_size`.",
    )
    batch_size: Positive = setting(
        "Samples of a training step, over all processes together.",
        unit="samples",
        why="Raise it to use a GPU better, lower it if memory runs out. Without `base_batch`, scale `base_lr` with it yourself.",
    )
    epochs: Positive = setting(
        "Length of the training.",
        unit="epochs",
        why="Raise it while validation still gets better; lower it if it gets worse towards the end. Time grows in proportion.",
    )
    min_steps: WholeFromZero = setting(
        "Least number of steps: for a small data set `epochs` is raised, and the batch is at most a quarter of the samples. "
        "0: nothing is changed.",
        default=0,
        unit="steps",
        why="Set it for small data sets: with fewer than about 300 steps a network learns almost nothing.",
    )
    warmup_epochs: NonNegative = setting(
        "Epochs in which the learning rate rises; fractions are allowed.",
        default=0,
        unit="epochs",
        why="Raise it if the loss jumps at the beginning, as it may with a high learning rate or random initial weights.",
    )
    warmup_lr: NonNegative = setting(
        "Learning rate at the start of the warm-up, for a batch of `base_batch` samples.",
        default=0,
        why="Change it to repeat a published recipe; 0 is the gentlest start.",
    )
    weight_decay: NonNegative = setting(
        "Weight decay; biases and normalisation weights have none.",
        default=1e-4,
        why="Raise it against overfitting, lower it if even the training loss stays high. AdamW takes larger values than SGD.",
    )
    momentum: Fraction = setting(
        "Momentum of `sgd`.",
        default=0.9,
        why="Seldom changed. Lower it together with a higher `base_lr`; the other optimisers do not use it.",
    )
    grad_clip: PositiveFloat | None = setting(
        "Largest norm of a step's gradient; a larger one is scaled down. null: no limit.",
        default=None,
        why="Set it, to 1 say, if single batches make the loss jump. A small limit slows the training.",
    )
    gradient_accumulation: Annotated[Positive, Formerly("accumulate")] = setting(
        "Pieces of a batch that are computed one after the other. Batch norm sees one piece at a time.",
        default=1,
        unit="pieces",
        why="Raise it if a batch does not fit into memory. Pieces that are too small make batch norm's statistics poor.",
    )
    ema_decay: Annotated[Annotated[Real, Field(gt=0, lt=1)] | None, Formerly("average")] = setting(
        "Decay of the exponential moving average (EMA) of the weights, which is "
        f"then validated and kept. null: {EMA_DECAY} with `keep: ema`, else no EMA.",
        default=None,
        unit="per step",
        why="0.99 averages about the last 100 steps, 0.999 the last 1,000: raise it for long trainings, lower it for short ones.",
    )
    keep: Literal["last", "best", "ema"] = setting(
        "Weights that later stages use: the `last`, those of the epoch that validated `best`, or "
        "their exponential moving average (`ema`).",
        default="last",
        why="`ema` if figures go up and down from epoch to epoch. `best`, with `dataset.hold_out`, if long training makes them worse.",
    )
    patience: Positive | None = setting(
        "Ends the training after this many epochs without a better validation. null: never.",
        default=None,
        unit="epochs",
        why="Set it, with `dataset.hold_out`, to save time in long trainings. The learning rate has not fallen to its end then.",
    )
    precision: Precision = setting(
        "Number format of the network while it is trained.",
        default="float32",
        why="`bfloat16` is faster and needs less memory on most GPUs since 2020; `float16` on older ones. Results differ by rounding.",
    )
    seed: Seed = setting(
        "Seed of everything that is drawn at random.",
        default=0,
        why="Change it to see how much results vary from training to training before you trust a small difference.",
    )
    checkpoint_seconds: Annotated[PositiveFloat, NoResult()] = setting(
        "Time from one checkpoint of the training to the next.",
        default=45,
        unit="seconds",
        why="Raise it if the disk is slow. A training that is killed loses at most this much.",
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
