"""Tasks for Label Studio with the detections in them, and the labeling configuration that shows them.

A detection is a range on the timeline of the <Video> tag: frames from 1, the last included, at the rate that each
task's data gives as `fps`. Label Studio and `tada-loc convert` both count by it, whatever rate the video has.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from pipeline.errors import UserError
from pipeline.prediction.found import Prediction
from pipeline.run_folder.files import atomic_path, write_json
from pipeline.writers.labels import Segment, one_line, say_folders, segments_of

LOCAL_FILES = "/data/local-files/?d="  # what Label Studio serves from its document root
USUAL_RATE = 25.0  # frames per second, where a video says none
_FILTERED = 10  # labels from which on a box to search in them helps
# Colours that colour-blind people can distinguish, dark enough for white letters.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_CONTROL, _VIDEO = "label", "video"  # names of the tags of the configuration


def write_label_studio(
    predictions: Sequence[Prediction],
    path: Path,
    *,
    rates: Mapping[str, float] | None = None,
    accepted: bool = False,
    address: str = LOCAL_FILES,
    root: Path | None = None,
) -> Path:
    """Write a task a video, to be imported after the configuration; gives `root`.

    `rates`: frames per second of videos by id; of others the video file is asked. A detection is a prediction, which a
    person takes over and submits; `accepted`: it is an annotation, as if a person had. A video is looked for at
    `address` and the way from `root` to it; `root` is by default the folder above that of all videos, which
    LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT has to be. Raises UserError if a video is not in `root`, or the
    file cannot be written.
    """
    say_folders(predictions, path, "Label Studio")
    root = root if root is not None else _folder_above(predictions)
    known = rates or {}
    tasks = []
    for found in predictions:
        rate = known.get(found.video, math.nan)
        rate = rate if 0 < rate < math.inf else _rate_of(found)
        video = f"{address}{quote(os.fsencode(_inside(found.source, root, path)))}"
        tasks.append(_task(found, video, rate, accepted))
    write_json(path, tasks)
    return root


def write_label_studio_config(labels: Sequence[str], path: Path) -> None:
    """Write the labeling configuration for `labels`, which `choices` gives: the XML of a project's settings.

    Raises UserError if the file cannot be written.
    """
    view = ET.Element("View")
    ET.SubElement(
        view, "Video", name=_VIDEO, value="$video", frameRate="$fps", timelineHeight="120"
    )
    if len(labels) >= _FILTERED:
        ET.SubElement(
            view, "Filter", name="filter", toName=_CONTROL, minlength="1", hotkey="shift+f"
        )
    control = ET.SubElement(view, "TimelineLabels", name=_CONTROL, toName=_VIDEO)
    for label, colour in zip(labels, cycle(_COLOURS), strict=False):
        ET.SubElement(control, "Label", value=label, background=colour)
    ET.indent(view)
    with atomic_path(path) as temporary:
        ET.ElementTree(view).write(temporary, encoding="UTF-8")


def _task(found: Prediction, video: str, rate: float, accepted: bool) -> dict[str, Any]:
    last = max(1, math.ceil(found.duration * rate)) if math.isfinite(found.duration) else None
    segments = segments_of(found)
    regions = [
        _region(number, segment, rate, last) for number, segment in enumerate(segments, start=1)
    ]
    prediction: dict[str, Any] = {"model_version": one_line(found.model), "result": regions}
    if segments:
        prediction["score"] = sum(segment.score for segment in segments) / len(segments)
    return {
        # What people sort and search tasks by; the video comes first, as its reader takes the first that is one.
        "data": {"video": video, "fps": rate, "video_id": found.video},
        "annotations": [{"result": regions}] if accepted else [],
        "predictions": [] if accepted else [prediction],
    }


def _region(number: int, segment: Segment, rate: float, last: int | None) -> dict[str, Any]:
    """A range of whole frames: the first that begins nearest to the start, the last that ends nearest to the end."""
    before, after = (math.floor(time * rate + 0.5) for time in (segment.start, segment.end))
    first = before + 1 if last is None else min(before + 1, last)
    return {
        "id": f"detection-{number}",
        "from_name": _CONTROL,
        "to_name": _VIDEO,
        "type": "timelinelabels",
        "score": segment.score,
        "value": {
            "ranges": [{"start": first, "end": max(first, after)}],
            "timelinelabels": [segment.text],
        },
    }


def _rate_of(found: Prediction) -> float:
    """The rate a video's file says. Any other would do: no time depends on it by more than half a frame."""
    from feature_extraction.video.opening import probe
    from feature_extraction.video.reader import VideoError

    try:
        rate = probe(found.source, "auto").fps if found.is_file else math.nan
    except (VideoError, OSError):
        rate = math.nan
    return rate if 0 < rate < math.inf else USUAL_RATE


def _folder_above(predictions: Sequence[Prediction]) -> Path:
    """The folder above the one that all videos are in: Label Studio serves no file of its root itself."""
    folders = [os.path.realpath(found.source.parent) for found in predictions]
    if not folders:
        return Path.cwd()
    try:
        return Path(os.path.commonpath(folders)).parent
    except ValueError:  # on several drives
        return Path(folders[0]).parent


def _inside(source: Path, root: Path, written: Path) -> str:
    real = Path(os.path.realpath(source.parent), source.name)
    try:
        return real.relative_to(os.path.realpath(root)).as_posix()
    except ValueError as error:
        raise UserError(
            f"{written}: the video {source} is not in {root}, from which Label Studio serves; "
            "name a folder that all videos are in"
        ) from error
