"""Runs on imported features that are trained a little: their figures are neither 0 nor 100."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from helpers import separable
from helpers.small_runs import tada

LINEAR = ("finetune.source=features", "classify.mode=proposal", "finetune.epochs=3")
TRAINED = ("bmn.epochs=12", "bmn.base_lr=0.01", "eval.iou=[0.3,0.5,0.7,0.9]")


def trained(data: Path, run: Path, *more: str) -> Path:
    """A run of all stages on the separable features."""
    assert separable.take(data, run, *TRAINED, *more).exit_code == 0
    done = tada("run", *separable.options(data, run, *TRAINED, *more))
    assert done.exit_code == 0, done.output
    return run


def swept(run: Path, *words: str) -> dict[str, Any]:
    """What `tada-loc sweep` says of a run, as JSON."""
    file = run.parent / f"{run.name}.json"
    done = tada("sweep", "--run-dir", str(run), "--json", str(file), *words)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def row_of(found: dict[str, Any], **values: object) -> dict[str, Any]:
    """The one row of a sweep with these values, `_` for the point of a key."""
    wanted = {key.replace("__", "."): value for key, value in values.items()}
    (row,) = (one for one in found["settings"] if one["values"] == wanted)
    return dict(row)
