"""The settings of ActionFormer, its training and its detections (Zhang, Wu, Li 2022)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.configuration.sections.base import (
    Flag,
    Fraction,
    NonNegative,
    Positive,
    PositiveFloat,
    Real,
    Section,
    Share,
    Whole,
    WholeFromZero,
)
from pipeline.configuration.sections.optimisation import OptimisationSettings

NO_LIMIT = 10_000.0  # positions; the published last range ends here


class DetectorSettings(Section):
    """Which head finds the actions in a video's features."""

    name: Literal["bmn", "actionformer"] = Field(
        default="bmn",
        description="The head: `bmn` makes proposals, which `classify` gives their classes; `actionformer` "
        "finds segments and their classes at once.",
    )


class ActionFormerSettings(OptimisationSettings):
    """ActionFormer and its training; defaults are those published for THUMOS14."""

    optimizer: Literal["sgd", "adamw", "adam"] = Field(
        default="adamw", description="The optimiser."
    )
    base_lr: PositiveFloat = Field(
        default=1e-4, description="Highest learning rate, for a batch of `base_batch` samples."
    )
    batch_size: Positive = Field(
        default=2, description="Videos of a training step, over all processes together."
    )
    epochs: Positive = Field(
        default=35, description="Length of the training in epochs, the warm-up included."
    )
    warmup_epochs: NonNegative = Field(
        default=5, description="Epochs in which the learning rate rises; parts of one are allowed."
    )
    weight_decay: NonNegative = Field(
        default=0.05, description="Weight decay, of the convolutions' weights alone."
    )
    grad_clip: PositiveFloat | None = Field(
        default=1.0, description="Largest norm of a step's gradient. null: no limit."
    )
    ema_decay: Annotated[Real, Field(gt=0, lt=1)] | None = Field(
        default=0.999,
        description="Decay per step of the exponential moving average (EMA) of the weights.",
    )
    keep: Literal["last", "best", "ema"] = Field(
        default="ema", description="Which weights are used; as for the other trainings."
    )
    classes: Literal["own", "none"] = Field(
        default="own",
        description="Whether the head names the classes itself (`own`), or finds segments of no class "
        "(`none`), which `classify` names as it names BMN's proposals.",
    )
    trunk: Literal["shared", "separate"] = Field(
        default="shared",
        description="Verbs and nouns (EPIC-KITCHENS): two sets of classes on one network (`shared`), or a "
        "network each, as published (`separate`).",
    )
    mode: Literal["pad", "rescale"] = Field(
        default="pad",
        description="What the network sees of a video: all its positions, padded (`pad`), or the whole video "
        "brought to `max_length` positions (`rescale`).",
    )
    max_length: Positive = Field(
        default=2304,
        description="Positions that a training sample has: a longer video gives a part of it, drawn anew in "
        "every epoch. A test video may be longer.",
    )
    feature_step: Positive = Field(
        default=1, description="Features, one a clip, that make a position."
    )
    positions: Literal["every", "average", "interpolate"] = Field(
        default="every",
        description="How features make a position: the first of `every` group, their `average`, or "
        "linear interpolation (`interpolate`).",
    )
    normalize: Flag = Field(
        default=False, description="Whether each position is divided by its L2 norm."
    )
    width: Positive = Field(
        default=512, description="Channels of the network, a multiple of `heads`."
    )
    head_width: Positive | None = Field(
        default=None, description="Channels of the heads' layers. null: `width`."
    )
    heads: Positive = Field(default=4, description="Heads of each attention.")
    levels: Annotated[Positive, Field(le=16)] = Field(
        default=6, description="Levels of the pyramid, each half as long as the one before."
    )
    window: WholeFromZero | tuple[WholeFromZero, ...] = Field(
        default=19,
        description="Positions that attention reaches over, an odd number, or one a level. 0: all of them.",
    )
    embedding_layers: Positive = Field(
        default=2, description="Convolutions before the first transformer block."
    )
    stem_layers: WholeFromZero = Field(
        default=2, description="Transformer blocks before the first that halves the length."
    )
    head_layers: Annotated[Whole, Field(ge=2)] = Field(
        default=3, description="Convolutions of each head, its output's included."
    )
    position_code: Flag = Field(
        default=False,
        description="Whether positions get a sine code; it ties the network to `max_length`.",
    )
    dropout: Share = Field(
        default=0.0, description="Probability that a value of a block is dropped."
    )
    drop_path: Share = Field(
        default=0.1, description="Probability that a block's branch is dropped for a sample."
    )
    ranges: tuple[tuple[NonNegative, NonNegative], ...] | None = Field(
        default=None,
        description="[least, most] distance from a position to the farther end of its segment, in positions, a "
        "level. null: 0-4, 4-8, 8-16 and so on, the last without limit.",
    )
    center_radius: PositiveFloat = Field(
        default=1.5,
        description="How far from a segment's middle positions learn it, in positions of their level.",
    )
    crop_ratio: tuple[Share | Literal[1], Share | Literal[1]] | None = Field(
        default=(0.9, 1),
        description="[least, most] share of a video of at most `max_length` positions that is trained on, drawn anew "
        "in every epoch. null: all of it.",
    )
    min_inside: Fraction = Field(
        default=0.5,
        description="Share of a segment that must lie inside the part of a video that trains on it.",
    )
    regression_weight: NonNegative = Field(
        default=1.0, description="Weight of the distances' loss beside that of the classes."
    )
    label_smoothing: Share = Field(
        default=0.0, description="Share of the label that is spread over all classes."
    )
    loss_normalizer: PositiveFloat = Field(
        default=100.0,
        description="What the losses are divided by at first; then by the moving average of the positions that "
        "learn a segment in a step.",
    )

    @property
    def regression_ranges(self) -> tuple[tuple[float, float], ...]:
        """`ranges`, or those of as many levels as there are: 0-4, 4-8, 8-16 and so on, the last to the end."""
        if self.ranges is not None:
            return self.ranges
        edges = [0.0, *(4.0 * 2**level for level in range(self.levels - 1)), NO_LIMIT]
        return tuple(pairwise(edges))

    @model_validator(mode="after")
    def _sizes_fit(self) -> ActionFormerSettings:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        for name in ("window", "ranges"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != self.levels:
                raise ValueError(f"{name} has {len(value)} entries, and levels is {self.levels}")
        windows = self.window if isinstance(self.window, tuple) else (self.window,)
        if even := [window for window in windows if window and window % 2 == 0]:
            raise ValueError(
                f"window {even[0]} is even: give an odd number, or 0 for all positions"
            )
        if self.ranges is not None and any(least >= most for least, most in self.ranges):
            raise ValueError("ranges: each is [least, most], the least below the most")
        if self.crop_ratio is not None and not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise ValueError("crop_ratio is [least, most], above 0, the least first")
        least = 1 << (self.levels - 1)
        if self.max_length % least:
            raise ValueError(
                f"max_length {self.max_length} is no multiple of {least}, 2 ** (levels - 1)"
            )
        return self


class DetectionsSettings(Section):
    """ActionFormer's output to detections: candidates, soft-NMS, voting."""

    score_threshold: Fraction = Field(
        default=0.001, description="Score that a candidate must be above."
    )
    top: Positive = Field(
        default=2000, description="Candidates of each level of the pyramid at most, before NMS."
    )
    min_duration: NonNegative = Field(
        default=0.05, description="Length that a candidate must be above, in positions."
    )
    nms: Literal["soft", "hard"] = Field(
        default="soft",
        description="Whether what overlaps a pick loses score (`soft`) or is left out (`hard`).",
    )
    sigma: PositiveFloat = Field(
        default=0.5,
        description="Width of soft-NMS: a candidate that overlaps a pick is multiplied by "
        "exp(-tIoU ** 2 / `sigma`).",
    )
    iou: Fraction = Field(
        default=0.1, description="tIoU with a pick above which hard NMS leaves a candidate out."
    )
    min_score: Fraction = Field(
        default=0.001, description="Score below which NMS leaves a candidate out."
    )
    count: Positive = Field(default=200, description="Detections of a video at most.")
    per_class: Flag = Field(
        default=True, description="Whether NMS works on each class alone, or on all together."
    )
    voting: Annotated[Real, Field(gt=0, le=1)] | None = Field(
        default=None,
        description="Least tIoU of the candidates whose mean each pick becomes, weighted by score x tIoU; with "
        "`per_class: false`. null: a pick stays where it is.",
    )
    top_verbs: Positive = Field(
        default=10, description="Verbs of a position that pairs are made of (EPIC-KITCHENS)."
    )
    top_nouns: Positive = Field(
        default=30, description="Nouns of a position that pairs are made of (EPIC-KITCHENS)."
    )
    pairs: Positive = Field(
        default=5, description="Pairs of verb and noun that each position gets (EPIC-KITCHENS)."
    )

    @model_validator(mode="after")
    def _votes_over_all(self) -> DetectionsSettings:
        if self.voting is not None and self.per_class:
            raise ValueError(
                "voting is over candidates of all classes: set per_class: false, or voting: null"
            )
        return self
