"""The files of all videos of a call: one table, one result file, one list of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.prediction.found import Prediction
from pipeline.prediction.model import Model
from pipeline.run_folder.identity import fingerprint, record_of
from pipeline.run_folder.ledger import Ledger, Made
from pipeline.tools.predict.outputs import guarded

TABLE, RESULTS = "detections.csv", "detections.json"
TASKS, LABELS = "label-studio.json", "label-studio.xml"


def write_together(
    predictions: Sequence[Prediction], folder: Path, options: Sequence[str], model: Model
) -> list[str]:
    """Write them into the folder; the lines a user is told. What a person has changed is moved aside.

    Raises UserError where a file cannot be written.
    """
    from pipeline.writers.tables import write_detections_csv, write_detections_json

    said: list[str] = []
    ledger = Ledger(folder)
    content = fingerprint({"predictions": [_told(found) for found in predictions]})
    wanted = [TABLE, RESULTS, *([TASKS, LABELS] if "label-studio" in options else [])]
    todo = [name for name in wanted if not _is_there(folder / name, ledger.get(name), content)]
    for name in todo:
        moved = guarded(folder / name, ledger.get(name))
        said += [moved] if moved is not None else []
    if TABLE in todo:
        write_detections_csv(predictions, folder / TABLE)
    if RESULTS in todo:
        write_detections_json(predictions, folder / RESULTS)
    if TASKS in todo or LABELS in todo:
        _write_tasks(predictions, folder, model)
    for name in todo:
        file = record_of(folder / name)
        ledger.note(Made(video=name, by=content, of="", file=file, content=file.sha256))
    return said


def _write_tasks(predictions: Sequence[Prediction], folder: Path, model: Model) -> None:
    from pipeline.writers.label_studio import write_label_studio, write_label_studio_config
    from pipeline.writers.labels import choices

    heads = model.heads
    write_label_studio(predictions, folder / TASKS)
    classes = heads[0] if len(heads) == 1 else ()
    write_label_studio_config(choices(predictions, classes), folder / LABELS)


def _told(found: Prediction) -> list[str]:
    return [found.video, found.digest, repr(found.duration), found.detections.to_csv(index=False)]


def _is_there(path: Path, line: Made | None, content: str) -> bool:
    return line is not None and line.by == content and path.exists()
