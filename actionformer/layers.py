"""The network's small layers, on [B, T, C]: channels last, so that a norm or a 1x1 layer reads rows.

Parameters keep the names and shapes of the public checkpoints ([out, in, kernel], [1, C, 1]).
`shown` [B, T, 1] is False where positions are padding.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Norm(nn.Module):
    """Layer norm over the channels, with a learnt scale and bias of each: [B, T, C] -> same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weight.flatten(), self.bias.flatten(), 1e-5)


class Conv(nn.Module):
    """A convolution over time without what it makes of padding: [B, T, in] -> [B, T', out].

    Centred on positions 0, stride, 2 stride ...; zeros stand before the array and after it.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        around = kernel // 2
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride, around, groups=groups, bias=bias)
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor, shown: Tensor) -> Tensor:
        """shown [B, T', 1]: where the output's positions are no padding."""
        conv, weight = self.conv, self.conv.weight.unsqueeze(2)
        row = x.transpose(1, 2).unsqueeze(2)  # a picture one row high: these may be channels last
        around = (0, weight.shape[3] // 2)
        made = F.conv2d(row, weight, conv.bias, (1, *conv.stride), around, groups=conv.groups)
        return made.squeeze(2).transpose(1, 2).mul_(shown)


class Pointwise(nn.Conv1d):
    """A 1x1 convolution, [B, T, in] -> [B, T, out]; its bias starts at zero."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]  # there is one

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.squeeze(2), self.bias)


class DropPath(nn.Module):
    """A residual branch times a learnt scale a channel; in training left out at `rate`, by video."""

    def __init__(self, channels: int, rate: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1, channels, 1), 1e-4))
        self.rate = rate

    def forward(self, x: Tensor, branch: Tensor) -> Tensor:
        scale = self.scale.flatten()
        if self.training:
            kept = torch.rand(len(x), 1, 1, device=x.device) >= self.rate
            scale = scale * kept / (1 - self.rate)
        return torch.addcmul(x, branch, scale.to(x.dtype))


class Scale(nn.Module):
    """A learnt factor."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def halved(x: Tensor) -> Tensor:
    """[B, T, C] -> [B, T / 2, C]: the largest of positions 2i - 1, 2i and 2i + 1."""
    picture = x.transpose(1, 2).unsqueeze(2)
    return F.max_pool2d(picture, (1, 3), (1, 2), (0, 1)).squeeze(2).transpose(1, 2)


def position_code(length: int, width: int, longest: int) -> Tensor:
    """Sines (even channels) and cosines of the positions over sqrt(width), [length, width], float32.

    Beyond the `longest` training length its table is stretched linearly to `length`.
    """
    channel = torch.arange(width, dtype=torch.float64)
    rate = torch.pow(10000.0, -2 * (channel // 2) / width)
    angle = torch.arange(longest, dtype=torch.float64).unsqueeze(1) * rate
    table = torch.where(channel % 2 == 0, angle.sin(), angle.cos())
    table = table.float() / math.sqrt(width)  # rounded in this order, as the public table is
    if length > longest:
        return F.interpolate(table.t().unsqueeze(0), size=length, mode="linear")[0].t()
    return table[:length]
