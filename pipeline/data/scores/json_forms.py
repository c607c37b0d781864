"""The published JSON forms of video-level class scores.

`{"results": {ID: [a score per class]}, "class": [names]}` as ActivityNet's classifiers give them (a row in a
list of its own as HACS's do), `{"results": {ID: [{"label", "score"}]}}` as challenge files have them,
and the same without `results`, as pairs [label, score], as {label: score}, as {"labels": [...], "scores": [...]},
or as a list of such with `video`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.data.scores.raw import Raw
from pipeline.errors import UserError

# The file's list of class names.
CLASSES = (
    "class",
    "classes",
    "labels",
    "class_names",
    "class_list",
    "class_to_idx",
    "idx_to_class",
)
_NO_VIDEOS = (*CLASSES, "version", "external_data")
_VIDEO = ("video", "video_id", "video_name", "id", "name")
_LABEL = ("label", "class", "category")
_LABELS = (*_LABEL, "labels", "classes", "class_names")
_ROW = ("scores", "score", "pred_score", "pred_scores")


def parse_json(text: str, file: Path) -> Raw:
    """The scores of a JSON text. Raises UserError naming file, video and value where it has another form."""
    try:
        content = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: not valid JSON ({error})") from error
    raw = Raw(file)
    results = content
    if isinstance(content, dict):
        raw.classes = _class_names(content, file)
        results = content.get("results", {k: v for k, v in content.items() if k not in _NO_VIDEOS})
    if isinstance(results, list):
        _take_list(raw, results)
    elif isinstance(results, dict):
        for video, value in results.items():
            _take(raw, video, value)
    else:
        raise _no_form(raw, "results")
    return raw


def _class_names(content: Mapping[str, Any], file: Path) -> tuple[str, ...] | None:
    """The names a file lists, by number; None without a list. Raises UserError if there is one of another form."""
    key = next((key for key in CLASSES if content.get(key) is not None), None)
    if key is None:
        return None
    names = content[key]
    if isinstance(names, dict):
        names = _in_order(names)
    if not isinstance(names, list):
        raise UserError(
            f"{file}: {key}: neither a list of class names nor a mapping of names to numbers from 0; give one of these"
        )
    wrong = [name for name in names if not isinstance(name, str)]
    twice = [] if wrong else [name for name, count in Counter(names).items() if count > 1]
    if wrong or twice:
        what = f"{wrong[0]!r} is not a name" if wrong else f"{twice[0]!r} appears twice"
        raise UserError(f"{file}: {key}: {what}; give each class name once")
    return tuple(names)


def _in_order(numbered: Mapping[str, Any]) -> list[Any] | None:
    """The names of {name: number} or {number: name} by their numbers; None if these are not 0, 1, 2, ..."""
    if all(type(number) is int for number in numbered.values()):
        names: dict[int, Any] = {number: name for name, number in numbered.items()}
    elif all(number.isdecimal() and len(number) < 7 for number in numbered):
        names = {int(number): name for number, name in numbered.items()}
    else:
        return None
    every = range(len(numbered))
    return [names[number] for number in every] if names.keys() == set(every) else None


def _take_list(raw: Raw, results: list[Any]) -> None:
    """A list of objects that each name their video."""
    for place, one in enumerate(results):
        video = _first(one, _VIDEO) if isinstance(one, dict) else None
        if not isinstance(video, str):
            raise UserError(f"{raw.file}: entry {place} names no video; give it as 'video'")
        row, label = _first(one, _ROW), _first(one, _LABEL)
        if isinstance(row, list):
            _take(raw, video, one)
        elif label is not None and row is not None and video not in raw.rows:
            raw.add_label(video, label, row)
        else:
            raise _no_form(raw, video)


def _take(raw: Raw, video: str, value: Any) -> None:
    """What one video has; nothing of an empty list."""
    if video in raw.rows or video in raw.labelled:
        raise UserError(f"{raw.file}: video {video} appears twice; keep one entry")
    if isinstance(value, dict):
        row = _first(value, _ROW)
        labels = _first(value, _LABELS)
        if isinstance(row, list) and isinstance(labels, list):
            _take_lists(raw, video, labels, row)
            return
        if isinstance(row, list):
            value = row
        elif isinstance(_first(value, _LABEL), str) and "score" in value:
            value = [value]
        else:
            for label, score in value.items():
                raw.add_label(video, label, score)
            return
    if not isinstance(value, list):
        raise _no_form(raw, video)
    nested = len(value) == 1 and isinstance(value[0], list)
    if nested and _is_row(value[0], raw):
        value = value[0]
    if value and not any(isinstance(one, (list, dict)) for one in value):
        raw.add_row(video, value)
        return
    for one in value:
        _take_one(raw, video, one)


def _take_lists(raw: Raw, video: str, labels: list[Any], scores: list[Any]) -> None:
    """Labels and their scores in a list each."""
    if len(labels) != len(scores):
        raise UserError(
            f"{raw.file}: video {video} has {len(labels)} labels and {len(scores)} scores; give one for each"
        )
    for label, score in zip(labels, scores, strict=True):
        raw.add_label(video, label, score)


def _take_one(raw: Raw, video: str, one: Any) -> None:
    """A label and its score: a pair, or an object."""
    if isinstance(one, dict):
        label, score = _first(one, _LABEL), one.get("score")
        if label is not None and score is not None:
            raw.add_label(video, label, score)
            return
    elif isinstance(one, list) and len(one) == 2:
        raw.add_label(video, one[0], one[1])
        return
    raise _no_form(raw, video)


def _is_row(inner: list[Any], raw: Raw) -> bool:
    """Whether the only list in a list is a score per class, and not a label with its score."""
    if any(isinstance(value, str) for value in inner):
        return False
    return len(inner) != 2 or (raw.classes is not None and len(raw.classes) == 2)


def _first(value: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((value[key] for key in keys if key in value), None)


def _no_form(raw: Raw, video: str) -> UserError:
    return UserError(
        f"{raw.file}: video {video}: neither a list of scores, one per class, nor of labels with scores "
        '([{"label": ..., "score": ...}])'
    )


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} appears twice")
    return found


def _no_number(value: str) -> float:
    raise ValueError(f"{value} is not a score")
