"""How well a classifier does on the segments it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from evaluation.classification import accuracies
from pipeline.configuration.settings import Config
from pipeline.data.clips.geometry import EXTRACT, agree
from pipeline.data.clips.segments import Segments
from pipeline.data.clips.validation import evaluation_batches
from pipeline.data.videos.left_out import LeftOut
from pipeline.errors import UserError
from pipeline.processes import distributed
from pipeline.processes.device import autocast
from pipeline.training.networks.classifier import network_input

GAP = 3.0  # points between the two accuracies that are worth a warning


def validate(
    model: nn.Module,
    segments: Segments,
    config: Config,
    left_out: LeftOut,
    device: torch.device,
) -> dict[str, float]:
    """Accuracy in percent of the clip at each segment's middle: top-1 and top-5, or verb, noun and action.

    Seen as fine-tuning crops, and, with `extract_` before the name, as extraction will see it. Several
    processes each take a part of the segments. Raises UserError if no segment could be read.
    """
    scores: dict[str, list[list[np.ndarray]]] = {}
    targets: list[np.ndarray] = []
    batches = evaluation_batches(segments, config, left_out, workers=config.runtime.workers)
    with torch.inference_mode():
        for batch in batches:
            targets.append(batch["target"].numpy())
            for prefix, stacks in batch["views"].items():
                heads = _stack_scores(model, stacks, config, device)
                scores.setdefault(prefix, []).append(heads)
    parts = distributed.gather_values((scores, targets))
    if not any(tables for _, tables in parts):
        raise UserError(
            "finetune: no validation clip could be read; check the videos (tada-loc doctor)"
        )
    target = np.concatenate([table for _, tables in parts for table in tables])
    figures: dict[str, float] = {}
    for prefix in dict.fromkeys(prefix for part, _ in parts for prefix in part):
        found = [heads for part, _ in parts for heads in part.get(prefix, [])]
        heads = [np.concatenate(head) for head in zip(*found, strict=True)]
        figures |= {prefix + name: value for name, value in accuracies(heads, target).items()}
    if config.extract is not None and agree(config.finetune, config.extract):
        figures |= {EXTRACT + name: value for name, value in figures.items()}
    return figures


def _stack_scores(
    model: nn.Module,
    stacks: Sequence[tuple[list[int], Tensor]],
    config: Config,
    device: torch.device,
) -> list[np.ndarray]:
    """Probabilities [n, classes] a head of a batch's clips, which come in stacks of one shape."""
    rows = [row for rows, _ in stacks for row in rows]
    found = []
    for _, clips in stacks:
        with autocast(device, config.finetune.precision):
            result = model(network_input(clips.to(device), config.backbone))
        heads = result if isinstance(result, tuple) else (result,)
        found.append([head.float().softmax(1).cpu().numpy() for head in heads])
    order = np.argsort(rows)
    return [np.concatenate(head)[order] for head in zip(*found, strict=True)]


def main_accuracy(figures: Mapping[str, float], prefix: str = "") -> float | None:
    """The accuracy a classifier is judged by: top-1, or that of actions; None if there is none."""
    return next((figures[prefix + k] for k in ("top1", "action") if prefix + k in figures), None)


def judged(figures: Mapping[str, float]) -> float | None:
    """The score by which the epoch to keep is chosen: accuracy as extraction sees it, where that is known."""
    seen = main_accuracy(figures, EXTRACT)
    return main_accuracy(figures) if seen is None else seen


def geometry_warning(figures: Mapping[str, float]) -> str | None:
    """What to say where what extraction will show the classifier changes its accuracy; else None."""
    own, seen = main_accuracy(figures), main_accuracy(figures, EXTRACT)
    if own is None or seen is None or abs(own - seen) <= GAP:
        return None
    return (
        f"warning: accuracy is {own:.1f} on finetune.crop and {seen:.1f} on what extraction will show "
        "the network; set finetune.crop=whole, or extract.crop=center, so that the two agree"
    )
