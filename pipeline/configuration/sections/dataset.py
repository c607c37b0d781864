"""The settings of the data set: which annotations, which videos, which subsets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from feature_extraction.frame_names import parse_pattern
from pipeline.configuration.sections.base import (
    Fraction,
    NoResult,
    PositiveFloat,
    Rate,
    Section,
    Share,
    setting,
)
from pipeline.configuration.sections.urls import LocalFolder, Place

Places = tuple[Place, ...] | Place
_Segments = NoResult("segments")
_Videos = NoResult("videos")


def _pattern(value: str | None) -> str | None:
    return None if value is None else str(parse_pattern(value))


class DatasetSettings(Section):
    """Which annotations and videos a run uses.

    Paths are relative to the folder in which the command runs. Addresses (`s3://bucket/videos`, docs/how-to/cloud.md) can take
    the place of paths.
    """

    name: Annotated[str, NoResult()] = setting(
        "Name of the data set.",
        why="Reports show it. The published figures in `eval.paper` are printed only for the data set that they are of.",
    )
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
        _Segments,
    ] = setting(
        "Form of the annotation files. `auto`: recognized from what is in them.",
        why="Set it if `auto` takes your file for another form than it is.",
    )
    annotations: Annotated[Places, _Segments] = setting(
        "Annotation file, a list of them, or a folder of them; paths or addresses.",
        why="Set it to your own annotations. Rows of the other subset and the order of rows change no result.",
    )
    annotation_fps: Annotated[Rate | None, _Segments] = setting(
        "Frame rate at which annotations in frames count. null: the rate that the file states, else the rate of each video.",
        default=None,
        unit="frames per second",
        why="Set it if times were annotated on frames of another rate than the videos have. Files in seconds refuse it.",
    )
    videos: Annotated[Place, _Videos] = setting(
        "Folder of the videos, or of a folder of frames for each; the address of a folder of videos.",
        why="Set it to where the videos are. Moving them makes nothing stale: a video is known by its content.",
    )
    cache: Annotated[LocalFolder | None, NoResult()] = setting(
        "Folder on a disk of this machine to which videos are copied before they are read. null: ~/.cache/tada-loc for videos "
        "with an address; videos with a path are read where they are.",
        default=None,
        why="Set it to a fast local disk if the videos are in a cloud store or on a slow network disk.",
    )
    cache_size: Annotated[PositiveFloat, NoResult()] = setting(
        "Most GB (10^9 bytes) of videos that `cache` holds, and as much again of other files.",
        default=50.0,
        unit="GB",
        why="Raise it until the videos of a pass fit, so that none is copied twice. Lower it if the disk is small.",
    )
    proxies: Annotated[LocalFolder | None, NoResult()] = setting(
        "Folder of the small copies that `finetune.proxies` asks for; several runs may share it. null: `proxies` in the run folder.",
        default=None,
        why="Set it if several runs train on the same videos, so that the copies are made once.",
    )
    video_info: Annotated[Place | None, _Videos] = setting(
        "EPIC_100_video_info.csv, with durations and rates (EPIC-KITCHENS).",
        default=None,
        why="Set it for EPIC-KITCHENS in folders of frames, whose rates it states.",
    )
    frame_fps: Annotated[Rate | None, _Videos] = setting(
        "Frame rate of videos that are folders of frames. null: as `video_info` states.",
        default=None,
        unit="frames per second",
        why="Set it for folders of frames: pictures do not say when they are shown. Video files do not use it.",
    )
    frames: Annotated[str | None, _Videos, AfterValidator(_pattern)] = setting(
        "Names of the frames in folders of frames, as ffmpeg writes them: `img_%05d.jpg`, `%d.png`. "
        "null: the numbered pictures that are there, if they are one set.",
        default=None,
        why="Set it if a folder holds several sets of pictures, such as RGB frames and optical flow.",
    )
    classes: Annotated[Places | None, _Segments] = setting(
        "File of the class names, or of verbs and of nouns. null: those of the annotations.",
        default=None,
        why="Set it if the annotations do not name every class, so that classes and their order stay those of the benchmark.",
    )
    train_subset: Annotated[str, _Segments] = setting(
        "Name of the subset that is trained on.",
        default="training",
        why="Set it if your annotations name it otherwise, such as `train`.",
    )
    eval_subset: Annotated[str, _Segments] = setting(
        "Name of the subset that is evaluated.",
        default="validation",
        why="Set it if your annotations name it otherwise, such as `val` or `test`.",
    )
    exclude_videos: Annotated[tuple[str, ...], _Videos] = setting(
        "Ids of annotated videos that are not part of the data set, such as the wrongly annotated ones that benchmarks leave out.",
        default=(),
        why="List what a benchmark leaves out, to be comparable with its figures. `[]` counts every annotated video.",
    )
    allow_beyond: Annotated[Fraction, NoResult()] = setting(
        "Largest share of a subset's segments that may end after their video does; more are refused.",
        default=0.05,
        why="Raise it if your videos were cut and many annotations are of the missing parts. First check that times are in seconds.",
    )
    hold_out: Share = setting(
        "Share of the training videos that choose the epoch to keep and are not trained on.",
        default=0.0,
        why="0.1 to 0.2 with `keep: best` or `patience`, so that the choice is not made on the videos that are reported. "
        "It costs these training videos.",
    )
