"""How well BMN does on windows of videos it is not trained on: which ones, and their loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bmn.losses import bmn_loss
from bmn.targets import Targets, valid_mask
from pipeline.configuration.settings import Config
from pipeline.configuration.training_settings import BMNSettings
from pipeline.data import annotations
from pipeline.data.features import videos_with_features
from pipeline.data.hold_out import chooses_epoch, chosen_by, nothing_to_choose_by
from pipeline.data.order import own_part
from pipeline.data.windows.samples import Window, regular_batches, windows_holding
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.processes.device import autocast
from pipeline.progress import say
from pipeline.seeds import step_seed


def judging_windows(
    config: Config, folder: Path, dataset: annotations.Dataset, held_out: list[str]
) -> list[Window]:
    """The windows whose loss chooses the epoch to keep; none where none is chosen.

    Those of the training videos held out, else those of the evaluation subset, which is said, as is
    what is left out. Raises UserError where features are missing, or no window holds a segment.
    """
    if not chooses_epoch(config.bmn):
        return []
    subset = config.dataset.train_subset if held_out else config.dataset.eval_subset
    rows, counts = annotations.training_rows(dataset, subset)
    if not held_out:  # of the training subset it is said already
        for reason, count in counts.items():
            say(f"annotations, {subset}: {count} segments: {reason}")
    videos = held_out or videos_with_features(config, folder, list(rows["video"].unique()), "bmn")
    rows = rows[rows["video"].isin(videos)]
    found, counts = windows_holding(config, folder, rows, videos, moving=False)
    for reason, count in counts.items():
        say(f"bmn: {count} of {len(rows)} judging segments {reason}")
    if not found:
        raise nothing_to_choose_by(config, held_out=bool(held_out))
    count = len({window.video for window in found})
    say(f"bmn: {chosen_by(config, count, held_out=bool(held_out))}")
    return found


def validation_loss(
    config: Config, run: Path, windows: Sequence[Window], model: nn.Module, device: torch.device
) -> dict[str, float]:
    """The terms of BMN's loss (Lin et al. 2019), means over windows: val_total, val_tem, ...

    The same windows and weights give the same figures in every epoch and, but for rounding, in
    batches of any size: windows lie at their regular places, a window's loss is its own, and the
    cells its regression picks follow from bmn.seed and the window's place in the list alone.
    Several processes each take a part. Raises UserError where there is no window.
    """
    if not windows:
        raise UserError("bmn: there is no window to validate on; raise dataset.hold_out")
    size, numbers = config.bmn.batch_size, range(len(windows))
    plan = own_part([list(numbers[first : first + size]) for first in numbers[::size]])
    batches = regular_batches(config, run, windows, plan)
    was_training = model.training
    model.eval()
    seen: list[dict[str, float]] = []
    for places, batch in zip(plan, batches, strict=True):
        seen += _losses(model, batch, places, config.bmn, device)
    model.train(was_training)
    seen = [terms for part in distributed.gather_values(seen) for terms in part]
    return {f"val_{name}": math.fsum(terms[name] for terms in seen) / len(seen) for name in seen[0]}


@torch.inference_mode()
def _losses(
    model: nn.Module,
    batch: dict[str, Any],
    places: Sequence[int],
    settings: BMNSettings,
    device: torch.device,
) -> list[dict[str, float]]:
    """The terms of the loss of each window of a batch, taken alone."""
    tables = {key: table.to(device) for key, table in batch.items() if isinstance(table, Tensor)}
    with autocast(device, settings.precision):
        output = model(tables.pop("features"))
    mask = valid_mask(settings.duration_scale, settings.temporal_scale).to(device)
    result = []
    for row, place in enumerate(places):
        one = slice(row, row + 1)
        own = {key: table[one] for key, table in tables.items()}
        targets = Targets(*(own.pop(key) for key in Targets._fields))
        loss = bmn_loss(
            type(output)(*(table[one] for table in output)),
            targets,
            mask,
            uniforms=_fields(targets.iou, settings.seed, place),
            **own,
        )
        result.append({name: float(term) for name, term in loss._asdict().items()})
    return result


def _fields(iou: Tensor, seed: int, place: int) -> tuple[Tensor, Tensor]:
    """The two fields that pick a window's cells, drawn on the CPU so that devices agree."""
    generator = torch.Generator().manual_seed(step_seed(seed, 10, place))
    middle, low = torch.rand((2, *iou.shape), generator=generator).to(iou.device)
    return middle, low
