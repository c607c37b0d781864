"""A training in Weights & Biases: a run of theirs a training, in the group of our run."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.run_folder.files import write_text
from pipeline.training.logs.metrics import Row

PROJECT = "tada-loc"  # unless WANDB_PROJECT says another
ID_FILE = "wandb-id.txt"
FOLDER = "wandb"  # which W&B makes


class WandbRun:
    """A training's rows as W&B shows them, `step/NAME` and `epoch/NAME`.

    The environment decides as it does for any program (WANDB_MODE=offline, WANDB_PROJECT, WANDB_API_KEY). A resumed
    training is the same run of theirs.
    """

    def __init__(self, folder: Path, run: str, title: str, settings: Mapping[str, Any]) -> None:
        self._folder, self._run, self._title, self._settings = folder, run, title, settings
        self._theirs: Any = None

    def begin(self, rows: Iterable[Row]) -> None:
        """See Tracker.begin."""
        rows = list(rows)
        path = self._folder / ID_FILE
        known = path.read_text("utf-8").strip() if rows and path.is_file() else ""
        name = known or secrets.token_hex(8)
        if not known:
            write_text(path, f"{name}\n")
        self._theirs = _begin(self._folder, self._run, self._title, self._settings, name)
        there = int(self._theirs.step or 0)  # of what W&B has: it takes no step twice
        for row in rows:
            if int(row["step"]) >= there:
                self.add(row)

    def add(self, row: Row) -> None:
        """See Tracker.add."""
        shown = {f"{row['row']}/{name}": value for name, value in row.items() if name != "row"}
        self._theirs.log(shown, step=int(row["step"]))

    def save(self) -> None:
        """See Tracker.save: W&B's own process writes all the time."""

    def close(self) -> None:
        """See Tracker.close."""
        if self._theirs is not None:
            self._theirs.finish()


def write_figures(
    folder: Path, run: str, settings: Mapping[str, Any], figures: Mapping[str, float]
) -> None:
    """Write the figures of an evaluation as the summary of a run of theirs."""
    theirs = _begin(folder, run, "eval", settings, secrets.token_hex(8))
    theirs.summary.update(dict(figures))
    theirs.finish()


def _begin(folder: Path, run: str, title: str, settings: Mapping[str, Any], name: str) -> Any:
    """A run of theirs, begun. Raises UserError if W&B refuses."""
    import os

    import wandb

    try:
        return wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            group=run,
            name=f"{run} {title}",
            job_type=title,
            id=name,
            resume="allow",
            dir=str(folder),
            config=dict(settings),
            # nothing on standard output, and not a word of what we say
            settings=wandb.Settings(console="off", silent=True),
        )
    except Exception as error:  # theirs share no class
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"--log wandb: W&B refuses ({type(error).__name__}: {reason}); log in with `wandb login`, "
            "or set WANDB_MODE=offline"
        ) from error
