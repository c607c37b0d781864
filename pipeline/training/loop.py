"""THE training loop: fine-tuning and BMN share it, with its optimiser, schedule, checkpoint and resume.

Everything random in a step follows from (seed, epoch, step or sample), never from what ran before it, so
a killed run that resumes from its checkpoint takes exactly the steps of an unbroken one.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import nn

from feature_extraction.weights.loading import weights_digest
from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.processes import distributed
from pipeline.processes.stopping import Interrupted, Stop, StopNow, stop_signals
from pipeline.progress import Progress, say
from pipeline.ranks import ranks
from pipeline.run_folder.files import remove, write_json
from pipeline.seeds import step_seed
from pipeline.training.best_epoch import BestEpoch, require_finite
from pipeline.training.checkpoints import (
    CHECKPOINT_FILE,
    MODEL_FILE,
    Checkpoint,
    Stateful,
    save_weights,
    training_identity,
)
from pipeline.training.logs.log import Log, Silent
from pipeline.training.optimisation import build_optimizer, moving_average, rate_of_step
from pipeline.training.steps import Stepper, to_device
from pipeline.training.task import OpenStage, Task


class Fitted(NamedTuple):
    """What a training gives besides weights: a mapping of figures an epoch, and the epoch (from 1) kept."""

    history: list[dict[str, float]]
    kept: int


def fit(
    model: nn.Module,
    task: Task,
    settings: OptimisationSettings,
    stage: OpenStage,
    device: torch.device,
    log: Log | None = None,
) -> Fitted:
    """Train `model` on a task; resume from the checkpoint in the stage's folder if there is one.

    The weights that `settings.keep` asks for are left in `model`. With `settings.ema_decay` the
    exponential moving average of the weights is validated and kept. `settings.patience` ends the
    training after this many epochs without a better score. Raises UserError on a loss, gradient or
    validation that is not finite; Interrupted after a signal, once the checkpoint is written.
    `log` receives every step and epoch, each once, however often the training is stopped.
    """
    log = log or Silent()
    try:
        return _Training(model, task, settings, stage, device, log).run()
    finally:
        log.close()


def keep_result(
    stage: OpenStage, model: nn.Module, fitted: Fitted, summary: Mapping[str, object]
) -> None:
    """Write a training's weights and history and finish its stage; the main process calls it alone.

    The stage's summary has the figures of the epoch that is kept, its number, and `summary`.
    """
    save_weights(model, stage.folder / MODEL_FILE)
    write_json(stage.folder / "history.json", fitted.history)
    figures = {**fitted.history[fitted.kept - 1], "kept_epoch": fitted.kept, **summary}
    stage.finish(figures, weights=weights_digest(model))
    # Last: killed before this line, the stage is complete; killed before `finish`, it resumes from here.
    remove(stage.folder / CHECKPOINT_FILE)


class _Training:
    """A training under way: the network, all that changes with its steps, and where it stands."""

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        settings: OptimisationSettings,
        stage: OpenStage,
        device: torch.device,
        log: Log,
    ) -> None:
        self._model, self._task, self._settings = model, task, settings
        self._stage, self._device, self._log = stage, device, log
        self._optimizer = build_optimizer(model, settings, task.recipe)
        self._rate_of = rate_of_step(settings, task.recipe, task.steps)
        scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "float16")
        decay = settings.effective_ema_decay
        start = task.recipe.average_from_start
        self._average = None if decay is None else moving_average(model, decay, from_start=start)
        self._best = BestEpoch(keeps_weights=settings.keep == "best")
        self._chooses = task.judge is not None and (settings.keep == "best" or settings.patience)
        identity = training_identity(stage.fingerprint, task.samples)
        parts: dict[str, Stateful | None] = {"model": model, "optimizer": self._optimizer}
        parts |= {"scaler": scaler, "average": self._average}
        parts |= {"best": self._best if self._chooses else None}
        self._checkpoint = Checkpoint(stage.folder / CHECKPOINT_FILE, identity, parts)
        self._at = self._checkpoint.restore(device, task.steps)
        self._generator = torch.Generator(device=device)
        self._stepper = Stepper(
            distributed.spread(model, device),
            task.loss,
            self._optimizer,
            scaler,
            self._generator,
            settings.precision,
            settings.grad_clip,
            settings.gradient_accumulation,
            task.recipe.clipped(model),
        )
        self._stream = task.batches(self._at.epoch, self._at.step)
        log.begin(self._taken, self._at.epoch)
        self._saved = time.monotonic()

    def run(self) -> Fitted:
        """Take the steps that are left, and leave in the model the weights that are kept."""
        total, start, title = self._total, self._taken, self._task.title
        with stop_signals() as stop, Progress(total, title, unit="step", start=start) as bar:
            try:
                while self._at.epoch < self._settings.epochs and not self._has_waited():
                    self._advance(stop, bar)
            except StopNow:
                self._save()
                distributed.barrier()  # no process leaves while the first still writes
                raise Interrupted(stop.number or signal.SIGTERM) from None
        return self._finish()

    @property
    def _taken(self) -> int:
        """How many steps of the training are taken."""
        return self._at.epoch * self._task.steps + self._at.step

    @property
    def _total(self) -> int:
        return self._settings.epochs * self._task.steps

    def _has_waited(self) -> bool:
        """Whether enough epochs have passed without a better one."""
        best, patience = self._best.epoch, self._settings.patience
        return patience is not None and best > 0 and self._at.epoch - best >= patience

    def _advance(self, stop: Stop, bar: Progress) -> None:
        """Take a step; after the last one of an epoch, end the epoch."""
        if self._at.step < self._task.steps:
            self._step(stop, bar)
        if self._at.step == self._task.steps:
            self._end_epoch(stop)
        if distributed.any_rank(bool(stop)):
            raise StopNow
        waited = time.monotonic() - self._saved
        if self._at.step == 0 or waited > self._settings.checkpoint_seconds:
            self._save()

    def _step(self, stop: Stop, bar: Progress) -> None:
        with _breakable(stop):
            batch = to_device(next(self._stream), self._device)
        rate = self._prepare()
        terms = self._stepper.take(batch, self._taken, rate)
        if self._average is not None:
            self._average.update_parameters(self._model)
        self._at.step += 1
        for name, value in terms.items():
            self._at.sums[name] = self._at.sums.get(name, 0.0) + value
        self._log.step(self._at.epoch + 1, self._taken, rate, terms)
        bar.update(1, loss=terms["total"], lr=rate)

    def _prepare(self) -> float:
        """Set and give the learning rate of a step; set its random numbers, which no step before changes."""
        epoch, step, seed = self._at.epoch, self._at.step, self._settings.seed
        rate = self._rate_of(self._taken)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(step_seed(seed, epoch, step, 1))
        self._generator.manual_seed(step_seed(seed, epoch, step, 2))
        return rate

    def _end_epoch(self, stop: Stop) -> None:
        """Validate and note an epoch whose steps are taken, and turn to the next."""
        at, task = self._at, self._task
        row: dict[str, float] = {"epoch": at.epoch + 1, "lr": self._optimizer.param_groups[0]["lr"]}
        row |= {name: value / task.steps for name, value in at.sums.items()}
        model = self._model if self._average is None else self._average.module
        if task.validate is not None:
            self._save()  # what breaks the validation off costs no step
            model.eval()
            with _breakable(stop):
                figures = task.validate(model)
            require_finite(figures, at.epoch + 1)
            row |= figures
        at.history.append(row)
        self._log.epoch(self._taken, row)
        at.epoch, at.step, at.sums = at.epoch + 1, 0, {}
        score = task.judge(row) if task.judge is not None and self._chooses else None
        if score is not None:
            self._best.offer(score, at.epoch, model)
        figures = {name: value for name, value in row.items() if name != "epoch"}
        shown = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        say(f"{task.title}: epoch {row['epoch']}/{self._settings.epochs}  {shown}")

    def _save(self) -> None:
        self._saved = time.monotonic()
        if not ranks().is_main:
            return
        self._log.save()  # before: what a checkpoint has seen is never missing
        self._checkpoint.save(self._at)
        self._stage.progress(self._taken, self._total)
        if self._task.on_checkpoint is not None:
            self._task.on_checkpoint()

    def _finish(self) -> Fitted:
        """Leave in the model the weights that are kept, and report which."""
        ended, best, keep = self._at.epoch, self._best, self._settings.keep
        title = self._task.title
        if ended < self._settings.epochs:
            say(f"{title}: ended after epoch {ended}, {ended - best.epoch} after the best")
        if self._average is not None:
            self._model.load_state_dict(self._average.module.state_dict())
        kept = ended
        if keep == "best" and best.epoch:
            best.put_back(self._model)
            kept = best.epoch
        if keep == "best" and not best.epoch:
            say(f"{title}: kept the weights of the last epoch, {kept}: none was validated")
        elif keep == "best" and kept == ended:
            say(f"{title}: kept the weights of the last epoch, {kept}, which validated best")
        elif keep == "best":
            say(f"{title}: kept the weights of epoch {kept}, which validated best, of {ended}")
        elif self._average is not None:
            say(f"{title}: kept the moving average of the weights after epoch {kept}")
        return Fitted(self._at.history, kept)


def _breakable(stop: Stop) -> contextlib.AbstractContextManager[None]:
    """What a signal may break off at once; several processes stop together, after a step."""
    return stop.at_once() if ranks().size == 1 else contextlib.nullcontext()
