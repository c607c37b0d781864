"""The settings of the two trainings: fine-tuning the classifier, and the boundary-matching network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainValidator, model_validator

from pipeline.configuration.sections.base import (
    Flag,
    Formerly,
    Fraction,
    NonNegative,
    NoResult,
    OnlyWhere,
    Positive,
    Rate,
    Section,
    Share,
    Whole,
)
from pipeline.configuration.sections.optimisation import OptimisationSettings

Magnitude = Annotated[Whole, Field(ge=0, le=30)]
_Clips = OnlyWhere("source", "video")  # a key about clips: a head on features sees none


class AugmentSettings(Section):
    """What is done to training clips besides jitter, crop and mirror: the same to every frame of a clip.

    None of it is in the paper's TAda2D protocols; public recipes for these data sets use it.
    """

    color_jitter: Fraction = Field(
        default=0.0, description="Probability that a clip's colours are changed."
    )
    rand_augment: tuple[Positive, Magnitude] | None = Field(
        default=None,
        description="[operations, magnitude] of RandAugment: how many operations a clip gets, and how "
        "strong they are, 0 to 30. null: none.",
    )
    erasing: Fraction = Field(
        default=0.0, description="Probability that a rectangle of a clip is erased."
    )
    mixup: NonNegative = Field(
        default=0.0,
        description="Alpha of the beta distribution that clips are blended by. 0: they are not.",
    )
    cutmix: NonNegative = Field(
        default=0.0,
        description="Alpha of the beta distribution that boxes of clips are exchanged by. 0: none are.",
    )


class FinetuneSettings(OptimisationSettings):
    """Trimmed segments to a classifier (Appendix A)."""

    source: Literal["video", "features"] = Field(
        default="video",
        description="What the classifier is trained on: clips of the `video`, or a linear one on the stored "
        "`features` of the segments, which must be imported ones.",
    )
    fps: Annotated[Rate, _Clips] = Field(
        description="Frames a second that clips are counted in, whatever a video has."
    )
    frames: Annotated[Positive, _Clips] = Field(default=8, description="Frames of a clip.")
    interval: Annotated[Positive, _Clips] = Field(
        default=8, description="Frames, at `fps`, from one frame of a clip to the next."
    )
    sampling: Annotated[Literal["interval", "segments"], _Clips] = Field(
        default="interval",
        description="Frames of a clip: `interval` apart, or one out of each of `frames` equal parts of "
        "the segment (`segments`).",
    )
    short_segments: Annotated[Literal["around", "inside"], _Clips] = Field(
        default="around",
        description="What a segment shorter than a clip gives: frames `around` it too, or frames "
        "`inside` alone, its first and last ones repeated.",
    )
    short_side: Annotated[tuple[Positive, Positive], _Clips] = Field(
        default=(256, 320),
        description="Smallest and largest shorter side of a training clip, in pixels.",
    )
    crop: Annotated[Positive | Literal["whole"], _Clips] = Field(
        default=224,
        description="Side, in pixels, of the square cut out of a clip; `whole` for whole frames.",
    )
    proxies: Annotated[Positive | None, _Clips] = Field(
        default=None,
        description="Shorter side, in pixels, of small copies of the training videos (`tada-loc proxies`) that training "
        "clips are read from: even, at least the largest of `short_side`. null: the videos themselves.",
    )
    eval_short_side: Annotated[Positive, _Clips] = Field(
        default=256, description="Shorter side of a validation clip, in pixels."
    )
    flip: Annotated[Fraction, _Clips] = Field(
        default=0.5, description="Probability that a clip is mirrored."
    )
    flip_swaps_sides: Annotated[Flag, _Clips] = Field(
        default=False,
        description="Whether a mirrored clip gets the class with left and right, clockwise and "
        "counter-clockwise exchanged.",
    )
    augment: Annotated[AugmentSettings, _Clips] = AugmentSettings()
    balance: Literal["none", "sqrt", "full"] = Field(
        default="none",
        description="Draws segments of rare classes more often: in proportion to the class's "
        "count ** -0.5 (`sqrt`) or count ** -1 (`full`).",
    )
    freeze_norm: Annotated[Flag, _Clips] = Field(
        default=False, description="Whether batch norms that were loaded stay as they were loaded."
    )
    label_smoothing: Share = Field(
        default=0.0, description="Share of the label that is spread over all classes."
    )
    clips_per_segment: Positive = Field(default=1, description="Clips of each segment in an epoch.")
    compile: Annotated[Flag, _Clips] = Field(
        default=False, description="Whether the network is compiled (torch.compile)."
    )
    activation_checkpointing: Annotated[Flag, NoResult(), Formerly("recompute")] = Field(
        default=False,
        description="Whether blocks keep their inputs alone and are computed again for the gradient: "
        "less memory, a third more computing.",
    )

    @model_validator(mode="after")
    def _crop_fits(self) -> FinetuneSettings:
        smallest = min(*self.short_side, self.eval_short_side)
        if self.short_side[0] > self.short_side[1]:
            raise ValueError(f"short_side {list(self.short_side)}: the smaller comes first")
        if self.crop != "whole" and self.crop > smallest:
            raise ValueError(f"crop {self.crop} is larger than the smallest short side {smallest}")
        return self

    @model_validator(mode="after")
    def _proxies_fit(self) -> FinetuneSettings:
        if self.proxies is not None and (self.proxies % 2 or self.proxies < self.short_side[1]):
            least = self.short_side[1] + self.short_side[1] % 2
            raise ValueError(f"proxies {self.proxies}: give an even number of at least {least}")
        return self


def _none_or_half(value: object) -> float:
    # A whole 0 stays one: it is recorded as it was.
    for allowed in (0, 0.5):
        if value == allowed and not isinstance(value, bool):
            return allowed
    raise ValueError("input should be 0 or 0.5")


def _choice_or_bytes(value: object) -> bool | int | str:
    if value == "auto":
        return "auto"
    if isinstance(value, int) and value >= 0:  # truth values are among them
        return value
    raise ValueError("input should be auto, true, false or a number of bytes")


class BMNSettings(OptimisationSettings):
    """The boundary-matching network and its training (Lin et al. 2019; Appendix A.2)."""

    mode: Literal["windows", "rescale"] = Field(
        description="What the network sees of a video: sliding `windows`, or the whole video brought "
        "to `temporal_scale` positions (`rescale`)."
    )
    temporal_scale: Annotated[Whole, Field(gt=1)] = Field(
        description="Length of what the network sees, in positions."
    )
    duration_scale: Positive = Field(description="Length of the longest proposal, in positions.")
    feature_step: Positive = Field(
        default=1, description="Features, one a clip, that make a position."
    )
    positions: Literal["every", "average", "interpolate"] = Field(
        default="every",
        description="How features make a position: the first of `every` group, their `average`, or "
        "linear interpolation (`interpolate`).",
    )
    window_step: Positive | None = Field(
        default=None,
        description="Positions from one window to the next. null: `duration_scale`.",
    )
    windows_to_end: Flag = Field(
        default=False,
        description="Whether windows begin until the video's end, as in the public code, or until one "
        "reaches it.",
    )
    random_windows: Flag = Field(
        default=False, description="Whether the windows are shifted anew in every epoch."
    )
    min_inside: Fraction = Field(
        default=0.999,
        description="Share of a segment that must lie inside a window that trains on it.",
    )
    normalize: Flag = Field(
        default=False, description="Whether each position is divided by its L2 norm."
    )
    hidden_1d: Positive = Field(
        default=256, description="Channels of the layers over time, a multiple of `groups`."
    )
    hidden_2d: Positive = Field(
        default=128, description="Channels of the layers over start and duration."
    )
    hidden_3d: Positive = Field(
        default=512, description="Channels of the layer that joins the samples of a proposal."
    )
    num_samples: Annotated[Whole, Field(gt=1)] = Field(
        default=32, description="Samples of a proposal that its scores are made of."
    )
    samples_per_bin: Positive = Field(
        default=3, description="Points that are averaged into a sample."
    )
    boundary_ratio: NonNegative = Field(
        default=0.5,
        description="How far a proposal is looked at beyond each end, as a share of its length.",
    )
    boundary_center: Annotated[float, PlainValidator(_none_or_half)] = Field(
        default=0,
        description="Where in its position a boundary's label is centred and read out, in positions: "
        "0 is the start, 0.5 the middle.",
    )
    regression: Flag = Field(
        default=False,
        description="Whether the network has an output that moves the start and end of each proposal.",
    )
    groups: Positive = Field(
        default=4, description="Groups of the convolutions over time and of the boundary heads."
    )
    keep_maps: Annotated[
        bool | int | Literal["auto"], PlainValidator(_choice_or_bytes), NoResult()
    ] = Field(
        default="auto",
        description="Whether the maps of evaluation videos are kept, which `tada-loc sweep` reads: all (true), none, "
        "or up to so many bytes in all. `auto`: 64 MiB of a video and 2 GiB in all.",
    )

    @model_validator(mode="after")
    def _groups_fit(self) -> BMNSettings:
        if self.hidden_1d % self.groups:
            raise ValueError(f"hidden_1d {self.hidden_1d} is no multiple of groups {self.groups}")
        return self
