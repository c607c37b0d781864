"""Mixup and CutMix: a training clip becomes a mixture of two of its batch, and its label too.

The label need not be made: cross-entropy is linear in it, so a mixture's loss is the mixture of the
losses with either clip's class, label smoothing included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.configuration.training_settings import AugmentSettings
from pipeline.processes import distributed


@dataclass(frozen=True)
class Mix:
    """How the clips of a batch are mixed: each with its partner [b], keeping the share `own`.

    `box`: the pixels that are the partner's (top, bottom, left, right); None where all are blended.
    """

    partners: np.ndarray
    own: float
    box: tuple[int, int, int, int] | None = None


def draw_mix(video: Tensor, settings: AugmentSettings, generator: torch.Generator) -> Mix | None:
    """Draw how a batch's clips [b, ..., H, W] are mixed; None where neither mixup nor cutmix is on.

    With both on either is as likely. One share for all clips, from a beta distribution; every clip
    has another one for a partner, and a batch of one is left as it is. The batch is what a process
    computes at once: its part of the step's batch, or of a piece of it (`gradient_accumulation`). One number is
    taken from `generator`, whatever comes of it.
    """
    if not (settings.mixup or settings.cutmix):
        return None
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    rng = np.random.default_rng(int(seed))
    count, (height, width) = len(video), video.shape[-2:]
    if count == 1:
        return Mix(np.zeros(1, np.int64), 1.0)
    cuts = rng.random() < 0.5 if settings.mixup and settings.cutmix else settings.cutmix > 0
    alpha = settings.cutmix if cuts else settings.mixup
    own = float(rng.beta(alpha, alpha))
    ring = rng.permutation(count)  # each is mixed with the next on it
    partners = np.empty(count, np.int64)
    partners[ring] = np.roll(ring, -1)
    if not cuts:
        return Mix(partners, own)
    box = _box(height, width, 1 - own, rng)
    return Mix(partners, 1 - (box[1] - box[0]) * (box[3] - box[2]) / (height * width), box)


def mixed(video: Tensor, mix: Mix | None) -> Tensor:
    """Clips float [b, 3, T, H, W] mixed with their partners; every frame of a clip alike."""
    if mix is None or mix.own == 1:
        return video
    partners = torch.from_numpy(mix.partners).to(video.device)
    if mix.box is None:
        return video.lerp(video[partners], 1 - mix.own)
    top, bottom, left, right = mix.box
    result = video.clone()
    result[..., top:bottom, left:right] = video[..., top:bottom, left:right][partners]
    return result


def mixed_loss(
    outputs: Tensor | tuple[Tensor, Tensor], target: Tensor, mix: Mix, smoothing: float
) -> Tensor:
    """Cross-entropy of mixed clips: the mean over the batch of all processes, summed over heads.

    outputs: logits [B, classes] of the whole batch, one or a verb and a noun head's; target
    [b, heads]: class indices of this process's own clips as they were before. Processes may have
    mixed by different shares, so each clip's goes with it.
    """
    partners = torch.from_numpy(mix.partners).to(target.device)
    labels = [distributed.gather(rows) for rows in (target, target[partners])]
    own = distributed.gather(torch.full((len(target),), mix.own, device=target.device))
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    losses = []
    for place, head in enumerate(heads):
        ours, theirs = (
            F.cross_entropy(
                head.float(), rows[:, place], reduction="none", label_smoothing=smoothing
            )
            for rows in labels
        )
        losses.append((own * ours + (1 - own) * theirs).mean())
    return torch.stack(losses).sum()


def _box(
    height: int, width: int, share: float, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """A box of `share` of the frame, in its aspect, centred anywhere and cut at its edges."""
    bounds = []
    for side in (height, width):
        half = side * math.sqrt(share) / 2
        center = rng.random() * side
        bounds += [max(0, round(center - half)), min(side, round(center + half))]
    return bounds[0], bounds[1], bounds[2], bounds[3]
