"""The settings of the boundary-matching network and its training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from pipeline.configuration.sections.base import (
    Flag,
    Fraction,
    NonNegative,
    NoResult,
    Positive,
    Whole,
    setting,
)
from pipeline.configuration.sections.optimisation import OptimisationSettings


def _none_or_half(value: object) -> float:
    # A whole 0 stays one: it is recorded as it was.
    for allowed in (0, 0.5):
        if value == allowed and not isinstance(value, bool):
            return allowed
    raise ValueError("input should be 0 or 0.5")


def _choice_or_bytes(value: object) -> bool | int | str:
    if value == "auto":
        return "auto"
    if isinstance(value, float) and value.is_integer():  # 2e9
        value = int(value)
    if isinstance(value, int) and value >= 0:  # truth values are among them
        return value
    raise ValueError("input should be auto, true, false or a number of bytes")


_Centre = Annotated[
    float, PlainValidator(_none_or_half), WithJsonSchema({"enum": [0, 0.5], "type": "number"})
]
_Kept = Annotated[
    bool | int | Literal["auto"],
    PlainValidator(_choice_or_bytes),
    WithJsonSchema(
        {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0}, {"const": "auto"}]}
    ),
]


class BMNSettings(OptimisationSettings):
    """The boundary-matching network (BMN), which makes proposals, and its training (TAdaConv: Appendix A.2)."""

    mode: Literal["windows", "rescale"] = setting(
        "What the network sees of a video: sliding `windows`, or the whole video brought "
        "to `temporal_scale` positions (`rescale`).",
        paper="TAdaConv A.2",
        why="`windows` for long videos with short actions, `rescale` for videos of a few minutes with long ones.",
    )
    temporal_scale: Annotated[Whole, Field(gt=1)] = setting(
        "Length of what the network sees.",
        unit="positions",
        paper="TAdaConv A.2",
        why="Raise it for finer boundaries (`rescale`) or longer windows. Memory grows with `temporal_scale` x `duration_scale`.",
    )
    duration_scale: Positive = setting(
        "Length of the longest proposal.",
        unit="positions",
        paper="BMN 3.3",
        why="It must reach the longest action (`tada-loc doctor` counts those it misses). Lower it to save memory and time.",
    )
    feature_step: Positive = setting(
        "Features, one per clip, that make a position.",
        default=1,
        unit="features",
        why="Raise it to cover more time with as many positions; boundaries become coarser.",
    )
    positions: Literal["every", "average", "interpolate"] = setting(
        "How features make a position: the first of `every` group, their `average`, or "
        "linear interpolation (`interpolate`).",
        default="every",
        why="With `feature_step` above 1: `average` and `interpolate` use every feature, `every` drops the others.",
    )
    window_step: Positive | None = setting(
        "Distance from one window to the next. null: `duration_scale`.",
        default=None,
        unit="positions",
        why="Lower it so that more windows overlap and are averaged; time grows with their number.",
    )
    windows_to_end: Flag = setting(
        "Whether windows begin until the video's end, as in the public code, or only until one reaches it.",
        default=False,
        why="`true` to repeat the public code's windows, the last of which hold little video.",
    )
    random_windows: Flag = setting(
        "Whether the windows are shifted again in every epoch.",
        default=False,
        why="`true` for few videos: the same segment is then seen at many places of a window.",
    )
    min_inside: Fraction = setting(
        "Least share of a segment inside a window for the window to be trained on it.",
        default=0.999,
        why="Lower it to train on segments that a window cuts off; the network then sees boundaries that are none.",
    )
    normalize: Flag = setting(
        "Whether each position is divided by its L2 norm.",
        default=False,
        why="`true` if features differ much in length between videos, or for features published so.",
    )
    hidden_1d: Positive = setting(
        "Channels of the layers over time, a multiple of `groups`.",
        default=256,
        unit="channels",
        paper="BMN",
        why="Lower it for few videos or little memory. Public weights have 256.",
    )
    hidden_2d: Positive = setting(
        "Channels of the layers over start and duration.",
        default=128,
        unit="channels",
        paper="BMN",
        why="Lower it for little memory: these layers are as large as the map. Public weights have 128.",
    )
    hidden_3d: Positive = setting(
        "Channels of the layer that joins the samples of a proposal.",
        default=512,
        unit="channels",
        paper="BMN",
        why="Lower it for little memory or time. Public weights have 512.",
    )
    num_samples: Annotated[Whole, Field(gt=1)] = setting(
        "Samples of a proposal from which its scores are computed.",
        default=32,
        unit="samples",
        paper="BMN 3.3",
        why="Lower it to save time. Raise it if proposals are longer than about 100 positions.",
    )
    samples_per_bin: Positive = setting(
        "Points that are averaged into a sample.",
        default=3,
        unit="points",
        paper="BMN",
        why="Seldom changed. Raise it if proposals are much longer than `num_samples` x `samples_per_bin` positions.",
    )
    boundary_ratio: NonNegative = setting(
        "How far beyond each end a proposal is sampled, as a share of its length.",
        default=0.5,
        paper="BMN",
        why="Raise it if what comes before and after tells where an action ends; lower it if actions follow one another closely.",
    )
    boundary_center: _Centre = setting(
        "Where in its position a boundary's label is centred and read: 0 is the start, 0.5 the middle.",
        default=0,
        unit="positions",
        why="0.5 removes a bias of up to half a position; 0 is the public code (docs/how-to/boundaries.md). Train again after a change.",
    )
    regression: Flag = setting(
        "Whether the network has an output that moves the start and end of each proposal.",
        default=False,
        why="`true` for finer boundaries, if positions are coarse. Measure it: what it gains depends on the features.",
    )
    groups: Positive = setting(
        "Groups of the convolutions over time and of the boundary heads.",
        default=4,
        unit="groups",
        why="It must divide the channels of the features: change it if they are not a multiple of 4.",
    )
    keep_maps: Annotated[_Kept, NoResult()] = setting(
        "Whether the maps of evaluation videos are kept, which `tada-loc sweep` reads: all (true), none (false), "
        "or up to this size in all. `auto`: 64 MiB per video and 2 GiB in all.",
        default="auto",
        unit="bytes",
        why="`true` for sweeps without running BMN again; `false` if the disk is small.",
    )

    @model_validator(mode="after")
    def _groups_fit(self) -> BMNSettings:
        if self.hidden_1d % self.groups:
            raise ValueError(
                f"hidden_1d {self.hidden_1d} is not a multiple of groups {self.groups}"
            )
        return self
