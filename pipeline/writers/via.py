"""A project of VIA 3 (VGG Image Annotator for video), so that a person corrects the detections."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.prediction.found import Prediction
from pipeline.run_folder.files import write_json
from pipeline.writers.labels import (
    choices,
    one_line,
    say_folders,
    segments_of,
    way_to,
    whole_milliseconds,
)

# Numbers that VIA gives: a video; a file at an address on the web, or beside its page; a list to pick one from.
_VIDEO, _WEB, _BESIDE, _SELECT = 4, 2, 3, 4
_SEGMENT = "FILE1_Z2_XY0"  # an attribute of spans of time: one file, two times, no region
_ATTRIBUTE = "1"


def write_via(
    predictions: Sequence[Prediction],
    path: Path,
    *,
    classes: Iterable[str] = (),
    media: str | None = None,
) -> None:
    """Write the detections of videos as a project of VIA 3.

    Each label is a row of its timeline, the detected ones first, then `classes`. Times are seconds to the
    millisecond. A video is looked for by the way from the folder of `path`, where VIA's page has to be too;
    `media` is the folder or the address to look in instead ("https://server/videos/"). Raises UserError if the file
    cannot be written.
    """
    say_folders(predictions, path, "VIA")
    labels = choices(predictions, classes)
    numbers = {label: str(number) for number, label in enumerate(labels, start=1)}
    views = {str(number): found for number, found in enumerate(predictions, start=1)}
    metadata = {
        # The id that VIA gives begins with the view's; eight letters follow.
        f"{view}_{number:08d}": _entry(view, whole_milliseconds(segment), numbers[segment.text])
        for view, found in views.items()
        for number, segment in enumerate(segments_of(found), start=1)
    }
    project = {
        "project": _project(predictions, list(views)),
        "config": _config(),
        "attribute": {_ATTRIBUTE: _attribute({number: name for name, number in numbers.items()})},
        "file": {view: _file(view, found, path, media) for view, found in views.items()},
        "metadata": metadata,
        "view": {view: {"fid_list": [view]} for view in views},
    }
    write_json(path, project)


def _project(predictions: Sequence[Prediction], views: list[str]) -> dict[str, Any]:
    """The names in capitals say that the project is of this computer, not of VIA's server."""
    models = dict.fromkeys(found.model for found in predictions)
    return {
        "pid": "__VIA_PROJECT_ID__",
        "rev": "__VIA_PROJECT_REV_ID__",
        "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
        "pname": one_line(", ".join(["detections", *models])),
        "creator": "tada-loc",
        "created": int(time.time() * 1000),
        "data_format_version": "3.1.1",
        "vid_list": views,
    }


def _config() -> dict[str, Any]:
    return {
        "file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}},
        "ui": {
            "file_content_align": "center",
            "file_metadata_editor_visible": True,
            "spatial_metadata_editor_visible": False,
            "temporal_segment_metadata_editor_visible": True,
            "spatial_region_label_attribute_id": "",
            "gtimeline_visible_row_count": "4",
        },
    }


def _attribute(options: dict[str, str]) -> dict[str, Any]:
    return {
        "aname": "action",
        "anchor_id": _SEGMENT,
        "type": _SELECT,
        "desc": "What happens from the start to the end of a segment",
        "options": options,
        "default_option_id": "",
    }


def _file(number: str, found: Prediction, path: Path, media: str | None) -> dict[str, Any]:
    name = found.source.name
    own = os.fsencode(way_to(found.source, path) if media is None else name)
    on_web = media is not None and "://" in media
    return {
        "fid": number,
        "fname": one_line(name),
        "type": _VIDEO,
        "loc": _WEB if on_web else _BESIDE,
        "src": f"{media or ''}{quote(own)}",
    }


def _entry(view: str, times: tuple[int, int], option: str) -> dict[str, Any]:
    return {
        "vid": view,
        "flg": 0,
        "z": [time / 1000 for time in times],
        "xy": [],
        "av": {_ATTRIBUTE: option},
    }
