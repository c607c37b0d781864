"""The demo: the dataset is drawn, all stages run on it, and the figure is held against the promised one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.configuration.choosing import RUNS
from pipeline.configuration.reading import find_config, load_config
from pipeline.demo.dataset import make_dataset
from pipeline.demo.promise import verdict
from pipeline.errors import cannot_write
from pipeline.progress import say
from pipeline.run_folder.lock import locked
from pipeline.stages.evaluate import numbers
from pipeline.stages.graph import in_order
from pipeline.stages.run import Run
from pipeline.stages.running import run_stages
from pipeline.tools.plots import plot_run


def run_demo(
    run_dir: Path | None, backbone: str, overrides: Mapping[str, Any], *, force: bool = False
) -> Run:
    """Draw the embedded dataset, run all stages on it, and draw ground truth against detections.

    `overrides` are keys of the configuration. Gives the run, whose figures are then made.
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
    run_stages(run, in_order())
    say(f"demo: picture in {plot_run(run)}")
    said = verdict(run.config, data, numbers(run)["tasks"]["mAP"]["average"])
    if said is not None:
        say(said)
    return run
