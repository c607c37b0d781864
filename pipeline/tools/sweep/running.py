"""A sweep: what is to be tried, the figures as they come, and the best setting made the run's own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pipeline.configuration.reading import RUN_CONFIG, load_config
from pipeline.errors import UserError
from pipeline.processes.workers import outcomes
from pipeline.progress import Progress, say
from pipeline.runs.graph import row
from pipeline.runs.holding import held
from pipeline.runs.inputs.contents import names_classes, no_classes
from pipeline.runs.run import Run
from pipeline.runs.ways import needed_by
from pipeline.tools.sweep.axes import Axis, parse_axes
from pipeline.tools.sweep.figures import Halves, Measured, halves_of
from pipeline.tools.sweep.material import Material
from pipeline.tools.sweep.remembered import Remembered, depends_on
from pipeline.tools.sweep.settings import Setting, finding_of, require_used, settings_to_try
from pipeline.tools.sweep.working import Job, jobs_of, measuring

_SILENCE_SECONDS = 1800.0  # a process may take for one video


@dataclass(frozen=True)
class Sweep:
    """A run, the swept keys, and the settings that are tried; `halves` where it is honest."""

    run: Run
    axes: tuple[Axis, ...]
    settings: tuple[Setting, ...]
    halves: Halves | None = None

    @property
    def present(self) -> int:
        """The place of the run's own setting among the settings."""
        config = self.run.detection
        return next(n for n, setting in enumerate(self.settings) if setting.is_of(config))


def prepared(
    run: Run,
    words: Sequence[str],
    *,
    trials: int | None = None,
    seed: int = 0,
    honest: bool = False,
) -> Sweep:
    """What is to be tried on a run: `words` are KEY=VALUE,... or, with `trials`, KEY=LOW..HIGH.

    Raises UsageError for keys and values, UserError where the run is not trained or not current.
    """
    axes = parse_axes(words, run.folder / RUN_CONFIG)
    require_used(axes, run.detection)
    settings = settings_to_try(axes, run.detection, trials=trials, seed=seed)
    _require_trained(run)
    sweep = Sweep(run, axes, settings, halves_of(run, seed) if honest else None)
    _require_no_decoding(sweep)
    return sweep


def results(sweep: Sweep) -> Iterator[tuple[int, Measured]]:
    """The place of each setting and its figures, as they come; what was tried before comes first.

    The run is left as it is, but for maps and figures that are kept where it may be written. Raises UserError.
    """
    run, settings = sweep.run, sweep.settings
    written = _may_write(run.folder)
    with ExitStack() as stack:
        if written:
            stack.enter_context(held(run.folder))
        material = Material(run)
        of = depends_on(run, material.fields, sweep.halves)
        remembered = Remembered(run, of, written=written)
        stack.callback(remembered.write)
        known = {n: remembered.get(setting) for n, setting in enumerate(settings)}
        yield from ((n, measured) for n, measured in known.items() if measured is not None)
        todo = [n for n, measured in known.items() if measured is None]
        if written and todo and run.ways.head == "bmn":
            _keep_maps(material)
        with Progress(
            len(settings), "sweep", unit="setting", start=len(settings) - len(todo)
        ) as bar:
            for n, measured in _measured(sweep, todo):
                remembered.note(settings[n], measured)
                bar.update(1)
                yield n, measured


def apply(sweep: Sweep, best: int) -> None:
    """Write a setting to the run's configuration. Raises UserError if it cannot be written."""
    run, setting = sweep.run, sweep.settings[best]
    pairs = zip(sweep.axes, setting.values, strict=True)
    values = {axis.key: value for axis, value in pairs}
    with held(run.folder):
        Run(run.folder, load_config(run.folder / RUN_CONFIG, values, quiet=True)).keep_config()


def _measured(sweep: Sweep, todo: Sequence[int]) -> Iterator[tuple[int, Measured]]:
    settings = {n: (sweep.settings[n].finding, sweep.settings[n].classify) for n in todo}
    jobs = jobs_of(list(dict.fromkeys(settings.values())))
    workers = min(sweep.run.config.runtime.workers, len(jobs))
    for outcome in outcomes(
        measuring,
        (sweep.run, sweep.halves),
        jobs,
        workers=workers if workers > 1 else 0,
        timeout=_SILENCE_SECONDS,
    ):
        if outcome.reason is not None:
            raise UserError(f"sweep: a setting failed: {outcome.reason}")
        job: Job = outcome.job
        for classify, measured in zip(job.classify, outcome.result, strict=True):
            for n in todo:
                if settings[n] == (job.finding, classify):
                    yield n, measured


def _may_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK)


def _keep_maps(material: Material) -> None:
    """Make the maps that are not kept, where there is room: all settings are made of them."""
    maps = material.maps
    missing = [video for video in material.videos if not maps.has(video)]
    if not missing or not maps.room.in_all:
        return
    with Progress(len(missing), "sweep: maps", unit="video") as bar:
        for video in missing:
            material.keep_maps(video)
            bar.update(1)
            if maps.too_large:
                say("sweep: maps larger than bmn.keep_maps allows are recomputed each time")
                return


def _require_trained(run: Run) -> None:
    """Refuse a run whose networks or features are not as they should be. Raises UserError."""
    if not names_classes(run.folder, run.ways):
        raise no_classes(run.folder, run.ways)
    last = dict.fromkeys((run.ways.proposing, run.ways.detecting))
    for stage in needed_by(list(map(row, last)), run.ways):
        state = run.state(stage.name)
        if state.state != "complete":
            why = f" ({state.why})" if state.why else ""
            raise UserError(
                f"{run.folder}: stage {stage.name} is {state.state}{why}, and a sweep does not train: run `tada-loc "
                f"{stage.command} --run-dir {run.folder}` first"
            )


def _require_no_decoding(sweep: Sweep) -> None:
    """Refuse settings whose class scores are of clips that would have to be decoded. Raises UserError."""
    config = sweep.run.detection
    for setting in [] if sweep.run.ways.own_classes else sweep.settings:
        own = setting.finding == finding_of(config) and all(
            getattr(setting.classify, key) == getattr(config.classify, key)
            for key in ("mode", "source", "positions", "spread")
        )
        if not setting.classify.decodes or (
            own and sweep.run.state("classify").state == "complete"
        ):
            continue
        raise UserError(
            f"{sweep.run.folder}: with classify.source=video clips are decoded at each proposal, which a sweep does not "
            "do: add classify.source=features to it, or, once `tada-loc classify` is done, sweep classify.top, "
            "classify.top_verbs, classify.top_nouns and classify.pairs alone"
        )
