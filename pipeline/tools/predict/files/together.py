"""The files of all videos of a call: one table, one result file, one list of tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pipeline.prediction.found import Prediction
from pipeline.prediction.model import Model
from pipeline.progress import say
from pipeline.run_folder.identity import fingerprint
from pipeline.run_folder.ledger import Ledger
from pipeline.tools.predict.files.outputs import write_guarded

TABLE, RESULTS = "detections.csv", "detections.json"
TASKS, LABELS = "label-studio.json", "label-studio.xml"


def write_together(
    predictions: Sequence[Prediction], folder: Path, options: Sequence[str], model: Model
) -> list[str]:
    """Write them into the folder; returns the lines to print. What a user has changed is moved aside.

    Raises UserError if a file cannot be written.
    """
    from pipeline.writers.tables import write_detections_csv, write_detections_json

    ledger = Ledger(folder)
    content = fingerprint({"predictions": [_told(found) for found in predictions]})
    writers: dict[str, Callable[[Path], object]] = {
        TABLE: partial(write_detections_csv, predictions),
        RESULTS: partial(write_detections_json, predictions),
    }
    if "label-studio" in options:
        writers |= _of_label_studio(predictions, model)
    said: list[str] = []
    for name, write in writers.items():
        line = ledger.get(name)
        if line is None or line.by != content or not (folder / name).exists():
            said += write_guarded(folder / name, ledger, content, write)
    return said


def say_bare(best: Mapping[str, float], count: int) -> None:
    """Say in how many of the videos nothing that was found is wanted, and how good the best of that is."""
    if best:
        say(
            f"predict: in {len(best)} of {count} videos no detection passes --threshold and --classes; the "
            f"best rejected score is {max(best.values()):.3f}"
        )


def _of_label_studio(
    predictions: Sequence[Prediction], model: Model
) -> dict[str, Callable[[Path], object]]:
    from pipeline.writers.label_studio import write_label_studio_config
    from pipeline.writers.labels import choices

    labels = choices(predictions, model.heads[0] if len(model.heads) == 1 else ())
    return {
        TASKS: partial(_write_tasks, predictions),
        LABELS: partial(write_label_studio_config, labels),
    }


def _write_tasks(predictions: Sequence[Prediction], path: Path) -> None:
    from pipeline.writers.label_studio import write_label_studio

    root = write_label_studio(predictions, path)
    say(f"predict: {path}: Label Studio must serve {root} (LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT)")


def _told(found: Prediction) -> list[str]:
    return [found.video, found.digest, repr(found.duration), found.detections.to_csv(index=False)]
