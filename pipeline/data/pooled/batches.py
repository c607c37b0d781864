"""Batches of mean features, in the order of a training: the same however many processes share them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from pipeline.configuration.sections.training import FinetuneSettings
from pipeline.data.clips.segments import segments_digest
from pipeline.data.clips.training import epoch_clips
from pipeline.data.order import own_pieces
from pipeline.data.pooled.means import Pooled


def feature_batches(
    pooled: Pooled, settings: FinetuneSettings, *, epoch: int, step: int
) -> Iterator[dict[str, Any]]:
    """This process's parts of the batches from a position of the training to its end.

    `features` float32 [b, C], `target` [b, heads], `names` and `pieces` as the training loop takes them.
    """
    features, targets = torch.from_numpy(pooled.features), torch.tensor(pooled.segments.targets)
    for number in range(epoch, settings.epochs):
        for place, batch in enumerate(epoch_clips(pooled.segments, settings, number)):
            if place < step:
                continue
            own, pieces = own_pieces(batch, settings.gradient_accumulation)
            rows = np.array(own, np.int64) % len(pooled)
            yield {
                "features": features[rows],
                "target": targets[rows],
                "names": [pooled.segments.videos[row] for row in rows],
                "pieces": pieces,
            }
        step = 0


def pooled_digest(pooled: Pooled) -> str:
    """What distinguishes one list of segments with features from another."""
    content = hashlib.sha256(np.ascontiguousarray(pooled.features).tobytes()).hexdigest()
    return segments_digest(pooled.segments) + content
