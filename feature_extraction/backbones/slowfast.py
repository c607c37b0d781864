"""SlowFast (Feichtenhofer et al., ICCV 2019): one clip of frames seen at two rates."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.backbones.clip_conv import lay_out
from feature_extraction.backbones.resnet import ConvNorm, Head, initialise
from feature_extraction.tadaconv.tadaconv import to_frames


class Pathway(nn.Module):
    """A stem and its stages over the frames of clips; every stem is followed by a 3x3 max pool."""

    def __init__(self, stem: ConvNorm, stages: nn.ModuleList) -> None:
        super().__init__()
        self.stem, self.stages = stem, stages

    def begin(self, frames: Tensor, length: int) -> Tensor:
        """Frames [B*T, 3, H, W] of clips of `length` = T -> [B*T, C, H/4, W/4]."""
        return F.max_pool2d(torch.relu_(self.stem(frames, length)), 3, 2, 1)

    def stage(self, index: int, frames: Tensor, length: int) -> Tensor:
        """[B*T, Ci, H, W] of clips of `length` = T -> [B*T, Co, H', W'], through one stage."""
        for block in self.stages[index]:
            frames = block(frames, length)
        return frames


class SlowFast(nn.Module):
    """A slow pathway on every alpha-th frame and a narrow fast one on all, joined sideways.

    Called on a video [B, 3, T, H, W] it gives logits [B, num_classes], or a (verb, noun) pair. The
    fast pathway sees the T frames, the slow one frames 0, alpha, 2 alpha, ...; before each stage
    the fast features, convolved over time down to the slow rate, are put beside the slow ones.
    Features [B, C] are the slow pathway's mean over space and time and the fast one's after it.
    """

    def __init__(
        self,
        slow: Pathway,
        fast: Pathway,
        joints: nn.ModuleList,
        alpha: int,
        channels: tuple[int, int],
        num_classes: int | tuple[int, int],
        dropout: float,
    ) -> None:
        """Take the pathways, the convolutions between them and the channels each ends with."""
        super().__init__()
        self.num_classes = num_classes if isinstance(num_classes, int) else tuple(num_classes)
        self.memory_format = torch.preserve_format
        self.slow, self.fast, self.joints, self.alpha = slow, fast, joints, alpha
        self.feature_dim = sum(channels)
        self.head = Head(self.feature_dim, num_classes, dropout)
        initialise(self)

    def features(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] -> features [B, C], slow channels first."""
        length = video.shape[2]
        slow_length = -(-length // self.alpha)
        slow, fast = to_frames(video[:, :, :: self.alpha]), to_frames(video)
        slow = self.slow.begin(slow.to(memory_format=self.memory_format), slow_length)
        fast = self.fast.begin(fast.to(memory_format=self.memory_format), length)
        for index, joint in enumerate(self.joints):
            slow = torch.cat([slow, torch.relu_(joint(fast, length))], 1)
            slow = self.slow.stage(index, slow, slow_length)
            fast = self.fast.stage(index, fast, length)
        means = [
            frames.mean((2, 3)).unflatten(0, (-1, count)).mean(1)
            for frames, count in ((slow, slow_length), (fast, length))
        ]
        return torch.cat(means, 1)

    def classify(self, features: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Features [B, C] -> logits, or a (verb, noun) pair; dropout only while training."""
        return self.head(features)

    def forward(self, video: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Video [B, 3, T, H, W] -> logits [B, num_classes], or a (verb, noun) pair."""
        return self.classify(self.features(video))

    def to(self, *arguments: Any, **options: Any) -> SlowFast:
        """Move as any module; a memory format is taken by the kernels that can have it."""
        return lay_out(super().to, self, *arguments, **options)
