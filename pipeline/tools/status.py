"""How the stages of a run stand: what `tada-loc status` prints."""

from __future__ import annotations

from pipeline.printing import printable
from pipeline.run_folder.manifests import read_manifest
from pipeline.runs.graph import StageRow, in_order
from pipeline.runs.run import Run

# A column: its title, and what it says of a stage.
COLUMNS = ("stage", "state", "progress", "when", "why it would run again")


def status_table(run: Run) -> str:
    """A row a stage: its state, how far it is, when it was written to, why it would run again."""
    rows = [COLUMNS, *(tuple(map(printable, _cells(run, stage))) for stage in in_order())]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(COLUMNS) - 1)]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(cells, [*widths, 0], strict=True))
        for cells in rows
    ]
    return f"run folder {printable(str(run.folder))}\n" + "\n".join(line.rstrip() for line in lines)


def _cells(run: Run, stage: StageRow) -> tuple[str, ...]:
    state, why = run.state(stage.name)
    manifest = read_manifest(run.path(stage.name)) or {}
    progress = manifest.get("progress")
    shown = f"{progress['done']}/{progress['total']}" if progress else ""
    done = "done" if manifest.get("state") == "complete" else shown
    when = manifest.get("updated", "")[:19].replace("T", " ")
    return stage.folder, state, done, when, why
