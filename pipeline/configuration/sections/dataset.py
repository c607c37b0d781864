"""The settings of the data set: which annotations, which videos, which subsets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from feature_extraction.frame_names import parse_pattern
from pipeline.configuration.sections.base import Fraction, NoResult, Rate, Section, Share

Paths = tuple[Path, ...] | Path


def _pattern(value: str | None) -> str | None:
    return None if value is None else str(parse_pattern(value))


class DatasetSettings(Section):
    """Which annotations and videos; paths are relative to the folder the command runs in."""

    name: Annotated[str, NoResult()] = Field(description="Name of the data set, for people.")
    format: Annotated[
        Literal[
            "auto",
            "table",
            "activitynet",
            "thumos14",
            "multithumos",
            "charades",
            "ego4d",
            "perception_test",
            "mmaction2",
            "coco_temporal",
            "label_studio",
            "cvat",
            "elan",
            "via",
            "boris",
            "audacity",
            "epic_kitchens",
            "kinetics",
            "something",
        ],
        NoResult(),
    ] = Field(description="Form of the annotation files. auto: told from what is in them.")
    annotations: Annotated[Paths, NoResult()] = Field(
        description="Annotation file, a list of them, or a folder of them."
    )
    annotation_fps: Annotated[Rate | None, NoResult()] = Field(
        default=None,
        description="Frames a second that annotations which count frames count at. null: as they say, else "
        "the rate of each video.",
    )
    videos: Annotated[Path, NoResult()] = Field(
        description="Folder of the videos, or of a folder of frames for each."
    )
    proxies: Annotated[Path | None, NoResult()] = Field(
        default=None,
        description="Folder of the small copies that `finetune.proxies` is about; several runs may share it. null: "
        "`proxies` in the run's folder.",
    )
    video_info: Annotated[Path | None, NoResult()] = Field(
        default=None,
        description="EPIC_100_video_info.csv, with durations and rates (EPIC-KITCHENS).",
    )
    frame_fps: Annotated[Rate | None, NoResult()] = Field(
        default=None,
        description="Frames a second of videos that are folders of frames. null: as `video_info` says.",
    )
    frames: Annotated[str | None, NoResult(), AfterValidator(_pattern)] = Field(
        default=None,
        description="Names of the frames in folders of frames, as ffmpeg writes them: `img_%05d.jpg`, `%d.png`. "
        "null: the numbered pictures that are there, if they are one set.",
    )
    classes: Annotated[Paths | None, NoResult()] = Field(
        default=None,
        description="File of the class names, or of verbs and of nouns. null: those of the annotations.",
    )
    train_subset: Annotated[str, NoResult()] = Field(
        default="training", description="Name of the subset that is trained on."
    )
    eval_subset: Annotated[str, NoResult()] = Field(
        default="validation", description="Name of the subset that is evaluated."
    )
    exclude_videos: Annotated[tuple[str, ...], NoResult()] = Field(
        default=(),
        description="Ids of annotated videos that are not part of the data set, as benchmarks leave out "
        "wrongly annotated ones.",
    )
    allow_beyond: Annotated[Fraction, NoResult()] = Field(
        default=0.05,
        description="Share of a subset's segments that may run behind their video's end; more are refused.",
    )
    hold_out: Share = Field(
        default=0.0,
        description="Share of the training videos that choose the epoch to keep instead of training.",
    )
