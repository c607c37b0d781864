"""THE training loop: fine-tuning and BMN share it, with its optimiser, schedule, checkpoint and resume.

Everything random in a step follows from (seed, epoch, step or sample), never from what ran before it, so
a killed run that goes on from its checkpoint takes the very steps an unbroken one takes.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.artifacts import atomic_path
from pipeline.device import autocast, load_state
from pipeline.errors import UserError
from pipeline.optimisation import Schedule, step_seed
from pipeline.progress import Progress, say

Batch = Mapping[str, Any]


class Interrupted(UserError):
    """The user or the scheduler asked the run to stop; the checkpoint is on disk."""

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name}; the checkpoint is written, the same command goes on")
        self.exit_code = 128 + number


def fit(
    model: nn.Module,
    batches: Callable[[int, int], Iterator[Batch]],
    loss: Callable[[nn.Module, Batch, torch.Generator], Mapping[str, Tensor]],
    *,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    steps: int,
    seed: int,
    device: torch.device,
    checkpoint: Path,
    fingerprint: str,
    precision: str = "float32",
    grad_clip: float | None = None,
    checkpoint_seconds: float = 45.0,
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    on_checkpoint: Callable[[int, int], None] | None = None,
    title: str = "training",
) -> list[dict[str, float]]:
    """Train `model` for `schedule.epochs` epochs of `steps` steps; go on from `checkpoint` if it is there.

    `batches(epoch, step)` gives the batches from that position to the end of the training; a batch is a
    mapping of tensors, with `names` (what the samples are called) for error messages. `loss` gives named
    terms with `total` among them. Returns one mapping of means and validation figures an epoch. Raises
    UserError on a loss that is not finite, naming step, learning rate and samples; Interrupted after
    SIGINT or SIGTERM, once the checkpoint is written.
    """
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
    state = {"epoch": 0, "step": 0, "history": [], "sums": {}}
    if checkpoint.exists():
        state = _restore(checkpoint, fingerprint, model, optimizer, scaler, device)
    total = schedule.epochs * steps
    generator = torch.Generator(device=device)
    stream = batches(state["epoch"], state["step"])

    def save() -> None:
        _save(checkpoint, fingerprint, state, model, optimizer, scaler)
        if on_checkpoint:
            on_checkpoint(state["epoch"] * steps + state["step"], total)

    done = state["epoch"] * steps + state["step"]
    with _stop_signals() as stop, Progress(total, title, unit="step", start=done) as bar:
        saved = time.monotonic()
        while state["epoch"] < schedule.epochs:
            epoch, step = state["epoch"], state["step"]
            rate = schedule.at(epoch + step / steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            torch.manual_seed(step_seed(seed, epoch, step, 1))
            generator.manual_seed(step_seed(seed, epoch, step, 2))
            batch = _to_device(next(stream), device)
            terms = _step(model, batch, loss, generator, optimizer, scaler, precision, grad_clip)
            _check_finite(terms, epoch * steps + step, rate, batch)
            _accumulate(state, terms)
            bar.update(1, loss=terms["total"], lr=rate)
            if state["step"] == steps:
                _end_epoch(state, steps, rate, model, validate, schedule.epochs, title)
            ended = state["step"] == 0
            if stop or ended or time.monotonic() - saved > checkpoint_seconds:
                save()
                saved = time.monotonic()
            if stop:
                raise Interrupted(stop[0])
    return state["history"]


def _step(
    model: nn.Module,
    batch: Batch,
    loss: Callable[[nn.Module, Batch, torch.Generator], Mapping[str, Tensor]],
    generator: torch.Generator,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    precision: str,
    grad_clip: float | None,
) -> dict[str, float]:
    model.train()
    with autocast(generator.device, precision):
        terms = loss(model, batch, generator)
    values = {name: float(term.detach()) for name, term in terms.items()}
    if not math.isfinite(values["total"]):
        return values
    optimizer.zero_grad(set_to_none=True)
    scaler.scale(terms["total"]).backward()
    if grad_clip is not None:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
    scaler.step(optimizer)
    scaler.update()
    return values


def _check_finite(terms: Mapping[str, float], step: int, rate: float, batch: Batch) -> None:
    if math.isfinite(terms["total"]):
        return
    names: Sequence[str] = batch.get("names", ())
    shown = ", ".join(list(dict.fromkeys(names))[:8])
    raise UserError(
        f"loss is {terms['total']} at step {step}, learning rate {rate:.3g}, batch of {shown}; "
        "lower base_lr or look at these videos"
    )


def _accumulate(state: dict[str, Any], terms: Mapping[str, float]) -> None:
    state["step"] += 1
    for name, value in terms.items():
        state["sums"][name] = state["sums"].get(name, 0.0) + value


def _end_epoch(
    state: dict[str, Any],
    steps: int,
    rate: float,
    model: nn.Module,
    validate: Callable[[nn.Module], Mapping[str, float]] | None,
    epochs: int,
    title: str,
) -> None:
    row = {"epoch": state["epoch"] + 1, "lr": rate}
    row |= {name: value / steps for name, value in state["sums"].items()}
    if validate is not None:
        model.eval()
        row |= validate(model)
    state["history"].append(row)
    state["epoch"], state["step"], state["sums"] = state["epoch"] + 1, 0, {}
    figures = "  ".join(f"{k} {v:.4g}" for k, v in row.items() if k != "epoch")
    say(f"{title}: epoch {row['epoch']}/{epochs}  {figures}")


def _to_device(batch: Batch, device: torch.device) -> Batch:
    return {
        key: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
        for key, value in batch.items()
    }


def _save(
    path: Path,
    fingerprint: str,
    state: Mapping[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> None:
    content = {
        **state,
        "fingerprint": fingerprint,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
    }
    # Through a Python file, a full disk is an OSError and not an assertion of the zip writer.
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        torch.save(content, stream)


def _restore(
    path: Path,
    fingerprint: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    device: torch.device,
) -> dict[str, Any]:
    content = load_state(path)
    if content.get("fingerprint") != fingerprint:
        raise UserError(
            f"{path}: belongs to a training with other settings or samples (have videos been added or "
            "taken away?); delete it to start this training again"
        )
    model.load_state_dict(content["model"])
    model.to(device)
    optimizer.load_state_dict(content["optimizer"])
    scaler.load_state_dict(content["scaler"])
    say(f"going on from epoch {content['epoch'] + 1}, step {content['step']}")
    return {key: content[key] for key in ("epoch", "step", "history", "sums")}


@contextlib.contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying in the middle of a step; a second one kills."""
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        print("stopping at the next step ...", file=sys.stderr, flush=True)

    try:
        old = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever runs us handles signals
        old = {}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
