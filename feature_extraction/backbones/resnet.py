"""What all networks here can do, and the ResNets over the frames of video.

Paper, Section 4, Appendix B and Table A1. `networks.py` puts the networks together.
"""

from __future__ import annotations

from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.backbones.activation_checkpointing import checkpoint_activations
from feature_extraction.backbones.blocks import Bottleneck, ConvNorm
from feature_extraction.tadaconv.generation import CalibrationWeights, LinearCalibration
from feature_extraction.tadaconv.layout import to_clips, to_frames

Classes = int | tuple[int, int]  # of one head, or (verbs, nouns) of two
Logits = Tensor | tuple[Tensor, Tensor]


class Head(nn.Module):
    """Dropout and one linear classifier, or two (verb, noun) on the same feature."""

    def __init__(self, channels: int, num_classes: Classes, dropout: float) -> None:
        super().__init__()
        counts = (num_classes,) if isinstance(num_classes, int) else tuple(num_classes)
        self.pair = not isinstance(num_classes, int)
        if len(counts) != 1 + self.pair or any(count < 1 for count in counts):
            raise ValueError(f"num_classes must be one count or a (verb, noun) pair: {num_classes}")
        self.dropout = nn.Dropout(dropout)
        self.classifiers = nn.ModuleList(nn.Linear(channels, count) for count in counts)

    def forward(self, features: Tensor) -> Logits:
        """[B, C] -> logits [B, classes], or the pair ([B, verbs], [B, nouns])."""
        features = self.dropout(features)
        logits = [classifier(features) for classifier in self.classifiers]
        return (logits[0], logits[1]) if self.pair else logits[0]


class VideoNetwork(nn.Module):
    """A network over clips: called on a video [B, 3, T, H, W] (any T, H, W) it gives logits.

    Logits are [B, num_classes], or a (verb, noun) pair of them. It is made of its named `parts`, a
    head on features of `feature_dim` channels, and of what a kind of network computes in `features`.
    """

    def __init__(
        self, feature_dim: int, num_classes: Classes, dropout: float, **parts: nn.Module
    ) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.feature_dim = feature_dim
        self.num_classes = num_classes if isinstance(num_classes, int) else tuple(num_classes)
        self.memory_format = torch.preserve_format  # frames are computed in the video's own layout
        self.head = Head(feature_dim, num_classes, dropout)
        initialise(self)

    def features(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] -> features [B, C], the mean over space and time."""
        raise NotImplementedError

    def classify(self, features: Tensor) -> Logits:
        """Features [B, C] -> logits, or a (verb, noun) pair; dropout only while training."""
        logits: Logits = self.head(features)
        return logits

    def forward(self, video: Tensor) -> Logits:
        """Video [B, 3, T, H, W] -> logits [B, num_classes], or a (verb, noun) pair."""
        return self.classify(self.features(video))

    def checkpoint_activations(self) -> bool:
        """Have its blocks keep their inputs alone for the gradient (less memory); whether it has any."""
        blocks = [module for module in self.modules() if isinstance(module, Bottleneck)]
        checkpoint_activations(blocks)
        return bool(blocks)

    def to(self, *arguments: Any, **options: Any) -> Self:
        """Move as any module; of a memory format, kernels of four dimensions alone are laid out in it.

        torch refuses channels_last for kernels over time, which have five.
        """
        memory_format = options.pop("memory_format", None)
        if memory_format is not None:
            for parameter in self.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.to(memory_format=memory_format)
        return super().to(*arguments, **options) if arguments or options else self


class VideoResNet(VideoNetwork):
    """A bottleneck ResNet over the frames of clips, averaged over space and time.

    It takes its stem, its stages (`bottleneck_stages`), the channels of the last of them, and whether
    a 3x3 max pool halves the frame after the stem.
    """

    stem: ConvNorm
    stages: nn.ModuleList

    def __init__(
        self,
        stem: ConvNorm,
        stages: nn.ModuleList,
        channels: int,
        num_classes: Classes,
        dropout: float,
        *,
        max_pool: bool = False,
    ) -> None:
        super().__init__(channels, num_classes, dropout, stem=stem, stages=stages)
        self.max_pool = max_pool

    def features(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] -> features [B, C], the mean over space and time."""
        length = video.shape[2]
        frames = to_frames(video).to(memory_format=self.memory_format)
        frames = torch.relu_(self.stem(frames, length))
        if self.max_pool:
            frames = F.max_pool2d(frames, 3, 2, 1)
        for stage in self.stages:
            frames = stage(frames, length)
        return mean_of_clips(frames, length)


def mean_of_clips(frames: Tensor, length: int) -> Tensor:
    """[B*T, C, H, W] of clips of `length` = T frames -> their mean over space and time, [B, C]."""
    return to_clips(frames.mean((2, 3)), length).mean(1)


def initialise(model: nn.Module) -> None:
    """He initialisation of every convolution (fan out), N(0, 0.01) for the classifiers.

    The last convolution of the calibration weights goes back to zero, so that they start at one.
    """
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, (CalibrationWeights, LinearCalibration)):
            nn.init.zeros_(module.b.weight)
