"""How well ActionFormer does on videos it is not trained on: the terms of its loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from actionformer import Level
from actionformer.targets import Targets
from pipeline.configuration.sections.actionformer import ActionFormerSettings
from pipeline.processes.device import autocast
from pipeline.results.validation.means import mean_terms, require_samples
from pipeline.training.networks.actionformer import Networks, loss_terms
from pipeline.training.steps import Batch, to_device


def validation_loss(
    model: Networks,
    videos: int,
    read: Callable[[Sequence[int]], Iterator[Batch]],
    settings: ActionFormerSettings,
    sizes: Sequence[int],
    device: torch.device,
) -> dict[str, float]:
    """The terms of ActionFormer's loss (Zhang et al. 2022, Eq. 7), means over videos: val_total, ...

    There are this many `videos`; `read` gives those of the numbers it is asked for, whole and one at a time. The sums
    of a video are divided by how many of its own points learn a segment, so that weights alone decide the figures.
    Several processes each take a part. Raises UserError if there is no video.
    """
    require_samples("actionformer", videos, "video")

    def terms_of(batch: Batch, places: Sequence[int]) -> list[dict[str, float]]:
        return [_terms(model, batch, settings, sizes, device)]

    plan = [[number] for number in range(videos)]
    return mean_terms(model, plan, lambda own: read([number for (number,) in own]), terms_of)


@torch.inference_mode()
def _terms(
    model: Networks,
    batch: Batch,
    settings: ActionFormerSettings,
    sizes: Sequence[int],
    device: torch.device,
) -> dict[str, float]:
    """The terms of the loss of the one video of a batch."""
    batch = to_device(batch, device)
    with autocast(device, settings.precision):
        made: list[list[Level]] = model(batch["features"], batch["mask"])
    targets = Targets(*(batch[key] for key in Targets._fields))
    # An average of a number and itself: the divisor is the number.
    own = targets.positive.sum().clamp(min=1).to(model.normalizer)
    terms, _ = loss_terms(made, targets, own, settings, sizes)
    return {name: float(term) for name, term in terms.items()}
