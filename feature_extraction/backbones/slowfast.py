"""SlowFast (Feichtenhofer et al., ICCV 2019): one clip of frames seen at two rates."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.backbones.blocks import ConvNorm
from feature_extraction.backbones.resnet import Classes, VideoNetwork, mean_of_clips
from feature_extraction.tadaconv.layout import to_frames


class Pathway(nn.Module):
    """A stem and its stages over the frames of clips; every stem is followed by a 3x3 max pool."""

    def __init__(self, stem: ConvNorm, stages: nn.ModuleList) -> None:
        super().__init__()
        self.stem, self.stages = stem, stages

    def begin(self, frames: Tensor, length: int) -> Tensor:
        """Frames [B*T, 3, H, W] of clips of `length` = T -> [B*T, C, H/4, W/4]."""
        return F.max_pool2d(torch.relu_(self.stem(frames, length)), 3, 2, 1)


class SlowFast(VideoNetwork):
    """A slow pathway on every alpha-th frame and a narrow fast one on all, connected laterally.

    Called on a video [B, 3, T, H, W] it gives logits [B, num_classes], or a (verb, noun) pair. The
    fast pathway sees the T frames, the slow one frames 0, alpha, 2 alpha, ...; before each stage
    the fast features, convolved over time down to the slow rate, are put beside the slow ones.
    Features [B, C] are the slow pathway's mean over space and time and the fast one's after it.
    """

    slow: Pathway
    fast: Pathway
    lateral: nn.ModuleList

    def __init__(
        self,
        slow: Pathway,
        fast: Pathway,
        lateral: nn.ModuleList,
        alpha: int,
        channels: tuple[int, int],
        num_classes: Classes,
        dropout: float,
    ) -> None:
        """Take the pathways, the lateral connections and the channels each pathway ends with."""
        super().__init__(sum(channels), num_classes, dropout, slow=slow, fast=fast, lateral=lateral)
        self.alpha = alpha

    def features(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] -> features [B, C], slow channels first."""
        length = video.shape[2]
        slow_length = -(-length // self.alpha)
        slow, fast = to_frames(video[:, :, :: self.alpha]), to_frames(video)
        slow = self.slow.begin(slow.to(memory_format=self.memory_format), slow_length)
        fast = self.fast.begin(fast.to(memory_format=self.memory_format), length)
        stages = zip(self.lateral, self.slow.stages, self.fast.stages, strict=True)
        for lateral, slow_stage, fast_stage in stages:
            slow = torch.cat([slow, torch.relu_(lateral(fast, length))], 1)
            slow = slow_stage(slow, slow_length)
            fast = fast_stage(fast, length)
        return torch.cat([mean_of_clips(slow, slow_length), mean_of_clips(fast, length)], 1)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *arguments: Any
    ) -> None:
        """Also take weights saved when the lateral connections had another name."""
        former = f"{prefix}joints."  # words: ok
        for key in [key for key in state_dict if key.startswith(former)]:
            tail = key.removeprefix(former)
            state_dict[f"{prefix}lateral.{tail}"] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *arguments)
