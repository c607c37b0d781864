"""Mixup and CutMix: a training clip becomes a mixture of two of its batch, and its label too.

A clip's partner is the next one of the batch of all processes, the last one's the first: the order of
a batch is drawn again in every epoch, so partners are, too. The label need not be made: cross-entropy
is linear in it, so a mixture's loss is the mixture of the losses with either clip's class, label
smoothing included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.configuration.sections.training import AugmentSettings
from pipeline.processes import distributed
from pipeline.ranks import ranks


@dataclass(frozen=True)
class Mix:
    """How the clips of a batch are mixed: each with its partner, keeping the share `own`.

    `box`: the pixels that are the partner's (top, bottom, left, right); None if all are blended.
    """

    own: float
    box: tuple[int, int, int, int] | None = None


def draw_mix(video: Tensor, settings: AugmentSettings, generator: torch.Generator) -> Mix | None:
    """Draw how a batch's clips [b, ..., H, W] are mixed; None if neither mixup nor cutmix is on.

    With both on either is as likely. One share for all clips, from a beta distribution. The batch is
    what is computed at once: that of the step, or a piece of it (`gradient_accumulation`). One number
    is taken from `generator`, in any case; the same in every process.
    """
    if not (settings.mixup or settings.cutmix):
        return None
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    rng = np.random.default_rng(int(seed))
    height, width = video.shape[-2:]
    cuts = rng.random() < 0.5 if settings.mixup and settings.cutmix else settings.cutmix > 0
    alpha = settings.cutmix if cuts else settings.mixup
    own = float(rng.beta(alpha, alpha))
    if not cuts:
        return Mix(own)
    box = _box(height, width, 1 - own, rng)
    return Mix(1 - (box[1] - box[0]) * (box[3] - box[2]) / (height * width), box)


def mixed(video: Tensor, mix: Mix | None) -> Tensor:
    """Clips float [b, 3, T, H, W] mixed with their partners; every frame of a clip alike.

    A clip that is alone in the batch of all processes stays as it is.
    """
    if mix is None or mix.own == 1:
        return video
    firsts = distributed.gather(video[:1])  # the partner of a process's last clip is the next one's
    after = (ranks().rank + 1) % ranks().size
    partners = torch.cat([video[1:], firsts[after : after + 1]])
    if mix.box is None:
        return video.lerp(partners, 1 - mix.own)
    top, bottom, left, right = mix.box
    result = video.clone()
    result[..., top:bottom, left:right] = partners[..., top:bottom, left:right]
    return result


def mixed_loss(
    outputs: Tensor | tuple[Tensor, Tensor], target: Tensor, mix: Mix, smoothing: float
) -> Tensor:
    """Cross-entropy of mixed clips: the mean over the batch of all processes, summed over heads.

    outputs: logits [B, classes] of the whole batch, one or a verb and a noun head's; target
    [b, heads]: class indices of this process's own clips as they were before.
    """
    whole = distributed.gather(target)
    labels = (whole, whole.roll(-1, 0))
    heads = outputs if isinstance(outputs, tuple) else (outputs,)
    losses = []
    for place, head in enumerate(heads):
        ours, theirs = (
            F.cross_entropy(
                head.float(), rows[:, place], reduction="none", label_smoothing=smoothing
            )
            for rows in labels
        )
        losses.append((mix.own * ours + (1 - mix.own) * theirs).mean())
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
