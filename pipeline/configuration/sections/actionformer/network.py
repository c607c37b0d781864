"""The settings of what ActionFormer is: its classes, its samples, its layers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.configuration.sections.base import (
    Flag,
    NonNegative,
    Positive,
    PositiveFloat,
    Real,
    Share,
    Whole,
    WholeFromZero,
    setting,
)
from pipeline.configuration.sections.optimisation import OptimisationSettings


class NetworkSettings(OptimisationSettings):
    """ActionFormer's network; the first keys are those of any training with other defaults."""

    optimizer: Literal["sgd", "adamw", "adam"] = setting("The optimiser.", default="adamw")
    base_lr: PositiveFloat = setting(
        "Highest learning rate, for a batch of `base_batch` samples.", default=1e-4
    )
    batch_size: Positive = setting(
        "Videos of a training step, over all processes together.",
        default=2,
        unit="videos",
        why="Raise it, and `base_lr` with it, for many short videos. Memory grows with `max_length` x `batch_size`.",
    )
    epochs: Positive = setting("Length of the training, the warm-up included.", default=35)
    warmup_epochs: NonNegative = setting(
        "Epochs in which the learning rate rises; fractions are allowed.", default=5
    )
    weight_decay: NonNegative = setting(
        "Weight decay; only the weights of convolutions have it.", default=0.05
    )
    grad_clip: PositiveFloat | None = setting(
        "Largest norm of a step's gradient; a larger one is scaled down. null: no limit.",
        default=1.0,
    )
    ema_decay: Annotated[Real, Field(gt=0, lt=1)] | None = setting(
        "Decay of the exponential moving average (EMA) of the weights. null: as in the other trainings.",
        default=0.999,
    )
    keep: Literal["last", "best", "ema"] = setting(
        "Weights that later stages use: the `last`, those of the epoch that validated `best`, or "
        "their exponential moving average (`ema`).",
        default="ema",
    )
    classes: Literal["own", "none"] = setting(
        "Whether the head names the classes itself (`own`), or finds segments of no class "
        "(`none`), which `classify` names as it names BMN's proposals.",
        default="own",
        why="`none` if a classifier made elsewhere names classes better, as for HACS and ActivityNet.",
    )
    trunk: Literal["shared", "separate"] = setting(
        "Verbs and nouns (EPIC-KITCHENS): two sets of classes on one network (`shared`), or a "
        "network for each, as published (`separate`).",
        default="shared",
        why="`separate` to repeat the published figures; it costs two trainings' time and memory.",
    )
    mode: Literal["pad", "rescale"] = setting(
        "What the network sees of a video: all its positions, padded (`pad`), or the whole video "
        "brought to `max_length` positions (`rescale`).",
        default="pad",
        why="`rescale` for videos of a few minutes with long actions, as ActivityNet's.",
    )
    max_length: Positive = setting(
        "Length of a training sample: of a longer video another part in every epoch. A test video may be longer.",
        default=2304,
        unit="positions",
        why="Lower it if memory runs out or videos are short. A multiple of 2 ** (`levels` - 1).",
    )
    feature_step: Positive = setting(
        "Features, one per clip, that make a position.",
        default=1,
        unit="features",
        why="Raise it for long videos with long actions: more time fits into `max_length`; boundaries become coarser.",
    )
    positions: Literal["every", "average", "interpolate"] = setting(
        "How features make a position: the first of `every` group, their `average`, or "
        "linear interpolation (`interpolate`).",
        default="every",
        why="With `feature_step` above 1: `average` and `interpolate` use every feature, `every` drops the others.",
    )
    normalize: Flag = setting(
        "Whether each position is divided by its L2 norm.",
        default=False,
        why="`true` if features differ much in length between videos.",
    )
    width: Positive = setting(
        "Channels of the network, a multiple of `heads`.",
        default=512,
        unit="channels",
        paper="ActionFormer",
        why="Lower it for few videos or little memory; it is the key that time and size depend on most.",
    )
    head_width: Positive | None = setting(
        "Channels of the layers that give classes and distances. null: `width`.",
        default=None,
        unit="channels",
        why="Lower it to save time and memory.",
    )
    heads: Positive = setting(
        "Heads of each attention.",
        default=4,
        unit="heads",
        why="Change it with `width`, of which it must be a divisor.",
    )
    levels: Annotated[Positive, Field(le=16)] = setting(
        "Levels of the pyramid, each half as long as the one before.",
        default=6,
        unit="levels",
        paper="ActionFormer",
        why="More levels reach longer actions; `tada-loc doctor` counts the segments that no level learns.",
    )
    window: WholeFromZero | tuple[WholeFromZero, ...] = setting(
        "Positions that attention reaches over, an odd number, or one for each level. 0: all of them.",
        default=19,
        unit="positions",
        paper="ActionFormer 3.2",
        why="Raise it if what is far away helps to tell an action. Time grows with it; 0 suits short inputs alone.",
    )
    embedding_layers: Positive = setting(
        "Convolutions before the first transformer block.",
        default=2,
        unit="convolutions",
        paper="ActionFormer",
        why="Seldom changed. Lower it for a smaller network.",
    )
    stem_layers: WholeFromZero = setting(
        "Transformer blocks before the first that halves the length.",
        default=2,
        unit="blocks",
        paper="ActionFormer",
        why="Lower it to save time: these blocks work at full length.",
    )
    head_layers: Annotated[Whole, Field(ge=2)] = setting(
        "Convolutions of each head, that of its output included.",
        default=3,
        unit="convolutions",
        paper="ActionFormer",
        why="Seldom changed. Lower it for a smaller network.",
    )
    position_code: Flag = setting(
        "Whether positions get a sine code; it ties the network to `max_length`.",
        default=False,
        paper="ActionFormer",
        why="`true` if where in a video an action is says something about it.",
    )
    dropout: Share = setting(
        "Probability that a value of a block is dropped.",
        default=0.0,
        why="Raise it against overfitting; `drop_path` comes first.",
    )
    drop_path: Share = setting(
        "Probability that a block's branch is dropped for a sample.",
        default=0.1,
        why="Raise it against overfitting. 0 also takes away the small scale that blocks begin with, and can fail.",
    )
