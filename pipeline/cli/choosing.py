"""Which configuration and which run folder a command uses, if it is not given both."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.configuration.reading import RUN_CONFIG, RUNS, find_config
from pipeline.errors import UsageError
from pipeline.progress import say

LOCAL_CONFIG = Path("tada-loc.yaml")
DEFAULT_CONFIG = "ek100"


def choose(config: str | None, run_dir: Path | None) -> tuple[Path, Path]:
    """The file of the configuration and the run folder; only the configuration file has to exist.

    Without `config`: what the run folder was made with; without a run folder either: the only one in
    `runs/`, else `tada-loc.yaml` here, else the shipped `ek100`. The choice is reported. Raises
    UsageError for a configuration that is not there, and where several run folders could be meant.
    """
    if config is not None:
        path = find_config(config)
        return path, run_dir or RUNS / path.stem
    if run_dir is None and (only := _only_run()) is not None:
        say(f"using {only}, the only run folder here")
        return only / RUN_CONFIG, only
    if run_dir is not None and os.path.lexists(run_dir / RUN_CONFIG):
        say(f"using the settings of {run_dir / 'config.yaml'}")
        return run_dir / RUN_CONFIG, run_dir
    path = LOCAL_CONFIG if os.path.lexists(LOCAL_CONFIG) else find_config(DEFAULT_CONFIG)
    say(f"no --config: using {path}")
    return path, run_dir or RUNS / path.stem


def chosen_run(run_dir: Path | None) -> Path:
    """The folder of a run that was trained: the one named, else the only one in `runs/`, which is reported.

    Raises UsageError if none is named and there is not one.
    """
    if run_dir is not None:
        return run_dir
    only = _only_run()
    if only is None:
        raise UsageError(f"no run folder in {RUNS}/: choose one with --run-dir")
    say(f"using {only}, the only run folder here")
    return only


def _only_run() -> Path | None:
    """The run folder in `runs/`, None if there is none. Raises UsageError if there are several."""
    # A folder counts once a stage has begun in it: a command that was refused made no run.
    begun = {path.parent.parent for path in RUNS.glob("*/*/manifest.json")}
    made = sorted(path for path in begun if (path / RUN_CONFIG).is_file())
    if len(made) > 1:
        names = ", ".join(str(path) for path in made[:5])
        raise UsageError(
            f"several run folders here ({names}); choose one with --run-dir or --config"
        )
    return made[0] if made else None
