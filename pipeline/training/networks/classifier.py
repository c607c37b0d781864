"""The classifier of a run: built from the configuration, its initial weights, its input and its loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.backbones import VideoNetwork
from feature_extraction.published.names import PublishedError
from feature_extraction.transforms import normalize
from feature_extraction.weights import CheckpointError
from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.configuration.settings import BackboneSettings
from pipeline.errors import UsageError, UserError
from pipeline.processes import distributed
from pipeline.processes.compiling import use_compiler_cache
from pipeline.processes.device import one_thread
from pipeline.training import mixing
from pipeline.training.checkpoints import MODEL_FILE, load_weights
from pipeline.training.networks.kept import freeze_norms, train_head_alone
from pipeline.training.networks.ours import load_initial, our_network
from pipeline.training.networks.said import say_initial
from pipeline.training.networks.theirs import their_initial_network, their_network
from pipeline.training.networks.unfilled import to_be_filled
from pipeline.training.steps import Batch, Loss


def untrained_classifier(
    settings: BackboneSettings, num_classes: int | tuple[int, int]
) -> VideoNetwork:
    """The network of a configuration with random weights. Raises UsageError for what it cannot be."""
    if _is_of_others(settings):
        return their_network(settings, num_classes)
    return our_network(settings, num_classes)


def classifier_to_fill(
    settings: BackboneSettings, num_classes: int | tuple[int, int]
) -> VideoNetwork:
    """As `untrained_classifier`, for weights that are at hand: of ours none are drawn."""
    if _is_of_others(settings):
        return their_network(settings, num_classes)
    with to_be_filled():
        return our_network(settings, num_classes)


def new_classifier(
    settings: BackboneSettings, num_classes: int | tuple[int, int], seed: int
) -> VideoNetwork:
    """A classifier with its initial weights; what was and was not loaded is reported.

    Raises UserError for weights that do not fit, UsageError for an unknown backbone.
    """
    torch.manual_seed(seed)
    if _is_of_others(settings):
        return their_initial_network(settings, num_classes)
    model = our_network(settings, num_classes)
    try:
        report = load_initial(model, settings)
    except CheckpointError as error:
        raise UserError(f"backbone.pretrained {settings.pretrained}: {error}") from error
    say_initial(settings, report)
    return model


def _is_of_others(settings: BackboneSettings) -> bool:
    try:
        return settings.of_others is not None
    except PublishedError as error:
        raise UsageError(f"backbone.name: {error}") from error


def load_classifier(
    settings: BackboneSettings, num_classes: int | tuple[int, int], run: Path, device: torch.device
) -> VideoNetwork:
    """The run's fine-tuned classifier, in eval mode.

    Raises UserError if the file is damaged or of another architecture.
    """
    model = classifier_to_fill(settings, num_classes)
    load_weights(model, run / "finetune" / MODEL_FILE)
    return model.to(device).eval()


class SharedClassifier(nn.Module):
    """A classifier trained by several processes: each computes features of its part of the batch.

    The head, with its dropout, sees the whole batch in every process: video [b, 3, T, H, W] -> logits of
    the batch of all processes. Alone it is the network. With `freeze_norm`, batch norms stay as
    `freeze_norms` leaves them in every train() that follows: build it on the initial weights then,
    after `distributed.synchronize_norms`, which puts others in their place. With `head_only` the network
    is as in inference, and nothing of it but the head is trained.
    """

    def __init__(
        self,
        network: VideoNetwork,
        *,
        compiled: bool = False,
        freeze_norm: bool = False,
        head_only: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.compiled = compiled
        self.head_only = head_only
        self._frozen = freeze_norms(network) if freeze_norm else []
        if head_only:
            train_head_alone(network)
        self._compiled: Callable[[Tensor], Tensor] | None = None

    def train(self, mode: bool = True) -> SharedClassifier:
        """Training or evaluation mode; what is kept as it was loaded is always in evaluation's."""
        super().train(mode)
        if self.head_only:
            self.network.eval()
            self.network.head.train(mode)
        for name in self._frozen:
            self.network.get_submodule(name).eval()
        return self

    def forward(self, video: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits of the whole batch, or (verb, noun) pairs."""
        if self.compiled and self._compiled is None:
            use_compiler_cache()
            self._compiled = torch.compile(self.network.features, dynamic=False)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.head_only):
            features = (self._compiled or self.network.features)(video)
        return self.network.classify(distributed.gather(features))


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
