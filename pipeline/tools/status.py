"""The state of a run's stages: what `tada-loc status` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UserError
from pipeline.printing import printable
from pipeline.run_folder.joined.seen import Worker, workers_in
from pipeline.run_folder.manifests import Manifest, hours_text, read_manifest
from pipeline.runs.graph import StageRow
from pipeline.runs.inputs.contents import names_classes, no_classes
from pipeline.runs.inputs.facts import Facts
from pipeline.runs.run import Run
from pipeline.runs.states import State
from pipeline.runs.ways import in_order

# A column: its title, and what it says of a stage.
COLUMNS = ("stage", "state", "progress", "took", "when", "why it would run again")


@dataclass(frozen=True)
class Standing:
    """A stage and how it stands."""

    stage: StageRow
    state: State
    manifest: Manifest | None
    workers: Sequence[Worker] = ()
    made: int = 0

    @property
    def progress(self) -> str:
        """How many videos, or steps, are done of how many; of processes at work together what all have made."""
        totals = [worker.note.total for worker in self.workers]
        if any(totals):
            return f"{min(self.made, max(totals))}/{max(totals)}"
        progress = self.manifest.progress if self.manifest else None
        return f"{progress.done}/{progress.total}" if progress else ""


def standings(run: Run) -> list[Standing]:
    """How every stage stands, the first first; what cannot be read is reported in its place."""
    found = []
    facts = None
    for stage in in_order(run.ways):
        try:
            manifest = read_manifest(run.path(stage.name))
        except UserError:
            manifest = None
        try:
            facts = facts or run.facts(ahead=True)
            state = run.state(stage.name, facts)
            workers = workers_in(run.path(stage.name)) if stage.joint else []
            made = _made(facts, stage) if workers else 0
        except UserError as error:
            begun = manifest is not None or run.path(stage.name).exists()
            state = State("stale" if begun else "missing", error.message)
            workers, made = [], 0
        found.append(Standing(stage, state, manifest, workers, made))
    return found


def _made(facts: Facts, stage: StageRow) -> int:
    """How many videos of a stage are made with the current settings."""
    by = facts.by(stage.name)
    return sum(line.by == by for line in facts.ledger(stage.name).lines.values())


def status_table(run: Run, found: list[Standing]) -> str:
    """A row per stage: its state, how far it is, what it took, when it was written to, why it would run again."""
    rows = [COLUMNS, *(tuple(map(printable, _cells(one))) for one in found)]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(COLUMNS) - 1)]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(cells, [*widths, 0], strict=True))
        for cells in rows
    ]
    try:
        notes = run.sightings.lines()
    except UserError:
        notes = []
    at_work = [f"{one.stage.folder}: {worker.told}" for one in found for worker in one.workers]
    notes = [*map(printable, at_work), *notes]
    if run.config.finetune.proxies is not None:
        from pipeline.tools.proxies.telling import proxies_line  # loads what looks at videos

        notes += proxies_line(run)
    if not names_classes(run.folder, run.ways):
        notes.append(no_classes(run.folder, run.ways).message)
    return "\n".join(
        [f"run folder {printable(str(run.folder))}", *(line.rstrip() for line in lines), *notes]
    )


def status_as_json(run: Run, found: list[Standing]) -> Mapping[str, Any]:
    """The same as JSON values, with every video concerned."""
    return {
        "run": str(run.folder),
        "stages": [
            {
                "stage": one.stage.folder,
                "command": one.stage.command,
                "state": one.state.state,
                "why": one.state.why,
                "videos": {what: list(videos) for what, videos in one.state.videos.items()},
                "hours": one.state.hours,
                "updated": one.manifest.updated if one.manifest else None,
                "at_work": [worker.as_json() for worker in one.workers],
            }
            for one in found
        ],
    }


def _cells(one: Standing) -> tuple[str, ...]:
    state, manifest = one.state, one.manifest
    done = "done" if manifest and manifest.complete else one.progress
    when = manifest.updated[:19].replace("T", " ") if manifest else ""
    took = hours_text(state.hours) if state.hours else ""
    return one.stage.folder, state.state, done, took, when, state.why
