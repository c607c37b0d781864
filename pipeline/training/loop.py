"""THE training loop: fine-tuning and BMN share it, with its optimiser, schedule, checkpoint and resume.

Everything random in a step follows from (seed, epoch, step or sample), never from what ran before it, so
a killed run that goes on from its checkpoint takes the very steps an unbroken one takes.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pipeline.processes import distributed
from pipeline.processes.stopping import Interrupted, Stop, StopNow, stop_signals
from pipeline.progress import Progress, say
from pipeline.ranks import ranks
from pipeline.seeds import step_seed
from pipeline.training import checkpoints
from pipeline.training.best_epoch import BestEpoch, require_finite
from pipeline.training.optimisation import Schedule
from pipeline.training.steps import Batch, Loss, Stepper, to_device


class Fitted(NamedTuple):
    """What a training gives besides weights: a mapping of figures an epoch, and the epoch (from 1) kept."""

    history: list[dict[str, float]]
    kept: int


def fit(
    model: nn.Module,
    batches: Callable[[int, int], Iterator[Batch]],
    loss: Loss,
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
    accumulate: int = 1,
    average: float | None = None,
    keep: str = "last",
    patience: int | None = None,
    judge: Callable[[Mapping[str, float]], float | None] | None = None,
    checkpoint_seconds: float = 45.0,
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    on_checkpoint: Callable[[int, int], None] | None = None,
    title: str = "training",
) -> Fitted:
    """Train `model` for `schedule.epochs` epochs of `steps` steps; go on from `checkpoint` if it is there.

    `batches(epoch, step)` gives this process's parts of the batches from that position to the end of the
    training: mappings of tensors, with `names` (what the samples are called). `loss` gives named terms,
    of the whole batch of all processes, with `total` among them.
    `accumulate` takes a batch in that many pieces; `average` keeps an exponential moving average of the
    weights with this decay, which is validated and left in `model` at the end. `judge` makes one score of
    an epoch's figures, higher being better: `keep="best"` leaves the weights of the best epoch in
    `model`, and `patience` ends the training after so many epochs without a better one. Raises UserError
    on a loss, gradient or validation that is not finite; Interrupted after a signal, once it is saved.
    """
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
    averaged = None if average is None else _averaged(model, average)
    best = BestEpoch(keeps_weights=keep == "best")
    parts = {"model": model, "optimizer": optimizer, "scaler": scaler, "average": averaged}
    parts["best"] = best if judge is not None and (keep == "best" or patience) else None
    state = checkpoints.restore(checkpoint, fingerprint, parts, device, steps)
    start, total = _taken(state, steps), schedule.epochs * steps
    generator = torch.Generator(device=device)
    shared = distributed.spread(model, device)
    stepper = Stepper(shared, loss, optimizer, scaler, generator, precision, grad_clip, accumulate)
    stream = batches(state["epoch"], state["step"])

    def save() -> None:
        if ranks().leads:
            checkpoints.save(checkpoint, fingerprint, state, parts)
            if on_checkpoint:
                on_checkpoint(_taken(state, steps), total)

    saved = time.monotonic()
    with stop_signals() as stop, Progress(total, title, unit="step", start=start) as bar:
        try:
            while state["epoch"] < schedule.epochs and not _waited(state, best, patience):
                if state["step"] < steps:
                    with _breakable(stop):
                        batch = to_device(next(stream), device)
                    rate = _prepare(optimizer, schedule, generator, seed, state, steps)
                    terms = stepper.take(batch, _taken(state, steps), rate)
                    _after_step(state, terms, model, averaged)
                    bar.update(1, loss=terms["total"], lr=rate)
                if state["step"] == steps:
                    if validate is not None:
                        save()  # what breaks the validation off costs no step
                    checked = model if averaged is None else averaged.module
                    _end_epoch(state, steps, optimizer, checked, validate, stop)
                    _judge(parts["best"], judge, state, checked)
                    _say_epoch(state["history"][-1], schedule.epochs, title)
                _raise_if_stopped(stop)
                if state["step"] == 0 or time.monotonic() - saved > checkpoint_seconds:
                    save()
                    saved = time.monotonic()
        except StopNow:
            save()
            distributed.barrier()  # none is gone while the first still writes
            raise Interrupted(stop.number or signal.SIGTERM) from None
    return _finish(model, averaged, best, keep, state, schedule.epochs, title)


def _waited(state: Mapping[str, Any], best: BestEpoch, patience: int | None) -> bool:
    """Whether a training has gone on for long enough without a better epoch."""
    return patience is not None and best.epoch > 0 and state["epoch"] - best.epoch >= patience


def _taken(state: Mapping[str, Any], steps: int) -> int:
    """How many steps of the training are taken."""
    return state["epoch"] * steps + state["step"]


def _raise_if_stopped(stop: Stop) -> None:
    if distributed.any_rank(bool(stop)):
        raise StopNow


def _judge(
    best: BestEpoch | None,
    judge: Callable[[Mapping[str, float]], float | None] | None,
    state: Mapping[str, Any],
    model: nn.Module,
) -> None:
    """Offer the epoch that just ended, where an epoch is chosen and this one has a score."""
    if best is None or judge is None:
        return
    score = judge(state["history"][-1])
    if score is not None:
        best.offer(score, state["epoch"], model)


def _finish(
    model: nn.Module,
    averaged: AveragedModel | None,
    best: BestEpoch,
    keep: str,
    state: Mapping[str, Any],
    epochs: int,
    title: str,
) -> Fitted:
    """Leave in the model the weights that are kept, and say which."""
    if state["epoch"] < epochs:
        waited = state["epoch"] - best.epoch
        say(f"{title}: ended after epoch {state['epoch']}, {waited} after the best")
    if averaged is not None:
        model.load_state_dict(averaged.module.state_dict())
    kept = state["epoch"]
    if keep == "best" and best.epoch:
        best.put_back(model)
        kept = best.epoch
    if keep == "best" and not best.epoch:
        say(f"{title}: kept the weights of the last epoch, {kept}: none was validated")
    elif keep == "best" and kept == state["epoch"]:
        say(f"{title}: kept the weights of the last epoch, {kept}, which validated best")
    elif keep == "best":
        say(f"{title}: kept the weights of epoch {kept}, which validated best, of {state['epoch']}")
    elif averaged is not None:
        say(f"{title}: kept the moving average of the weights after epoch {kept}")
    return Fitted(state["history"], kept)


def _breakable(stop: Stop) -> contextlib.AbstractContextManager[None]:
    """What a signal may break off at once; several processes stop together, after a step."""
    return stop.at_once() if ranks().size == 1 else contextlib.nullcontext()


def _prepare(
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    generator: torch.Generator,
    seed: int,
    state: Mapping[str, Any],
    steps: int,
) -> float:
    """Set and give the learning rate of a step; set its random numbers, which no step before changes."""
    epoch, step = state["epoch"], state["step"]
    rate = schedule.at(epoch + step / steps)
    for group in optimizer.param_groups:
        group["lr"] = rate
    torch.manual_seed(step_seed(seed, epoch, step, 1))
    generator.manual_seed(step_seed(seed, epoch, step, 2))
    return rate


def _averaged(model: nn.Module, decay: float) -> AveragedModel:
    """A moving average of a model's weights and of its batch norms' averages."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def _after_step(
    state: dict[str, Any],
    terms: Mapping[str, float],
    model: nn.Module,
    averaged: AveragedModel | None,
) -> None:
    """Note a step that was taken, and bring the moving average up to it."""
    if averaged is not None:
        averaged.update_parameters(model)
    state["step"] += 1
    for name, value in terms.items():
        state["sums"][name] = state["sums"].get(name, 0.0) + value


def _end_epoch(
    state: dict[str, Any],
    steps: int,
    optimizer: torch.optim.Optimizer,
    model: nn.Module,
    validate: Callable[[nn.Module], Mapping[str, float]] | None,
    stop: Stop,
) -> None:
    """Note the figures of an epoch whose steps are taken, and turn to the next."""
    row = {"epoch": state["epoch"] + 1, "lr": optimizer.param_groups[0]["lr"]}
    row |= {name: value / steps for name, value in state["sums"].items()}
    if validate is not None:
        model.eval()
        with _breakable(stop):
            figures = validate(model)
        require_finite(figures, row["epoch"])
        row |= figures
    state["history"].append(row)
    state["epoch"], state["step"], state["sums"] = state["epoch"] + 1, 0, {}


def _say_epoch(row: Mapping[str, float], epochs: int, title: str) -> None:
    figures = "  ".join(f"{k} {v:.4g}" for k, v in row.items() if k != "epoch")
    say(f"{title}: epoch {row['epoch']}/{epochs}  {figures}")
