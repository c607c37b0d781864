"""The settings of the extraction of features."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from pipeline.configuration.sections.base import (
    Flag,
    NonNegative,
    NoResult,
    Positive,
    Rate,
    RecordedLater,
    Section,
    StandsFor,
    setting,
)


class ExtractSettings(Section):
    """Features of clips at regular steps through each video (TAdaConv: Appendix A.2)."""

    fps: Rate = setting(
        "Frame rate that clips are counted in, whatever rate a video has.",
        unit="frames per second",
        paper="TAdaConv A.2",
        why="Keep it equal to `finetune.fps`: the network should see clips as it was trained on them.",
    )
    frames: Positive = setting(
        "Frames of a clip.",
        default=8,
        unit="frames",
        paper="TAdaConv A.2",
        why="Keep it equal to `finetune.frames`. Time grows in proportion.",
    )
    interval: Positive = setting(
        "Distance at `fps` from one frame of a clip to the next.",
        default=8,
        unit="frames",
        paper="TAdaConv A.2",
        why="Keep it equal to `finetune.interval`.",
    )
    stride: Positive = setting(
        "Distance at `fps` from one clip to the next.",
        unit="frames",
        paper="TAdaConv A.2",
        why="Lower it for short actions and finer boundaries; time and disk grow in proportion. Raise it for long actions.",
    )
    offset_frames: NonNegative | None = setting(
        "Frame, at `fps`, on which the first clip is centred. null: the middle of its cell, `stride` / 2.",
        default=None,
        unit="frames",
        why="Set it for imported features whose first clip is centred elsewhere, so that their times are right.",
    )
    short_side: Positive = setting(
        "Shorter side of a frame.",
        unit="pixels",
        paper="TAdaConv A.2",
        why="Raise it if small objects matter, lower it for speed. The size of training clips should not be far from it.",
    )
    crop: Literal["whole", "center"] | Positive = setting(
        "What the network sees: the `whole` frame, its central square (`center`), or a smaller square "
        "at its centre (its side in pixels).",
        default="whole",
        unit="pixels",
        paper="TAdaConv A.2",
        why="`center` if the classifier was trained on squares and what happens is in the middle. `whole` misses nothing.",
    )
    batch_size: Annotated[Positive, RecordedLater()] = setting(
        "Clips that go through the network at once. Another number rounds features differently.",
        default=4,
        unit="clips",
        why="Raise it until a GPU is busy, lower it if memory runs out. Set it before the first extraction: all features are made again.",
    )
    precision: Literal["float32", "bfloat16"] = setting(
        "Number format of the network.",
        default="float32",
        why="`bfloat16` is faster on a GPU that has it. Features differ by rounding.",
    )
    compile: Flag = setting(
        "Whether the network is compiled (torch.compile).",
        default=False,
        why="`true` for many videos on a GPU: minutes of compiling, then faster clips. Features differ by rounding.",
    )
    decoder: Annotated[Literal["auto", "pyav", "decord", "nvdec"], StandsFor("auto", "pyav")] = (
        setting(
            "What decodes videos; `auto` is `pyav`. `nvdec`: the GPU that the network runs on.",
            default="auto",
            why="`nvdec` if decoding on the CPU is what extraction waits for. Features differ a little between decoders.",
        )
    )
    allow_partial: Annotated[Flag, NoResult()] = setting(
        "Whether a video that is cut off or damaged in places is used as far as it decodes.",
        default=False,
        why="`true` to keep damaged videos. What is missing has no features, and its actions are missed.",
    )

    @model_validator(mode="after")
    def _crop_fits(self) -> ExtractSettings:
        if not isinstance(self.crop, str) and self.crop > self.short_side:
            raise ValueError(f"crop {self.crop} is larger than the short side {self.short_side}")
        return self
