"""The demo: the dataset is drawn, all stages run on it, and the figure is compared with the expected one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.configuration.reading import RUNS, find_config, load_config
from pipeline.demo.dataset import make_dataset
from pipeline.demo.promise import verdict
from pipeline.errors import cannot_write
from pipeline.progress import say
from pipeline.run_folder.lock import locked
from pipeline.runs.run import Run
from pipeline.runs.ways import in_order
from pipeline.runs.work import run_stages
from pipeline.stages.evaluate import numbers


def run_demo(
    run_dir: Path | None, backbone: str, overrides: Mapping[str, Any], *, force: bool = False
) -> tuple[Run, str | None]:
    """Draw the embedded dataset and run all stages on it.

    `overrides` are keys of the configuration. Gives the run and the line that holds its figure to the
    promise, None if nothing is expected of these settings.
    """
    folder = run_dir or RUNS / "demo" / backbone
    data = RUNS / "demo" / "data" if run_dir is None else folder / "data"
    own: dict[str, Any] = {
        "backbone.name": backbone,
        "dataset.videos": str(data / "videos"),
        "dataset.annotations": str(data / "annotations.csv"),
    }
    run = Run(folder, load_config(find_config("demo"), own | dict(overrides)), force)
    say(f"demo: drawing the dataset in {data}")
    with locked(data):
        try:
            make_dataset(data)
        except OSError as error:
            raise cannot_write(data, error) from error
    run_stages(run, in_order(run.ways))
    average = numbers(run)["tasks"]["mAP"]["average"]
    return run, verdict(run.config, data, average)
