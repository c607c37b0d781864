"""Optimiser, learning-rate schedule and moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pipeline.configuration.sections.optimisation import OptimisationSettings
from pipeline.progress import say


def has_decay(name: str, weights: nn.Parameter) -> bool:
    """Whether weights have weight decay: all but biases and normalisation weights."""
    return weights.ndim > 1


def as_one(model: nn.Module) -> Sequence[nn.Module]:
    """The parts of a network that is limited as a whole."""
    return [model]


@dataclass(frozen=True)
class Recipe:
    """How a training is optimised, where that does not follow from its settings.

    decays: whether a parameter has weight decay, by its name and weights.
    rate: the learning rate of each step, counted from 0 over the whole training; None: `schedule_of`.
    average_from_start: whether the moving average begins at the initial weights, not at the first step's.
    clipped: the parts of the network whose gradients have a limit each.
    """

    decays: Callable[[str, nn.Parameter], bool] = has_decay
    rate: Callable[[int], float] | None = None
    average_from_start: bool = False
    clipped: Callable[[nn.Module], Sequence[nn.Module]] = as_one


USUAL = Recipe()


def rate_of_step(
    settings: OptimisationSettings, recipe: Recipe, steps: int
) -> Callable[[int], float]:
    """The learning rate of each step of a training, counted from 0; `steps` are those of an epoch."""
    schedule = schedule_of(settings)

    def rate(number: int) -> float:
        epoch, step = divmod(number, steps)
        return schedule.at(epoch + step / steps)

    return recipe.rate or rate


def schedule_of(settings: OptimisationSettings) -> Schedule:
    """The schedule of a training, its rates scaled from the stated batch to the one that runs."""
    ratio = settings.batch_ratio
    return Schedule(
        settings.base_lr * ratio,
        settings.epochs,
        settings.warmup_epochs,
        settings.warmup_lr * ratio,
    )


def say_learning_rate(title: str, settings: OptimisationSettings) -> None:
    """Say how the base learning rate was scaled, if it was."""
    if settings.batch_ratio != 1:
        say(
            f"{title}: learning rate {settings.base_lr * settings.batch_ratio:.3g} = "
            f"{settings.base_lr:.3g} x batch {settings.batch_size} / {settings.base_batch}"
        )


@dataclass(frozen=True)
class Schedule:
    """Half-period cosine with linear warm-up, in epochs (Appendix A.1, after Feichtenhofer et al. 2019).

    The warm-up runs from `warmup_lr` to the value the cosine has at the end of the warm-up.
    """

    lr: float
    epochs: int
    warmup_epochs: float = 0.0
    warmup_lr: float = 0.0

    def at(self, epoch: float) -> float:
        """Learning rate at a point of the training, in epochs (3.5: halfway through the fourth)."""
        if epoch < self.warmup_epochs:
            top = self._cosine(self.warmup_epochs)
            return self.warmup_lr + (top - self.warmup_lr) * epoch / self.warmup_epochs
        return self._cosine(epoch)

    def _cosine(self, epoch: float) -> float:
        return self.lr * 0.5 * (1 + math.cos(math.pi * min(epoch / self.epochs, 1.0)))


def build_optimizer(
    model: nn.Module, settings: OptimisationSettings, recipe: Recipe = USUAL
) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, Adam or AdamW; weight decay where the recipe says so."""
    lr, momentum = settings.base_lr * settings.batch_ratio, settings.momentum
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    decayed = [p for name, p in trained if recipe.decays(name, p)]
    plain = [p for name, p in trained if not recipe.decays(name, p)]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=lr)
    return torch.optim.Adam(groups, lr=lr)


def moving_average(model: nn.Module, decay: float, *, from_start: bool = False) -> AveragedModel:
    """An exponential moving average (EMA) of a model's weights and of its batch norms' averages.

    After each step: average = decay x average + (1 - decay) x weights; it begins at the first step's, or at
    the current weights (`from_start`).
    """
    update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch gives it no types
    average = AveragedModel(model, multi_avg_fn=update, use_buffers=True)
    if from_start:
        average.n_averaged.fill_(1)  # the copy that it holds counts as one
    return average
