"""The settings of the data set: which annotations, which videos, which subsets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from feature_extraction.frame_names import parse_pattern
from pipeline.configuration.sections.base import (
    Fraction,
    NoResult,
    PositiveFloat,
    Rate,
    Section,
    Share,
)
from pipeline.configuration.sections.urls import LocalFolder, Place

Places = tuple[Place, ...] | Place


def _pattern(value: str | None) -> str | None:
    return None if value is None else str(parse_pattern(value))


class DatasetSettings(Section):
    """Which annotations and videos; paths are relative to the folder the command runs in.

    Annotations, videos and what belongs to them may be addresses (`s3://bucket/videos`, docs/how-to/cloud.md).
    """

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
    annotations: Annotated[Places, NoResult()] = Field(
        description="Annotation file, a list of them, or a folder of them; paths or addresses."
    )
    annotation_fps: Annotated[Rate | None, NoResult()] = Field(
        default=None,
        description="Frames a second that annotations which count frames count at. null: as they say, else "
        "the rate of each video.",
    )
    videos: Annotated[Place, NoResult()] = Field(
        description="Folder of the videos, or of a folder of frames for each; the address of a folder of videos."
    )
    cache: Annotated[LocalFolder | None, NoResult()] = Field(
        default=None,
        description="Folder on a disk of this machine where videos are copied before they are read. null: that of "
        "the user (~/.cache/tada-loc) for what has an address, and videos with a path are read where they lie.",
    )
    cache_size: Annotated[PositiveFloat, NoResult()] = Field(
        default=50.0,
        description="GB (10^9 bytes) of videos that `cache` holds at most, and as much again of other files.",
    )
    proxies: Annotated[LocalFolder | None, NoResult()] = Field(
        default=None,
        description="Folder of the small copies that `finetune.proxies` is about; several runs may share it. null: "
        "`proxies` in the run's folder.",
    )
    video_info: Annotated[Place | None, NoResult()] = Field(
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
    classes: Annotated[Places | None, NoResult()] = Field(
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
