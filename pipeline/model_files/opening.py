"""A model by its path: a file, or the folder of a run."""

from __future__ import annotations

from pathlib import Path

from pipeline.model_files.reading import read_model
from pipeline.prediction.model import Model


def open_model(path: Path) -> Model:
    """The model of a file, or of a run's folder. Raises UserError if there is none, in one line."""
    if path.is_dir():
        from pipeline.prediction.from_run import model_of_run

        return model_of_run(path)
    return read_model(path)
