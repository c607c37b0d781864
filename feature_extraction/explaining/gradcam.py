"""Grad-CAM (Selvaraju et al., ICCV 2017): where in each frame of a clip a class is seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from feature_extraction.backbones import VideoNetwork
from feature_extraction.explaining.last_maps import LastMaps, last_maps
from feature_extraction.tadaconv.layout import to_clips


class ClassMaps(NamedTuple):
    """Where each of n classes is seen in B clips of T frames, and the logits.

    `maps` float32 [n, B, T, h, w]: above 0 where it supports the class, below 0 what speaks against it. Their mean over
    a clip's frames and places is the class's logit less its bias. `logits`: [B, classes] a head.
    """

    maps: Tensor
    logits: tuple[Tensor, ...]


def class_maps(
    network: VideoNetwork, video: Tensor, classes: Sequence[tuple[int, int]]
) -> ClassMaps:
    """The maps of Grad-CAM before its ReLU, of clips [B, 3, T, H, W] and classes (head, number).

    A frame's channels are weighted by the gradient of the class's logit with respect to them, averaged over the
    frame's places. The factor before all of them is chosen so that the maps average to the logit less
    its bias, where T is a multiple of a SlowFast's alpha; a slow map stands for alpha frames. h x w is the size of the
    last feature maps. The network must be in eval mode. Raises NoFeatureMapsError, and ValueError for a class that is not there.
    """
    for head, number in classes:
        counts = network.num_classes
        sizes = (counts,) if isinstance(counts, int) else counts
        if not (0 <= head < len(sizes) and 0 <= number < sizes[head]):
            raise ValueError(f"class {number} of head {head}: the network has {counts} classes")
    last = last_maps(network, video)
    length = video.shape[2]
    with torch.enable_grad():
        found = [_map_of(last, last.logits[head][:, number], length) for head, number in classes]
    return ClassMaps(torch.stack(found), tuple(head.detach().float() for head in last.logits))


def grad_cam(
    network: VideoNetwork, video: Tensor, classes: Sequence[tuple[int, int]] = ((0, 0),)
) -> Tensor:
    """Grad-CAM of classes (head, number) on clips [B, 3, T, H, W]: float32 [n, B, T, h, w], from 0 on.

    heat = grad_cam(network.eval(), video, [(0, 17)])    # of class 17
    """
    return class_maps(network, video, classes).maps.clamp(min=0)


def _map_of(last: LastMaps, logits: Tensor, length: int) -> Tensor:
    """The map [B, T, h, w] of a class whose logits are [B]: those of the pathways added up."""
    # Clips do not see one another in eval mode: the gradient of the sum is that of each.
    gradients = torch.autograd.grad(logits.sum(), last.maps, retain_graph=True)
    total: Tensor | None = None
    for maps, gradient, every in zip(last.maps, gradients, last.every, strict=True):
        frames = -(-length // every)
        weights = gradient.float().sum((2, 3)) * frames
        one = torch.einsum("nc,nchw->nhw", weights, maps.detach().float())
        spread = to_clips(one, frames).repeat_interleave(every, dim=1)[:, :length]
        total = spread if total is None else total + spread
    assert total is not None
    return total
