"""A run's model to a file: what is refused before any weights are read, and what is reported."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from feature_extraction.plain_files import what_else
from pipeline.errors import UserError
from pipeline.model_files.content import LONGEST_NOTE
from pipeline.model_files.info import trained_on
from pipeline.model_files.writing import write_model
from pipeline.plain_files import bytes_text, read_text


def export_run(folder: Path, target: Path, *, note: str | None = None, force: bool = False) -> str:
    """Write the model of a run; returns the lines that say what was written.

    `note` is a text, or the path of a file that holds one. Raises UserError if there is no trained model, where
    something exists at `target` (unless `force`), and where it cannot be written.
    """
    _require_free(target, force=force)
    text = _note(note)
    from pipeline.prediction.from_run import model_of_run

    model = replace(model_of_run(folder), note=text)
    write_model(model, target, trained=trained_on(folder))
    counts = " and ".join(
        f"{len(names)} {title}"
        for names, title in zip(
            model.heads, ("classes",) if len(model.heads) == 1 else ("verbs", "nouns"), strict=True
        )
    )
    lines = [
        f"{target}: {bytes_text(target.stat().st_size)}, {counts}, {_accuracy(model.results)}",
        f"digest {model.digest}",
    ]
    if not text:
        lines.append("no note: the file names no licence (add one with --note LICENSE)")
    return "\n".join(lines)


def _require_free(target: Path, *, force: bool) -> None:
    """Refuse a place where something exists that is not to be replaced. Raises UserError."""
    if not os.path.lexists(target):
        return
    other = what_else(target)
    if other is not None:
        raise UserError(f"--to {target}: is {other}; give the name of a file")
    if not force:
        raise UserError(f"--to {target}: already exists; use --force to overwrite it")


def _note(note: str | None) -> str:
    """The text of a note: that of the file it names, else itself. Raises UserError if a file cannot be read."""
    if note is None:
        return ""
    path = Path(note)
    try:
        if len(note) > 1000 or "\n" in note or not os.path.lexists(path):
            return note
        return read_text(path, 4 * LONGEST_NOTE).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--note {note}: cannot be read as text ({reason})") from error


def _accuracy(results: object) -> str:
    tasks = results.get("tasks") if isinstance(results, dict) else None
    if not tasks:
        return "not evaluated"
    return ", ".join(f"average {name} {task['average']:.2f}" for name, task in tasks.items())
