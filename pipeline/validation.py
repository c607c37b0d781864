"""How well a classifier does on the segments it was not trained on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from evaluation.classification import action_accuracy, topk_accuracy
from feature_extraction.transforms import normalize
from pipeline import clips, distributed
from pipeline.config import Backbone, Finetune
from pipeline.device import autocast


def validate(
    model: nn.Module,
    segments: clips.Segments,
    settings: Finetune,
    backbone: Backbone,
    unreadable: clips.Unreadable,
    workers: int,
    device: torch.device,
) -> dict[str, float]:
    """Accuracy in percent of one centred clip a segment: top-1 and top-5, or verb, noun and action.

    Several processes each take a part of the segments.
    """
    seen: list[tuple[list[np.ndarray], np.ndarray]] = []
    with torch.inference_mode():
        for batch in clips.evaluation_batches(segments, settings, unreadable, workers=workers):
            with autocast(device, settings.precision):
                result = model(network_input(batch["clip"].to(device), backbone))
            heads = result if isinstance(result, tuple) else (result,)
            scores = [head.float().softmax(1).cpu().numpy() for head in heads]
            seen.append((scores, batch["target"].numpy()))
    seen = [part for parts in distributed.gather_values(seen) for part in parts]
    target = np.concatenate([part for _, part in seen])
    return accuracies(
        [np.concatenate(parts) for parts in zip(*(s for s, _ in seen), strict=True)], target
    )


def network_input(frames: Tensor, backbone: Backbone) -> Tensor:
    """Clips uint8 [B, T, 3, H, W] to the network's input, float32 [B, 3, T, H, W]."""
    return normalize(frames, backbone.mean, backbone.std).transpose(1, 2)


def accuracies(scores: list[np.ndarray], target: np.ndarray) -> dict[str, float]:
    """Percent right of scores [n, classes], one array a head, and class indices [n, heads]."""
    if len(scores) == 1:
        top5 = min(5, scores[0].shape[1])
        return {
            "top1": 100 * topk_accuracy(scores[0], target[:, 0], 1),
            f"top{top5}": 100 * topk_accuracy(scores[0], target[:, 0], top5),
        }
    verb, noun = scores
    return {
        "verb": 100 * topk_accuracy(verb, target[:, 0], 1),
        "noun": 100 * topk_accuracy(noun, target[:, 1], 1),
        "action": 100 * action_accuracy(verb, noun, target[:, 0], target[:, 1]),
    }
