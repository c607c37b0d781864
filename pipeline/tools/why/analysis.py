"""Why a run's mAP is no higher: error types and stages as plain values, made once and kept beside the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from evaluation.ties import Ties
from pipeline.data.annotations import Dataset
from pipeline.errors import UserError
from pipeline.plain_files import read_json
from pipeline.progress import say
from pipeline.results import scoring
from pipeline.results.scoring.best_f1 import best_f1
from pipeline.results.scoring.given import Given
from pipeline.run_folder.files import write_json
from pipeline.run_folder.identity import fingerprint
from pipeline.runs.found import detections_of
from pipeline.runs.run import Run
from pipeline.stages.evaluate import numbers, ties_of
from pipeline.tools.why.advice import Averages, next_step
from pipeline.tools.why.errors import errors_of

WHY = "why.json"
TIOU = 0.5
_FORM = 1  # of the file: another one is made again


def why(run: Run, at: float = TIOU, *, stages: bool = True) -> dict[str, Any]:
    """The analyses of an evaluated run, percent: error types at the tIoU `at`, stages, what to try next.

    `errors`: as `errors_of` gives them. `stages`: a list of name, what, note, and `tasks` by name with map,
    average and gain (points above the run's average); empty without `stages`, for then no network is loaded.
    `best_f1`: at `at`. Taken from `eval/why.json` where that is of this run as it is, kept there otherwise.
    Raises UserError if the run is not evaluated.
    """
    kept = kept_why(run, at)
    if kept is not None and (kept["stages"] or not stages):
        return kept
    detections = detections_of(run)
    truth = scoring.truth_rows(run.config.dataset, run.dataset)
    ignored = run.dataset.ignored_rows(run.subsets[1])
    made = _errors(truth, detections, run.dataset, at, ties=ties_of(run), ignored=ignored)
    made = {"form": _FORM, "inputs": _inputs(run, at), **made}
    made["stages"] = _stages(run, truth, ignored) if stages else []
    made["advice"] = _advice(run, made)
    _keep(run, made)
    return made


def kept_why(run: Run, at: float = TIOU) -> dict[str, Any] | None:
    """The analyses that `why` kept of this run as it is; None if there are none."""
    kept = _kept(run)
    return kept if kept is not None and kept["inputs"] == _inputs(run, at) else None


def why_of_file(given: Given, at: float = TIOU) -> dict[str, Any]:
    """The same for any detections: error types alone, for their stages are not known. Raises UserError."""
    made = _errors(
        given.truth, given.table, given.dataset, at, ties=given.ties, ignored=given.ignored
    )
    gains = next(iter(made["errors"]["tasks"].values()))["gains"]
    return made | {"stages": [], "advice": next_step(Averages(0.0, {}), gains)}


def _errors(
    truth: pd.DataFrame,
    detections: pd.DataFrame,
    dataset: Dataset,
    at: float,
    *,
    ties: Ties,
    ignored: pd.DataFrame,
) -> dict[str, Any]:
    figures = best_f1(truth, detections, tiou=at, ties=ties, ignored=ignored)
    errors = errors_of(truth, detections, dataset, at, ties=ties, ignored=ignored)
    return {"errors": errors, "best_f1": figures}


def _stages(run: Run, truth: pd.DataFrame, ignored: pd.DataFrame) -> list[dict[str, Any]]:
    from pipeline.tools.why.oracles import oracles  # with torch

    own = numbers(run)["tasks"]
    rows = []
    for oracle in oracles(run, truth):
        tasks = {}
        if oracle.table is not None:
            scored = scoring.score_tasks(
                truth,
                oracle.table,
                run.dataset,
                run.detection.eval.iou,
                ties=ties_of(run),
                ignored=ignored,
            )
            tasks = {
                name: {
                    "map": task["map"],
                    "average": task["average"],
                    "gain": task["average"] - own[name]["average"],
                }
                for name, task in scored.items()
            }
        rows.append({"name": oracle.name, "what": oracle.what, "note": oracle.note, "tasks": tasks})
    return rows


def _advice(run: Run, made: Mapping[str, Any]) -> str:
    leading, task = next(iter(made["errors"]["tasks"].items()))
    known = {
        row["name"]: row["tasks"][leading]["average"] for row in made["stages"] if row["tasks"]
    }
    averages = Averages(numbers(run)["tasks"][leading]["average"], known)
    ways = run.ways
    return next_step(averages, task["gains"], by_file=ways.given_scores, head=ways.head)


def _inputs(run: Run, at: float) -> str:
    """What the analyses depend on: all that proposals, classes and figures do, and the tIoU."""
    facts, ways = run.facts(), run.ways
    stages = dict.fromkeys((ways.proposing, ways.detecting, "eval"))
    return fingerprint(
        {"form": _FORM, "at": at} | {name: facts.stage(name).fields for name in stages}
    )


def _kept(run: Run) -> dict[str, Any] | None:
    """The analyses that were kept, None if there are none, or not whole."""
    try:
        kept: Any = read_json(run.path("eval") / WHY)
    except (OSError, ValueError, RecursionError):
        return None
    wanted = {"form": int, "inputs": str, "errors": dict, "best_f1": dict, "stages": list}
    whole = isinstance(kept, dict) and all(
        isinstance(kept.get(key), kind) for key, kind in wanted.items()
    )
    return kept if whole and kept["form"] == _FORM and isinstance(kept.get("advice"), str) else None


def _keep(run: Run, made: dict[str, Any]) -> None:
    try:
        write_json(run.path("eval") / WHY, made)
    except (UserError, OSError) as error:  # a run of someone else's is only read
        say(f"why: not kept beside the figures ({error})")
