"""The baseline of BMN: a dense sampling mask, every sampled feature, then a 3-D convolution."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from bmn import BMN, BMNOutput


def dense_mask(
    temporal_scale: int, duration_scale: int, num_samples: int, per_bin: int, ratio: float
) -> Tensor:
    """The sampling mask, cell by cell and point by point: float32 [T, N * D * T]."""
    mask = np.zeros((temporal_scale, num_samples, duration_scale, temporal_scale), np.float32)
    points = num_samples * per_bin
    for duration in range(duration_scale):
        length = duration + 1.0
        for start in range(temporal_scale - duration):
            low = start - length * ratio
            high = start + duration + length * ratio
            step = (high - low) / (points - 1.0)
            for point in range(points):
                place = low + step * point
                share, whole = math.modf(place)
                lower, upper = int(whole), math.ceil(place)
                sample = point // per_bin
                if 0 <= lower < temporal_scale:
                    mask[lower, sample, duration, start] += (1 - share) / per_bin
                if 0 <= upper < temporal_scale:
                    mask[upper, sample, duration, start] += share / per_bin
    return torch.from_numpy(mask.reshape(temporal_scale, -1))


class BaselineBMN(nn.Module):
    """BMN with the mask product and Conv3d, of the sizes of a BMN of ours."""

    def __init__(
        self,
        in_channels: int,
        mask: Tensor,
        sizes: tuple[int, int, int],
        shape: tuple[int, int, int],
    ) -> None:
        """sizes: hidden_1d, hidden_2d, hidden_3d; shape: N, D, T of the mask [T, N * D * T]."""
        super().__init__()
        hidden_1d, hidden_2d, hidden_3d = sizes
        self.shape = shape
        self.register_buffer("mask", mask, persistent=False)
        self.base = nn.Sequential(
            nn.Conv1d(in_channels, hidden_1d, 3, padding=1, groups=4),
            nn.ReLU(inplace=True),
            nn.Conv1d(hidden_1d, hidden_1d, 3, padding=1, groups=4),
            nn.ReLU(inplace=True),
        )
        self.start_head = _probability_head(hidden_1d)
        self.end_head = _probability_head(hidden_1d)
        self.map_base = nn.Sequential(
            nn.Conv1d(hidden_1d, hidden_1d, 3, padding=1), nn.ReLU(inplace=True)
        )
        self.matching = nn.Conv3d(hidden_1d, hidden_3d, (shape[0], 1, 1), stride=(shape[0], 1, 1))
        self.reduce = nn.Conv2d(hidden_3d, hidden_2d, 1)
        self.map_head = nn.Sequential(
            nn.Conv2d(hidden_2d, hidden_2d, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden_2d, hidden_2d, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden_2d, 2, 1),
            nn.Sigmoid(),
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> BMNOutput:
        """features [B, C, T] -> BMNOutput."""
        shared = self.base(features)
        start = self.start_head(shared).squeeze(1)
        end = self.end_head(shared).squeeze(1)
        base = self.map_base(shared)
        sampled = torch.matmul(base, self.mask).reshape(*base.shape[:2], *self.shape)
        matched = self.relu(self.matching(sampled)).squeeze(2)
        return BMNOutput(self.map_head(self.relu(self.reduce(matched))), start, end)


def _probability_head(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(channels, channels, 3, padding=1, groups=4),
        nn.ReLU(inplace=True),
        nn.Conv1d(channels, 1, 1),
        nn.Sigmoid(),
    )


def baseline_bmn(model: BMN) -> BaselineBMN:
    """The baseline of a BMN of ours (4 groups, 3 points a bin, ratio 0.5), with its weights."""
    matching = model.matching
    num_samples, hidden_3d, hidden_1d = matching.weight.shape
    temporal, durations = matching.temporal_scale, matching.duration_scale
    mask = dense_mask(temporal, durations, num_samples, 3, 0.5)
    in_channels = model.base[0].in_channels
    sizes = (hidden_1d, model.reduce.out_features, hidden_3d)
    baseline = BaselineBMN(in_channels, mask, sizes, (num_samples, durations, temporal))
    own = baseline.state_dict()
    given = dict(model.state_dict())
    given["matching.weight"] = given["matching.weight"].permute(1, 2, 0)  # [N, out, in]
    baseline.load_state_dict({key: value.reshape(own[key].shape) for key, value in given.items()})
    return baseline
