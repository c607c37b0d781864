"""THE training loop: fine-tuning and BMN share it, with its optimiser, schedule, checkpoint and resume.

Everything random in a step follows from (seed, epoch, step or sample), never from what ran before it, so
a killed run that goes on from its checkpoint takes the very steps an unbroken one takes.
"""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pipeline import checkpoints, distributed
from pipeline.device import autocast
from pipeline.errors import UserError
from pipeline.optimisation import Schedule, step_seed
from pipeline.progress import Progress, say
from pipeline.ranks import ranks
from pipeline.stopping import Interrupted, stop_signals

Batch = Mapping[str, Any]


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
    accumulate: int = 1,
    average: float | None = None,
    checkpoint_seconds: float = 45.0,
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    on_checkpoint: Callable[[int, int], None] | None = None,
    title: str = "training",
) -> list[dict[str, float]]:
    """Train `model` for `schedule.epochs` epochs of `steps` steps; go on from `checkpoint` if it is there.

    `batches(epoch, step)` gives this process's parts of the batches from that position to the end of the
    training; a batch is a mapping of tensors, with `names` (what the samples are called) for error
    messages. `loss` gives named terms, of the whole batch of all processes, with `total` among them.
    `accumulate` takes a batch in that many pieces; `average` keeps an exponential moving average of the
    weights with this decay, which is validated and left in `model` at the end. Returns one mapping of
    means and validation figures an epoch. Raises UserError on a loss that is not finite, naming step,
    learning rate and samples; Interrupted after SIGINT or SIGTERM, once the checkpoint is written.
    """
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
    averaged = None if average is None else _averaged(model, average)
    parts = {"model": model, "optimizer": optimizer, "scaler": scaler, "average": averaged}
    state = {"epoch": 0, "step": 0, "history": [], "sums": {}}
    if checkpoint.exists():
        state = checkpoints.restore(checkpoint, fingerprint, parts, device)
    total = schedule.epochs * steps
    generator = torch.Generator(device=device)
    shared = distributed.spread(model, device)
    stream = batches(state["epoch"], state["step"])

    def save() -> None:
        if ranks().leads:
            checkpoints.save(checkpoint, fingerprint, state, parts)
            if on_checkpoint:
                on_checkpoint(state["epoch"] * steps + state["step"], total)

    done = state["epoch"] * steps + state["step"]
    with stop_signals() as stop, Progress(total, title, unit="step", start=done) as bar:
        saved = time.monotonic()
        while state["epoch"] < schedule.epochs:
            epoch, step = state["epoch"], state["step"]
            rate = schedule.at(epoch + step / steps)
            _prepare(optimizer, rate, generator, seed, epoch, step)
            batch = _to_device(next(stream), device)
            pieces = _pieces(batch, accumulate)
            terms = _step(shared, pieces, loss, generator, optimizer, scaler, precision, grad_clip)
            _check_finite(terms, epoch * steps + step, rate, batch)
            if averaged is not None:
                averaged.update_parameters(model)
            _accumulate(state, terms)
            bar.update(1, loss=terms["total"], lr=rate)
            if state["step"] == steps:
                checked = model if averaged is None else averaged.module
                _end_epoch(state, steps, rate, checked, validate, schedule.epochs, title)
            ended = state["step"] == 0
            stopping = distributed.any_rank(bool(stop))
            if stopping or ended or time.monotonic() - saved > checkpoint_seconds:
                save()
                saved = time.monotonic()
            if stopping:
                distributed.barrier()  # none is gone while the first still writes
                raise Interrupted(stop[0] if stop else signal.SIGTERM)
    if averaged is not None:
        model.load_state_dict(averaged.module.state_dict())
    return state["history"]


def _prepare(
    optimizer: torch.optim.Optimizer,
    rate: float,
    generator: torch.Generator,
    seed: int,
    epoch: int,
    step: int,
) -> None:
    """Set the learning rate of a step, and its random numbers, which no step before it changes."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    torch.manual_seed(step_seed(seed, epoch, step, 1))
    generator.manual_seed(step_seed(seed, epoch, step, 2))


def _averaged(model: nn.Module, decay: float) -> AveragedModel:
    """A moving average of a model's weights and of its batch norms' averages."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def _pieces(batch: Batch, count: int) -> list[tuple[Batch, float]]:
    """A batch in `count` pieces, each with its share of the batch of all processes.

    Fewer pieces where a process has fewer samples.
    """
    if count == 1:
        return [(batch, 1.0)]
    size = len(batch["names"])
    count = min(count, *distributed.gather_values(size))
    bounds = [size * place // count for place in range(count + 1)]
    spans = [slice(first, later) for first, later in pairwise(bounds)]
    sizes = distributed.gather_values([span.stop - span.start for span in spans])
    totals = [sum(column) for column in zip(*sizes, strict=True)]
    return [
        ({key: value[span] for key, value in batch.items()}, total / sum(totals))
        for span, total in zip(spans, totals, strict=True)
    ]


def _step(
    model: nn.Module,
    pieces: Sequence[tuple[Batch, float]],
    loss: Callable[[nn.Module, Batch, torch.Generator], Mapping[str, Tensor]],
    generator: torch.Generator,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    precision: str,
    grad_clip: float | None,
) -> dict[str, float]:
    model.train()
    optimizer.zero_grad(set_to_none=True)
    values: dict[str, float] = {}
    for number, (piece, share) in enumerate(pieces, start=1):
        waits = number < len(pieces) and hasattr(model, "no_sync")
        with model.no_sync() if waits else contextlib.nullcontext():
            with autocast(generator.device, precision):
                terms = loss(model, piece, generator)
            for name, term in terms.items():
                values[name] = values.get(name, 0.0) + share * float(term.detach())
            if not math.isfinite(values["total"]):
                return values
            scaler.scale(terms["total"] * share).backward()
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
