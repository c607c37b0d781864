"""Trainings written down step by step: what `benchmarks.processes` compares between numbers of processes.

torchrun --nproc-per-node N -m benchmarks.processes_trainings JOB.json
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.configuration.reading import find_config, load_config
from pipeline.processes.distributed import barrier, gather_values, process_group
from pipeline.ranks import ranks
from pipeline.run_folder.files import write_json
from pipeline.runs.run import Run
from pipeline.stages import finetune
from pipeline.stages.heads import bmn, training
from pipeline.training.checkpoints import MODEL_FILE, saved_weights
from pipeline.training.loop import fit
from pipeline.training.steps import Stepper

STAGES: dict[str, Any] = {"finetune": finetune, "bmn": bmn}


@dataclass
class Record:
    """What a training did: a row of all weights and statistics, and the terms of the loss, a step."""

    weights: list[Tensor] = field(default_factory=list)
    terms: list[dict[str, float]] = field(default_factory=list)

    def digest(self) -> str:
        """What distinguishes one record from another."""
        state = hashlib.sha256(json.dumps(self.terms).encode())
        for row in self.weights:
            state.update(row.numpy().tobytes())
        return state.hexdigest()


def row_of(model: nn.Module) -> Tensor:
    """All weights and statistics of a network in one row, float64."""
    inner = model.module if isinstance(model, DistributedDataParallel) else model
    return one_row(inner.state_dict())


def one_row(state: Mapping[str, Tensor]) -> Tensor:
    """The numbers of a state in one row, float64, without what only counts."""
    parts = [value for value in state.values() if value.is_floating_point()]
    return torch.cat([value.detach().double().flatten() for value in parts])


@contextlib.contextmanager
def recorded(record: Record) -> Iterator[None]:
    """Whatever is trained meanwhile is written down after each of its steps."""
    take = Stepper.take

    def taken(self: Stepper, *arguments: Any) -> dict[str, float]:
        terms = take(self, *arguments)
        record.weights.append(row_of(self.model))
        record.terms.append(terms)
        return terms

    with mock.patch.object(Stepper, "take", taken):
        yield


@contextlib.contextmanager
def in_float64() -> Iterator[None]:
    """Whatever is trained meanwhile is computed in float64; the product itself never is."""

    def doubled(model: nn.Module, *arguments: Any) -> Any:
        model.double()
        for module in (model, *model.children()):
            module.register_forward_pre_hook(_double_inputs)
        return fit(model, *arguments)

    with contextlib.ExitStack() as stack:
        for caller in (finetune, training):  # where the loop is called
            stack.enter_context(mock.patch.object(caller, "fit", doubled))
        stack.enter_context(mock.patch.object(torch.Tensor, "float", torch.Tensor.double))
        yield


def _double_inputs(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        value.double() if isinstance(value, Tensor) and value.is_floating_point() else value
        for value in inputs
    )


def train(case: Mapping[str, Any], folder: Path, double: bool) -> Record:
    """Train what a case asks for, by all processes, in a run folder that is made again."""
    if ranks().is_main:
        shutil.rmtree(folder, ignore_errors=True)
        if case["from"] is not None:
            shutil.copytree(case["from"], folder)
    barrier()
    record = Record()
    with recorded(record), in_float64() if double else contextlib.nullcontext():
        run = Run(folder, load_config(find_config(case["config"]), case["settings"]))
        STAGES[case["stage"]].run(run)
    if len(set(gather_values(record.digest()))) != 1:
        raise SystemExit(f"{case['name']}: the processes have different weights or losses")
    return record


def main(job_file: Path) -> None:
    """Do a job: its cases one after the other; the main process writes a file a case."""
    job = json.loads(job_file.read_text())
    torch.set_num_threads(1)
    with process_group():
        for case in job["cases"]:
            folder = Path(job["to"]) / case["name"]
            record = train(case, folder, job["dtype"] == "float64")
            if ranks().is_main:
                weights = torch.stack(record.weights).numpy()
                np.save(folder / "weights.npy", weights)
                kept = saved_weights(folder / case["stage"] / MODEL_FILE)
                np.save(folder / "kept.npy", one_row(kept).numpy())
                write_json(folder / "terms.json", record.terms)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
