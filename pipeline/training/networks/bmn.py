"""The boundary-matching network of a run: built from its settings, loaded, and its loss."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from bmn import BMN, BMNOutput, MovedOutput, bmn_loss
from bmn.targets import Targets, valid_mask
from pipeline.configuration.sections.training import BMNSettings
from pipeline.errors import UsageError
from pipeline.processes import distributed
from pipeline.training.checkpoints import MODEL_FILE, load_weights
from pipeline.training.steps import Batch, Loss


def groups_line(settings: BMNSettings, channels: int) -> str | None:
    """What is wrong with groups that do not divide the features' channels, and what would; None if they do."""
    if channels % settings.groups == 0:
        return None
    fits = max(
        k for k in range(1, settings.groups) if (channels % k, settings.hidden_1d % k) == (0, 0)
    )
    return (
        f"bmn.groups = {settings.groups}: the {channels} channels of the features are not a multiple of it; "
        f"set bmn.groups={fits}"
    )


def require_groups(settings: BMNSettings, channels: int) -> None:
    """Refuse groups that do not divide the features' channels. Raises UsageError."""
    line = groups_line(settings, channels)
    if line is not None:
        raise UsageError(line)


def build_network(settings: BMNSettings, channels: int) -> BMN:
    """The network of the settings for features of this many channels, with random weights.

    Raises UsageError if their groups do not divide them.
    """
    require_groups(settings, channels)
    return BMN(
        channels,
        settings.temporal_scale,
        settings.duration_scale,
        hidden_1d=settings.hidden_1d,
        hidden_2d=settings.hidden_2d,
        hidden_3d=settings.hidden_3d,
        num_samples=settings.num_samples,
        samples_per_bin=settings.samples_per_bin,
        boundary_ratio=settings.boundary_ratio,
        groups=settings.groups,
        regression=settings.regression,
    )


def load_network(settings: BMNSettings, channels: int, run: Path, device: torch.device) -> BMN:
    """The run's trained network, in eval mode.

    Raises UserError if the file is damaged or of another architecture.
    """
    model = build_network(settings, channels)
    load_weights(model, run / "bmn" / MODEL_FILE)
    return model.to(device).eval()


def proposal_loss(settings: BMNSettings, device: torch.device) -> Loss:
    """The terms of BMN's loss (Lin et al. 2019) on a batch of windows of all processes.

    A batch has features [b, C, T] and the targets start, end [b, T], iou [b, D, T] and, with
    `regression`, moves [b, 2, D, T].
    """
    mask = valid_mask(settings.duration_scale, settings.temporal_scale).to(device)

    def loss(model: nn.Module, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        parts = map(distributed.gather, model(batch["features"]))
        output = MovedOutput(*parts) if settings.regression else BMNOutput(*parts)
        targets = Targets(*(distributed.gather(batch[key]) for key in Targets._fields))
        moves = distributed.gather(batch["moves"]) if settings.regression else None
        return bmn_loss(output, targets, mask, generator=generator, moves=moves)._asdict()

    return loss
