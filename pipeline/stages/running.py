"""From a command to stages: which configuration, which run folder, in which order."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.configuration.keys import restated
from pipeline.configuration.reading import (
    Config,
    dump_config,
    find_config,
    load_config,
    parse_overrides,
)
from pipeline.errors import UsageError, UserError, cannot_write
from pipeline.progress import say
from pipeline.ranks import ranks
from pipeline.run_folder import manifests as artifacts
from pipeline.run_folder.lock import locked
from pipeline.stages.fields import is_imported, on_imported_grid, stage_fields

STAGE_MODULES = {
    "finetune": "pipeline.stages.finetune",
    "extract": "pipeline.stages.extract",
    "bmn": "pipeline.stages.bmn",
    "classify": "pipeline.stages.classify",
    "eval": "pipeline.stages.evaluate",
}
# What takes seconds the first process does alone.
_ONE_PROCESS = frozenset({"classify", "eval"})
RUNS = Path("runs")
LOCAL_CONFIG = Path("tada-loc.yaml")
DEFAULT_CONFIG = "ek100"


def open_run(
    *,
    config: str | None,
    run_dir: Path | None,
    assignments: Sequence[str],
    verbose: bool = False,
    overrides: Mapping[str, Any],
) -> tuple[Config, Path]:
    """The validated configuration and the run folder.

    Without `config`: what the run folder was made with; without a run folder either: the only one in
    `runs/`, else `tada-loc.yaml` here, else the shipped `ek100`. Raises UsageError for what is wrong.
    """
    path, folder = _locate(config, run_dir)
    settings = load_config(path, dict(overrides) | parse_overrides(assignments))
    if verbose:
        say(f"configuration {path}, run folder {folder}\n{dump_config(settings)}")
    return settings, folder


def run_stages(
    config: Config,
    folder: Path,
    stages: Sequence[str],
    *,
    force: bool = False,
    quiet: Collection[str] = (),
) -> None:
    """Run stages in order while holding the run folder; the resolved configuration is kept beside them.

    Those in `quiet` are run without a word when they are complete.
    """
    if "extract" not in stages:
        config = on_imported_grid(config, folder)
    elif is_imported(folder) and not force:
        raise UserError(
            f"{folder / 'extract'}: holds imported features; go on with `tada-loc bmn`, or use --force to "
            "move them aside and extract, or another --run-dir"
        )
    with _held(folder):
        for stage in stages:
            if stage in quiet and stage_state(config, folder, stage)[0] == "complete":
                continue
            if ranks().leads or stage not in _ONE_PROCESS:
                importlib.import_module(STAGE_MODULES[stage]).run(config, folder, force=force)
            if ranks().size > 1:
                _wait()


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The run folder, held by this process; of several connected ones, by the first for all."""
    with contextlib.ExitStack() as stack:
        if ranks().size > 1:
            from pipeline.processes.distributed import process_group

            stack.enter_context(process_group())
        if ranks().leads:
            stack.enter_context(locked(folder))
        yield


def _wait() -> None:
    from pipeline.processes.distributed import barrier

    barrier()


def stage_state(config: Config, folder: Path, stage: str) -> tuple[str, str]:
    """State of a stage (missing, partial, complete, stale) and why it would run again."""
    manifest = artifacts.read_manifest(folder, stage)
    if manifest is None:
        return "missing", ""
    if stage == "extract" and is_imported(folder):
        return manifest["state"], ""
    try:
        fields = stage_fields(config, folder, stage)
        why = artifacts.why_again(folder, stage, fields, restated)
    except UserError as error:
        return "stale", error.message
    if why:
        return "stale", why
    return ("complete" if artifacts.is_complete(folder, stage, manifest) else "partial"), ""


def status_table(config: Config, folder: Path) -> str:
    """What `tada-loc status` prints: stage, state, progress, when, why it would run again."""
    config = on_imported_grid(config, folder)
    rows = [("stage", "state", "progress", "when", "why it would run again")]
    for stage in artifacts.STAGES:
        state, why = stage_state(config, folder, stage)
        manifest = artifacts.read_manifest(folder, stage) or {}
        progress = manifest.get("progress")
        shown = f"{progress['done']}/{progress['total']}" if progress else ""
        when = manifest.get("updated", "")[:19].replace("T", " ")
        rows.append(
            (stage, state, "done" if manifest.get("state") == "complete" else shown, when, why)
        )
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, [*widths, 0], strict=True)) for row in rows
    ]
    return f"run folder {folder}\n" + "\n".join(line.rstrip() for line in lines)


def run_demo(
    run_dir: Path | None,
    backbone: str,
    assignments: Sequence[str],
    device: str | None,
    *,
    force: bool = False,
) -> None:
    """Draw the embedded dataset, run all stages on it, and draw ground truth against detections.

    Says whether the figure is the promised one.
    """
    from pipeline.demo.dataset import make_dataset
    from pipeline.demo.promise import verdict
    from pipeline.stages.evaluate import numbers
    from pipeline.tools.plots import plot_run

    folder = run_dir or RUNS / "demo" / backbone
    data = RUNS / "demo" / "data" if run_dir is None else folder / "data"
    overrides: dict[str, Any] = {
        "backbone.name": backbone,
        "dataset.videos": str(data / "videos"),
        "dataset.annotations": str(data / "annotations.csv"),
    }
    if device is not None:
        overrides["runtime.device"] = device
    config = load_config(find_config("demo"), overrides | parse_overrides(assignments))
    say(f"demo: drawing the dataset in {data}")
    with locked(data):
        try:
            make_dataset(data)
        except OSError as error:
            raise cannot_write(data, error) from error
    run_stages(config, folder, list(STAGE_MODULES), force=force)
    say(f"demo: picture in {plot_run(config, folder)}")
    said = verdict(config, data, numbers(folder)["tasks"]["mAP"]["average"])
    if said is not None:
        say(said)


def _locate(config: str | None, run_dir: Path | None) -> tuple[Path, Path]:
    if config is not None:
        path = find_config(config)
        return path, run_dir or RUNS / path.stem
    if run_dir is None:
        # A folder counts once a stage has begun in it: a command that was refused made no run.
        begun = {path.parent.parent for path in RUNS.glob("*/*/manifest.json")}
        made = sorted(path for path in begun if (path / "config.yaml").is_file())
        if len(made) > 1:
            names = ", ".join(str(path) for path in made[:5])
            raise UsageError(
                f"several run folders here ({names}): say which with --run-dir or --config"
            )
        if made:
            say(f"using {made[0]}, the only run folder here")
            return made[0] / "config.yaml", made[0]
    if run_dir is not None and (run_dir / "config.yaml").is_file():
        say(f"using the settings of {run_dir / 'config.yaml'}")
        return run_dir / "config.yaml", run_dir
    path = LOCAL_CONFIG if LOCAL_CONFIG.is_file() else find_config(DEFAULT_CONFIG)
    say(f"no --config: using {path}")
    return path, run_dir or RUNS / path.stem
