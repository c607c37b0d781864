"""Opening a stage for work: by one process, or by several of which the first one writes."""

from __future__ import annotations

from pathlib import Path

from pipeline.configuration.keys import restated
from pipeline.configuration.reading import Config, dump_config
from pipeline.processes import distributed
from pipeline.ranks import ranks
from pipeline.run_folder.manifests import Stage, follow_stage, open_stage, write_text
from pipeline.stages.fields import stage_fields


def begin_stage(config: Config, run: Path, stage: str, *, force: bool = False) -> Stage:
    """Open a stage that all processes of the run work at.

    Raises UserError as `begin_alone` does.
    """
    distributed.barrier()  # the stage before is finished when the first process comes here
    if ranks().leads:
        opened = begin_alone(config, run, stage, force=force)
        distributed.barrier()
        return opened
    distributed.barrier()
    return follow_stage(run, stage, stage_fields(config, run, stage), restate=restated)


def begin_alone(
    config: Config, run: Path, stage: str, *, force: bool = False, replace: bool = False
) -> Stage:
    """Open a stage with these settings; where they make something, they are the run's `config.yaml`.

    Raises UserError as `artifacts.open_stage` does.
    """
    fields = stage_fields(config, run, stage)
    opened = open_stage(run, stage, fields, force=force, replace=replace, restate=restated)
    kept = run / "config.yaml"
    if not (opened.complete and kept.is_file()):
        write_text(kept, dump_config(config))
    return opened
