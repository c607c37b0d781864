"""The baseline of TAda2D: 5-D tensors throughout, and a kernel of its own for every frame.

The calibrated kernels of all B*T frames are laid side by side and applied in one grouped
convolution; temporal aggregation is an average pool and two batch norms, one after the other.
Modules are named as in `feature_extraction.backbones`, so weights pass between the two.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from feature_extraction.backbones import VideoResNet

EXPANSION = 4


class ConvNorm3d(nn.Module):
    """A 1 x k x k convolution and its batch norm."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            in_channels,
            out_channels,
            (1, kernel, kernel),
            (1, stride, stride),
            (0, kernel // 2, kernel // 2),
            bias=False,
        )
        self.norm = nn.BatchNorm3d(out_channels)

    def forward(self, video: Tensor) -> Tensor:
        """[B, Ci, T, H, W] -> [B, Co, T, H', W']."""
        return self.norm(self.conv(video))


class Route(nn.Module):
    """Calibration weights from pooled descriptors (Eq. 4 to 6)."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        inner = max(1, channels // reduction)
        self.frame_pool = nn.AdaptiveAvgPool3d((None, 1, 1))
        self.clip_pool = nn.AdaptiveAvgPool3d(1)
        self.g = nn.Conv3d(channels, channels, 1)
        self.a = nn.Conv3d(channels, inner, (3, 1, 1), padding=(1, 0, 0))
        self.bn = nn.BatchNorm3d(inner)
        self.relu = nn.ReLU(inplace=True)
        self.b = nn.Conv3d(inner, channels, (3, 1, 1), padding=(1, 0, 0), bias=False)

    def forward(self, video: Tensor) -> Tensor:
        """[B, C, T, H, W] -> alpha [B, C, T, 1, 1]."""
        pooled = self.frame_pool(video) + self.g(self.clip_pool(video))
        return self.b(self.relu(self.bn(self.a(pooled)))) + 1


class GroupedTAdaConv(nn.Module):
    """A 3 x 3 TAdaConv whose B*T calibrated kernels are the groups of one convolution."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, reduction: int) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        self.route = Route(in_channels, reduction)

    def forward(self, video: Tensor) -> Tensor:
        """[B, Ci, T, H, W] -> [B, Co, T, H', W']."""
        batch, channels, length, height, width = video.shape
        alpha = self.route(video).permute(0, 2, 1, 3, 4).unsqueeze(2)  # [B, T, 1, Ci, 1, 1]
        kernels = (alpha * self.weight).reshape(-1, channels, 3, 3)  # [B * T * Co, Ci, 3, 3]
        frames = video.permute(0, 2, 1, 3, 4).reshape(1, -1, height, width)
        output = F.conv2d(frames, kernels, None, self.stride, 1, groups=batch * length)
        output = output.reshape(batch, length, -1, *output.shape[2:])
        return output.permute(0, 2, 1, 3, 4)


class PooledAggregation(nn.Module):
    """relu(BN1(x) + BN2(AvgPool3d(x))) (Eq. 7)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm3d(channels)
        self.pool = nn.AvgPool3d((kernel, 1, 1), stride=1, padding=(kernel // 2, 0, 0))
        self.pooled_norm = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, video: Tensor) -> Tensor:
        """[B, C, T, H, W] -> the same shape."""
        return self.relu(self.norm(video) + self.pooled_norm(self.pool(video)))


class BaselineBottleneck(nn.Module):
    """1x1, TAdaConv and aggregation, 1x1, shortcut."""

    def __init__(self, in_channels: int, inner: int, stride: int, reduction: int) -> None:
        super().__init__()
        out_channels = inner * EXPANSION
        self.reduce = ConvNorm3d(in_channels, inner, 1)
        self.conv = GroupedTAdaConv(inner, inner, stride, reduction)
        self.aggregate = PooledAggregation(inner, 3)
        self.expand = ConvNorm3d(inner, out_channels, 1)
        same = stride == 1 and in_channels == out_channels
        self.shortcut = None if same else ConvNorm3d(in_channels, out_channels, 1, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, video: Tensor) -> Tensor:
        """[B, Ci, T, H, W] -> [B, Co, T, H', W']."""
        branch = self.expand(self.aggregate(self.conv(self.relu(self.reduce(video)))))
        kept = video if self.shortcut is None else self.shortcut(video)
        return self.relu(kept + branch)


class BaselineTAda2D(nn.Module):
    """TAda2D with `blocks` a stage, `width` channels in the stem and one classifier."""

    def __init__(
        self, blocks: tuple[int, ...], width: int, num_classes: int, reduction: int = 4
    ) -> None:
        super().__init__()
        self.stem = ConvNorm3d(3, width, 7, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.stages = nn.ModuleList()
        channels = width
        for index, count in enumerate(blocks):
            inner = width * 2**index
            stage = nn.ModuleList()
            for block in range(count):
                stage.append(BaselineBottleneck(channels, inner, 2 if block == 0 else 1, reduction))
                channels = inner * EXPANSION
            self.stages.append(stage)
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.classifier = nn.Linear(channels, num_classes)

    def features(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] -> features [B, C]."""
        video = self.relu(self.stem(video))
        for stage in self.stages:
            for block in stage:
                video = block(video)
        return self.pool(video).flatten(1)

    def forward(self, video: Tensor) -> Tensor:
        """Video [B, 3, T, H, W] -> logits [B, num_classes]."""
        return self.classifier(self.features(video))


def baseline_tada2d(model: VideoResNet) -> BaselineTAda2D:
    """The baseline of a TAda2D of ours with a single classifier, with its weights and mode."""
    blocks = tuple(len(stage) for stage in model.stages)
    baseline = BaselineTAda2D(blocks, model.stem.conv.out_channels, int(model.num_classes))
    own = baseline.state_dict()
    given = {
        key.replace("head.classifiers.0.", "classifier."): value
        for key, value in model.state_dict().items()
    }
    baseline.load_state_dict({key: value.reshape(own[key].shape) for key, value in given.items()})
    return baseline.train(model.training)
