"""The classifier of a run: built from the configuration, initialised, saved and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from feature_extraction.backbones import BACKBONES, build_backbone
from feature_extraction.weights.loading import (
    CheckpointError,
    imagenet_state,
    load_imagenet,
    load_public_checkpoint,
    read_checkpoint,
    require_imagenet_has_it,
)
from pipeline.configuration.settings import BackboneSettings
from pipeline.errors import UsageError, UserError
from pipeline.processes import distributed
from pipeline.processes.device import load_state, save_state
from pipeline.progress import say

MODEL_FILE = "model.pt"


def new_classifier(
    settings: BackboneSettings, num_classes: int | tuple[int, int], seed: int
) -> nn.Module:
    """A classifier with its start weights; what was and was not loaded is said.

    Raises UserError for weights that do not fit, UsageError for an unknown backbone.
    """
    torch.manual_seed(seed)
    model = untrained_classifier(settings, num_classes)
    if settings.pretrained is None:
        say(f"{settings.name}: random start weights (backbone.pretrained is not set)")
        return model
    try:
        if settings.pretrained == "imagenet":
            require_imagenet_has_it(model)  # before they are fetched
            report = load_imagenet(model, imagenet_state(None, depth=settings.depth))
        else:
            state = read_checkpoint(Path(settings.pretrained))
            load = load_imagenet if "layer1.0.conv1.weight" in state else load_public_checkpoint
            report = load(model, state)
    except CheckpointError as error:
        raise UserError(f"backbone.pretrained {settings.pretrained}: {error}") from error
    say(
        f"{settings.name}: start weights from {settings.pretrained}: {len(report.used)} tensors used"
    )
    for name, keys in (("not used", report.unused), ("left at random", report.missing)):
        if keys:
            shown = ", ".join(sorted(keys)[:6]) + (", ..." if len(keys) > 6 else "")
            say(f"  {len(keys)} {name}: {shown}")
    return model


class SharedClassifier(nn.Module):
    """A classifier trained by several processes: each computes features of its part of the batch.

    The head, with its dropout, sees the whole batch in every process: video [b, 3, T, H, W] -> logits of
    the batch of all processes. Alone it is the network. With `freeze_norm`, batch norms stay as
    `freeze_norms` leaves them in every train() that follows: build it on the start weights then,
    after `distributed.synchronize_norms`, which puts others in their place.
    """

    def __init__(
        self, network: nn.Module, *, compiled: bool = False, freeze_norm: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        self.compiled = compiled
        self._frozen = freeze_norms(network) if freeze_norm else []
        self._compiled: Any = None

    def train(self, mode: bool = True) -> SharedClassifier:
        """Training or evaluation mode; frozen batch norms are always in evaluation's."""
        super().train(mode)
        for name in self._frozen:
            self.network.get_submodule(name).eval()
        return self

    def forward(self, video: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits of the whole batch, or (verb, noun) pairs."""
        if self.compiled and self._compiled is None:
            self._compiled = torch.compile(self.network.features, dynamic=False)
        features = (self._compiled or self.network.features)(video)
        return self.network.classify(distributed.gather(features))


def freeze_norms(network: nn.Module) -> list[str]:
    """Keep batch norms as they were loaded; their names.

    Frozen are those whose running mean and variance came with the start weights: they normalise
    by these, which stay as they are, and their weight and bias are not trained. A norm whose
    statistics are still 0 and 1 was not loaded (after ImageNet's weights: in TAdaConv's routes and
    in the temporal aggregation). It has nothing to keep and is trained as ever. Raises UserError
    where no norm was loaded.
    """
    kinds = nn.modules.batchnorm._BatchNorm
    norms = {name: m for name, m in network.named_modules() if isinstance(m, kinds)}
    names = [n for n, m in norms.items() if m.running_mean.any() or (m.running_var != 1).any()]
    for name in names:
        norms[name].eval().requires_grad_(False)
    if not names:
        raise UserError(
            "finetune.freeze_norm: the start weights have no batch norm to keep; "
            "set backbone.pretrained, or freeze_norm=false"
        )
    new = len(norms) - len(names)
    say(f"finetune: {len(names)} batch norms stay as loaded, {new} new ones are trained")
    return names


def save_classifier(model: nn.Module, path: Path) -> None:
    """Write a classifier's weights."""
    save_state(path, {"model": model.state_dict()})


def load_classifier(
    settings: BackboneSettings, num_classes: int | tuple[int, int], run: Path, device: torch.device
) -> nn.Module:
    """The run's fine-tuned classifier, in eval mode.

    Raises UserError where the file is damaged or of another architecture.
    """
    model = untrained_classifier(settings, num_classes)
    load_weights(model, run / "finetune" / MODEL_FILE)
    return model.to(device).eval()


def load_weights(model: nn.Module, path: Path) -> None:
    """Put a stage's saved weights into a network.

    Raises UserError where the file is damaged or of another architecture.
    """
    try:
        model.load_state_dict(load_state(path)["model"])
    except (KeyError, RuntimeError, TypeError, AttributeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not the weights of this configuration ({reason})") from error


def untrained_classifier(
    settings: BackboneSettings, num_classes: int | tuple[int, int]
) -> nn.Module:
    """The network of a configuration with random weights. Raises UsageError for what it cannot be."""
    if settings.name not in BACKBONES:
        names = ", ".join(sorted(BACKBONES))
        raise UsageError(f"backbone.name = {settings.name!r}: choose one of {names}")
    try:
        return _built(settings, num_classes)
    except ValueError as error:
        raise UsageError(f"backbone: {error}") from error


def _built(settings: BackboneSettings, num_classes: int | tuple[int, int]) -> nn.Module:
    return build_backbone(
        settings.name,
        depth=settings.depth,
        width=settings.width,
        num_classes=num_classes,
        dropout=settings.dropout,
        reduction=settings.reduction,
        kernels=settings.kernels,
        global_context=settings.global_context,
        calibrate=settings.calibrate,
        proportion=settings.proportion,
        tada_stages=settings.tada_stages,
        aggregation=settings.aggregation,
        pool_kernel=settings.pool_kernel,
        shortcut=settings.shortcut,
        separate_norms=settings.separate_norms,
    )
