"""Label Studio's exports: JSON, JSON-MIN and CSV.

Ranges on a video's timeline count frames from 1, the last included; regions of sound and of time series
are seconds; boxes that follow an object last while they are enabled. Frames count at the `frameRate` of the
<Video> tag, which is 24 where it is not set, whatever rate the video has: that is reported.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from pipeline.data.annotations.csv_files import as_frame
from pipeline.data.annotations.foreign.found import Found, FoundVideo
from pipeline.data.annotations.foreign.opening import (
    OpenedFile,
    listed,
    mapping,
    number,
    rate_of,
    string,
)
from pipeline.data.annotations.parts.names import is_media
from pipeline.errors import UserError

_AT_OWN_RATE = (
    "segments at the rate of their video; Label Studio counts at its <Video frameRate>, 24 where not set: "
    "set it if yours differs"
)
_RATES = ("fps", "frame_rate", "framerate", "frameRate")
# Columns of JSON-MIN and CSV that are of the annotation, not of the task.
_ABOUT = {"annotation_id", "annotator", "created_at", "updated_at", "lead_time", "id"}


def recognises(file: OpenedFile) -> bool:
    """Whether a file is an export of Label Studio."""
    if isinstance(file.json, list) and file.json and isinstance(file.json[0], dict):
        keys = set(file.json[0])
        full = "data" in keys and bool(keys & {"annotations", "completions", "result"})
        return full or {"annotation_id", "annotator"} <= keys
    return {"annotation_id", "annotator"} <= file.columns


def read(file: OpenedFile) -> Found:
    """The segments of an export. Raises UserError naming task and value."""
    found = Found(file.path)
    if file.json is None:
        for line, row in as_frame(file.rows, file.path).iterrows():
            where = f"{file.path}, line {line}"
            _short_task(found, {k: _list_in(v, where) for k, v in row.items()}, where)
        return found
    tasks = listed(file.json, str(file.path))
    for place, task in enumerate(tasks):
        where = f"{file.path}, task {task.get('id', place) if isinstance(task, dict) else place}"
        task = mapping(task, where)
        if "data" in task:
            _task(found, task, where)
        else:
            _short_task(found, task, where)
    return found


def say_rate(found: Found) -> None:
    """Note segments in frames for which only their video's own rate is left; Label Studio may count at another."""
    open_ones = sum(s.frames and math.isnan(found.videos[s.video].fps) for s in found.segments)
    found.notes[_AT_OWN_RATE] += open_ones


def _task(found: Found, task: dict[str, Any], where: str) -> None:
    """A task of the full export: its annotations, each with results."""
    known = set(found.videos)
    video = _video(found, mapping(task["data"], where), where)
    annotations = listed(task.get("annotations", task.get("completions")), where)
    guesses = task.get("predictions")
    if isinstance(guesses, list):
        found.notes["predictions, left out"] += len(guesses)
    kept = 0
    for annotation in annotations:
        annotation = mapping(annotation, where)
        if annotation.get("was_cancelled"):
            found.notes["annotations that were cancelled, left out"] += 1
            continue
        kept += 1
        for result in listed(annotation.get("result"), where):
            result = mapping(result, where)
            value = mapping(result.get("value", {}), where)
            kind = result.get("type")
            _region(found, video, value, kind if isinstance(kind, str) else "", where)
    if kept > 1:
        found.notes["videos annotated more than once, all annotations are used"] += 1
    elif not kept:
        found.notes["tasks that nobody annotated, left out"] += 1
        if video not in known:  # not stated to be without actions
            del found.videos[video]


def _short_task(found: Found, task: dict[str, Any], where: str) -> None:
    """A row of JSON-MIN or CSV: one annotation, its results under the names of their tags."""
    video = _video(found, task, where)
    for name, value in task.items():
        if name in _ABOUT or not isinstance(value, list):
            continue
        for region in value:
            if isinstance(region, dict):
                _region(found, video, region, "", where)


def _region(found: Found, video: str, value: dict[str, Any], kind: str, where: str) -> None:
    """One result: its ranges, times or boxes, once for each of its labels."""
    labels = [
        string(label, where)
        for key, entry in value.items()
        if key.endswith("labels") and isinstance(entry, list)
        for label in entry
    ]
    if "ranges" in value:
        spans = [_range(entry, where) for entry in listed(value["ranges"], where)]
        if not spans:
            found.notes["regions without a range, left out"] += 1
    elif "sequence" in value:
        _tell_rate(found, video, value)
        spans = list(_enabled(value, where))
    elif labels and value.get("start") is not None and value.get("end") is not None:
        start, end = number(value["start"], where), number(value["end"], where)
        if value.get("instant") or start == end:
            found.notes["points in time, left out"] += 1
            return
        for label in labels:
            found.add(video, start, end, label, where)
        return
    else:
        found.notes[f"results without times ({kind or 'of another kind'}), left out"] += 1
        return
    if not labels:
        found.notes["segments without a label, left out"] += len(spans)
    for first, after in spans:
        for label in labels:
            found.add_frames(video, first, after, label, where)


def _range(entry: Any, where: str) -> tuple[float, float]:
    entry = mapping(entry, where)
    first, last = number(entry.get("start"), where), number(entry.get("end"), where)
    return max(first - 1, 0.0), last


def _enabled(value: dict[str, Any], where: str) -> Iterator[tuple[float, float]]:
    """The frames in which a followed box is enabled: from one key frame on to the next that disables it."""
    begun: float | None = None
    last = math.nan
    for key in listed(value["sequence"], where):
        key = mapping(key, where)
        last = number(key.get("frame"), where)
        if begun is None:
            begun = last - 1
        if key.get("enabled") is False:
            yield begun, last
            begun = None
    if begun is not None:
        count = rate_of(value.get("framesCount"))
        yield begun, last if math.isnan(count) else max(count, last)


def _tell_rate(found: Found, video: str, value: dict[str, Any]) -> None:
    count, seconds = rate_of(value.get("framesCount")), rate_of(value.get("duration"))
    if count / seconds > 0:
        written = found.videos[video].written
        found.video(written, FoundVideo(written, duration=seconds, fps=count / seconds))


def _video(found: Found, data: dict[str, Any], where: str) -> str:
    """The video of a task, with the rate that its data gives to the <Video> tag, where they do."""
    written = _media(data, where)
    told = (rate_of(data.get(key)) for key in _RATES)
    rate = next((rate for rate in told if not math.isnan(rate)), math.nan)
    return found.video(written, FoundVideo(written, fps=rate))


def _media(data: dict[str, Any], where: str) -> str:
    """The video of a task: the value that names a video or sound file, the one called so first."""
    named = {key: value for key, value in data.items() if is_media(value)}
    for key in ("video", "video_url", "url", "audio"):
        value = data.get(key)
        if isinstance(value, str) and value.strip() and (key in named or not named):
            return value
    if not named:
        raise UserError(f"{where}: none of its data names a video file")
    return str(next(iter(named.values())))


def _list_in(text: str, where: str) -> Any:
    """The list of regions a cell of a CSV export holds; another cell as it is."""
    if not text.startswith("[{"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: {text[:60]!r} is not valid JSON ({error})") from error
