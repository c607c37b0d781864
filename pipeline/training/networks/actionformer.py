"""ActionFormer as a run trains it: built from its settings, loaded, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from actionformer import ActionFormer, Level
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.training.checkpoints import MODEL_FILE, load_weights


class Networks(nn.Module):
    """One ActionFormer, or two side by side: one for the verbs, one for the nouns.

    normalizer []: what the losses are divided by, a moving average of the positions that learn a segment
    in a step. Two networks share it, for they learn at the same positions.
    """

    normalizer: Tensor

    def __init__(self, networks: Sequence[ActionFormer], normalizer: float) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.register_buffer("normalizer", torch.tensor(float(normalizer)))

    def forward(self, batch: Tensor, mask: Tensor) -> list[list[Level]]:
        """batch [B, C, T], mask [B, T] -> of each network a Level each."""
        return [network(batch, mask) for network in self.networks]

    @property
    def first(self) -> ActionFormer:
        """The first network; another has the same sizes but for its classes."""
        network: ActionFormer = self.networks[0]  # type: ignore[assignment]  # a ModuleList's are Modules
        return network


def build_network(settings: ActionFormerSettings, channels: int, sizes: Sequence[int]) -> Networks:
    """The network of the settings for features of so many channels, with random weights.

    `sizes` are the numbers of classes: of the one set there is, of verbs and nouns, or of none (), where
    segments have no class.
    """
    classes = list(sizes) if settings.trunk == "separate" else [sum(sizes)]
    return Networks(
        [_network(settings, channels, max(1, count)) for count in classes or [1]],
        settings.loss_normalizer,
    )


def _network(settings: ActionFormerSettings, channels: int, classes: int) -> ActionFormer:
    return ActionFormer(
        channels,
        classes,
        width=settings.width,
        head_width=settings.head_width,
        heads=settings.heads,
        levels=settings.levels,
        window=settings.window,
        max_length=settings.max_length,
        embedding_layers=settings.embedding_layers,
        stem_layers=settings.stem_layers,
        head_layers=settings.head_layers,
        position_code=settings.position_code,
        dropout=settings.dropout,
        drop_path=settings.drop_path,
        ranges=settings.regression_ranges,
    )


def load_network(
    settings: ActionFormerSettings,
    channels: int,
    sizes: Sequence[int],
    run: Path,
    device: torch.device,
) -> Networks:
    """The run's trained network, in eval mode; `sizes` as for `build_network`.

    Raises UserError where the file is damaged or of another architecture.
    """
    model = build_network(settings, channels, sizes)
    load_weights(model, run / "actionformer" / MODEL_FILE)
    return model.to(device).eval()
