"""How well BMN does on windows it is not trained on: the terms of its loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bmn.losses import bmn_loss
from bmn.targets import Targets, valid_mask
from pipeline.configuration.sections.training import BMNSettings
from pipeline.processes.device import autocast
from pipeline.results.validation.means import ReadBatches, mean_terms, require_samples
from pipeline.seeds import step_seed
from pipeline.training.steps import Batch, to_device


def validation_loss(
    model: nn.Module,
    windows: int,
    read: ReadBatches,
    settings: BMNSettings,
    device: torch.device,
) -> dict[str, float]:
    """The terms of BMN's loss (Lin et al. 2019), means over windows: val_total, val_tem, ...

    There are this many `windows`; `read` gives batches of those of the numbers it is asked for, at
    their regular positions. The same windows and weights give the same figures in every epoch and, but
    for rounding, in batches of any size: a window's loss is its own, and the cells its regression
    picks follow from bmn.seed and the window's number alone. Several processes each take a part.
    Raises UserError if there is no window.
    """
    require_samples("bmn", windows, "window")
    size, numbers = settings.batch_size, range(windows)
    plan = [list(numbers[first : first + size]) for first in numbers[::size]]

    def losses(batch: Batch, places: Sequence[int]) -> list[dict[str, float]]:
        return _losses(model, batch, places, settings, device)

    return mean_terms(model, plan, read, losses)


@torch.inference_mode()
def _losses(
    model: nn.Module,
    batch: Batch,
    places: Sequence[int],
    settings: BMNSettings,
    device: torch.device,
) -> list[dict[str, float]]:
    """The terms of the loss of each window of a batch, taken alone."""
    batch = to_device(batch, device)
    with autocast(device, settings.precision):
        output = model(batch["features"])
    mask = valid_mask(settings.duration_scale, settings.temporal_scale).to(device)
    result = []
    for row, place in enumerate(places):
        one = slice(row, row + 1)
        targets = Targets(*(batch[key][one] for key in Targets._fields))
        loss = bmn_loss(
            type(output)(*(table[one] for table in output)),
            targets,
            mask,
            uniforms=_fields(targets.iou, settings.seed, place),
            moves=batch["moves"][one] if settings.regression else None,
        )
        result.append({name: float(term) for name, term in loss._asdict().items()})
    return result


def _fields(iou: Tensor, seed: int, place: int) -> tuple[Tensor, Tensor]:
    """The two fields that pick a window's cells, drawn on the CPU so that devices agree."""
    generator = torch.Generator().manual_seed(step_seed(seed, 10, place))
    middle, low = torch.rand((2, *iou.shape), generator=generator).to(iou.device)
    return middle, low
