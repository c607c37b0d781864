"""Results side by side as plain values: mAP, classes, errors, AR, settings and videos; the first is the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.bootstrap import LEVEL, RESAMPLES, map_difference
from evaluation.error_kinds import KINDS
from evaluation.error_types import ErrorTypes
from evaluation.operating import operating_points
from pipeline.prediction.found import names_of
from pipeline.results.scoring import as_thresholds
from pipeline.tools.compare.common import on_common_videos
from pipeline.tools.compare.results import Result, named
from pipeline.tools.compare.sampled import How, Sampled, difference, ends, sampled
from pipeline.tools.compare.videos import changed_most, video_f1

# Sections that say nothing of a run whose head does without them.
_OF_HEADS = ("bmn.", "proposals.", "actionformer.", "detections.", "classify.")
_FIXES = (*KINDS, "false positives", "false negatives")


def comparison(
    results: Sequence[Result],
    *,
    at: float = 0.5,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, Any]:
    """Compare results on the videos they share, with bootstrap intervals over videos; figures in percent.

    All are scored with the first's thresholds (`eval.iou`) and numbers of proposals. Everything under
    `differences` is a list, one entry for each result after the first: it less the first; ends may be None (`ends`).

    runs: name, path, history (of a run). videos, segments: how many are compared. notes: what was left out
    tasks: by name runs [map, average, low, high] and differences [map, average: difference, low, high; better]
    classes: name, segments, runs (AP over the thresholds), differences (difference, low, high)
    errors: at; kinds: kind, counts, runs (points), differences. recall: counts, runs, differences; None for files
    settings: key, values, of those that differ. changed: videos whose F1 at each best score differs most
    Raises UserError if they share no video, UsageError for one alone, or one given twice.
    """
    results, notes = on_common_videos(named(results))
    first = results[0]
    how = How(first.config.eval.iou, at, first.config.eval.proposals_at, resamples, seed, level)
    made = _all_sampled(results, how)
    alone = first.truth["video"].nunique() < 2
    return {
        "runs": [{"name": r.name, "path": str(r.path), "history": r.history} for r in results],
        "videos": len(first.videos),
        "segments": len(first.truth),
        "notes": [*notes, *_other_thresholds(results)],
        "iou": as_thresholds(how.tious),
        "resamples": resamples,
        "level": level,
        "tasks": {name: _task(made, name, level, alone=alone) for name in made[0].tasks},
        "classes": _classes(results, made, level),
        "errors": {"at": at, "kinds": _errors(made, level, alone=alone)},
        "recall": _recall(made, how, alone=alone),
        "settings": _settings(results),
        "changed": _changed(results, made),
    }


def _other_thresholds(results: Sequence[Result]) -> list[str]:
    first = results[0]
    if all(result.config.eval.iou == first.config.eval.iou for result in results[1:]):
        return []
    return [f"all are scored at the tIoU thresholds of {first.name}"]


def _all_sampled(results: Sequence[Result], how: How) -> list[Sampled]:
    """The figures of all, resampled alike."""
    found = {video for result in results for video in result.detections["video"].unique()}
    videos = sorted({*results[0].videos, *found})
    return [sampled(result, how, videos) for result in results]


def _task(made: Sequence[Sampled], name: str, level: float, *, alone: bool) -> dict[str, Any]:
    maps = [one.tasks[name] for one in made]
    runs = []
    for found in maps:
        low, high = found.interval(level)
        average = {"average": 100 * found.average, "low": 100 * low, "high": 100 * high}
        runs.append({"map": (100 * found.map).tolist(), **average})
    differences = []
    for found in maps[1:]:
        by = map_difference(maps[0], found, level)
        rows = [
            {"difference": 100 * value} | ends(float(low), float(high), alone=alone)
            for value, low, high in zip(by.map, by.low, by.high, strict=True)
        ]
        differences.append({"map": rows[:-1], "average": rows[-1], "better": by.positive})
    return {"runs": runs, "differences": differences}


def _classes(
    results: Sequence[Result], made: Sequence[Sampled], level: float
) -> list[dict[str, Any]]:
    """AP of each class of the leading task, over the thresholds."""
    maps = [next(iter(one.tasks.values())) for one in made]
    by = [map_difference(maps[0], found, level) for found in maps[1:]]
    truth = results[0].truth
    names = names_of(results[0].dataset.heads, truth)
    counts, videos = truth["label"].value_counts(), truth.groupby("label")["video"].nunique()
    return [
        {
            "name": names.get(label, str(label)),
            "segments": int(counts[label]),
            "runs": [100 * float(found.ap[place].mean()) for found in maps],
            "differences": [
                {"difference": 100 * float(one.classes[place])}
                | ends(
                    float(one.low_classes[place]),
                    float(one.high_classes[place]),
                    alone=videos[label] < 2,
                )
                for one in by
            ],
        }
        for place, label in enumerate(maps[0].classes)
    ]


def _errors(made: Sequence[Sampled], level: float, *, alone: bool) -> list[dict[str, Any]]:
    points = [_gains(one.errors) for one in made]
    by = [
        difference(points[0], points[place], (made[0].gains, one.gains), level, alone=alone)
        for place, one in enumerate(made[1:], start=1)
    ]
    return [
        {
            "kind": kind,
            "counts": [
                int(one.errors.counts[place]) if place < len(KINDS) else None for one in made
            ],
            "runs": [100 * float(values[place]) for values in points],
            "differences": [rows[place] for rows in by],
        }
        for place, kind in enumerate(_FIXES)
    ]


def _gains(errors: ErrorTypes) -> np.ndarray:
    """Points of each of _FIXES, fractions [K + 2]."""
    return np.append(errors.gains, [errors.false_positives, errors.false_negatives])


def _recall(made: Sequence[Sampled], how: How, *, alone: bool) -> dict[str, Any] | None:
    first = made[0]
    if first.recall is None or first.recall_samples is None:
        return None
    runs, differences = [], []
    for one in made:
        if one.recall is None or one.recall_samples is None:
            return None
        runs.append((100 * one.recall).tolist())
        samples = (first.recall_samples, one.recall_samples)
        differences.append(difference(first.recall, one.recall, samples, how.level, alone=alone))
    return {"counts": list(how.counts), "runs": runs, "differences": differences[1:]}


def _settings(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The settings that decide results and differ between runs; what one does not have is None."""
    runs = [result.settings for result in results if result.settings]
    if len(runs) < len(results):
        return []
    keys = sorted({key for settings in runs for key in settings})
    return [
        {"key": key, "values": [settings.get(key) for settings in runs]}
        for key in keys
        if _differs(key, runs)
    ]


def _differs(key: str, runs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a setting differs between runs; one of a head only between runs that have the head."""
    if key.startswith(_OF_HEADS):
        section = key.partition(".")[0] + "."
        runs = [settings for settings in runs if any(name.startswith(section) for name in settings)]
    return any(settings.get(key) != runs[0].get(key) for settings in runs[1:])


def _changed(results: Sequence[Result], made: Sequence[Sampled]) -> list[list[dict[str, Any]]]:
    tables = []
    for result, one in zip(results, made, strict=True):
        points = operating_points(
            result.truth,
            result.detections,
            one.errors.tiou,
            ties=result.ties,
            ignored=result.ignored,
        )
        tables.append(video_f1(result, one.errors, points.best.threshold))
    return [changed_most(tables[0], table) for table in tables[1:]]
