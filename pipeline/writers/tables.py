"""Detections as a table and as ActivityNet's result file, in full precision, of one video or of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import UserError
from pipeline.prediction.found import Prediction
from pipeline.results.tables import as_cell, write_table
from pipeline.run_folder.files import write_json
from pipeline.writers.labels import one_line

_COLUMNS = ["video", "start", "end", "label", "score"]
_CLASSES = ["verb", "noun"]  # of EPIC-KITCHENS
# Its file says how much supervision was used (pre-training, labels, data); nobody declared any here.
_EPIC = {"challenge": "action_detection", "sls_pt": 0, "sls_tl": 0, "sls_td": 0}


def write_detections_csv(predictions: Sequence[Prediction], path: Path) -> None:
    """Write the detections as video, start, end (seconds), label, score, a video after the other, best first.

    EPIC-KITCHENS adds verb and noun, the numbers of classes, and name. `pipeline.results.tables.read_given` gives
    every number back bit for bit. Raises UserError if the file cannot be written.
    """
    write_table(path, _table(predictions))


def write_detections_json(
    predictions: Sequence[Prediction],
    path: Path,
    external_data: Mapping[str, Any] | None = None,
) -> None:
    """Write the detections as ActivityNet's result file, with the videos and the model beside the results.

    A video without a detection has an empty list. Of EPIC-KITCHENS the keys of its own result file are there too,
    so that `tada-loc score` reads either. `external_data`: what else was trained on, as the file shall say it. Raises
    UserError if two videos have one id, or the file cannot be written.
    """
    results: dict[str, Any] = {}
    videos: dict[str, Any] = {}
    for found in predictions:
        if found.video in results:
            raise UserError(f"{path}: two videos have the id {found.video}; rename one of them")
        results[found.video] = _entries(found)
        videos[found.video] = {
            "duration": found.duration if math.isfinite(found.duration) else None,
            "file": found.source.name,
            "model": found.model,
        }
    models = {(found.model, found.digest) for found in predictions}
    epic = any(_has_classes(found.detections) for found in predictions)
    known = [{"name": name, "digest": digest} for name, digest in sorted(models)]
    content = {
        "version": "0.2" if epic else "VERSION 1.3",
        **(_EPIC if epic else {}),
        "external_data": dict(external_data or {"used": False, "details": ""}),
        "model": known[0] if len(known) == 1 else known,
        "videos": videos,
        "results": results,
    }
    write_json(path, content)


def _table(predictions: Sequence[Prediction]) -> pd.DataFrame:
    columns = list(_COLUMNS)
    if any(_has_classes(found.detections) for found in predictions):
        columns += [*_CLASSES, "name"]
    frames = [_named(found)[columns] for found in predictions if len(found.detections)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _named(found: Prediction) -> pd.DataFrame:
    """The detections, of verbs and nouns with the name of the class, which a spreadsheet must not run either."""
    rows = found.detections
    if not _has_classes(rows):
        return rows
    return rows.assign(name=[as_cell(one_line(found.name_of(label))) for label in rows["label"]])


def _entries(found: Prediction) -> list[dict[str, Any]]:
    rows = found.detections
    names = ("label", "start", "end", "score")
    columns = (rows[name].tolist() for name in names)
    entries = [
        {"label": label, "segment": [start, end], "score": score}
        for label, start, end, score in zip(*columns, strict=True)
    ]
    if _has_classes(rows):
        verbs, nouns = (rows[name].tolist() for name in _CLASSES)
        for entry, verb, noun in zip(entries, verbs, nouns, strict=True):
            label = entry["label"]
            entry |= {"verb": verb, "noun": noun, "action": label, "name": found.name_of(label)}
    return entries


def _has_classes(rows: pd.DataFrame) -> bool:
    return set(_CLASSES) <= set(rows.columns)
