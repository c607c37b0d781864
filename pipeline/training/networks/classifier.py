"""The classifier of a run: built from the configuration, its initial weights, its input and its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.backbones import BACKBONES, VideoNetwork, build_backbone
from feature_extraction.transforms import normalize
from feature_extraction.weights import (
    CheckpointError,
    imagenet_state,
    load_imagenet,
    load_public_checkpoint,
    read_checkpoint,
    require_imagenet_has_it,
)
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.configuration.settings import BackboneSettings
from pipeline.errors import UsageError, UserError
from pipeline.processes import distributed
from pipeline.processes.compiling import use_compiler_cache
from pipeline.processes.device import one_thread
from pipeline.progress import say
from pipeline.training import mixing
from pipeline.training.checkpoints import MODEL_FILE, load_weights
from pipeline.training.steps import Batch, Loss


def untrained_classifier(
    settings: BackboneSettings, num_classes: int | tuple[int, int]
) -> VideoNetwork:
    """The network of a configuration with random weights. Raises UsageError for what it cannot be."""
    if settings.name not in BACKBONES:
        names = ", ".join(sorted(BACKBONES))
        raise UsageError(f"backbone.name = {settings.name!r}: choose one of {names}")
    try:
        return _built(settings, num_classes)
    except ValueError as error:
        raise UsageError(f"backbone: {error}") from error


def _built(settings: BackboneSettings, num_classes: int | tuple[int, int]) -> VideoNetwork:
    first, *second = settings.kernels
    return build_backbone(
        settings.name,
        depth=settings.depth,
        width=settings.width,
        num_classes=num_classes,
        dropout=settings.dropout,
        reduction=settings.reduction,
        kernels=(first, second[0]) if second else (first,),
        global_context=settings.global_context,
        calibrate=settings.calibrate,
        proportion=settings.proportion,
        tada_stages=settings.tada_stages,
        aggregation=settings.aggregation,
        pool_kernel=settings.pool_kernel,
        shortcut=settings.shortcut,
        separate_norms=settings.separate_norms,
    )


def new_classifier(
    settings: BackboneSettings, num_classes: int | tuple[int, int], seed: int
) -> VideoNetwork:
    """A classifier with its initial weights; what was and was not loaded is said.

    Raises UserError for weights that do not fit, UsageError for an unknown backbone.
    """
    torch.manual_seed(seed)
    model = untrained_classifier(settings, num_classes)
    if settings.pretrained is None:
        say(f"{settings.name}: random initial weights (backbone.pretrained is not set)")
        return model
    try:
        if settings.pretrained == "imagenet":
            require_imagenet_has_it(model)  # before they are fetched
            report = load_imagenet(model, _imagenet_state(settings.depth))
        else:
            state = read_checkpoint(Path(settings.pretrained))
            load = load_imagenet if "layer1.0.conv1.weight" in state else load_public_checkpoint
            report = load(model, state)
    except CheckpointError as error:
        raise UserError(f"backbone.pretrained {settings.pretrained}: {error}") from error
    loaded = f"{len(report.used)} tensors used"
    say(f"{settings.name}: initial weights from {settings.pretrained}: {loaded}")
    for name, keys in (("not used", report.unused), ("left at random", report.missing)):
        if keys:
            shown = ", ".join(sorted(keys)[:6]) + (", ..." if len(keys) > 6 else "")
            say(f"  {len(keys)} {name}: {shown}")
    return model


def _imagenet_state(depth: int | tuple[int, ...]) -> Mapping[str, object]:
    if not isinstance(depth, int):
        raise CheckpointError(f"torchvision has no ImageNet weights of depth {depth}: give a file")
    return imagenet_state(None, depth=depth)


def load_classifier(
    settings: BackboneSettings, num_classes: int | tuple[int, int], run: Path, device: torch.device
) -> VideoNetwork:
    """The run's fine-tuned classifier, in eval mode.

    Raises UserError where the file is damaged or of another architecture.
    """
    model = untrained_classifier(settings, num_classes)
    load_weights(model, run / "finetune" / MODEL_FILE)
    return model.to(device).eval()


class SharedClassifier(nn.Module):
    """A classifier trained by several processes: each computes features of its part of the batch.

    The head, with its dropout, sees the whole batch in every process: video [b, 3, T, H, W] -> logits of
    the batch of all processes. Alone it is the network. With `freeze_norm`, batch norms stay as
    `freeze_norms` leaves them in every train() that follows: build it on the initial weights then,
    after `distributed.synchronize_norms`, which puts others in their place.
    """

    def __init__(
        self, network: VideoNetwork, *, compiled: bool = False, freeze_norm: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        self.compiled = compiled
        self._frozen = freeze_norms(network) if freeze_norm else []
        self._compiled: Callable[[Tensor], Tensor] | None = None

    def train(self, mode: bool = True) -> SharedClassifier:
        """Training or evaluation mode; frozen batch norms are always in evaluation's."""
        super().train(mode)
        for name in self._frozen:
            self.network.get_submodule(name).eval()
        return self

    def forward(self, video: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits of the whole batch, or (verb, noun) pairs."""
        if self.compiled and self._compiled is None:
            use_compiler_cache()
            self._compiled = torch.compile(self.network.features, dynamic=False)
        features = (self._compiled or self.network.features)(video)
        return self.network.classify(distributed.gather(features))


def freeze_norms(network: nn.Module) -> list[str]:
    """Keep batch norms as they were loaded; their names.

    Frozen are those whose running mean and variance came with the initial weights: they normalise
    by these, which stay as they are, and their weight and bias are not trained. A norm whose
    statistics are still 0 and 1 was not loaded (after ImageNet's weights: in TAdaConv's routes and
    in the temporal aggregation). It has nothing to keep and is trained as ever. Raises UserError
    where no norm was loaded.
    """
    kinds = nn.modules.batchnorm._BatchNorm
    norms = {name: m for name, m in network.named_modules() if isinstance(m, kinds)}
    names = [name for name, norm in norms.items() if _was_loaded(norm)]
    for name in names:
        norms[name].eval().requires_grad_(False)
    if not names:
        raise UserError(
            "finetune.freeze_norm: the initial weights have no batch norm to keep; "
            "set backbone.pretrained, or freeze_norm=false"
        )
    new = len(norms) - len(names)
    say(f"finetune: {len(names)} batch norms stay as loaded, {new} new ones are trained")
    return names


def _was_loaded(norm: nn.modules.batchnorm._BatchNorm) -> bool:
    """Whether a batch norm's statistics are others than those it is made with."""
    mean, variance = norm.running_mean, norm.running_var
    return mean is not None and variance is not None and bool(mean.any() or (variance != 1).any())


def network_input(frames: Tensor, settings: BackboneSettings) -> Tensor:
    """Clips uint8 [B, T, 3, H, W] to the network's input, float32 [B, 3, T, H, W]."""
    return normalize(frames, settings.mean, settings.std).transpose(1, 2)


@torch.inference_mode()
def class_probabilities(
    model: VideoNetwork, features: np.ndarray, device: torch.device
) -> list[np.ndarray]:
    """Softmax of the head on features [n, C]: one array [n, classes] a head, the same for any number of threads."""
    with one_thread():
        logits = model.classify(torch.from_numpy(features).to(device))
        heads = logits if isinstance(logits, tuple) else (logits,)
        return [head.float().softmax(1).cpu().numpy() for head in heads]


def classification_loss(
    outputs: Tensor | tuple[Tensor, Tensor], target: Tensor, smoothing: float
) -> Tensor:
    """Cross-entropy of one head, or the sum of the verb and the noun head's; target [B, heads]."""
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    losses = [
        F.cross_entropy(head.float(), target[:, i], label_smoothing=smoothing)
        for i, head in enumerate(heads)
    ]
    return torch.stack(losses).sum()


def feature_loss(settings: FinetuneSettings) -> Loss:
    """The loss of a batch of features [b, C] of all processes, with target [b, heads]."""

    def loss(model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        outputs = model(batch["features"])
        target = distributed.gather(batch["target"])
        return {"total": classification_loss(outputs, target, settings.label_smoothing)}

    return loss


def classifier_loss(backbone: BackboneSettings, settings: FinetuneSettings) -> Loss:
    """The loss of a batch of clips of all processes, mixed where `settings.augment` says so.

    A batch has clip uint8 [b, T, 3, H, W] and target [b, heads].
    """

    def loss(model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        video = network_input(batch["clip"], backbone)
        mix = mixing.draw_mix(video, settings.augment, generator)
        outputs = model(mixing.mixed(video, mix))
        smoothing = settings.label_smoothing
        if mix is not None:
            return {"total": mixing.mixed_loss(outputs, batch["target"], mix, smoothing)}
        target = distributed.gather(batch["target"])
        return {"total": classification_loss(outputs, target, smoothing)}

    return loss
