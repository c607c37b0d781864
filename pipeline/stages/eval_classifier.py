"""The classifier's own test: views of every validation segment, accuracies, ensembles (Section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.data.annotations import Dataset
from pipeline.errors import UserError
from pipeline.printing import printable
from pipeline.progress import say
from pipeline.results.figures import RESULTS, read_results
from pipeline.run_folder.files import remove, write_json
from pipeline.runs.run import Run
from pipeline.runs.soundness.lengths import require_lengths

STAGE = "eval-classifier"
PARTS = "part-*.npz"


def run(run: Run, others: Sequence[Run] = ()) -> None:
    """Write `eval-classifier/results.json`; `others` are runs to average with (TAda2D_En)."""
    _require_networks([run, *others])
    fields: dict[str, Any] = {"runs": len(others) + 1}
    for number, other in enumerate(others):
        for key, value in other.stage(STAGE).fields.items():
            if key == "content.weights" or key.startswith("finetune."):
                fields[f"ensemble[{number}].{key}"] = value
    lines = require_lengths(run, [STAGE])
    stage = run.open(STAGE, fields)
    if stage.complete:
        say(f"{STAGE}: complete")
        return
    run.sightings.keep(run.folder)
    for line in lines:
        say(line)
    left_out = run.left_out(STAGE, at_once=True)
    parts = list(stage.folder.glob(PARTS))
    if parts and stage.anew:  # of other inputs
        for part in parts:
            remove(part)
    elif parts:  # these were made without the videos that failed then
        left_out.remember()
    from pipeline.stages.ranking import all_ranks  # with torch: not where nothing is to be done

    ranked = all_ranks(run, others, stage, left_out)
    figures = _summary(run.dataset, ranked, left_out.names, len(others) + 1)
    left_out.settle()
    write_json(stage.folder / RESULTS, figures)
    left_out.say_parts()
    stage.finish({"left_out": left_out.names, **left_out.parts_summary()})
    for part in stage.folder.glob(PARTS):
        remove(part)


def _require_networks(runs: Sequence[Run]) -> None:
    """Refuse runs whose classifier sees no video. Raises UserError."""
    for run in runs:
        if run.config.finetune.source == "features":
            raise UserError(
                f"{run.folder}: finetune.source=features trains no network that sees views of a video; its "
                "accuracy by features is in finetune/history.json"
            )


def accuracy_table(run: Run) -> str:
    """The figures as a user sees them: accuracy in percent, a row per task. Raises UserError without any."""
    results = read_results(run.path(STAGE) / RESULTS, STAGE)
    rows = [f"{results['segments']} segments, {results['runs']} run(s) averaged"]
    for name, task in results["tasks"].items():
        rows.append(
            f"{printable(name):8s} top-1 {task['top1']:6.2f}  top-5 {task['top5']:6.2f}  "
            f"mean over classes {task['mean_class']:6.2f}"
        )
    return "\n".join(rows)


def _summary(
    dataset: Dataset, ranked: dict[str, np.ndarray], left_out: list[str], runs: int
) -> dict[str, Any]:
    tasks = {}
    for name in [key.partition(".")[2] for key in ranked if key.startswith("rank.")]:
        place, target = ranked[f"rank.{name}"], ranked["target"]
        heads = {"verb": [0], "noun": [1], "action": [0, 1]}.get(name, [0])
        names = [
            ",".join(dataset.heads[head][row[head]] for head in heads) for row in target.tolist()
        ]
        rates = {}
        for label in sorted(set(names)):
            own = place[np.array([other == label for other in names])]
            rates[label] = 100 * float((own == 0).mean())
        tasks[name] = {
            "top1": 100 * float((place == 0).mean()),
            "top5": 100 * float((place < 5).mean()),
            "mean_class": float(np.mean(list(rates.values()))),
            "per_class": rates,
        }
    return {
        "segments": len(ranked["target"]),
        "left_out": left_out,
        "runs": runs,
        "tasks": tasks,
    }
