"""A convolution whose kernel has a factor of its own for every tap and frame (Table 4, k^2).

Such a factor stands neither on a channel of the input nor on one of the output, so the kernels differ
from frame to frame. Both forms here are exact and keep the ordinary convolution's operations.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from feature_extraction.tadaconv.convolution import conv2d
from feature_extraction.tadaconv.layout import pair


def conv_with_tap_factors(
    frames: Tensor,
    weight: Tensor,
    factors: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
) -> Tensor:
    """Convolve frame n with weight * factors[n].

    frames [N, Ci*kt, H, W], the kt neighbours of a channel side by side (kt = 1: plain frames);
    weight [Co, Ci, kt, kh, kw]; factors [N, kt, kh, kw]; bias [Co]. Returns [N, Co, H', W'].
    Processors take the frames one by one, which measured fastest there; on other devices, where
    many small calls wait for one another, the taps become channels of one convolution.
    """
    form = kernel_a_frame if frames.device.type == "cpu" else taps_as_channels
    output = form(frames, weight, factors.to(weight.dtype), pair(stride), pair(padding))
    return output if bias is None else output + bias[:, None, None]


def kernel_a_frame(
    frames: Tensor,
    weight: Tensor,
    factors: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Tensor:
    """One ordinary convolution a frame, with its own kernel."""
    outputs = [
        conv2d(frame[None], (weight * factor).flatten(1, 2), None, stride, padding)
        for frame, factor in zip(frames, factors, strict=True)
    ]
    return torch.cat(outputs)


def taps_as_channels(
    frames: Tensor,
    weight: Tensor,
    factors: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Tensor:
    """One 1x1 convolution over the shifted frames, each times its tap's factor."""
    taps, (height, width) = weight.shape[2], weight.shape[3:]
    (down, right), (top, left) = stride, padding
    rows = (frames.shape[2] + 2 * top - height) // down + 1
    columns = (frames.shape[3] + 2 * left - width) // right + 1
    padded = torch.unflatten(F.pad(frames, (left, left, top, top)), 1, (-1, taps))
    shifted = [
        padded[..., i : i + down * (rows - 1) + 1 : down, j : j + right * (columns - 1) + 1 : right]
        * factors[:, None, :, i, j, None, None].to(frames.dtype)
        for i in range(height)
        for j in range(width)
    ]
    kernel = weight.permute(0, 3, 4, 1, 2).flatten(1)
    return F.conv2d(torch.cat(shifted, 1).flatten(1, 2), kernel[:, :, None, None])
