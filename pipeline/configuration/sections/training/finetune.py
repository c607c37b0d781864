"""The settings of fine-tuning: trimmed segments to a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from pipeline.configuration.sections.base import (
    Flag,
    Formerly,
    Fraction,
    NoResult,
    OnlyWhere,
    Positive,
    Rate,
    Share,
    setting,
)
from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.configuration.sections.training.augmentation import AugmentSettings

_Clips = OnlyWhere("source", "video")  # a key about clips: a head on features sees none


class FinetuneSettings(OptimisationSettings):
    """Fine-tuning: a classifier is trained on the annotated segments (TAdaConv: Appendix A)."""

    papers: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("optimizer", "base_lr", "base_batch", "batch_size", "epochs", "warmup_epochs"),
        "TAdaConv A.1, TAdaConv A.2",
    ) | {"warmup_lr": "TAdaConv A.1", "weight_decay": "TAdaConv A.1"}

    source: Literal["video", "features"] = setting(
        "What the classifier is trained on: clips of the `video`, or the stored `features` of the segments, which must be "
        "imported; the classifier is linear then.",
        default="video",
        why="`features` if features were made elsewhere and nothing else names classes: minutes on a CPU, no decoding.",
    )
    fps: Annotated[Rate, _Clips] = setting(
        "Frame rate that clips are counted in, whatever rate a video has.",
        unit="frames per second",
        why="Lower it, or raise `interval`, so that a clip covers more time. Keep it equal to `extract.fps`.",
    )
    frames: Annotated[Positive, _Clips] = setting(
        "Frames of a clip.",
        default=8,
        unit="frames",
        paper="TAdaConv 5, TAdaConv A.1",
        why="More frames show more of the motion; time and memory grow in proportion. Keep it equal to `extract.frames`.",
    )
    interval: Annotated[Positive, _Clips] = setting(
        "Distance at `fps` from one frame of a clip to the next.",
        default=8,
        unit="frames",
        paper="TAdaConv A.1",
        why="Raise it for slow or long actions, lower it for fast or short ones. Keep it equal to `extract.interval`.",
    )
    sampling: Annotated[Literal["interval", "segments"], _Clips] = setting(
        "Frames of a clip: `interval` apart, or one out of each of `frames` equal parts of the segment (`segments`).",
        default="interval",
        paper="TAdaConv A.1",
        why="`segments` for trimmed videos in which the whole action counts, as in Something-Something-V2.",
    )
    short_segments: Annotated[Literal["around", "inside"], _Clips] = setting(
        "What a segment shorter than a clip gives: also frames `around` it, or only frames "
        "`inside` it, the first and last ones repeated.",
        default="around",
        why="`inside` if neighbouring actions would confuse the classifier; `around` if the surroundings help.",
    )
    short_side: Annotated[tuple[Positive, Positive], _Clips] = setting(
        "Smallest and largest shorter side of a training clip.",
        default=(256, 320),
        unit="pixels",
        paper="TAdaConv 5",
        why="Lower both, with `crop`, to train faster. Raise them if small objects matter.",
    )
    crop: Annotated[Positive | Literal["whole"], _Clips] = setting(
        "Side of the square cut out of a clip; `whole` for whole frames.",
        default=224,
        unit="pixels",
        paper="TAdaConv 5",
        why="`whole` if extraction shows whole frames, so that training sees what later stages see. A square if there are many clips.",
    )
    proxies: Annotated[Positive | None, _Clips] = setting(
        "Shorter side of small copies of the training videos (`tada-loc proxies`) that training "
        "clips are read from: even, at least the largest of `short_side`. null: the videos themselves.",
        default=None,
        unit="pixels",
        why="Set it if decoding large videos is what a training waits for. It costs disk and one pass, and weights differ a little.",
    )
    eval_short_side: Annotated[Positive, _Clips] = setting(
        "Shorter side of a validation clip.",
        default=256,
        unit="pixels",
        why="Change it together with `short_side`. Only the accuracy shown while training, and what is chosen by it, depends on it.",
    )
    flip: Annotated[Fraction, _Clips] = setting(
        "Probability that a clip is mirrored.",
        default=0.5,
        why="0 if left and right tell classes apart and have no partner class; see `flip_swaps_sides`.",
    )
    flip_swaps_sides: Annotated[Flag, _Clips] = setting(
        "Whether a mirrored clip gets the class with left and right, clockwise and counter-clockwise exchanged.",
        default=False,
        why="`true` if classes come in pairs such as `slide left` and `slide right`.",
    )
    augment: Annotated[AugmentSettings, _Clips] = AugmentSettings()
    balance: Literal["none", "sqrt", "full"] = setting(
        "Draws segments of rare classes more often: in proportion to the class's "
        "count ** -0.5 (`sqrt`) or count ** -1 (`full`).",
        default="none",
        why="`sqrt` if classes differ much in size. `full` draws all classes equally often and repeats rare segments the most.",
    )
    freeze_norm: Annotated[Flag, _Clips] = setting(
        "Whether batch norms with pretrained weights keep them.",
        default=False,
        why="`true` for small batches, whose own statistics are poor. It needs `backbone.pretrained`.",
    )
    label_smoothing: Share = setting(
        "Share of the label that is spread over all classes.",
        default=0.0,
        why="0.1 against overconfident scores and for labels with mistakes.",
    )
    clips_per_segment: Positive = setting(
        "Clips of each segment in an epoch.",
        default=1,
        unit="clips",
        why="Raise it for few, long segments: it lengthens an epoch as more segments would.",
    )
    compile: Annotated[Flag, _Clips] = setting(
        "Whether the network is compiled (torch.compile).",
        default=False,
        why="`true` for long trainings on a GPU: minutes of compiling, then faster steps. Results differ by rounding.",
    )
    activation_checkpointing: Annotated[Flag, NoResult(), Formerly("recompute")] = setting(
        "Whether blocks keep only their inputs and are computed again for the gradient.",
        default=False,
        why="`true` if memory runs out: less memory, a third more computing, the same weights.",
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
